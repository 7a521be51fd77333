// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {hashPair} from "../vm/Packed.sol";

// Levels of the tree of a large pre-image's blocks.
uint256 constant TREE_DEPTH = 16;

/// An incremental Merkle tree of 16 levels: leaves are added on the right, and all that is kept
/// are the left siblings on the way of the next one. The last leaf stays empty, so that these are
/// enough.
library BlockTree {
    uint256 internal constant MAX_LEAVES = 2 ** TREE_DEPTH - 1;

    /// Adds a leaf; `count` are there with it.
    function add(bytes32[TREE_DEPTH] memory branch, bytes32 leaf, uint256 count) internal pure {
        unchecked {
            bytes32 node = leaf;
            for (uint256 height = 0; height < TREE_DEPTH; height++) {
                if (count & 1 == 1) {
                    branch[height] = node;
                    return;
                }
                node = hashPair(branch[height], node);
                count >>= 1;
            }
        }
    }

    /// The root of a tree with `count` leaves.
    function root(bytes32[TREE_DEPTH] memory branch, bytes32[TREE_DEPTH] memory zeroHashes, uint256 count)
        internal
        pure
        returns (bytes32 node)
    {
        unchecked {
            for (uint256 height = 0; height < TREE_DEPTH; height++) {
                node = count & 1 == 1 ? hashPair(branch[height], node) : hashPair(node, zeroHashes[height]);
                count >>= 1;
            }
        }
    }

    /// The root that a leaf has with these siblings, bottom up. Reverts if there are fewer than 16.
    function fold(bytes32[] calldata siblings, uint256 index, bytes32 leaf) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 height = 0; height < TREE_DEPTH; height++) {
            bytes32 sibling = siblings[height];
            node = index >> height & 1 == 1 ? hashPair(sibling, node) : hashPair(node, sibling);
        }
    }

    /// Roots of empty trees by height; that of height 0 is the empty leaf, zero.
    function emptyRoots() internal pure returns (bytes32[TREE_DEPTH] memory roots) {
        for (uint256 height = 1; height < TREE_DEPTH; height++) {
            roots[height] = hashPair(roots[height - 1], roots[height - 1]);
        }
    }
}
