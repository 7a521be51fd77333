// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameTest} from "./GameTest.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {AnchorStateRegistry} from "../src/dispute/AnchorStateRegistry.sol";
import {ClaimTree} from "../src/dispute/ClaimTree.sol";
import {DisputeGameFactory} from "../src/dispute/DisputeGameFactory.sol";
import "../src/dispute/Errors.sol";
import {FaultDisputeGame} from "../src/dispute/FaultDisputeGame.sol";
import {Claim, Duration, GameType, Hash, Proposal, Timestamp} from "../src/dispute/Types.sol";

contract FactoryTest is GameTest {
    GameType internal constant OTHER = GameType.wrap(8);

    function test_aGameKnowsItsArguments() external view {
        assertEq(game.gameCreator(), ALICE);
        assertEq(Claim.unwrap(game.rootClaim()), Claim.unwrap(claimOf("root")));
        assertEq(Claim.unwrap(game.rootClaimByChainId(CHAIN)), Claim.unwrap(claimOf("root")));
        assertEq(Hash.unwrap(game.l1Head()), blockhash(9));
        assertEq(GameType.unwrap(game.gameType()), 0);
        assertEq(keccak256(game.extraData()), keccak256(abi.encode(CLAIMED)));
        assertEq(game.l2BlockNumber(), CLAIMED);
        assertEq(game.l2SequenceNumber(), CLAIMED);
        assertEq(Claim.unwrap(game.absolutePrestate()), hashOf(PRESTATE, 3));
        assertEq(address(game.vm()), address(stub));
        assertEq(address(game.anchorStateRegistry()), address(registry));
        assertEq(address(game.weth()), address(weth));
        assertEq(game.l2ChainId(), CHAIN);
        assertEq(game.maxGameDepth(), MAX_DEPTH);
        assertEq(game.splitDepth(), SPLIT);
        assertEq(Duration.unwrap(game.maxClockDuration()), CLOCK);
        assertEq(Duration.unwrap(game.clockExtension()), EXTENSION);
        assertEq(game.startingBlockNumber(), START);
        assertEq(Timestamp.unwrap(game.createdAt()), time);
    }

    function test_gamesAreUnique() external {
        bytes memory extra = abi.encode(CLAIMED);
        Hash uuid = factory.getGameUUID(CANNON, claimOf("root"), extra);
        uint256 bond = factory.initBonds(CANNON);
        vm.expectRevert(abi.encodeWithSelector(GameAlreadyExists.selector, uuid));
        factory.create{value: bond}(CANNON, claimOf("root"), extra);
        create(BOB, claimOf("root"), CLAIMED + 1);
        create(BOB, claimOf("another root"), CLAIMED);
        assertEq(factory.gameCount(), 3);
    }

    function test_creationIsChecked() external {
        uint256 bond = factory.initBonds(CANNON);
        Claim claim = claimOf("new");
        vm.expectRevert(IncorrectBondAmount.selector);
        factory.create{value: bond + 1}(CANNON, claim, abi.encode(CLAIMED));
        vm.expectRevert(abi.encodeWithSelector(NoImplementation.selector, OTHER));
        factory.create{value: bond}(OTHER, claim, abi.encode(CLAIMED));
        vm.expectRevert(BadExtraData.selector);
        factory.create{value: bond}(CANNON, claim, abi.encodePacked(CLAIMED, hex"00"));
        uint256[3] memory numbers = [START, 0, uint256(type(uint64).max) + 1];
        for (uint256 n = 0; n < numbers.length; n++) {
            vm.expectRevert(abi.encodeWithSelector(UnexpectedRootClaim.selector, claim));
            factory.create{value: bond}(CANNON, claim, abi.encode(numbers[n]));
        }
        FaultDisputeGame implementation = deployGame(params(MAX_DEPTH, SPLIT, EXTENSION, CLOCK));
        factory.setImplementation(OTHER, implementation, factory.gameArgs(CANNON));
        vm.expectRevert(AnchorRootNotFound.selector);
        factory.create(OTHER, claim, abi.encode(CLAIMED));
    }

    function test_gamesAreInitialisedOnce() external {
        vm.expectRevert(AlreadyInitialized.selector);
        game.initialize();
        FaultDisputeGame implementation = FaultDisputeGame(payable(address(factory.gameImpls(CANNON))));
        vm.expectRevert();
        implementation.initialize();
    }

    function test_gamesAreFound() external {
        register(OTHER);
        for (uint256 n = 1; n < 6; n++) {
            create(ALICE, claimOf("more"), CLAIMED + n);
        }
        (IDisputeGame found, Timestamp at) = factory.games(CANNON, claimOf("root"), abi.encode(CLAIMED));
        assertEq(address(found), address(game));
        assertEq(Timestamp.unwrap(at), time);
        (GameType kind,, IDisputeGame first) = factory.gameAtIndex(0);
        assertEq(GameType.unwrap(kind), 0);
        assertEq(address(first), address(game));
        DisputeGameFactory.GameSearchResult[] memory games = factory.findLatestGames(CANNON, 4, 3);
        assertEq(games.length, 3);
        for (uint256 n = 0; n < 3; n++) {
            assertEq(games[n].index, 4 - n);
        }
        assertEq(keccak256(games[2].extraData), keccak256(abi.encode(CLAIMED + 2)));
        assertEq(factory.findLatestGames(CANNON, 5, 99).length, 6);
        assertEq(factory.findLatestGames(OTHER, 5, 99).length, 0);
        assertEq(factory.findLatestGames(CANNON, 6, 1).length, 0);
    }

    function test_onlyTheOwnerDecidesAboutTypes() external {
        vm.startPrank(BOB, BOB);
        vm.expectRevert(BadAuth.selector);
        factory.setInitBond(CANNON, 0);
        vm.expectRevert(BadAuth.selector);
        factory.setImplementation(CANNON, game);
        vm.expectRevert(BadAuth.selector);
        factory.setImplementation(CANNON, game, "");
        vm.expectRevert(BadAuth.selector);
        registry.setStartingAnchor(OTHER, Proposal(Hash.wrap(keccak256("x")), 1));
        vm.stopPrank();
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_AnchorExists.selector);
        registry.setStartingAnchor(CANNON, Proposal(Hash.wrap(keccak256("x")), 1));
    }

    function test_parametersAreChecked() external {
        vm.expectRevert(MaxDepthTooLarge.selector);
        this.tryRules(params(126, 30, EXTENSION, CLOCK));
        uint256[4] memory splits = [MAX_DEPTH - 1, MAX_DEPTH, type(uint256).max, 1];
        for (uint256 n = 0; n < splits.length; n++) {
            vm.expectRevert(InvalidSplitDepth.selector);
            this.tryRules(params(MAX_DEPTH, splits[n], EXTENSION, CLOCK));
        }
        vm.expectRevert(InvalidClockExtension.selector);
        this.tryRules(params(MAX_DEPTH, SPLIT, CLOCK / 2 + 1, CLOCK));
        vm.expectRevert(InvalidClockExtension.selector);
        this.tryRules(params(MAX_DEPTH, SPLIT, CLOCK / 2, 1 << 48));
        deployGame(params(125, 123, CLOCK / 2, CLOCK));
        // A clock that has no room for a large pre-image shows when the oracle is known.
        FaultDisputeGame tight = deployGame(params(MAX_DEPTH, SPLIT, EXTENSION, PERIOD + EXTENSION - 1));
        factory.setImplementation(CANNON, tight, factory.gameArgs(CANNON));
        uint256 bond = factory.initBonds(CANNON);
        vm.expectRevert(InvalidClockExtension.selector);
        factory.create{value: bond}(CANNON, claimOf("tight"), abi.encode(CLAIMED));
    }

    /// Deploys a game, and reverts as its constructor does.
    function tryRules(ClaimTree.GameConstructorParams memory rules) external {
        bytes memory code = bytes.concat(vm.getCode("FaultDisputeGame.sol:FaultDisputeGame"), abi.encode(rules));
        assembly ("memory-safe") {
            if iszero(create(0, add(code, 32), mload(code))) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }
}
