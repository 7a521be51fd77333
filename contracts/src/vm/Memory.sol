// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {State} from "./State.sol";
import {Witness} from "./Witness.sol";
import {InvalidMemoryProof, InvalidSecondMemoryProof} from "./Errors.sol";

/// Guest memory, known by its root and by the branches in calldata.
///
/// A branch is a 32-byte leaf and its 59 siblings, bottom up; an address has 64 bits, and bit
/// 5 + n of it says on which side the node of level n is. Leaves are not hashed. Everything is
/// read and written by aligned words of 8 bytes, big-endian.
library Memory {
    uint64 internal constant WORD_MASK = ~uint64(7);

    /// The word of 8 bytes around an address, proved by the first branch for data.
    function load(State state, uint64 address_) internal pure returns (uint64) {
        return read(state.memoryRoot(), address_, Witness.FIRST_BRANCH);
    }

    /// Writes the word of 8 bytes around an address. [`load`] has checked the branch before.
    /// A reservation of that word is lost.
    function store(State state, uint64 address_, uint64 word) internal pure {
        state.setMemoryRoot(write(address_, Witness.FIRST_BRANCH, word));
        noteStore(state, address_);
    }

    /// Writes another word, proved by the second branch.
    function storeSecond(State state, uint64 address_, uint64 word) internal pure {
        Witness.expect(Witness.SECOND_BRANCH, Witness.BRANCH_LENGTH);
        bytes32 proved = fold(leafOf(Witness.SECOND_BRANCH), address_, Witness.SECOND_BRANCH);
        if (proved != state.memoryRoot()) revert InvalidSecondMemoryProof();
        state.setMemoryRoot(write(address_, Witness.SECOND_BRANCH, word));
        noteStore(state, address_);
    }

    /// Clears the reservation if it is of the same word, whoever stores.
    function noteStore(State state, uint64 address_) private pure {
        if ((address_ ^ state.reservedAddress()) & WORD_MASK == 0) state.reserve(0, 0, 0);
    }

    /// A word that a branch proves.
    function read(bytes32 root, uint64 address_, uint256 branch) internal pure returns (uint64) {
        Witness.expect(branch, Witness.BRANCH_LENGTH);
        uint256 leaf = leafOf(branch);
        if (fold(leaf, address_, branch) != root) revert InvalidMemoryProof();
        return uint64(leaf >> shiftOf(address_));
    }

    /// The root after a word was written. The branch must have been checked before.
    function write(uint64 address_, uint256 branch, uint64 word) internal pure returns (bytes32) {
        uint256 shift = shiftOf(address_);
        uint256 others = leafOf(branch) & ~(uint256(type(uint64).max) << shift);
        return fold(others | uint256(word) << shift, address_, branch);
    }

    /// How far from the right end of its leaf the word around an address is, in bits.
    function shiftOf(uint64 address_) private pure returns (uint256) {
        return (24 - (address_ & 24)) << 3;
    }

    function leafOf(uint256 branch) private pure returns (uint256 leaf) {
        assembly ("memory-safe") {
            leaf := calldataload(branch)
        }
    }

    /// The root that a leaf has with the siblings of a branch.
    function fold(uint256 leaf, uint64 address_, uint256 branch) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            node := leaf
            let sibling := add(branch, 32)
            let end := add(branch, 1920)
            // Bit 5 of the path is where the node goes: to byte 0 or to byte 32.
            for { let path := address_ } lt(sibling, end) { sibling := add(sibling, 32) } {
                let place := and(path, 32)
                mstore(place, node)
                mstore(xor(place, 32), calldataload(sibling))
                node := keccak256(0, 64)
                path := shr(1, path)
            }
        }
    }
}

/// Units of 1, 2, 4 or 8 bytes within a word. An address that is no multiple of the unit's size
/// is rounded down; nothing is ever refused.
library SubWord {
    /// The unit at an address, zero-extended.
    function select(uint64 word, uint64 address_, uint64 size) internal pure returns (uint64) {
        unchecked {
            return word >> shiftOf(address_, size) & maskOf(size);
        }
    }

    /// The word with another unit at an address.
    function replace(uint64 word, uint64 address_, uint64 size, uint64 value) internal pure returns (uint64) {
        unchecked {
            (uint64 shift, uint64 mask) = (shiftOf(address_, size), maskOf(size));
            return word & ~(mask << shift) | (value & mask) << shift;
        }
    }

    /// `old` with `count` bytes, from byte `first` on, as they are in `new_`.
    function insert(uint64 old, uint64 new_, uint64 first, uint64 count) internal pure returns (uint64) {
        unchecked {
            uint64 mask = uint64((uint256(1) << 8 * count) - 1 << 8 * (8 - first - count));
            return old & ~mask | new_ & mask;
        }
    }

    function shiftOf(uint64 address_, uint64 size) private pure returns (uint64) {
        unchecked {
            return 8 * (8 - size - (address_ & 7 & ~(size - 1)));
        }
    }

    function maskOf(uint64 size) private pure returns (uint64) {
        unchecked {
            return type(uint64).max >> (64 - 8 * size);
        }
    }
}
