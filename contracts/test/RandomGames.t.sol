// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameTest} from "./GameTest.sol";
import {FaultDisputeGame} from "../src/dispute/FaultDisputeGame.sol";
import {Position} from "../src/dispute/Position.sol";
import {Claim, Clock, GameStatus} from "../src/dispute/Types.sol";

/// Anybody doing anything: what is paid in is there, and is paid out in the end.
contract Players is GameTest {
    address[3] internal actors = [ALICE, BOB, CAROL];

    function setGame(FaultDisputeGame game_) external {
        game = game_;
    }

    function move(uint256 who, uint256 parent, bool isAttack, bytes32 claim, uint256 wait) external {
        pass(wait % (CLOCK / 8));
        // Mostly against one of the last claims, so that games get deep.
        uint256 count = game.claimDataLen();
        parent = count - 1 - (parent >> 2) % (parent % 4 == 0 || count < 3 ? count : 3);
        if (positionAt(parent).depth() == MAX_DEPTH) return;
        uint256 bond = bondFor(parent, isAttack);
        Claim disputed = claimAt(parent);
        // Roots of traces need some status; others take any claim.
        claim = bytes32(uint256(claim) << 8 >> 8 | (isAttack ? 1 : uint256(claim) % 3) << 248);
        vm.prank(actors[who % 3]);
        try game.move{value: bond}(disputed, parent, Claim.wrap(claim), isAttack) {} catch {}
    }

    function step(uint256 who, uint256 leaf, bool isAttack) external {
        leaf %= game.claimDataLen();
        vm.prank(actors[who % 3]);
        try game.step(leaf, isAttack, PRESTATE, "") {} catch {}
    }

    function resolveSome(uint256 claim, uint256 count) external {
        try game.resolveClaim(claim % game.claimDataLen(), count % 4) {} catch {}
    }
}

contract RandomGamesTest is GameTest {
    /// As forge reads it.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Players internal players;

    function setUp() public override {
        super.setUp();
        players = new Players();
        players.setGame(game);
    }

    /// What forge calls, and nothing else.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(players), new bytes4[](4));
        targets[0].selectors[0] = Players.move.selector;
        targets[0].selectors[1] = Players.move.selector;
        targets[0].selectors[2] = Players.step.selector;
        targets[0].selectors[3] = Players.resolveSome.selector;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(players);
    }

    function bondsOf() internal view returns (uint256 sum) {
        for (uint256 n = 0; n < game.claimDataLen(); n++) {
            (,,, uint128 bond,,,) = game.claimData(n);
            sum += bond;
        }
    }

    function refunds() internal view returns (uint256) {
        return game.refundModeCredit(ALICE) + game.refundModeCredit(BOB) + game.refundModeCredit(CAROL);
    }

    function credits() internal view returns (uint256) {
        return game.normalModeCredit(ALICE) + game.normalModeCredit(BOB) + game.normalModeCredit(CAROL);
    }

    function invariant_everyBondIsHeldAndRefundable() external view {
        assertEq(bondsOf(), weth.balanceOf(address(game)));
        assertEq(bondsOf(), refunds());
        assertEq(address(weth).balance, weth.balanceOf(address(game)));
    }

    function invariant_creditsAreTheBondsOfResolvedClaims() external view {
        uint256 sum = 0;
        for (uint256 n = 0; n < game.claimDataLen(); n++) {
            (,,, uint128 bond,,,) = game.claimData(n);
            if (game.resolvedSubgames(n)) sum += bond;
        }
        assertEq(credits(), sum);
    }

    function invariant_childrenAreBelowTheirParents() external view {
        for (uint256 n = 1; n < game.claimDataLen(); n++) {
            (uint32 parent,,,,, Position position,) = game.claimData(n);
            assertEq(position.depth(), positionAt(parent).depth() + 1);
            assertTrue(parent < n, "parent");
            assertTrue(clockAt(n) < CLOCK, "clock");
        }
    }

    function testFuzz_bondsInAreBondsOut(uint256 seed) external {
        uint256 funds = ALICE.balance + BOB.balance + CAROL.balance + address(weth).balance;
        for (uint256 n = 0; n < 24; n++) {
            uint256 dice = uint256(keccak256(abi.encode(seed, n)));
            players.move(dice, dice >> 8, dice & 1 << 40 == 0, bytes32(dice >> 2), 0);
            if (dice & 7 << 50 == 0) players.step(dice >> 16, dice >> 24, true);
        }
        uint256 paid = bondsOf();
        pass(2 * CLOCK);
        resolveAll();
        assertEq(credits(), paid);
        assertTrue((counteredBy(0) == address(0)) == (game.status() == GameStatus.DEFENDER_WINS), "status");
        pass(FINALITY + 1);
        claimTwice(ALICE);
        claimTwice(BOB);
        claimTwice(CAROL);
        assertEq(ALICE.balance + BOB.balance + CAROL.balance, funds);
        assertEq(address(weth).balance, 0);
    }
}
