// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameTest} from "./GameTest.sol";
import "../src/dispute/Errors.sol";
import {PreimageMissing} from "../src/oracle/Errors.sol";
import {Position} from "../src/dispute/Position.sol";
import {PreimageKey} from "../src/oracle/PreimageKey.sol";
import {Claim, Hash} from "../src/dispute/Types.sol";

/// Executing the last step, and the data that it may ask for.
contract StepTest is GameTest {
    bytes internal constant STATE = "some state";

    /// Claims whose pre-image is STATE.
    Claim internal claim = Claim.wrap(hashOf(STATE, 1));

    function test_aStepNeedsAClaimOfTheLastDepth() external {
        uint256 above = attackDownTo(MAX_DEPTH - 1, 0);
        vm.expectRevert(InvalidParent.selector);
        game.step(above, true, PRESTATE, "");
        vm.expectRevert();
        game.step(above + 1, true, PRESTATE, "");
    }

    function test_anAttackOnTheFirstStepStartsFromTheAbsolutePrestate() external {
        uint256 leaf = attackDownTo(MAX_DEPTH, 0);
        assertEq(positionAt(leaf).indexAtDepth(), 0);
        vm.expectRevert(InvalidPrestate.selector);
        game.step(leaf, true, STATE, "");
        stub.setResult(Claim.unwrap(claimAt(leaf)));
        vm.expectRevert(ValidStep.selector);
        game.step(leaf, true, PRESTATE, "");
        stub.setResult(hashOf("another state", 3));
        vm.prank(CAROL);
        game.step(leaf, true, PRESTATE, "");
        assertEq(counteredBy(leaf), CAROL);
        vm.expectRevert(DuplicateStep.selector);
        game.step(leaf, true, PRESTATE, "");
    }

    function test_everyTraceStartsFromTheAbsolutePrestate() external {
        // A trace below the second output, not the first.
        uint256 output = defend(ALICE, attackDownTo(SPLIT - 1, 0), "output");
        uint256 leaf = attackDownTo(MAX_DEPTH, output);
        assertTrue(positionAt(leaf).indexAtDepth() != 0, "not the leftmost leaf of the whole tree");
        stub.setResult(hashOf("another state", 3));
        game.step(leaf, true, PRESTATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    function test_anAttackStartsFromTheStateOnTheLeft() external {
        // The defended claim is the state left of the leaf.
        uint256 left = play(ALICE, attackDownTo(MAX_DEPTH - 2, 0), true, claim);
        uint256 leaf = defend(BOB, left, "leaf");
        assertEq(positionAt(leaf).depth(), MAX_DEPTH);
        assertEq(positionAt(leaf).before().traceAncestor().raw(), positionAt(left).raw());
        stub.setResult(hashOf("another state", 3));
        vm.expectRevert(InvalidPrestate.selector);
        game.step(leaf, true, PRESTATE, "");
        game.step(leaf, true, STATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    /// The state after the leaf is of the other side: the leaf falls if that one is right.
    function test_aDefenceAgainstAStateOfTheOtherSide() external {
        uint256 above = attackDownTo(MAX_DEPTH - 1, 0);
        uint256 leaf = play(ALICE, above, true, claim);
        assertEq(positionAt(leaf).next().traceAncestor().raw(), positionAt(above).raw());
        stub.setResult(hashOf("another state", 3));
        vm.expectRevert(ValidStep.selector);
        game.step(leaf, false, STATE, "");
        stub.setResult(Claim.unwrap(claimAt(above)));
        game.step(leaf, false, STATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    /// The state after the leaf is of the same side: the leaf falls if that one is wrong.
    function test_aDefenceAgainstAStateOfTheSameSide() external {
        uint256 grandparent = attackDownTo(MAX_DEPTH - 2, 0);
        uint256 leaf = play(BOB, attack(ALICE, grandparent, "x"), false, claim);
        assertEq(positionAt(leaf).next().traceAncestor().raw(), positionAt(grandparent).raw());
        stub.setResult(Claim.unwrap(claimAt(grandparent)));
        vm.expectRevert(ValidStep.selector);
        game.step(leaf, false, STATE, "");
        stub.setResult(hashOf("another state", 3));
        game.step(leaf, false, STATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    function test_theStatusOfTheStateBeforeDoesNotMatter() external {
        uint256 left = play(ALICE, attackDownTo(MAX_DEPTH - 2, 0), true, Claim.wrap(hashOf(STATE, 0xaa)));
        uint256 leaf = defend(BOB, left, "leaf");
        stub.setResult(hashOf("another state", 3));
        game.step(leaf, true, STATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    function test_theStatusOfTheStateAfterMatters() external {
        uint256 leaf = attackDownTo(MAX_DEPTH, 0);
        stub.setResult(Claim.unwrap(claimAt(leaf)) ^ bytes32(uint256(1) << 248));
        game.step(leaf, true, PRESTATE, "");
        assertEq(counteredBy(leaf), address(this));
    }

    function test_aStepThatTheMachineRefusesRefusesTheCall() external {
        uint256 leaf = attackDownTo(MAX_DEPTH, 0);
        vm.mockCallRevert(address(stub), abi.encodeWithSelector(stub.step.selector), "no");
        vm.expectRevert(bytes("no"));
        game.step(leaf, true, PRESTATE, "");
        assertEq(counteredBy(leaf), address(0));
    }

    // Local data.

    function test_dataOfATraceAfterAnAttackOnTheFirstOutput() external {
        uint256 output = attackDownTo(SPLIT, 0);
        uint256 leaf = attackDownTo(MAX_DEPTH, output);
        bytes32 context = keccak256(abi.encode(claimAt(output), positionAt(output)));
        checkData(leaf, context, keccak256("anchor"), Claim.unwrap(claimAt(output)), START + 1);
    }

    function test_dataOfATraceAfterAnAttackOnALaterOutput() external {
        uint256 starting = attackDownTo(SPLIT - 1, 0);
        uint256 output = defend(ALICE, starting, "output");
        uint256 leaf = attackDownTo(MAX_DEPTH, output);
        Position at = positionAt(starting);
        bytes32 context = keccak256(abi.encode(claimAt(starting), at, claimAt(output), positionAt(output)));
        bytes32 disputed = Claim.unwrap(claimAt(output));
        checkData(leaf, context, Claim.unwrap(claimAt(starting)), disputed, START + 3);
    }

    function test_dataOfATraceAfterADefence() external {
        uint256 disputed = attackDownTo(SPLIT - 1, 0);
        uint256 output = attack(ALICE, disputed, "output");
        uint256 root = play(BOB, output, false, Claim.wrap(hashOf("trace", 0)));
        uint256 leaf = attackDownTo(MAX_DEPTH, root);
        bytes32 context =
            keccak256(abi.encode(claimAt(output), positionAt(output), claimAt(disputed), positionAt(disputed)));
        bytes32 starting = Claim.unwrap(claimAt(output));
        checkData(leaf, context, starting, Claim.unwrap(claimAt(disputed)), START + 2);
    }

    function test_positionsBehindTheClaimedBlockStandForIt() external {
        game = create(ALICE, claimOf("short"), START + 1);
        uint256 starting = attackDownTo(SPLIT - 1, 0);
        uint256 leaf = attackDownTo(MAX_DEPTH, defend(ALICE, starting, "output"));
        game.addLocalData(4, leaf, 8);
        bytes32 context = contextOf(leaf);
        assertEq(read(4, context, 8), bytes32((START + 1) << 192));
    }

    function test_thereIsNoOtherLocalData() external {
        uint256 leaf = attackDownTo(MAX_DEPTH, 0);
        for (uint256 ident = 0; ident < 8; ident++) {
            if (ident >= 1 && ident <= 5) continue;
            vm.expectRevert(InvalidLocalIdent.selector);
            game.addLocalData(ident, leaf, 0);
        }
        vm.expectRevert(ClaimAboveSplit.selector);
        game.addLocalData(1, SPLIT, 0);
    }

    function checkData(uint256 leaf, bytes32 context, bytes32 starting, bytes32 disputed, uint256 number) internal {
        assertEq(contextOf(leaf), context);
        bytes32 head = Hash.unwrap(game.l1Head());
        bytes32[5] memory wanted = [head, starting, disputed, bytes32(number << 192), bytes32(CHAIN << 192)];
        for (uint256 ident = 1; ident <= 5; ident++) {
            bytes32 key = PreimageKey.localize(PreimageKey.typed(bytes32(ident), 1), address(game), context);
            vm.expectRevert(PreimageMissing.selector);
            oracle.readPreimage(key, 8);
            game.addLocalData(ident, leaf, 8);
            assertEq(read(ident, context, 8), wanted[ident - 1]);
            game.addLocalData(ident, leaf, 0);
            uint256 size = ident < 4 ? 32 : 8;
            assertEq(read(ident, context, 0), bytes32(size << 192 | uint256(wanted[ident - 1]) >> 64));
        }
    }

    /// What the machine is told.
    function contextOf(uint256 leaf) internal returns (bytes32) {
        stub.setResult(hashOf("another state", 3));
        game.step(leaf, true, PRESTATE, "");
        return stub.lastContext();
    }

    function read(uint256 ident, bytes32 context, uint256 offset) internal view returns (bytes32 part) {
        bytes32 key = PreimageKey.localize(PreimageKey.typed(bytes32(ident), 1), address(game), context);
        (part,) = oracle.readPreimage(key, offset);
    }
}
