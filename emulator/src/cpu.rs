//! What an instruction's meaning may ask of a CPU.

use crate::preimage::PreimageError;
use crate::witness::Refusal;
use std::fmt;

/// How many bytes a memory access covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

impl Width {
    /// Size in bytes.
    #[must_use]
    #[inline(always)]
    pub const fn bytes(self) -> u64 {
        match self {
            Width::Byte => 1,
            Width::Half => 2,
            Width::Word => 4,
            Width::Double => 8,
        }
    }
}

/// What the guest did that the contract refuses to execute. The machine stops before the
/// step, and nobody can prove a state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The instruction word is none of the table's.
    InvalidInstruction(u32),
    /// The program counter is not a multiple of 4.
    UnalignedPc(u64),
    /// A jump or branch where the previous one has not yet taken effect.
    BranchInDelaySlot,
    /// A division by zero.
    DivisionByZero,
    /// A system call number that the machine does not know.
    UnknownSyscall(u64),
    /// A read of a pre-image at or past its end; offsets include the length prefix.
    PreimageOffset {
        /// Where the guest reads.
        offset: u64,
        /// The pre-image's length with its 8-byte prefix.
        length: u64,
    },
    /// The stack of threads that should run is empty.
    NoActiveThread,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::InvalidInstruction(word) => write!(f, "invalid instruction 0x{word:08x}"),
            Fault::UnalignedPc(pc) => write!(f, "unaligned instruction fetch at pc 0x{pc:x}"),
            Fault::BranchInDelaySlot => write!(f, "branch in delay slot"),
            Fault::DivisionByZero => write!(f, "division by zero"),
            Fault::UnknownSyscall(number) => write!(f, "unrecognized syscall {number}"),
            Fault::PreimageOffset { offset, length } => {
                write!(
                    f,
                    "pre-image offset {offset} is out of bounds (length {length})"
                )
            }
            Fault::NoActiveThread => write!(f, "active thread stack is empty"),
        }
    }
}

impl std::error::Error for Fault {}

/// Why an instruction did not simply complete.
#[derive(Debug)]
pub enum Trap {
    /// The contract would refuse the step; nothing has been changed.
    Fault(Fault),
    /// The instruction is a system call, which needs the whole machine.
    Syscall,
    /// The instruction completed, and it stored into a page that holds decoded code.
    CodeWritten,
    /// The pre-image that the step reads is not to be had; nothing has been changed.
    Preimage(Box<PreimageError>),
    /// The proof of the step does not hold.
    Refused(Refusal),
}

impl From<Fault> for Trap {
    fn from(fault: Fault) -> Self {
        Trap::Fault(fault)
    }
}

/// A CPU on which the meanings of [`crate::semantics`] run.
///
/// The interpreter computes with `u64`. A translator's values are those of its
/// intermediate code: it does not run the instruction, it writes down what running it
/// would do. Everything that the two share is in the meanings, so they cannot drift;
/// everything that differs is in these few primitives.
///
/// Values are 64 bits wide; conditions are values that are 0 or 1.
#[expect(missing_docs, reason = "the names are the operations")]
pub trait Cpu {
    type Value: Copy;

    fn imm(&mut self, value: u64) -> Self::Value;

    /// Register 0 reads as 0.
    fn gpr(&mut self, register: u8) -> Self::Value;
    /// Writes to register 0 are dropped.
    fn set_gpr(&mut self, register: u8, value: Self::Value);
    fn hi(&mut self) -> Self::Value;
    fn lo(&mut self) -> Self::Value;
    fn set_hi(&mut self, value: Self::Value);
    fn set_lo(&mut self, value: Self::Value);

    fn add(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn sub(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn and(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn or(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn xor(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn not(&mut self, a: Self::Value) -> Self::Value;
    /// The low 64 bits of the product.
    fn mul(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// The high 64 bits of the signed product.
    fn mul_high_signed(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// The high 64 bits of the unsigned product.
    fn mul_high_unsigned(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `b` is not 0. The minimum divided by -1 is the minimum.
    fn div_signed(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `b` is not 0.
    fn div_unsigned(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `b` is not 0. The minimum modulo -1 is 0.
    fn rem_signed(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `b` is not 0.
    fn rem_unsigned(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// Shifts use the low 6 bits of the amount.
    fn shl(&mut self, a: Self::Value, amount: Self::Value) -> Self::Value;
    fn shr(&mut self, a: Self::Value, amount: Self::Value) -> Self::Value;
    /// Arithmetic shift right.
    fn sar(&mut self, a: Self::Value, amount: Self::Value) -> Self::Value;
    fn leading_zeros(&mut self, a: Self::Value) -> Self::Value;
    fn sign_extend(&mut self, a: Self::Value, from: Width) -> Self::Value;
    fn zero_extend(&mut self, a: Self::Value, from: Width) -> Self::Value;

    fn eq(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn less_signed(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn less_unsigned(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn select(
        &mut self,
        condition: Self::Value,
        then: Self::Value,
        other: Self::Value,
    ) -> Self::Value;

    /// Loads big-endian and zero-extended; the address is rounded down to the width.
    fn load(&mut self, address: Self::Value, width: Width) -> Result<Self::Value, Trap>;
    /// Stores the low bytes big-endian; the address is rounded down to the width. A store
    /// to the reserved 8-byte word clears the reservation. The last act of a meaning.
    fn store(&mut self, address: Self::Value, width: Width, value: Self::Value)
    -> Result<(), Trap>;
    /// Loads zero-extended and reserves the full address for this thread.
    fn load_linked(&mut self, address: Self::Value, width: Width) -> Result<Self::Value, Trap>;
    /// Stores the register's value if the reservation is this thread's, of this width and
    /// full address; sets the register to 1 if so, else to 0. The last act of a meaning.
    fn store_conditional(
        &mut self,
        address: Self::Value,
        width: Width,
        register: u8,
    ) -> Result<(), Trap>;

    /// Address of the instruction.
    fn pc(&self) -> u64;
    /// Raises [`Fault::BranchInDelaySlot`] unless the next instruction is the one at pc + 4.
    fn expect_no_delay_slot(&mut self) -> Result<(), Trap>;
    /// Continues at `target` after the delay slot.
    fn jump(&mut self, target: Self::Value);
    /// Continues at `target` after the delay slot if the condition holds.
    fn branch(&mut self, condition: Self::Value, target: u64);

    /// Raises a fault. The meaning has changed nothing before.
    fn fault(&mut self, fault: Fault) -> Result<(), Trap>;
    /// Raises a fault if the condition holds. The meaning has changed nothing before.
    fn fault_if(&mut self, condition: Self::Value, fault: Fault) -> Result<(), Trap>;
    /// Hands the system call to the machine.
    fn syscall(&mut self) -> Result<(), Trap>;
}
