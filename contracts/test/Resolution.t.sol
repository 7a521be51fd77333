// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameTest} from "./GameTest.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {AnchorStateRegistry} from "../src/dispute/AnchorStateRegistry.sol";
import {Clones} from "../src/dispute/Clones.sol";
import {DelayedWETH} from "../src/dispute/DelayedWETH.sol";
import "../src/dispute/Errors.sol";
import {FaultDisputeGame} from "../src/dispute/FaultDisputeGame.sol";
import {Position} from "../src/dispute/Position.sol";
import {
    BondDistributionMode,
    Claim,
    GameStatus,
    GameType,
    Hash,
    OutputRootProof,
    Timestamp
} from "../src/dispute/Types.sol";

/// Deciding claims, and paying bonds out to the wei.
contract ResolutionTest is GameTest {
    uint256 internal constant FUNDS = 100_000 ether;

    function test_anUncontestedRootClaimStands() external {
        vm.expectRevert(OutOfOrderResolution.selector);
        game.resolve();
        pass(CLOCK - 1);
        vm.expectRevert(ClockNotExpired.selector);
        game.resolveClaim(0, 0);
        pass(1);
        resolveAll();
        assertEq(uint8(game.status()), uint8(GameStatus.DEFENDER_WINS));
        assertEq(Timestamp.unwrap(game.resolvedAt()), time);
        pass(FINALITY + 1);
        claimTwice(ALICE);
        assertEq(ALICE.balance, FUNDS);
    }

    function test_aCounteredRootClaimFalls() external {
        attack(BOB, 0, "a");
        pass(CLOCK);
        resolveAll();
        assertEq(uint8(game.status()), uint8(GameStatus.CHALLENGER_WINS));
        pass(FINALITY + 1);
        assertEq(claimTwice(BOB), bondAt(0) + bondAt(1));
        assertEq(claimTwice(ALICE), 0);
    }

    function test_claimsAreDecidedFromTheBottom() external {
        uint256 a = attack(BOB, 0, "a");
        attack(ALICE, a, "b");
        pass(CLOCK);
        vm.expectRevert(OutOfOrderResolution.selector);
        game.resolveClaim(0, 0);
        vm.expectRevert(OutOfOrderResolution.selector);
        game.resolveClaim(a, 0);
        game.resolveClaim(a + 1, 0);
        vm.expectRevert(ClaimAlreadyResolved.selector);
        game.resolveClaim(a + 1, 0);
        game.resolveClaim(a, 0);
        game.resolveClaim(0, 0);
        assertEq(game.credit(ALICE), bondAt(0) + bondAt(1) + bondAt(2));
        assertEq(game.credit(BOB), 0);
    }

    function test_theLeftmostCounterWins() external {
        uint256 a = attack(BOB, 0, "a");
        defend(CAROL, a, "right");
        attack(ALICE, a, "left");
        pass(CLOCK);
        resolveAll();
        assertEq(counteredBy(a), ALICE);
        assertEq(game.credit(ALICE), bondAt(0) + bondAt(1) + bondAt(2));
        assertEq(game.credit(CAROL), bondAt(2));
    }

    function test_amongEqualsTheFirstWins() external {
        attack(CAROL, 0, "first");
        attack(BOB, 0, "second");
        pass(CLOCK);
        resolveAll();
        assertEq(counteredBy(0), CAROL);
    }

    function test_aCounteredCounterDoesNotCount() external {
        uint256 a = attack(BOB, 0, "a");
        uint256 left = attack(CAROL, a, "left");
        attack(BOB, left, "against it");
        defend(ALICE, a, "right");
        pass(CLOCK);
        resolveAll();
        assertEq(counteredBy(a), ALICE);
        assertEq(game.credit(CAROL), 0);
        assertEq(game.credit(BOB), bondAt(2) + bondAt(3));
    }

    function test_whoStepsWinsTheBondOfTheClaim() external {
        uint256 leaf = attackDownTo(MAX_DEPTH, 0);
        stub.setResult(hashOf("another state", 3));
        vm.prank(CAROL);
        game.step(leaf, true, PRESTATE, "");
        pass(CLOCK);
        resolveAll();
        assertEq(game.credit(CAROL), bondAt(MAX_DEPTH));
        // The claim above the leaf is no longer countered, and wins all the way up.
        assertEq(counteredBy(leaf - 1), address(0));
        uint256 sum = 0;
        for (uint256 depth = 0; depth < MAX_DEPTH; depth++) {
            sum += bondAt(depth);
        }
        assertEq(game.credit(ALICE) + game.credit(BOB), sum);
    }

    function test_resolutionCanBePaged() external {
        for (uint256 n = 0; n < 5; n++) {
            play(BOB, 0, true, Claim.wrap(keccak256(abi.encode(n))));
        }
        pass(CLOCK);
        assertEq(game.getNumToResolve(0), 5);
        for (uint256 n = 1; n <= 5; n++) {
            game.resolveClaim(n, 0);
        }
        game.resolveClaim(0, 2);
        assertEq(game.getNumToResolve(0), 3);
        assertTrue(!game.resolvedSubgames(0), "two of five");
        vm.expectRevert(OutOfOrderResolution.selector);
        game.resolve();
        game.resolveClaim(0, 2);
        game.resolveClaim(0, 9);
        assertTrue(game.resolvedSubgames(0), "all of them");
        game.resolve();
        assertEq(counteredBy(0), BOB);
    }

    // Money.

    function test_creditIsPaidAfterTwoDelays() external {
        pass(CLOCK);
        vm.expectRevert(GameNotResolved.selector);
        game.claimCredit(ALICE);
        resolveAll();
        pass(FINALITY);
        vm.expectRevert(GameNotFinalized.selector);
        game.claimCredit(ALICE);
        pass(1);
        game.claimCredit(ALICE);
        pass(DELAY - 1);
        vm.expectRevert(DelayedWETH.DelayNotMet.selector);
        game.claimCredit(ALICE);
        pass(1);
        game.claimCredit(ALICE);
        assertEq(ALICE.balance, FUNDS);
        vm.expectRevert(NoCreditToClaim.selector);
        game.claimCredit(ALICE);
        assertEq(address(weth).balance, 0);
    }

    function test_whoRefusesMoneyHoldsUpNobody() external {
        uint256 bond = bondFor(0, true);
        Claim root = claimAt(0);
        // This contract takes no money.
        game.attack{value: bond}(root, 0, claimOf("mine"));
        attack(BOB, 1, "b");
        attack(address(CAROL), 0, "c");
        pass(CLOCK);
        resolveAll();
        pass(FINALITY + 1);
        assertEq(claimTwice(BOB), bondAt(1) + bondAt(2));
        assertEq(claimTwice(CAROL), bondAt(0) + bondAt(1));
    }

    function test_aCloneThatIsNotTheFactorysPaysBack() external {
        bytes memory own = abi.encodePacked(ALICE, Claim.unwrap(claimOf("fake")), bytes32(0), uint32(0), CLAIMED);
        address made =
            Clones.create(address(factory.gameImpls(CANNON)), bytes.concat(own, factory.gameArgs(CANNON)), "salt");
        game = FaultDisputeGame(payable(made));
        game.initialize{value: 1 ether}();
        attack(BOB, 0, "a");
        pass(CLOCK);
        resolveAll();
        pass(FINALITY + 1);
        game.closeGame();
        assertEq(uint8(game.bondDistributionMode()), uint8(BondDistributionMode.REFUND));
        assertEq(claimTwice(ALICE), 1 ether);
        assertEq(claimTwice(BOB), bondAt(1));
    }

    // The anchor.

    function test_aClaimThatStoodBecomesTheAnchorOfItsType() external {
        register(GameType.wrap(8));
        pass(CLOCK);
        resolveAll();
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_InvalidAnchorGame.selector);
        registry.setAnchorState(game);
        pass(FINALITY + 1);
        game.closeGame();
        (Hash root, uint256 number) = registry.anchors(CANNON);
        assertEq(Hash.unwrap(root), Claim.unwrap(claimOf("root")));
        assertEq(number, CLAIMED);
        (root, number) = registry.anchors(GameType.wrap(8));
        assertEq(number, START);
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_InvalidAnchorGame.selector);
        registry.setAnchorState(game);
        FaultDisputeGame next = create(ALICE, claimOf("next"), CLAIMED + 1);
        assertEq(next.startingBlockNumber(), CLAIMED);
        assertEq(Hash.unwrap(next.startingRootHash()), Claim.unwrap(claimOf("root")));
    }

    function test_aClaimThatFellDoesNot() external {
        attack(BOB, 0, "a");
        pass(CLOCK);
        resolveAll();
        pass(FINALITY + 1);
        game.closeGame();
        (, uint256 number) = registry.anchors(CANNON);
        assertEq(number, START);
    }

    // The block number.

    function test_aWrongBlockNumberCountersTheRootClaim() external {
        bytes memory header = headerOf(CLAIMED - 1);
        game = create(ALICE, outputOf(header), CLAIMED);
        uint256 a = attack(BOB, 0, "a");
        vm.prank(CAROL);
        game.challengeRootL2Block(proofOf(header), header);
        assertTrue(game.l2BlockNumberChallenged(), "challenged");
        assertEq(game.l2BlockNumberChallenger(), CAROL);
        vm.expectRevert(L2BlockNumberChallenged.selector);
        game.challengeRootL2Block(proofOf(header), header);
        expectMoveToFail(0, true, claimOf("b"), L2BlockNumberChallenged.selector);
        attack(ALICE, a, "still open");
        pass(CLOCK);
        resolveAll();
        assertEq(uint8(game.status()), uint8(GameStatus.CHALLENGER_WINS));
        assertEq(game.credit(CAROL), bondAt(0));
    }

    function test_aRightBlockNumberCannotBeChallenged() external {
        bytes memory header = headerOf(CLAIMED);
        game = create(ALICE, outputOf(header), CLAIMED);
        vm.expectRevert(BlockNumberMatches.selector);
        game.challengeRootL2Block(proofOf(header), header);
        bytes memory other = headerOf(CLAIMED - 1);
        vm.expectRevert(InvalidOutputRootProof.selector);
        game.challengeRootL2Block(proofOf(other), other);
        vm.expectRevert(InvalidHeaderRLP.selector);
        game.challengeRootL2Block(proofOf(header), other);
    }

    function testFuzz_anyBlockNumberIsRead(uint256 number) external {
        bytes memory header = headerOf(number);
        game = create(ALICE, outputOf(header), CLAIMED);
        if (number == CLAIMED) vm.expectRevert(BlockNumberMatches.selector);
        game.challengeRootL2Block(proofOf(header), header);
    }

    /// What is no header never counts as another number.
    function testFuzz_damagedHeadersAreRefused(uint256 length) external {
        bytes memory header = headerOf(CLAIMED - 1);
        length %= header.length;
        assembly ("memory-safe") {
            mstore(header, length)
        }
        game = create(ALICE, outputOf(header), CLAIMED);
        vm.expectRevert(InvalidHeaderRLP.selector);
        game.challengeRootL2Block(proofOf(header), header);
    }

    function bondAt(uint256 depth) internal view returns (uint256) {
        return game.getRequiredBond(Position.wrap(uint128(1) << uint8(depth)));
    }

    /// A list of strings as in a header: hashes, an address, a bloom filter, numbers.
    function headerOf(uint256 number) internal pure returns (bytes memory) {
        bytes memory hash = bytes.concat(hex"a0", keccak256("hash"));
        bytes memory items = bytes.concat(hash, hash, hex"94", bytes20(uint160(7)), hash, hash, hash);
        items = bytes.concat(items, hex"b90100", new bytes(256), hex"01", rlp(number), hex"830186a0", hex"80");
        return bytes.concat(hex"f9", bytes2(uint16(items.length)), items);
    }

    function rlp(uint256 number) internal pure returns (bytes memory) {
        if (number != 0 && number < 128) return abi.encodePacked(uint8(number));
        uint256 length = 0;
        while (length < 32 && number >> 8 * length != 0) length++;
        bytes memory digits = abi.encodePacked(number);
        bytes memory out = new bytes(length + 1);
        out[0] = bytes1(uint8(0x80 + length));
        for (uint256 n = 0; n < length; n++) {
            out[n + 1] = digits[32 - length + n];
        }
        return out;
    }

    function proofOf(bytes memory header) internal pure returns (OutputRootProof memory) {
        return OutputRootProof(bytes32(0), keccak256("state"), keccak256("messages"), keccak256(header));
    }

    function outputOf(bytes memory header) internal pure returns (Claim) {
        return Claim.wrap(keccak256(abi.encode(proofOf(header))));
    }
}
