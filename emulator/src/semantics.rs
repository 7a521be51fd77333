//! What each instruction means: one function per row of [`crate::isa`], generic over the
//! CPU's value type.
//!
//! Sources: `MIPS64Instructions.sol` and, equal to it, `exec/mips_instructions.go` of the
//! reference. Where MIPS manuals say otherwise, Cannon is right here: no overflow traps,
//! no alignment traps, 32-bit results always sign-extended.

mod branch;
mod integer;
mod memory;

pub use branch::*;
pub use integer::*;
pub use memory::*;

use crate::cpu::Trap;

type Result = std::result::Result<(), Trap>;
