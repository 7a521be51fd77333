// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// Big-endian fields of byte strings in memory. States and threads stay in memory exactly as
// they are in witnesses, so that hashing them needs no packing. A word that is read or written
// reaches up to 31 bytes beyond its field: whoever allocates such a string adds 32 bytes.

/// The byte at an address of memory.
function load8(uint256 at) pure returns (uint8 value) {
    assembly ("memory-safe") {
        value := byte(0, mload(at))
    }
}

/// The 8 bytes at an address of memory.
function load64(uint256 at) pure returns (uint64 value) {
    assembly ("memory-safe") {
        value := shr(192, mload(at))
    }
}

/// The 32 bytes at an address of memory.
function load256(uint256 at) pure returns (bytes32 value) {
    assembly ("memory-safe") {
        value := mload(at)
    }
}

/// Writes a byte.
function store8(uint256 at, uint8 value) pure {
    assembly ("memory-safe") {
        mstore8(at, value)
    }
}

/// Writes 8 bytes.
function store64(uint256 at, uint64 value) pure {
    assembly ("memory-safe") {
        mstore(at, or(shl(192, value), shr(64, shl(64, mload(at)))))
    }
}

/// Writes two times 8 bytes.
function store64x2(uint256 at, uint64 first, uint64 second) pure {
    assembly ("memory-safe") {
        let both := or(shl(64, first), and(second, 0xffffffffffffffff))
        mstore(at, or(shl(128, both), shr(128, shl(128, mload(at)))))
    }
}

/// Writes 32 bytes.
function store256(uint256 at, bytes32 value) pure {
    assembly ("memory-safe") {
        mstore(at, value)
    }
}

/// Hash of `length` bytes of memory.
function hashBytes(uint256 at, uint256 length) pure returns (bytes32 hash) {
    assembly ("memory-safe") {
        hash := keccak256(at, length)
    }
}

/// Hash of two words, as in every tree and stack of the machine.
function hashPair(bytes32 left, bytes32 right) pure returns (bytes32 hash) {
    assembly ("memory-safe") {
        mstore(0, left)
        mstore(32, right)
        hash := keccak256(0, 64)
    }
}

/// Copies calldata to newly allocated memory, with 32 bytes to spare behind it.
function copyFromCalldata(uint256 offset, uint256 length) pure returns (uint256 at) {
    assembly ("memory-safe") {
        at := mload(0x40)
        calldatacopy(at, offset, length)
        mstore(0x40, add(at, and(add(length, 63), not(31))))
    }
}

/// The low 32 bits, sign-extended to 64.
function signExtend32(uint64 value) pure returns (uint64) {
    return uint64(int64(int32(uint32(value))));
}
