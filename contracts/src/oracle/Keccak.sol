// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Keccak256 step by step: one block of 136 bytes at a time, over a state of 25 lanes that is in
/// sight between blocks (FIPS 202, with the padding of the original submission).
library Keccak {
    /// Bytes of a block.
    uint256 internal constant BLOCK = 136;

    /// The lanes, x + 5 y, as numbers.
    struct StateMatrix {
        uint64[25] state;
    }

    /// Round constants, 8 bytes each.
    bytes private constant ROUND_CONSTANTS = hex"00000000000000010000000000008082800000000000808a8000000080008000"
        hex"000000000000808b000000008000000180000000800080818000000000008009"
        hex"000000000000008a00000000000000880000000080008009000000008000000a"
        hex"000000008000808b800000000000008b80000000000080898000000000008003"
        hex"80000000000080028000000000000080000000000000800a800000008000000a"
        hex"8000000080008081800000000000808000000000800000018000000080008008";

    /// The steps rho and pi as one chain from lane 1: the lane that the last one moves to, and by
    /// how many bits it is rotated on the way. One byte each.
    uint256 private constant MOVES = 0x0a070b1112030510081518040f17130d0c02140e160906010000000000000000;
    uint256 private constant ROTATIONS = 0x0103060a0f151c242d37020e1b293808192b3e12273d142c0000000000000000;

    /// Input of any length behind which nothing follows, as whole blocks.
    function pad(bytes calldata input) internal pure returns (bytes memory padded) {
        uint256 missing = BLOCK - input.length % BLOCK;
        padded = bytes.concat(input, new bytes(missing));
        padded[input.length] = 0x01;
        padded[padded.length - 1] |= 0x80;
    }

    /// What a state matrix is committed to as: hash of its lanes as words.
    function commitment(StateMatrix memory matrix) internal pure returns (bytes32) {
        return keccak256(abi.encode(matrix));
    }

    /// Takes in a block of 136 bytes and permutes.
    function absorb(StateMatrix memory matrix, bytes memory input) internal pure {
        unchecked {
            for (uint256 lane = 0; lane < BLOCK / 8; lane++) {
                uint64 word;
                assembly ("memory-safe") {
                    word := shr(192, mload(add(add(input, 32), mul(lane, 8))))
                }
                matrix.state[lane] ^= swapBytes(word);
            }
        }
        permute(matrix);
    }

    /// The hash, from the state after the last block.
    function squeeze(StateMatrix memory matrix) internal pure returns (bytes32) {
        uint256 digest;
        for (uint256 lane = 0; lane < 4; lane++) {
            digest = digest << 64 | swapBytes(matrix.state[lane]);
        }
        return bytes32(digest);
    }

    function swapBytes(uint64 word) private pure returns (uint64) {
        word = word >> 8 & 0x00ff00ff00ff00ff | (word & 0x00ff00ff00ff00ff) << 8;
        word = word >> 16 & 0x0000ffff0000ffff | (word & 0x0000ffff0000ffff) << 16;
        return word >> 32 | word << 32;
    }

    /// Keccak-f[1600].
    function permute(StateMatrix memory matrix) private pure {
        uint64[25] memory lanes = matrix.state;
        bytes memory constants = ROUND_CONSTANTS;
        (uint256 moves, uint256 rotations) = (MOVES, ROTATIONS);
        assembly ("memory-safe") {
            function rotate(lane, bits) -> rotated {
                rotated := and(or(shl(bits, lane), shr(sub(64, bits), lane)), 0xffffffffffffffff)
            }
            function column(at) -> parity {
                parity := xor(mload(at), xor(mload(add(at, 0xa0)), mload(add(at, 0x140))))
                parity := xor(parity, xor(mload(add(at, 0x1e0)), mload(add(at, 0x280))))
            }
            function mix(at, value) {
                for { let end := add(at, 0x320) } lt(at, end) { at := add(at, 0xa0) } {
                    mstore(at, xor(mload(at), value))
                }
            }
            function theta(s) {
                let c0 := column(s)
                let c1 := column(add(s, 0x20))
                let c2 := column(add(s, 0x40))
                let c3 := column(add(s, 0x60))
                let c4 := column(add(s, 0x80))
                mix(s, xor(c4, rotate(c1, 1)))
                mix(add(s, 0x20), xor(c0, rotate(c2, 1)))
                mix(add(s, 0x40), xor(c1, rotate(c3, 1)))
                mix(add(s, 0x60), xor(c2, rotate(c4, 1)))
                mix(add(s, 0x80), xor(c3, rotate(c0, 1)))
            }
            function chi(row) {
                let a := mload(row)
                let b := mload(add(row, 0x20))
                let c := mload(add(row, 0x40))
                let d := mload(add(row, 0x60))
                let e := mload(add(row, 0x80))
                mstore(row, xor(a, and(not(b), c)))
                mstore(add(row, 0x20), xor(b, and(not(c), d)))
                mstore(add(row, 0x40), xor(c, and(not(d), e)))
                mstore(add(row, 0x60), xor(d, and(not(e), a)))
                mstore(add(row, 0x80), xor(e, and(not(a), b)))
            }
            for { let round := 0 } lt(round, 24) { round := add(round, 1) } {
                theta(lanes)
                let moving := mload(add(lanes, 0x20))
                for { let n := 0 } lt(n, 24) { n := add(n, 1) } {
                    let to := add(lanes, shl(5, byte(n, moves)))
                    let next := mload(to)
                    mstore(to, rotate(moving, byte(n, rotations)))
                    moving := next
                }
                let end := add(lanes, 0x320)
                for { let row := lanes } lt(row, end) { row := add(row, 0xa0) } { chi(row) }
                let constant_ := shr(192, mload(add(add(constants, 0x20), shl(3, round))))
                mstore(lanes, xor(mload(lanes), constant_))
            }
        }
    }
}
