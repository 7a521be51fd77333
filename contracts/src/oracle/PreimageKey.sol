// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Keys of pre-images: a type in the first byte, and the other 31 of a hash or of a number.
library PreimageKey {
    uint8 internal constant LOCAL = 1;
    uint8 internal constant KECCAK256 = 2;
    uint8 internal constant SHA256 = 4;
    uint8 internal constant BLOB = 5;
    uint8 internal constant PRECOMPILE = 6;

    /// A hash with a type in place of its first byte.
    function typed(bytes32 hash, uint8 keyType) internal pure returns (bytes32) {
        return bytes32(uint256(hash) << 8 >> 8 | uint256(keyType) << 248);
    }

    /// The key of local data of a caller in a context.
    function localize(bytes32 key, address caller, bytes32 localContext) internal pure returns (bytes32) {
        return typed(keccak256(abi.encode(key, caller, localContext)), LOCAL);
    }

    /// Localises local keys and leaves others as they are.
    function localizeIfLocal(bytes32 key, address caller, bytes32 localContext) internal pure returns (bytes32) {
        return key[0] == bytes1(LOCAL) ? localize(key, caller, localContext) : key;
    }
}
