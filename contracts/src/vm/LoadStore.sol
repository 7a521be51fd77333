// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {State} from "./State.sol";
import {Thread} from "./Thread.sol";
import {Instruction} from "./Instruction.sol";
import {Memory, SubWord} from "./Memory.sol";
import {signExtend32} from "./Packed.sol";
import {InvalidInstruction} from "./Errors.sol";

/// Loads and stores, load-linked and store-conditional.
library LoadStore {
    using SubWord for uint64;

    uint256 private constant LL = 0x30;
    uint256 private constant LLD = 0x34;
    uint256 private constant SC = 0x38;
    uint256 private constant SCD = 0x3c;

    uint8 private constant RESERVED_WORD = 1;
    uint8 private constant RESERVED_DOUBLE = 2;

    function execute(State state, Thread thread, Instruction i) internal pure {
        unchecked {
            uint256 opcode = i.opcode();
            uint64 address_ = thread.register(i.rs()) + i.immediate();
            uint64 rt = thread.register(i.rt());
            if (opcode == SC || opcode == SCD) {
                bool done = storeConditional(state, thread.id(), opcode, address_, rt);
                thread.setRegister(i.rt(), done ? 1 : 0);
            } else if (opcode >= 0x28 && opcode != 0x37 && opcode != LL && opcode != LLD) {
                uint64 old = Memory.load(state, address_);
                Memory.store(state, address_, stored(i, old, address_, rt));
            } else {
                uint64 word = Memory.load(state, address_);
                thread.setRegister(i.rt(), loaded(i, word, address_, rt));
                if (opcode == LL) state.reserve(RESERVED_WORD, address_, thread.id());
                if (opcode == LLD) state.reserve(RESERVED_DOUBLE, address_, thread.id());
            }
            thread.advance();
        }
    }

    /// Stores if kind, full address and thread are those of the reservation, which is used up.
    /// Memory is not touched otherwise, and needs no proof; the reservation stays.
    function storeConditional(State state, uint64 thread, uint256 opcode, uint64 address_, uint64 value)
        private
        pure
        returns (bool)
    {
        (uint8 kind, uint64 size) = opcode == SC ? (RESERVED_WORD, 4) : (RESERVED_DOUBLE, 8);
        if (!state.isReserved(kind, address_, thread)) return false;
        uint64 word = Memory.load(state, address_);
        Memory.store(state, address_, word.replace(address_, size, value));
        return true;
    }

    /// What a load makes of a word of memory and of the old value of rt.
    function loaded(Instruction i, uint64 word, uint64 address_, uint64 rt) private pure returns (uint64) {
        unchecked {
            uint256 opcode = i.opcode();
            if (opcode == 0x37 || opcode == LLD) return word;
            if (opcode == 0x23 || opcode == LL) return signExtend32(word.select(address_, 4));
            if (opcode == 0x27) return word.select(address_, 4);
            if (opcode == 0x20) return uint64(int64(int8(uint8(word.select(address_, 1)))));
            if (opcode == 0x24) return word.select(address_, 1);
            if (opcode == 0x21) return uint64(int64(int16(uint16(word.select(address_, 2)))));
            if (opcode == 0x25) return word.select(address_, 2);
            if (opcode == 0x22) return left32(word.select(address_, 4), address_, rt);
            if (opcode == 0x26) return right32(word.select(address_, 4), address_, rt);
            uint64 shift = (address_ & 7) << 3;
            // ldl
            if (opcode == 0x1a) return merge(rt, word << shift, type(uint64).max << shift);
            // ldr
            if (opcode == 0x1b) return merge(rt, word >> (56 - shift), type(uint64).max >> (56 - shift));
            revert InvalidInstruction(i.bits());
        }
    }

    /// lwl: the unit's bytes from the address on become the left ones of the low half of rt.
    function left32(uint64 unit, uint64 address_, uint64 rt) private pure returns (uint64) {
        uint64 shift = (address_ & 3) << 3;
        return signExtend32(merge(rt, unit << shift, uint64(type(uint32).max) << shift));
    }

    /// lwr: the unit's bytes up to the address become the right ones of rt. The upper half of rt
    /// stays unless all four bytes were loaded (`executeMipsInstruction`).
    function right32(uint64 unit, uint64 address_, uint64 rt) private pure returns (uint64) {
        unchecked {
            uint64 shift = 24 - ((address_ & 3) << 3);
            if (shift == 0) return signExtend32(unit);
            return merge(rt, unit >> shift, type(uint32).max >> shift);
        }
    }

    /// What a store makes of a word of memory and of rt.
    function stored(Instruction i, uint64 old, uint64 address_, uint64 rt) private pure returns (uint64) {
        unchecked {
            uint256 opcode = i.opcode();
            if (opcode == 0x3f) return rt;
            if (opcode == 0x2b) return old.replace(address_, 4, rt);
            if (opcode == 0x28) return old.replace(address_, 1, rt);
            if (opcode == 0x29) return old.replace(address_, 2, rt);
            uint64 shift = (address_ & 3) << 3;
            uint64 unit = old.select(address_, 4);
            // swl
            if (opcode == 0x2a) {
                return old.replace(address_, 4, merge(unit, uint32(rt) >> shift, type(uint32).max >> shift));
            }
            // swr
            if (opcode == 0x2e) {
                shift = 24 - shift;
                return old.replace(address_, 4, merge(unit, rt << shift, type(uint64).max << shift));
            }
            shift = (address_ & 7) << 3;
            // sdl
            if (opcode == 0x2c) return merge(old, rt >> shift, type(uint64).max >> shift);
            // sdr
            if (opcode == 0x2d) return merge(old, rt << (56 - shift), type(uint64).max << (56 - shift));
            revert InvalidInstruction(i.bits());
        }
    }

    /// `old` where the mask is 0, `new_` where it is 1.
    function merge(uint64 old, uint64 new_, uint64 mask) private pure returns (uint64) {
        return old & ~mask | new_ & mask;
    }
}
