// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Preimages} from "./Preimages.sol";
import {PreimageKey} from "./PreimageKey.sol";
import {BlockTree, TREE_DEPTH} from "./BlockTree.sol";
import {Keccak} from "./Keccak.sol";
import "./Errors.sol";

/// Pre-images that are too large for one transaction, by keccak256 hash.
///
/// Who proposes one absorbs it block by block off chain and adds, in several transactions, a leaf
/// for each block: its 136 bytes, its index, and a commitment to the sponge's state after it. Then
/// anybody may show a leaf whose state does not follow from the one before, which makes the
/// proposal void and wins its bond. A proposal that nobody challenges in time is squeezed: the last
/// block is absorbed on chain, which gives the hash, and the part that was picked up on the way is
/// authorised under it.
abstract contract LargePreimages is Preimages {
    /// A block as it is in the tree.
    struct Leaf {
        bytes input;
        uint256 index;
        bytes32 stateCommitment;
    }

    /// Whose proposal, and which of theirs.
    struct LargePreimageProposalKeys {
        address claimant;
        uint256 uuid;
    }

    /// How far a proposal is. The timestamp is 0 until the last leaf is added.
    struct Progress {
        uint64 timestamp;
        uint32 partOffset;
        uint32 claimedSize;
        uint32 blocksProcessed;
        uint32 bytesProcessed;
        bool countered;
    }

    uint256 public constant MIN_BOND_SIZE = 0.25 ether;
    uint256 public constant KECCAK_TREE_DEPTH = TREE_DEPTH;
    uint256 public constant MAX_LEAF_COUNT = BlockTree.MAX_LEAVES;

    /// How long a complete proposal can be challenged, in seconds.
    uint256 public immutable challengePeriod;
    /// The smallest pre-image that can be proposed, in bytes.
    uint256 public immutable minProposalSize;

    /// Every proposal, in order.
    LargePreimageProposalKeys[] public proposals;
    /// Left siblings on the way of the next leaf.
    mapping(address claimant => mapping(uint256 uuid => bytes32[TREE_DEPTH])) public proposalBranches;
    mapping(address claimant => mapping(uint256 uuid => uint256)) public proposalBonds;
    /// The part of the pre-image that will be authorised.
    mapping(address claimant => mapping(uint256 uuid => bytes32)) public proposalParts;
    /// The numbers of the blocks of L1 in which leaves were added, for who looks for them.
    mapping(address claimant => mapping(uint256 uuid => uint64[])) public proposalBlocks;
    mapping(address claimant => mapping(uint256 uuid => Progress)) private progress;

    constructor(uint256 minProposalSize_, uint256 challengePeriod_) {
        if (challengePeriod_ > type(uint64).max) revert ChallengePeriodTooLarge();
        minProposalSize = minProposalSize_;
        challengePeriod = challengePeriod_;
    }

    /// Begins a proposal of which the part at an offset will be authorised. The bond is the value.
    function initLPP(uint256 uuid, uint32 partOffset, uint32 claimedSize) external payable {
        if (msg.value < MIN_BOND_SIZE) revert InsufficientBond();
        if (msg.sender != tx.origin) revert NotEOA();
        if (partOffset >= uint256(claimedSize) + 8) revert PartOffsetOOB();
        if (claimedSize < minProposalSize) revert InvalidInputSize();
        Progress storage p = progress[msg.sender][uuid];
        // A proposal of no bytes would look as if it had not begun.
        if (claimedSize == 0) revert InvalidInputSize();
        if (p.claimedSize != 0) revert AlreadyInitialized();
        p.partOffset = partOffset;
        p.claimedSize = claimedSize;
        proposals.push(LargePreimageProposalKeys(msg.sender, uuid));
        proposalBonds[msg.sender][uuid] = msg.value;
    }

    /// Adds whole blocks and the commitments to the states after them. With `finalize`, the input
    /// is the last and is padded here, and the challenge period begins.
    function addLeavesLPP(
        uint256 uuid,
        uint256 inputStartBlock,
        bytes calldata input,
        bytes32[] calldata stateCommitments,
        bool finalize
    ) external {
        if (msg.sender != tx.origin) revert NotEOA();
        Progress memory p = progress[msg.sender][uuid];
        if (p.claimedSize == 0) revert NotInitialized();
        if (p.timestamp != 0) revert AlreadyFinalized();
        if (p.blocksProcessed != inputStartBlock) revert WrongStartingBlock();
        pickUpPart(p, uuid, input, finalize);
        addBlocks(p, uuid, finalize ? Keccak.pad(input) : input, stateCommitments);
        // More than 32 bits of bytes would be more blocks than the tree has room for.
        p.bytesProcessed += uint32(input.length);
        if (finalize) {
            if (p.bytesProcessed != p.claimedSize) revert InvalidInputSize();
            p.timestamp = uint64(block.timestamp);
        }
        progress[msg.sender][uuid] = p;
        proposalBlocks[msg.sender][uuid].push(uint64(block.number));
        logCall();
    }

    /// Shows that the state after a block does not follow from the one before; wins the bond.
    function challengeLPP(
        address claimant,
        uint256 uuid,
        Keccak.StateMatrix memory stateMatrix,
        Leaf calldata preState,
        bytes32[] calldata preStateProof,
        Leaf calldata postState,
        bytes32[] calldata postStateProof
    ) external {
        bytes32 root = getTreeRootLPP(claimant, uuid);
        expectLeaf(root, preState, preStateProof);
        expectLeaf(root, postState, postStateProof);
        expectContiguous(stateMatrix, preState, postState);
        counter(claimant, uuid, stateMatrix, postState);
    }

    /// Shows that the state after the first block does not follow from the empty one.
    function challengeFirstLPP(
        address claimant,
        uint256 uuid,
        Leaf calldata postState,
        bytes32[] calldata postStateProof
    ) external {
        expectLeaf(getTreeRootLPP(claimant, uuid), postState, postStateProof);
        if (postState.index != 0) revert StatesNotContiguous();
        Keccak.StateMatrix memory stateMatrix;
        counter(claimant, uuid, stateMatrix, postState);
    }

    /// Authorises the part of a proposal that nobody has challenged in time; returns the bond.
    function squeezeLPP(
        address claimant,
        uint256 uuid,
        Keccak.StateMatrix memory stateMatrix,
        Leaf calldata preState,
        bytes32[] calldata preStateProof,
        Leaf calldata postState,
        bytes32[] calldata postStateProof
    ) external {
        Progress memory p = progress[claimant][uuid];
        if (p.countered) revert BadProposal();
        if (p.timestamp == 0 || block.timestamp - p.timestamp <= challengePeriod) revert ActiveProposal();
        bytes32 root = getTreeRootLPP(claimant, uuid);
        expectLeaf(root, preState, preStateProof);
        expectLeaf(root, postState, postStateProof);
        expectContiguous(stateMatrix, preState, postState);
        if (postState.index + 1 != p.blocksProcessed) revert StatesNotContiguous();
        Keccak.absorb(stateMatrix, postState.input);
        bytes32 key = PreimageKey.typed(Keccak.squeeze(stateMatrix), PreimageKey.KECCAK256);
        storePart(key, p.partOffset, proposalParts[claimant][uuid], p.claimedSize);
        payBond(claimant, uuid, claimant);
    }

    function proposalCount() external view returns (uint256) {
        return proposals.length;
    }

    function proposalBlocksLen(address claimant, uint256 uuid) external view returns (uint256) {
        return proposalBlocks[claimant][uuid].length;
    }

    /// How far a proposal is, packed as in the reference: timestamp 64 bits, part offset, claimed
    /// size, blocks and bytes processed 32 bits each, countered 64.
    function proposalMetadata(address claimant, uint256 uuid) external view returns (bytes32) {
        Progress memory p = progress[claimant][uuid];
        uint64 countered = p.countered ? 1 : 0;
        bytes memory packed =
            abi.encodePacked(p.timestamp, p.partOffset, p.claimedSize, p.blocksProcessed, p.bytesProcessed, countered);
        return bytes32(packed);
    }

    /// Roots of empty trees by height.
    function zeroHashes(uint256 height) external pure returns (bytes32) {
        return BlockTree.emptyRoots()[height];
    }

    /// The root of a proposal's tree.
    function getTreeRootLPP(address claimant, uint256 uuid) public view returns (bytes32) {
        uint256 count = progress[claimant][uuid].blocksProcessed;
        return BlockTree.root(proposalBranches[claimant][uuid], BlockTree.emptyRoots(), count);
    }

    /// Keeps the part if it begins in this input. It must end in it too, unless the pre-image does.
    function pickUpPart(Progress memory p, uint256 uuid, bytes calldata input, bool finalize) private {
        (uint256 offset, uint256 done) = (p.partOffset, p.bytesProcessed);
        if (offset < 8) {
            if (done != 0) return;
            uint256 prefix = uint256(p.claimedSize) << 192 << 8 * offset;
            proposalParts[msg.sender][uuid] = bytes32(prefix | uint256(wordOf(input, 0)) >> 8 * (8 - offset));
        } else if (offset - 8 >= done && offset - 8 < done + input.length) {
            uint256 at = offset - 8 - done;
            if (at + 32 >= input.length && !finalize) revert PartOffsetOOB();
            proposalParts[msg.sender][uuid] = wordOf(input, at);
        }
    }

    /// 32 bytes of an input, those behind its end as zeros.
    function wordOf(bytes calldata input, uint256 at) private pure returns (bytes32) {
        uint256 end = at + 32 < input.length ? at + 32 : input.length;
        return at < end ? bytes32(input[at:end]) : bytes32(0);
    }

    function addBlocks(Progress memory p, uint256 uuid, bytes memory blocks, bytes32[] calldata commitments) private {
        if (blocks.length != commitments.length * Keccak.BLOCK) revert InvalidInputSize();
        uint256 count = p.blocksProcessed;
        if (count + commitments.length > BlockTree.MAX_LEAVES) revert TreeSizeOverflow();
        bytes32[TREE_DEPTH] memory branch = proposalBranches[msg.sender][uuid];
        for (uint256 n = 0; n < commitments.length; n++) {
            BlockTree.add(branch, hashOfBlock(blocks, n, count, commitments[n]), count + 1);
            count++;
        }
        proposalBranches[msg.sender][uuid] = branch;
        p.blocksProcessed = uint32(count);
    }

    /// Hash of the leaf of the nth block of some.
    function hashOfBlock(bytes memory blocks, uint256 n, uint256 index, bytes32 commitment)
        private
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let leaf := mload(0x40)
            mcopy(leaf, add(add(blocks, 32), mul(n, 136)), 136)
            mstore(add(leaf, 136), index)
            mstore(add(leaf, 168), commitment)
            hash := keccak256(leaf, 200)
        }
    }

    function expectLeaf(bytes32 root, Leaf calldata leaf, bytes32[] calldata siblings) private pure {
        bytes32 hash = keccak256(abi.encodePacked(leaf.input, leaf.index, leaf.stateCommitment));
        if (BlockTree.fold(siblings, leaf.index, hash) != root) revert InvalidProof();
    }

    function expectContiguous(Keccak.StateMatrix memory stateMatrix, Leaf calldata preState, Leaf calldata postState)
        private
        pure
    {
        if (Keccak.commitment(stateMatrix) != preState.stateCommitment) revert InvalidPreimage();
        if (preState.index + 1 != postState.index) revert StatesNotContiguous();
    }

    function counter(address claimant, uint256 uuid, Keccak.StateMatrix memory before, Leaf calldata postState)
        private
    {
        Keccak.absorb(before, postState.input);
        if (Keccak.commitment(before) == postState.stateCommitment) revert PostStateMatches();
        progress[claimant][uuid].countered = true;
        payBond(claimant, uuid, msg.sender);
    }

    function payBond(address claimant, uint256 uuid, address to) private {
        uint256 bond = proposalBonds[claimant][uuid];
        proposalBonds[claimant][uuid] = 0;
        (bool ok,) = to.call{value: bond}("");
        if (!ok) revert BondTransferFailed();
    }

    /// Logs caller and calldata without a topic: there challengers find the leaves.
    function logCall() private {
        bytes memory made = abi.encodePacked(msg.sender, msg.data);
        assembly ("memory-safe") {
            log0(add(made, 32), mload(made))
        }
    }
}
