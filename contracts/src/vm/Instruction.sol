// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// An instruction word.
type Instruction is uint32;

using InstructionLib for Instruction global;

/// The fields of an instruction word.
library InstructionLib {
    function bits(Instruction self) internal pure returns (uint32) {
        return Instruction.unwrap(self);
    }

    function opcode(Instruction self) internal pure returns (uint256) {
        return bits(self) >> 26;
    }

    /// What SPECIAL and SPECIAL2 instructions do.
    function fun(Instruction self) internal pure returns (uint256) {
        return bits(self) & 63;
    }

    function rs(Instruction self) internal pure returns (uint256) {
        return bits(self) >> 21 & 31;
    }

    function rt(Instruction self) internal pure returns (uint256) {
        return bits(self) >> 16 & 31;
    }

    function rd(Instruction self) internal pure returns (uint256) {
        return bits(self) >> 11 & 31;
    }

    function shift(Instruction self) internal pure returns (uint64) {
        return bits(self) >> 6 & 31;
    }

    /// The 16-bit immediate, sign-extended.
    function immediate(Instruction self) internal pure returns (uint64) {
        return uint64(int64(int16(uint16(bits(self)))));
    }

    /// The 16-bit immediate, zero-extended.
    function unsigned(Instruction self) internal pure returns (uint64) {
        return uint16(bits(self));
    }

    /// The target of j and jal within its 256 MiB region.
    function index(Instruction self) internal pure returns (uint64) {
        return uint64(bits(self) & 0x03ffffff) << 2;
    }
}
