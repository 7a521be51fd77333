// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Vm.sol";
import {IBigStepper} from "../src/interfaces/IBigStepper.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {IPreimageOracle} from "../src/interfaces/IPreimageOracle.sol";
import {AnchorStateRegistry} from "../src/dispute/AnchorStateRegistry.sol";
import {ClaimTree} from "../src/dispute/ClaimTree.sol";
import {DelayedWETH} from "../src/dispute/DelayedWETH.sol";
import {DisputeGameFactory} from "../src/dispute/DisputeGameFactory.sol";
import {FaultDisputeGame} from "../src/dispute/FaultDisputeGame.sol";
import {Position} from "../src/dispute/Position.sol";
import {Claim, Clock, Duration, GameType, Hash, Proposal} from "../src/dispute/Types.sol";
import {PreimageOracle} from "../src/oracle/PreimageOracle.sol";

/// A machine of which the test says where a step leads, and that tells what it was asked.
contract StubVM is IBigStepper {
    IPreimageOracle public oracle;
    bytes32 public result;
    bytes32 public lastContext;

    constructor(IPreimageOracle oracle_) {
        oracle = oracle_;
    }

    function setResult(bytes32 result_) external {
        result = result_;
    }

    function step(bytes calldata, bytes calldata, bytes32 localContext) external returns (bytes32) {
        lastContext = localContext;
        return result;
    }
}

/// A small game of each kind: 3 levels of output roots below the root, 16 steps in a trace.
abstract contract GameTest is Test {
    uint256 internal constant MAX_DEPTH = 8;
    uint256 internal constant SPLIT = 3;
    uint64 internal constant CLOCK = 7 days;
    uint64 internal constant EXTENSION = 3 hours;
    uint64 internal constant PERIOD = 1 days;
    uint256 internal constant FINALITY = 3 days;
    uint256 internal constant DELAY = 2 days;
    uint256 internal constant START = 100;
    uint256 internal constant CLAIMED = 108;
    uint256 internal constant CHAIN = 901;
    GameType internal constant CANNON = GameType.wrap(0);
    bytes internal constant PRESTATE = "the state before the first step";

    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);
    address internal constant CAROL = address(0xca401);

    PreimageOracle internal oracle;
    StubVM internal stub;
    DisputeGameFactory internal factory;
    AnchorStateRegistry internal registry;
    DelayedWETH internal weth;
    FaultDisputeGame internal game;

    function setUp() public virtual {
        pass(0);
        vm.roll(10);
        address[3] memory actors = [ALICE, BOB, CAROL];
        for (uint256 n = 0; n < actors.length; n++) {
            vm.deal(actors[n], 100_000 ether);
        }
        oracle = PreimageOracle(deploy("PreimageOracle.sol:PreimageOracle", abi.encode(126_000, PERIOD)));
        stub = new StubVM(oracle);
        factory = DisputeGameFactory(deploy("DisputeGameFactory.sol:DisputeGameFactory", abi.encode(this)));
        bytes memory finality = abi.encode(factory, FINALITY);
        registry = AnchorStateRegistry(deploy("AnchorStateRegistry.sol:AnchorStateRegistry", finality));
        weth = DelayedWETH(deploy("DelayedWETH.sol:DelayedWETH", abi.encode(DELAY)));
        register(CANNON);
        game = create(ALICE, claimOf("root"), CLAIMED);
    }

    function register(GameType kind) internal {
        registry.setStartingAnchor(kind, Proposal(Hash.wrap(keccak256("anchor")), START));
        bytes memory args =
            abi.encodePacked(hashOf(PRESTATE, 3), address(stub), address(registry), address(weth), CHAIN);
        FaultDisputeGame implementation = deployGame(params(MAX_DEPTH, SPLIT, EXTENSION, CLOCK));
        factory.setImplementation(kind, implementation, args);
        factory.setInitBond(kind, implementation.getRequiredBond(Position.wrap(1)));
    }

    function params(uint256 max, uint256 split, uint64 extension, uint64 clock)
        internal
        pure
        returns (ClaimTree.GameConstructorParams memory)
    {
        return ClaimTree.GameConstructorParams(max, split, Duration.wrap(extension), Duration.wrap(clock));
    }

    function deployGame(ClaimTree.GameConstructorParams memory rules) internal returns (FaultDisputeGame) {
        return FaultDisputeGame(payable(deploy("FaultDisputeGame.sol:FaultDisputeGame", abi.encode(rules))));
    }

    function create(address who, Claim root, uint256 number) internal returns (FaultDisputeGame) {
        uint256 bond = factory.initBonds(CANNON);
        vm.prank(who);
        return FaultDisputeGame(payable(address(factory.create{value: bond}(CANNON, root, abi.encode(number)))));
    }

    // Claims: what they say does not matter, but for the status at the root of a trace.

    function claimOf(string memory text) internal pure returns (Claim) {
        return Claim.wrap(hashOf(bytes(text), 1));
    }

    function hashOf(bytes memory state, uint8 status) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(state)) << 8 >> 8 | uint256(status) << 248);
    }

    function claimAt(uint256 index) internal view returns (Claim claim) {
        (,,,, claim,,) = game.claimData(index);
    }

    function positionAt(uint256 index) internal view returns (Position position) {
        (,,,,, position,) = game.claimData(index);
    }

    function counteredBy(uint256 index) internal view returns (address who) {
        (, who,,,,,) = game.claimData(index);
    }

    function clockAt(uint256 index) internal view returns (uint64 used) {
        (,,,,,, Clock clock) = game.claimData(index);
        return uint64(Clock.unwrap(clock) >> 64);
    }

    function bondFor(uint256 parent, bool isAttack) internal view returns (uint256) {
        return game.getRequiredBond(positionAt(parent).move(isAttack));
    }

    /// Moves; says the new claim's index.
    function play(address who, uint256 parent, bool isAttack, Claim claim) internal returns (uint256) {
        uint256 bond = bondFor(parent, isAttack);
        Claim disputed = claimAt(parent);
        vm.prank(who);
        game.move{value: bond}(disputed, parent, claim, isAttack);
        return game.claimDataLen() - 1;
    }

    function attack(address who, uint256 parent, string memory text) internal returns (uint256) {
        return play(who, parent, true, claimOf(text));
    }

    function defend(address who, uint256 parent, string memory text) internal returns (uint256) {
        return play(who, parent, false, claimOf(text));
    }

    /// Attacks by turns from a claim on, down to a depth; says the last claim's index.
    function attackDownTo(uint256 depth, uint256 from) internal returns (uint256 index) {
        index = from;
        while (positionAt(index).depth() < depth) {
            index = attack(index % 2 == 0 ? BOB : ALICE, index, "down");
        }
    }

    function expectMoveToFail(uint256 parent, bool isAttack, Claim claim, bytes4 selector) internal {
        uint256 bond = bondFor(parent, isAttack);
        Claim disputed = claimAt(parent);
        vm.expectRevert(selector);
        game.move{value: bond}(disputed, parent, claim, isAttack);
    }

    /// Decides all claims, last ones first.
    function resolveAll() internal {
        for (uint256 left = game.claimDataLen(); left > 0; left--) {
            game.resolveClaim(left - 1, 0);
        }
        game.resolve();
    }

    function claimTwice(address who) internal returns (uint256 paid) {
        uint256 before = who.balance;
        if (!game.hasUnlockedCredit(who)) game.claimCredit(who);
        if (game.credit(who) == 0) return 0;
        pass(DELAY);
        game.claimCredit(who);
        return who.balance - before;
    }
}
