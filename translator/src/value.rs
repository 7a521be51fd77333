//! What the emitter knows of a value besides its name in Cranelift's code.

use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::{CondCode as _, IntCC};

/// A 64-bit value of the guest.
#[derive(Debug, Clone, Copy)]
pub enum Val {
    /// A constant.
    Imm(u64),
    /// 1 if a comparison holds, else 0.
    Flag(Comparison),
    /// Something computed.
    Wide(Wide),
}

/// A comparison of two values of one type.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    pub condition: IntCC,
    pub a: Value,
    pub b: Value,
}

impl Comparison {
    /// The opposite.
    pub fn inverse(self) -> Self {
        Self {
            condition: self.condition.complement(),
            ..self
        }
    }
}

/// A computed value, in up to two forms. Forms that nobody uses cost nothing: they are
/// pure, and Cranelift drops them.
#[derive(Debug, Clone, Copy)]
pub struct Wide {
    /// All 64 bits.
    pub full: Value,
    /// The low 32 bits, if they are at hand without reducing the full value.
    pub word: Option<Value>,
    /// What the high 32 bits are.
    pub high: High,
    /// What shift made it, since two of them may be a rotation.
    pub shift: Option<Shift>,
}

/// What the high 32 bits of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum High {
    /// Anything.
    Unknown,
    /// Zeros.
    Zero,
    /// Copies of bit 31.
    Sign,
}

/// A logical shift of a value by a constant.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// What was shifted: 32 or 64 bits.
    pub source: Value,
    /// By how much, to the left.
    pub left: u8,
    /// Or to the right.
    pub right: u8,
    /// Width of the source in bits.
    pub bits: u8,
}

impl Shift {
    /// The rotation to the left that two shifts make together.
    pub fn rotation(self, other: Self) -> Option<(Value, u8)> {
        let same = self.source == other.source && self.bits == other.bits;
        let (left, right) = (self.left + other.left, self.right + other.right);
        let opposite =
            (self.left == 0) != (other.left == 0) && (self.right == 0) != (other.right == 0);
        (same && opposite && left + right == self.bits).then_some((self.source, left))
    }
}

impl From<Value> for Val {
    fn from(full: Value) -> Self {
        Val::Wide(Wide {
            full,
            word: None,
            high: High::Unknown,
            shift: None,
        })
    }
}
