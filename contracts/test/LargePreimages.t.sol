// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Vm.sol";
import {BlockTree, TREE_DEPTH} from "../src/oracle/BlockTree.sol";
import {Keccak} from "../src/oracle/Keccak.sol";
import {LargePreimages} from "../src/oracle/LargePreimages.sol";
import {PreimageKey} from "../src/oracle/PreimageKey.sol";
import {PreimageOracle} from "../src/oracle/PreimageOracle.sol";
import "../src/oracle/Errors.sol";

/// Takes calldata, as the library does.
contract KeccakHarness {
    function hash(bytes calldata input) external pure returns (bytes32) {
        bytes memory padded = Keccak.pad(input);
        Keccak.StateMatrix memory matrix;
        for (uint256 at = 0; at < padded.length; at += Keccak.BLOCK) {
            bytes memory part = new bytes(Keccak.BLOCK);
            for (uint256 n = 0; n < Keccak.BLOCK; n++) {
                part[n] = padded[at + n];
            }
            Keccak.absorb(matrix, part);
        }
        return Keccak.squeeze(matrix);
    }

    function pad(bytes calldata input) external pure returns (bytes memory) {
        return Keccak.pad(input);
    }
}

contract KeccakTest is Test {
    KeccakHarness internal harness = new KeccakHarness();

    function testFuzz_hashesAsTheInstructionDoes(bytes calldata input) external view {
        assertEq(harness.hash(input), keccak256(input));
    }

    function test_hashesInputsAroundTheEndOfABlock() external view {
        for (uint256 length = 130; length < 140; length++) {
            bytes memory input = new bytes(length);
            input[length - 1] = 0xff;
            assertEq(harness.hash(input), keccak256(input));
        }
    }
}

contract LargePreimagesTest is Test {
    uint256 internal constant MIN_SIZE = 400;
    uint256 internal constant PERIOD = 1 days;
    uint256 internal constant UUID = 7;
    uint256 internal constant BOND = 0.25 ether;
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);

    PreimageOracle internal oracle =
        PreimageOracle(deploy("PreimageOracle.sol:PreimageOracle", abi.encode(MIN_SIZE, PERIOD)));
    KeccakHarness internal harness = new KeccakHarness();

    bytes internal image;
    /// States before and after every block, honest ones.
    Keccak.StateMatrix[] internal states;
    LargePreimages.Leaf[] internal leaves;

    function setUp() external {
        vm.deal(ALICE, 100 ether);
        vm.deal(BOB, 100 ether);
        pass(0);
        for (uint256 n = 0; n < 16; n++) {
            image = bytes.concat(image, keccak256(abi.encode(n)));
        }
        image = bytes.concat(image, hex"0102030405");
        absorbAll();
    }

    function test_anUnchallengedProposalAuthorisesItsPart() external {
        uint32[4] memory offsets = [uint32(0), 5, 8, 300];
        for (uint256 n = 0; n < offsets.length; n++) {
            propose(n, offsets[n]);
            pass(PERIOD + 1);
            squeeze(n);
            bytes32 key = PreimageKey.typed(keccak256(image), PreimageKey.KECCAK256);
            (bytes32 part, uint256 length) = oracle.readPreimage(key, offsets[n]);
            assertEq(length, 32);
            oracle.loadKeccak256PreimagePart(offsets[n], image);
            (bytes32 loaded,) = oracle.readPreimage(key, offsets[n]);
            assertEq(part, loaded);
        }
        assertEq(ALICE.balance, 100 ether);
        assertEq(oracle.proposalCount(), 4);
        assertEq(oracle.proposalBlocksLen(ALICE, 0), 2);
    }

    function test_thePartAtTheEndIsShort() external {
        propose(UUID, uint32(image.length + 7));
        pass(PERIOD + 1);
        squeeze(UUID);
        bytes32 key = PreimageKey.typed(keccak256(image), PreimageKey.KECCAK256);
        (bytes32 part, uint256 length) = oracle.readPreimage(key, image.length + 7);
        assertEq(length, 1);
        assertEq(part, bytes32(bytes1(0x05)));
    }

    function test_metadataIsPackedAsInTheReference() external {
        propose(UUID, 9);
        uint256 blocks = leaves.length;
        uint256 wanted = time << 192 | 9 << 160 | image.length << 128 | blocks << 96 | image.length << 64;
        assertEq(oracle.proposalMetadata(ALICE, UUID), bytes32(wanted));
    }

    function test_noSqueezeBeforeThePeriodIsOver() external {
        propose(UUID, 0);
        pass(PERIOD);
        vm.expectRevert(ActiveProposal.selector);
        squeezeFrom(UUID, leaves.length - 2);
    }

    function test_onlyTheLastBlockIsSqueezed() external {
        propose(UUID, 0);
        pass(PERIOD + 1);
        vm.expectRevert(StatesNotContiguous.selector);
        squeezeFrom(UUID, 0);
    }

    function test_aWrongStateLosesItsBond() external {
        for (uint256 wrong = 0; wrong < leaves.length; wrong++) {
            bytes32 honest = leaves[wrong].stateCommitment;
            leaves[wrong].stateCommitment = keccak256("lie");
            propose(wrong, 0);
            challenge(wrong, wrong);
            assertEq(BOB.balance, 100 ether + (wrong + 1) * BOND);
            pass(PERIOD + 1);
            vm.expectRevert(BadProposal.selector);
            squeezeFrom(wrong, leaves.length - 2);
            leaves[wrong].stateCommitment = honest;
        }
    }

    function test_aRightStateCannotBeChallenged() external {
        propose(UUID, 0);
        for (uint256 n = 0; n < leaves.length; n++) {
            vm.expectRevert(PostStateMatches.selector);
            challenge(UUID, n);
        }
    }

    function test_aChallengeNeedsLeavesOfTheTree() external {
        propose(UUID, 0);
        bytes32[] memory siblings = proof(0);
        LargePreimages.Leaf memory other = leaves[0];
        other.stateCommitment = keccak256("lie");
        vm.expectRevert(InvalidProof.selector);
        oracle.challengeFirstLPP(ALICE, UUID, other, siblings);
        vm.expectRevert(InvalidProof.selector);
        oracle.challengeFirstLPP(ALICE, UUID, leaves[1], siblings);
        siblings[15] = bytes32(uint256(siblings[15]) ^ 1);
        vm.expectRevert(InvalidProof.selector);
        oracle.challengeFirstLPP(ALICE, UUID, leaves[0], siblings);
    }

    function test_aChallengeNeedsTheStateBeforeAndNeighbours() external {
        propose(UUID, 0);
        vm.expectRevert(InvalidPreimage.selector);
        oracle.challengeLPP(ALICE, UUID, states[0], leaves[0], proof(0), leaves[1], proof(1));
        vm.expectRevert(StatesNotContiguous.selector);
        oracle.challengeLPP(ALICE, UUID, states[1], leaves[0], proof(0), leaves[2], proof(2));
        vm.expectRevert(StatesNotContiguous.selector);
        oracle.challengeFirstLPP(ALICE, UUID, leaves[1], proof(1));
    }

    function test_initialisationIsChecked() external {
        vm.startPrank(ALICE, ALICE);
        vm.expectRevert(InsufficientBond.selector);
        oracle.initLPP{value: BOND - 1}(UUID, 0, uint32(MIN_SIZE));
        vm.expectRevert(InvalidInputSize.selector);
        oracle.initLPP{value: BOND}(UUID, 0, uint32(MIN_SIZE - 1));
        vm.expectRevert(PartOffsetOOB.selector);
        oracle.initLPP{value: BOND}(UUID, uint32(MIN_SIZE + 8), uint32(MIN_SIZE));
        oracle.initLPP{value: BOND}(UUID, uint32(MIN_SIZE + 7), uint32(MIN_SIZE));
        vm.expectRevert(AlreadyInitialized.selector);
        oracle.initLPP{value: BOND}(UUID, 0, uint32(MIN_SIZE));
        vm.stopPrank();
        vm.prank(ALICE, BOB);
        vm.expectRevert(NotEOA.selector);
        oracle.initLPP{value: BOND}(UUID, 0, uint32(MIN_SIZE));
    }

    function test_leavesAreAddedInOrderAndOnce() external {
        (bytes memory first, bytes memory rest) = halves();
        (bytes32[] memory a, bytes32[] memory b) = (commitments(0, 2), commitments(2, leaves.length));
        vm.startPrank(ALICE, ALICE);
        vm.expectRevert(NotInitialized.selector);
        oracle.addLeavesLPP(UUID, 0, first, a, false);
        oracle.initLPP{value: BOND}(UUID, 0, uint32(image.length));
        vm.expectRevert(WrongStartingBlock.selector);
        oracle.addLeavesLPP(UUID, 1, first, a, false);
        vm.expectRevert(InvalidInputSize.selector);
        oracle.addLeavesLPP(UUID, 0, first, commitments(0, 1), false);
        vm.expectRevert(InvalidInputSize.selector);
        oracle.addLeavesLPP(UUID, 0, rest, b, true);
        oracle.addLeavesLPP(UUID, 0, first, a, false);
        oracle.addLeavesLPP(UUID, 2, rest, b, true);
        vm.expectRevert(AlreadyFinalized.selector);
        oracle.addLeavesLPP(UUID, 2, rest, b, true);
    }

    function test_aPartMayNotBeCut() external {
        (bytes memory first,) = halves();
        vm.startPrank(ALICE, ALICE);
        oracle.initLPP{value: BOND}(UUID, uint32(first.length - 31 + 8), uint32(image.length));
        vm.expectRevert(PartOffsetOOB.selector);
        oracle.addLeavesLPP(UUID, 0, first, commitments(0, 2), false);
    }

    // Doing what a proposer does.

    function propose(uint256 uuid, uint32 offset) internal {
        (bytes memory first, bytes memory rest) = halves();
        vm.startPrank(ALICE, ALICE);
        oracle.initLPP{value: BOND}(uuid, offset, uint32(image.length));
        oracle.addLeavesLPP(uuid, 0, first, commitments(0, 2), false);
        oracle.addLeavesLPP(uuid, 2, rest, commitments(2, leaves.length), true);
        vm.stopPrank();
    }

    function challenge(uint256 uuid, uint256 wrong) internal {
        LargePreimages.Leaf memory post = leaves[wrong];
        bytes32[] memory siblings = proof(wrong);
        if (wrong == 0) {
            vm.prank(BOB);
            return oracle.challengeFirstLPP(ALICE, uuid, post, siblings);
        }
        (LargePreimages.Leaf memory pre, bytes32[] memory preSiblings) = (leaves[wrong - 1], proof(wrong - 1));
        Keccak.StateMatrix memory before = states[wrong];
        vm.prank(BOB);
        oracle.challengeLPP(ALICE, uuid, before, pre, preSiblings, post, siblings);
    }

    function squeeze(uint256 uuid) internal {
        squeezeFrom(uuid, leaves.length - 2);
    }

    function squeezeFrom(uint256 uuid, uint256 pre) internal {
        oracle.squeezeLPP(ALICE, uuid, states[pre + 1], leaves[pre], proof(pre), leaves[pre + 1], proof(pre + 1));
    }

    function absorbAll() internal {
        bytes memory padded = harness.pad(image);
        Keccak.StateMatrix memory matrix;
        states.push(matrix);
        for (uint256 n = 0; n < padded.length / 136; n++) {
            bytes memory part = slice(padded, 136 * n, 136);
            Keccak.absorb(matrix, part);
            states.push(matrix);
            leaves.push(LargePreimages.Leaf(part, n, Keccak.commitment(matrix)));
        }
    }

    function halves() internal view returns (bytes memory first, bytes memory rest) {
        return (slice(image, 0, 272), slice(image, 272, image.length - 272));
    }

    function commitments(uint256 from, uint256 to) internal view returns (bytes32[] memory some) {
        some = new bytes32[](to - from);
        for (uint256 n = from; n < to; n++) {
            some[n - from] = leaves[n].stateCommitment;
        }
    }

    /// Siblings of a leaf, from all leaves: nothing incremental.
    function proof(uint256 index) internal view returns (bytes32[] memory siblings) {
        siblings = new bytes32[](TREE_DEPTH);
        bytes32[TREE_DEPTH] memory empty = BlockTree.emptyRoots();
        bytes32[] memory level = new bytes32[](8);
        for (uint256 n = 0; n < leaves.length; n++) {
            LargePreimages.Leaf memory leaf = leaves[n];
            level[n] = keccak256(abi.encodePacked(leaf.input, leaf.index, leaf.stateCommitment));
        }
        for (uint256 height = 0; height < TREE_DEPTH; height++) {
            siblings[height] = index ^ 1 < level.length ? level[index ^ 1] : empty[height];
            bytes32[] memory next = new bytes32[](level.length < 2 ? 1 : level.length / 2);
            for (uint256 n = 0; n < next.length; n++) {
                bytes32 right = 2 * n + 1 < level.length ? level[2 * n + 1] : empty[height];
                next[n] = keccak256(abi.encode(level[2 * n], right));
            }
            (level, index) = (next, index / 2);
        }
    }

    function slice(bytes memory of_, uint256 from, uint256 length) internal pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 n = 0; n < length; n++) {
            part[n] = of_[from + n];
        }
    }
}
