// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// The state version is not one that the contract executes.
error UnsupportedStateVersion();
/// The call is not encoded as it must be: state data of 188 bytes first, proof data next.
error InvalidEncoding();
/// The exited byte of a state is neither 0 nor 1.
error InvalidExitedValue();
/// The running thread's stack has no thread, before or after the step.
error EmptyThreadStack();
/// Thread and root below it do not explain the root of the active stack.
error InvalidThreadWitness();
/// Calldata ends before the thread or a branch does.
error ProofTooShort();
/// A branch does not lead to the memory root.
error InvalidMemoryProof();
/// The second branch does not lead to the memory root after the first word was written.
error InvalidSecondMemoryProof();
/// The program counter is not a multiple of 4.
error InvalidPC();
/// The machine has no such instruction.
error InvalidInstruction(uint32 instruction);
/// A jump or branch in the delay slot of another.
error BranchInDelaySlot();
/// A divisor is zero.
error DivisionByZero();
/// The machine has no such system call.
error UnknownSyscall(uint64 number);
