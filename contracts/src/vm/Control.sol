// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Thread} from "./Thread.sol";
import {Instruction} from "./Instruction.sol";

/// Jumps and branches. All have a delay slot, links are the address behind it, and source
/// registers are read before the link is written.
library Control {
    uint256 private constant RA = 31;

    /// j and jal: within the 256 MiB region of the delay slot.
    function jump(Thread thread, Instruction i) internal pure {
        unchecked {
            uint64 after_ = thread.pc() + 8;
            thread.jump(thread.nextPC() & ~uint64(0x0fffffff) | i.index());
            if (i.opcode() == 0x03) thread.setRegister(RA, after_);
        }
    }

    /// jr and jalr. That the target is aligned is checked when it is fetched from.
    function jumpRegister(Thread thread, Instruction i) internal pure {
        unchecked {
            uint64 after_ = thread.pc() + 8;
            thread.jump(thread.register(i.rs()));
            if (i.fun() == 0x09) thread.setRegister(i.rd(), after_);
        }
    }

    /// beq, bne, blez, bgtz.
    function branch(Thread thread, Instruction i) internal pure {
        uint256 opcode = i.opcode();
        uint64 rs = thread.register(i.rs());
        bool taken;
        if (opcode == 0x04) taken = rs == thread.register(i.rt());
        else if (opcode == 0x05) taken = rs != thread.register(i.rt());
        else if (opcode == 0x06) taken = int64(rs) <= 0;
        else taken = int64(rs) > 0;
        branchIf(thread, i, taken);
    }

    /// REGIMM: bltz, bgez, bltzal, bgezal. Any other rt field is a branch that is never taken.
    function regimm(Thread thread, Instruction i) internal pure {
        unchecked {
            uint256 kind = i.rt();
            uint64 after_ = thread.pc() + 8;
            bool negative = int64(thread.register(i.rs())) < 0;
            bool taken;
            if (kind == 0x00 || kind == 0x10) taken = negative;
            else if (kind == 0x01 || kind == 0x11) taken = !negative;
            branchIf(thread, i, taken);
            if (kind == 0x10 || kind == 0x11) thread.setRegister(RA, after_);
        }
    }

    function branchIf(Thread thread, Instruction i, bool taken) private pure {
        unchecked {
            uint64 offset = taken ? i.immediate() << 2 : 4;
            thread.jump(thread.pc() + 4 + offset);
        }
    }
}
