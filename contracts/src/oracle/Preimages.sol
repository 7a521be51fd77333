// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IPreimageOracle} from "../interfaces/IPreimageOracle.sol";
import {PreimageKey} from "./PreimageKey.sol";
import {PartOffsetOOB, InvalidProof, NotEnoughGas, PreimageMissing} from "./Errors.sol";

/// Pre-images by key, in parts of up to 32 bytes. What is stored is the pre-image behind its
/// length in 8 bytes; a part may begin anywhere in that, and ends with it.
abstract contract Preimages is IPreimageOracle {
    address private constant POINT_EVALUATION = address(0x0a);
    uint256 private constant POINT_EVALUATION_OUTPUT = 64;
    /// Gas that is left for what happens around the call of a precompile.
    uint256 public constant PRECOMPILE_CALL_RESERVED_GAS = 100_000;

    /// Lengths of pre-images, without the 8 bytes before them.
    mapping(bytes32 key => uint256 length) public preimageLengths;
    /// Parts of pre-images by offset.
    mapping(bytes32 key => mapping(uint256 offset => bytes32 part)) public preimageParts;
    /// Which parts are there.
    mapping(bytes32 key => mapping(uint256 offset => bool ok)) public preimagePartOk;

    /// A part and its length, which is 32 but at the end of the pre-image.
    function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length) {
        if (!preimagePartOk[key][offset]) revert PreimageMissing();
        uint256 left = preimageLengths[key] + 8 - offset;
        return (preimageParts[key][offset], left < 32 ? left : 32);
    }

    /// Loads data of the caller: `size` bytes of a word, under a key of the caller and context.
    function loadLocalData(uint256 ident, bytes32 localContext, bytes32 word, uint256 size, uint256 partOffset)
        external
        returns (bytes32 key)
    {
        if (size > 32) revert PartOffsetOOB();
        bytes memory image = bytes.concat(word);
        assembly ("memory-safe") {
            mstore(image, size)
        }
        bytes32 plain = PreimageKey.typed(bytes32(ident), PreimageKey.LOCAL);
        key = PreimageKey.localize(plain, msg.sender, localContext);
        storePart(key, partOffset, partOf(image, partOffset), size);
    }

    /// Loads a part of a pre-image by its keccak256 hash.
    function loadKeccak256PreimagePart(uint256 partOffset, bytes calldata preimage) external {
        bytes32 key = PreimageKey.typed(keccak256(preimage), PreimageKey.KECCAK256);
        storePart(key, partOffset, partOf(preimage, partOffset), preimage.length);
    }

    /// Loads a part of a pre-image by its sha256 hash.
    function loadSha256PreimagePart(uint256 partOffset, bytes calldata preimage) external {
        bytes32 key = PreimageKey.typed(sha256(preimage), PreimageKey.SHA256);
        storePart(key, partOffset, partOf(preimage, partOffset), preimage.length);
    }

    /// Loads an element of a blob: `y` is the value at `z` of the polynomial committed to. The key
    /// is the hash of commitment and z. Both are field elements in 32 bytes, big-endian.
    function loadBlobPreimagePart(
        uint256 z,
        uint256 y,
        bytes calldata commitment,
        bytes calldata proof,
        uint256 partOffset
    ) external {
        bytes32 versionedHash = PreimageKey.typed(sha256(commitment), 1);
        (bool ok, bytes memory output) =
            POINT_EVALUATION.staticcall(abi.encodePacked(versionedHash, z, y, commitment, proof));
        // Where there is no such precompile, a call of its address succeeds and returns nothing.
        if (!ok || output.length != POINT_EVALUATION_OUTPUT) revert InvalidProof();
        bytes32 key = PreimageKey.typed(keccak256(abi.encodePacked(commitment, z)), PreimageKey.BLOB);
        storePart(key, partOffset, partOf(abi.encode(y), partOffset), 32);
    }

    /// Loads what a precompile returns: a byte that is 1 for success, then the output. The key is
    /// the hash of address, gas and input; the call has at least that much gas, so that nobody
    /// can make it fail by sending less.
    function loadPrecompilePreimagePart(
        uint256 partOffset,
        address precompile,
        uint64 requiredGas,
        bytes calldata input
    ) external {
        bytes memory keyed = abi.encodePacked(precompile, requiredGas, input);
        bytes32 key = PreimageKey.typed(keccak256(keyed), PreimageKey.PRECOMPILE);
        // A call gets 63 of 64 parts of the gas.
        if (gasleft() * 63 < uint256(requiredGas) * 64 + PRECOMPILE_CALL_RESERVED_GAS * 63) revert NotEnoughGas();
        bool ok;
        assembly ("memory-safe") {
            // The input is in memory already, behind length 32, address 20 and gas 8.
            ok := staticcall(gas(), precompile, add(keyed, 60), input.length, 0, 0)
        }
        bytes memory result = bytes.concat(bytes1(ok ? 1 : 0), returnData());
        storePart(key, partOffset, partOf(result, partOffset), result.length);
    }

    function storePart(bytes32 key, uint256 offset, bytes32 part, uint256 length) internal {
        preimagePartOk[key][offset] = true;
        preimageParts[key][offset] = part;
        preimageLengths[key] = length;
    }

    /// Up to 32 bytes of a pre-image behind its length, followed by zeros.
    function partOf(bytes memory image, uint256 offset) internal pure returns (bytes32) {
        unchecked {
            // Offsets near 2^256 must not wrap to small ones, and are no less than any length.
            if (offset >= image.length + 8) revert PartOffsetOOB();
            if (offset >= 8) return wordAt(image, offset - 8);
            uint256 prefix = image.length << 192 << 8 * offset;
            return bytes32(prefix | uint256(wordAt(image, 0)) >> 8 * (8 - offset));
        }
    }

    /// 32 bytes from `at` on, those behind the end as zeros.
    function wordAt(bytes memory image, uint256 at) private pure returns (bytes32 word) {
        unchecked {
            assembly ("memory-safe") {
                word := mload(add(add(image, 32), at))
            }
            uint256 left = image.length - at;
            if (left < 32) word &= ~bytes32(type(uint256).max >> 8 * left);
        }
    }

    function returnData() private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, returndatasize())
            returndatacopy(add(data, 32), 0, returndatasize())
            mstore(0x40, and(add(add(data, returndatasize()), 63), not(31)))
        }
    }
}
