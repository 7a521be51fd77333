// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Thread} from "./Thread.sol";
import {Instruction} from "./Instruction.sol";
import {signExtend32} from "./Packed.sol";
import {DivisionByZero, InvalidInstruction} from "./Errors.sol";

/// Arithmetic, logic and shifts. Results of 32 bits use the low 32 bits of their operands and
/// are sign-extended, those of shifts by 0 included; nothing traps on overflow.
library Integer {
    uint256 private constant ADD = 0x20;
    uint256 private constant AND = 0x24;
    uint256 private constant OR = 0x25;
    uint256 private constant XOR = 0x26;
    uint256 private constant SLT = 0x2a;
    uint256 private constant SLTU = 0x2b;
    uint256 private constant DADD = 0x2c;

    /// Opcodes 0x08 to 0x0f, 0x18 and 0x19: rt = rs op immediate.
    function immediate(Thread thread, Instruction i) internal pure {
        uint256 opcode = i.opcode();
        uint64 rs = thread.register(i.rs());
        uint64 value;
        if (opcode <= 0x09) value = arithmetic(i, ADD, rs, i.immediate());
        else if (opcode == 0x0a) value = arithmetic(i, SLT, rs, i.immediate());
        else if (opcode == 0x0b) value = arithmetic(i, SLTU, rs, i.immediate());
        else if (opcode == 0x0c) value = arithmetic(i, AND, rs, i.unsigned());
        else if (opcode == 0x0d) value = arithmetic(i, OR, rs, i.unsigned());
        else if (opcode == 0x0e) value = arithmetic(i, XOR, rs, i.unsigned());
        else if (opcode == 0x0f) value = signExtend32(i.unsigned() << 16);
        else value = arithmetic(i, DADD, rs, i.immediate());
        thread.setRegister(i.rt(), value);
        thread.advance();
    }

    /// SPECIAL functions below 0x08: shifts of 32 bits; above 0x1f: arithmetic, shifts of 64
    /// bits by a constant; 0x0a, 0x0b, 0x0f: moves. rd is written.
    function special(Thread thread, Instruction i) internal pure {
        (uint256 fun, uint64 rs, uint64 rt) = (i.fun(), thread.register(i.rs()), thread.register(i.rt()));
        if (fun == 0x0a || fun == 0x0b) {
            if ((rt == 0) == (fun == 0x0a)) thread.setRegister(i.rd(), rs);
        } else {
            uint64 value;
            if (fun < 0x08) value = shift32(i, rs, rt);
            // sync is no barrier here; it copies rs.
            else if (fun == 0x0f) value = rs;
            else if (fun >= 0x30) value = shift64(i, rt);
            else value = arithmetic(i, fun, rs, rt);
            thread.setRegister(i.rd(), value);
        }
        thread.advance();
    }

    /// SPECIAL2: mul, clz, clo, dclz, dclo. HI and LO stay as they are.
    function special2(Thread thread, Instruction i) internal pure {
        (uint256 fun, uint64 rs) = (i.fun(), thread.register(i.rs()));
        uint64 value;
        if (fun == 0x02) value = multiply(rs, thread.register(i.rt()));
        else if (fun == 0x20) value = leadingZeros(uint64(uint32(rs)) << 32, 32);
        else if (fun == 0x21) value = leadingZeros(uint64(uint32(~rs)) << 32, 32);
        else if (fun == 0x24) value = leadingZeros(rs, 64);
        else if (fun == 0x25) value = leadingZeros(~rs, 64);
        else revert InvalidInstruction(i.bits());
        thread.setRegister(i.rd(), value);
        thread.advance();
    }

    /// SPECIAL functions 0x10 to 0x1f: HI and LO, and shifts of 64 bits by a register. Those that
    /// do not produce a value write 0 to rd, as the reference does.
    function hiLo(Thread thread, Instruction i) internal pure {
        unchecked {
            (uint256 fun, uint64 rs, uint64 rt) = (i.fun(), thread.register(i.rs()), thread.register(i.rt()));
            uint64 value;
            if (fun == 0x10) value = thread.hi();
            else if (fun == 0x11) thread.setHi(rs);
            else if (fun == 0x12) value = thread.lo();
            else if (fun == 0x13) thread.setLo(rs);
            else if (fun == 0x14) value = rt << (rs & 63);
            else if (fun == 0x16) value = rt >> (rs & 63);
            else if (fun == 0x17) value = uint64(int64(rt) >> (rs & 63));
            else if (fun >= 0x1c) multiplyDivide64(thread, fun, rs, rt);
            else if (fun >= 0x18) multiplyDivide32(thread, fun, uint32(rs), uint32(rt));
            else revert InvalidInstruction(i.bits());
            thread.setRegister(i.rd(), value);
            thread.advance();
        }
    }

    function arithmetic(Instruction i, uint256 fun, uint64 rs, uint64 rt) private pure returns (uint64) {
        unchecked {
            if (fun == ADD || fun == 0x21) return signExtend32(rs + rt);
            if (fun == 0x22 || fun == 0x23) return signExtend32(rs - rt);
            if (fun == AND) return rs & rt;
            if (fun == OR) return rs | rt;
            if (fun == XOR) return rs ^ rt;
            if (fun == 0x27) return ~(rs | rt);
            if (fun == SLT) return int64(rs) < int64(rt) ? 1 : 0;
            if (fun == SLTU) return rs < rt ? 1 : 0;
            if (fun == DADD || fun == 0x2d) return rs + rt;
            if (fun == 0x2e || fun == 0x2f) return rs - rt;
            revert InvalidInstruction(i.bits());
        }
    }

    function shift32(Instruction i, uint64 rs, uint64 rt) private pure returns (uint64) {
        uint256 fun = i.fun();
        uint64 amount = fun < 0x04 ? i.shift() : rs & 31;
        if (fun == 0x00 || fun == 0x04) return signExtend32(rt << amount);
        if (fun == 0x02 || fun == 0x06) return signExtend32(uint32(rt) >> amount);
        if (fun == 0x03 || fun == 0x07) return uint64(int64(int32(uint32(rt))) >> amount);
        revert InvalidInstruction(i.bits());
    }

    function shift64(Instruction i, uint64 rt) private pure returns (uint64) {
        unchecked {
            uint256 fun = i.fun();
            // 0x3c, 0x3e and 0x3f shift by 32 more than 0x38, 0x3a and 0x3b.
            uint64 amount = fun & 4 == 0 ? i.shift() : i.shift() + 32;
            if (fun == 0x38 || fun == 0x3c) return rt << amount;
            if (fun == 0x3a || fun == 0x3e) return rt >> amount;
            if (fun == 0x3b || fun == 0x3f) return uint64(int64(rt) >> amount);
            revert InvalidInstruction(i.bits());
        }
    }

    function multiply(uint64 rs, uint64 rt) private pure returns (uint64) {
        unchecked {
            return signExtend32(rs * rt);
        }
    }

    /// mult, multu, div, divu.
    function multiplyDivide32(Thread thread, uint256 fun, uint32 rs, uint32 rt) private pure {
        unchecked {
            if (fun == 0x18) {
                setHiLo(thread, uint64(int64(int32(rs)) * int64(int32(rt))));
            } else if (fun == 0x19) {
                setHiLo(thread, uint64(rs) * rt);
            } else if (rt == 0) {
                revert DivisionByZero();
            } else if (fun == 0x1a) {
                (int64 a, int64 b) = (int32(rs), int32(rt));
                thread.setHi(uint64(a % b));
                // The minimum divided by -1 is 2^31 here, and the minimum again in 32 bits.
                thread.setLo(signExtend32(uint64(a / b)));
            } else {
                thread.setHi(signExtend32(rs % rt));
                thread.setLo(signExtend32(rs / rt));
            }
        }
    }

    /// Both halves of a product of 32 bits, each sign-extended.
    function setHiLo(Thread thread, uint64 product) private pure {
        thread.setHi(signExtend32(product >> 32));
        thread.setLo(signExtend32(product));
    }

    /// dmult, dmultu, ddiv, ddivu.
    function multiplyDivide64(Thread thread, uint256 fun, uint64 rs, uint64 rt) private pure {
        unchecked {
            if (fun == 0x1c) {
                uint256 product = uint256(int256(int64(rs)) * int64(rt));
                thread.setHi(uint64(product >> 64));
                thread.setLo(uint64(product));
            } else if (fun == 0x1d) {
                uint256 product = uint256(rs) * rt;
                thread.setHi(uint64(product >> 64));
                thread.setLo(uint64(product));
            } else if (rt == 0) {
                revert DivisionByZero();
            } else if (fun == 0x1e) {
                thread.setHi(uint64(int64(rs) % int64(rt)));
                thread.setLo(uint64(int64(rs) / int64(rt)));
            } else {
                thread.setHi(rs % rt);
                thread.setLo(rs / rt);
            }
        }
    }

    /// Leading zeros of the upper `width` bits of a value; the others are 0.
    function leadingZeros(uint64 value, uint64 width) private pure returns (uint64 zeros) {
        unchecked {
            if (value == 0) return width;
            for (uint64 half = 32; half != 0; half >>= 1) {
                if (value >> (64 - half) == 0) {
                    zeros += half;
                    value <<= half;
                }
            }
        }
    }
}
