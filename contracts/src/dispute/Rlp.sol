// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {InvalidHeaderRLP} from "./Errors.sol";

/// As much of RLP as it takes to find the number in a block's header.
library Rlp {
    uint256 private constant NUMBER = 8;

    /// The number of the block with this header. Reverts unless it is one list of which the ninth
    /// item is a string of at most 32 bytes.
    function blockNumber(bytes calldata header) internal pure returns (uint256) {
        (bool isList, bytes calldata rest, bytes calldata after_) = split(header);
        if (!isList || after_.length != 0) revert InvalidHeaderRLP();
        for (uint256 n = 0; n < NUMBER; n++) {
            (,, rest) = split(rest);
        }
        bytes calldata number;
        (isList, number,) = split(rest);
        if (isList || number.length > 32) revert InvalidHeaderRLP();
        return toNumber(number);
    }

    /// The first item, without its prefix, and what follows it.
    function split(bytes calldata data) private pure returns (bool isList, bytes calldata item, bytes calldata rest) {
        if (data.length == 0) revert InvalidHeaderRLP();
        uint256 first = uint8(data[0]);
        isList = first >= 0xc0;
        if (first < 0x80) return (false, data[:1], data[1:]);
        uint256 short = first - (isList ? 0xc0 : 0x80);
        (uint256 from, uint256 length) = (1, short);
        if (short > 55) {
            from += short - 55;
            if (data.length < from) revert InvalidHeaderRLP();
            length = toNumber(data[1:from]);
        }
        if (length > data.length - from) revert InvalidHeaderRLP();
        return (isList, data[from:from + length], data[from + length:]);
    }

    /// Up to 32 bytes as a number, big-endian.
    function toNumber(bytes calldata digits) private pure returns (uint256) {
        if (digits.length == 0) return 0;
        return uint256(bytes32(digits)) >> 8 * (32 - digits.length);
    }
}
