// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameTest} from "./GameTest.sol";
import "../src/dispute/Errors.sol";
import {Moves} from "../src/dispute/Moves.sol";
import {Position} from "../src/dispute/Position.sol";
import {Claim, Duration} from "../src/dispute/Types.sol";

/// The rules of moving, one by one.
contract MovesTest is GameTest {
    function test_movesLeadToTheirPositions() external {
        uint256 a = attack(BOB, 0, "a");
        assertEq(positionAt(a).raw(), 2);
        assertEq(positionAt(defend(ALICE, a, "b")).raw(), 6);
        assertEq(positionAt(attack(ALICE, a, "b")).raw(), 4);
        (uint32 parent, address by, address who, uint128 bond, Claim claim,,) = game.claimData(a);
        assertEq(parent, 0);
        assertEq(by, address(0));
        assertEq(who, BOB);
        assertEq(bond, game.getRequiredBond(Position.wrap(2)));
        assertEq(Claim.unwrap(claim), Claim.unwrap(claimOf("a")));
        assertEq(game.subgames(0, 0), a);
        assertEq(weth.balanceOf(address(game)), address(weth).balance);
    }

    function test_aMoveIsLogged() external {
        uint256 bond = bondFor(0, true);
        Claim root = claimAt(0);
        vm.expectEmit(true, true, true, true);
        emit Moves.Move(0, claimOf("a"), address(this));
        game.attack{value: bond}(root, 0, claimOf("a"));
        vm.expectRevert(ClaimAlreadyExists.selector);
        game.attack{value: bond}(root, 0, claimOf("a"));
    }

    function test_aWrongBondIsRefused() external {
        uint256 bond = bondFor(0, true);
        Claim root = claimAt(0);
        vm.expectRevert(IncorrectBondAmount.selector);
        game.attack{value: bond - 1}(root, 0, claimOf("a"));
        vm.expectRevert(IncorrectBondAmount.selector);
        game.attack{value: bond + 1}(root, 0, claimOf("a"));
    }

    function test_aWrongParentIsRefused() external {
        uint256 bond = bondFor(0, true);
        vm.expectRevert(InvalidDisputedClaimIndex.selector);
        game.attack{value: bond}(claimOf("other"), 0, claimOf("a"));
        vm.expectRevert();
        game.attack{value: bond}(claimOf("root"), 1, claimOf("a"));
    }

    function test_duplicatesAreRefusedAndNeighboursAreNot() external {
        uint256 a = attack(BOB, 0, "a");
        expectMoveToFail(0, true, claimOf("a"), ClaimAlreadyExists.selector);
        attack(BOB, 0, "another claim");
        attack(BOB, a, "a");
        defend(BOB, a, "a");
    }

    function test_rootsCannotBeDefended() external {
        expectMoveToFail(0, false, claimOf("a"), CannotDefendRootClaim.selector);
        uint256 root = attackDownTo(SPLIT + 1, 0);
        expectMoveToFail(root, false, claimOf("a"), CannotDefendRootClaim.selector);
        attack(BOB, root, "a");
    }

    function test_noClaimIsDeeperThanTheGame() external {
        uint256 last = attackDownTo(MAX_DEPTH, 0);
        Claim claim = claimAt(last);
        vm.expectRevert(GameDepthExceeded.selector);
        game.attack(claim, last, claimOf("a"));
        Position below = positionAt(last).move(true);
        vm.expectRevert(GameDepthExceeded.selector);
        game.getRequiredBond(below);
    }

    function test_theRootOfATraceSaysHowTheProgramEnded() external {
        uint256 output = attackDownTo(SPLIT, 0);
        for (uint8 status = 0; status < 5; status++) {
            Claim claim = Claim.wrap(hashOf("trace", status));
            if (status == 1 || status == 2) {
                play(BOB, output, true, claim);
            } else {
                uint256 bond = bondFor(output, true);
                Claim disputed = claimAt(output);
                vm.expectRevert(abi.encodeWithSelector(UnexpectedRootClaim.selector, claim));
                game.attack{value: bond}(disputed, output, claim);
            }
        }
    }

    /// A defence disputes the output after the defended one. After an attack that is the attacked
    /// claim, of the other side than the claim and so of the defender's own.
    function test_aDefenceAfterAnAttackAcceptsTheNextOutput() external {
        uint256 output = attackDownTo(SPLIT, 0);
        expectMoveToFailWithStatus(output, 1);
        play(BOB, output, false, Claim.wrap(hashOf("trace", 0)));
    }

    /// After a defence it is a claim further up; here that of depth 1, of the claim's own side.
    function test_aDefenceAfterADefenceMayRejectTheNextOutput() external {
        uint256 output = defend(BOB, attack(ALICE, attack(BOB, 0, "a"), "b"), "c");
        assertEq(positionAt(output).raw(), 10);
        assertEq(positionAt(output).next().traceAncestor().raw(), 2);
        expectMoveToFailWithStatus(output, 0);
        play(ALICE, output, false, Claim.wrap(hashOf("trace", 2)));
    }

    function expectMoveToFailWithStatus(uint256 parent, uint8 status) internal {
        Claim claim = Claim.wrap(hashOf("trace", status));
        uint256 bond = bondFor(parent, false);
        Claim disputed = claimAt(parent);
        vm.expectRevert(abi.encodeWithSelector(UnexpectedRootClaim.selector, claim));
        game.defend{value: bond}(disputed, parent, claim);
    }

    // Clocks.

    function test_clocksAddUpTheTimesOfASide() external {
        pass(100);
        uint256 a = attack(BOB, 0, "a");
        assertEq(clockAt(a), 100);
        pass(20);
        uint256 b = attack(ALICE, a, "b");
        assertEq(clockAt(b), 20);
        pass(3);
        uint256 c = attack(BOB, b, "c");
        assertEq(clockAt(c), 103);
        pass(1000);
        assertEq(Duration.unwrap(game.getChallengerDuration(c)), 1020);
        pass(CLOCK);
        assertEq(Duration.unwrap(game.getChallengerDuration(c)), CLOCK);
    }

    function test_noMoveWithoutTime() external {
        pass(CLOCK - 1);
        attack(BOB, 0, "in time");
        pass(1);
        expectMoveToFail(0, true, claimOf("late"), ClockTimeExceeded.selector);
    }

    function test_anAnswerHasItsExtension() external {
        pass(CLOCK - 1);
        uint256 a = attack(BOB, 0, "a");
        assertEq(clockAt(a), CLOCK - EXTENSION);
    }

    function test_justEnoughTimeIsNotExtended() external {
        pass(CLOCK - EXTENSION);
        uint256 a = attack(BOB, 0, "a");
        assertEq(clockAt(a), CLOCK - EXTENSION);
        uint256 b = attack(ALICE, a, "b");
        assertEq(clockAt(b), 0);
    }

    function test_theExtensionIsTwiceAsLongBeforeTheSplit() external {
        uint256 above = attackDownTo(SPLIT - 2, 0);
        pass(CLOCK - 1);
        assertEq(clockAt(attack(ALICE, above, "late")), CLOCK - 2 * EXTENSION);
    }

    function test_theExtensionCoversALargePreimageBeforeAStep() external {
        uint256 above = attackDownTo(MAX_DEPTH - 2, 0);
        pass(CLOCK - 1);
        assertEq(clockAt(attack(ALICE, above, "late")), CLOCK - EXTENSION - PERIOD);
    }

    function test_noMoveInAGameThatIsOver() external {
        pass(CLOCK);
        resolveAll();
        Claim root = claimAt(0);
        vm.expectRevert(GameNotInProgress.selector);
        game.attack(root, 0, claimOf("a"));
        vm.expectRevert(GameNotInProgress.selector);
        game.step(0, true, "", "");
        vm.expectRevert(GameNotInProgress.selector);
        game.addLocalData(1, 0, 0);
        vm.expectRevert(GameNotInProgress.selector);
        game.resolve();
        vm.expectRevert(GameNotInProgress.selector);
        game.resolveClaim(0, 0);
    }
}
