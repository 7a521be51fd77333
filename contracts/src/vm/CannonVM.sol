// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBigStepper} from "../interfaces/IBigStepper.sol";
import {IPreimageOracle} from "../interfaces/IPreimageOracle.sol";
import {State, StateLib} from "./State.sol";
import {Thread} from "./Thread.sol";
import {ThreadStack} from "./ThreadStack.sol";
import {Memory, SubWord} from "./Memory.sol";
import {Instruction} from "./Instruction.sol";
import {Integer} from "./Integer.sol";
import {Control} from "./Control.sol";
import {LoadStore} from "./LoadStore.sol";
import {Syscalls} from "./Syscalls.sol";
import {Witness} from "./Witness.sol";
import {InvalidEncoding, InvalidPC, UnsupportedStateVersion} from "./Errors.sol";

/// Executes one step of Cannon's machine, state version 8: a big-endian MIPS64 with threads.
///
/// Encodings and meanings are those of the reference's MIPS64.sol 1.10.1, so that proofs of one
/// verify on the other.
contract CannonVM is IBigStepper {
    uint256 private constant SCHED_QUANTUM = 100_000;

    /// @inheritdoc IBigStepper
    IPreimageOracle public immutable oracle;
    /// The state version that is executed.
    uint256 public immutable stateVersion;

    constructor(IPreimageOracle oracle_, uint256 stateVersion_) {
        if (stateVersion_ != 8) revert UnsupportedStateVersion();
        oracle = oracle_;
        stateVersion = stateVersion_;
    }

    /// @inheritdoc IBigStepper
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        view
        returns (bytes32 postState)
    {
        expectEncoding(stateData, proof);
        State state = StateLib.fromCalldata(Witness.STATE_DATA);
        ThreadStack.expectThread(state);
        if (!state.exited()) {
            advance(state, localContext);
            ThreadStack.expectThread(state);
        }
        postState = state.hash();
    }

    function expectEncoding(bytes calldata stateData, bytes calldata proof) private pure {
        uint256 stateAt;
        uint256 proofAt;
        assembly ("memory-safe") {
            stateAt := stateData.offset
            proofAt := proof.offset
        }
        bool canonical = stateAt == Witness.STATE_DATA && proofAt == Witness.THREAD;
        if (!canonical || stateData.length != StateLib.LENGTH) revert InvalidEncoding();
    }

    /// One step of a machine that runs: a thread that has exited is dropped, one whose quantum is
    /// used up gives way, or one instruction is executed.
    function advance(State state, bytes32 localContext) private view {
        unchecked {
            state.setStep(state.step() + 1);
            Thread thread = ThreadStack.top(state);
            if (thread.exited()) return ThreadStack.pop(state);
            uint64 steps = state.stepsSinceSwitch();
            if (steps >= SCHED_QUANTUM) return ThreadStack.preempt(state, thread);
            state.setStepsSinceSwitch(steps + 1);
            Instruction i = fetch(state, thread);
            if (i.opcode() == 0 && i.fun() == 0x0c) return Syscalls.execute(state, thread, oracle, localContext);
            execute(state, thread, i);
            ThreadStack.replaceTop(state, thread);
        }
    }

    function fetch(State state, Thread thread) private pure returns (Instruction) {
        uint64 pc = thread.pc();
        if (pc & 3 != 0) revert InvalidPC();
        uint64 word = Memory.read(state.memoryRoot(), pc, Witness.INSTRUCTION_BRANCH);
        return Instruction.wrap(uint32(SubWord.select(word, pc, 4)));
    }

    /// Any instruction but the system call. What is in no class is refused by the last.
    function execute(State state, Thread thread, Instruction i) private pure {
        uint256 opcode = i.opcode();
        if (opcode == 0x00) special(thread, i);
        else if (opcode == 0x01) Control.regimm(thread, i);
        else if (opcode < 0x04) Control.jump(thread, i);
        else if (opcode < 0x08) Control.branch(thread, i);
        else if (opcode < 0x10 || opcode == 0x18 || opcode == 0x19) Integer.immediate(thread, i);
        else if (opcode == 0x1c) Integer.special2(thread, i);
        else LoadStore.execute(state, thread, i);
    }

    function special(Thread thread, Instruction i) private pure {
        uint256 fun = i.fun();
        if (fun == 0x08 || fun == 0x09) Control.jumpRegister(thread, i);
        else if (fun >= 0x10 && fun < 0x20) Integer.hiLo(thread, i);
        else Integer.special(thread, i);
    }
}
