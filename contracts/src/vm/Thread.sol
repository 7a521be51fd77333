// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {load8, load64, store8, store64, store64x2, hashBytes, copyFromCalldata} from "./Packed.sol";
import {BranchInDelaySlot} from "./Errors.sol";

/// A thread: where in memory its 298 bytes are.
type Thread is uint256;

using ThreadLib for Thread global;

/// Fields of a thread. Layout: `ThreadState` of the reference's MIPS64.sol, packed.
library ThreadLib {
    uint256 internal constant LENGTH = 298;

    uint256 private constant ID = 0;
    uint256 private constant EXIT_CODE = 8;
    uint256 private constant EXITED = 9;
    uint256 private constant PC = 10;
    uint256 private constant NEXT_PC = 18;
    uint256 private constant LO = 26;
    uint256 private constant REGISTERS = 42;

    function fromCalldata(uint256 offset) internal pure returns (Thread) {
        return Thread.wrap(copyFromCalldata(offset, LENGTH));
    }

    function hash(Thread self) internal pure returns (bytes32) {
        return hashBytes(Thread.unwrap(self), LENGTH);
    }

    function id(Thread self) internal pure returns (uint64) {
        return load64(at(self, ID));
    }

    function setId(Thread self, uint64 value) internal pure {
        store64(at(self, ID), value);
    }

    function exited(Thread self) internal pure returns (bool) {
        return load8(at(self, EXITED)) != 0;
    }

    function exit(Thread self, uint8 code) internal pure {
        store8(at(self, EXIT_CODE), code);
        store8(at(self, EXITED), 1);
    }

    function clearExitCode(Thread self) internal pure {
        store8(at(self, EXIT_CODE), 0);
    }

    function pc(Thread self) internal pure returns (uint64) {
        return load64(at(self, PC));
    }

    function nextPC(Thread self) internal pure returns (uint64) {
        return load64(at(self, NEXT_PC));
    }

    /// Goes on to the next instruction.
    function advance(Thread self) internal pure {
        unchecked {
            uint64 next = self.nextPC();
            store64x2(at(self, PC), next, next + 4);
        }
    }

    /// Goes on to the delay slot, and from there to `target`.
    ///
    /// What is refused is a next instruction that does not follow this one. After a jump to its
    /// own address plus 8 it does, so a jump is allowed in that delay slot, as in the reference.
    function jump(Thread self, uint64 target) internal pure {
        unchecked {
            uint64 next = self.nextPC();
            if (next != self.pc() + 4) revert BranchInDelaySlot();
            store64x2(at(self, PC), next, target);
        }
    }

    function lo(Thread self) internal pure returns (uint64) {
        return load64(at(self, LO));
    }

    function setLo(Thread self, uint64 value) internal pure {
        store64(at(self, LO), value);
    }

    function hi(Thread self) internal pure returns (uint64) {
        unchecked {
            return load64(at(self, LO) + 8);
        }
    }

    function setHi(Thread self, uint64 value) internal pure {
        unchecked {
            store64(at(self, LO) + 8, value);
        }
    }

    /// A register. Number 0 reads as the state has it, which honest states have as 0.
    function register(Thread self, uint256 number) internal pure returns (uint64) {
        return load64(registerAt(self, number));
    }

    /// Writes a register; writes to number 0 are dropped.
    function setRegister(Thread self, uint256 number, uint64 value) internal pure {
        if (number != 0) store64(registerAt(self, number), value);
    }

    function registerAt(Thread self, uint256 number) private pure returns (uint256) {
        unchecked {
            return at(self, REGISTERS) + 8 * number;
        }
    }

    function at(Thread self, uint256 field) private pure returns (uint256) {
        unchecked {
            return Thread.unwrap(self) + field;
        }
    }
}
