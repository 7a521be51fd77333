// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ClaimAboveSplit} from "./Errors.sol";

/// A node of a binary tree as its generalised index: 2^depth + index at that depth. The root is 1.
type Position is uint128;

using LibPosition for Position global;

library LibPosition {
    /// Positions of at most this depth fit, with one more level for steps.
    uint256 internal constant MAX_DEPTH = 125;

    function raw(Position self) internal pure returns (uint128) {
        return Position.unwrap(self);
    }

    /// The level, 0 for the root: the index of the highest bit.
    function depth(Position self) internal pure returns (uint256 level) {
        unchecked {
            uint256 rest = Position.unwrap(self);
            for (uint256 half = 64; half != 0; half >>= 1) {
                if (rest >> half != 0) {
                    rest >>= half;
                    level += half;
                }
            }
        }
    }

    /// How many positions of the same depth are to the left.
    function indexAtDepth(Position self) internal pure returns (uint256) {
        unchecked {
            return Position.unwrap(self) - (uint256(1) << self.depth());
        }
    }

    function parent(Position self) internal pure returns (Position) {
        return Position.wrap(Position.unwrap(self) >> 1);
    }

    /// Where a move leads: an attack to the left child, a defence to the left child of the right
    /// sibling.
    function move(Position self, bool isAttack) internal pure returns (Position) {
        return Position.wrap((Position.unwrap(self) | (isAttack ? 0 : 1)) << 1);
    }

    /// The position to the left, at the same depth.
    function before(Position self) internal pure returns (Position) {
        return Position.wrap(Position.unwrap(self) - 1);
    }

    /// The position to the right, at the same depth.
    function next(Position self) internal pure returns (Position) {
        return Position.wrap(Position.unwrap(self) + 1);
    }

    /// The rightmost descendant at a depth.
    function rightIndex(Position self, uint256 level) internal pure returns (Position) {
        unchecked {
            uint256 below = level - self.depth();
            return Position.wrap(uint128(uint256(self.raw()) << below | (uint256(1) << below) - 1));
        }
    }

    /// Which leaf at `maxDepth` the position commits to: the rightmost one below it.
    function traceIndex(Position self, uint256 maxDepth) internal pure returns (uint256) {
        return self.rightIndex(maxDepth).indexAtDepth();
    }

    /// The highest position that commits to the same leaf: up, as long as this is a right child.
    function traceAncestor(Position self) internal pure returns (Position) {
        unchecked {
            uint128 node = Position.unwrap(self);
            while (node & 1 == 1 && node != 1) node >>= 1;
            return Position.wrap(node);
        }
    }

    /// The same within the tree below `upperBoundExclusive`: where the ancestor is above it, the
    /// root of the subtree right below takes its place.
    function traceAncestorBounded(Position self, uint256 upperBoundExclusive) internal pure returns (Position) {
        if (self.depth() <= upperBoundExclusive) revert ClaimAboveSplit();
        Position ancestor = self.traceAncestor();
        if (ancestor.depth() > upperBoundExclusive) return ancestor;
        return ancestor.rightIndex(upperBoundExclusive + 1);
    }
}
