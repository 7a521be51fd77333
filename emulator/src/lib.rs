//! Cannon's MIPS64 fault proof VM: what the machine is.
//!
//! [`isa`] says how instructions are encoded and [`semantics`] what they mean, over the
//! trait [`cpu::Cpu`]. [`machine::Machine`] runs a [`state::State`] over a
//! [`memory::Memory`]; [`witness`] proves and verifies single steps.

#![deny(unsafe_code)]

pub mod accelerator;
pub mod bus;
pub mod capture;
mod code;
pub mod codec;
mod core;
pub mod cpu;
pub mod hash;
pub mod image;
pub mod isa;
pub mod keccak;
pub mod leaders;
pub mod machine;
pub mod memory;
pub mod oracle;
pub mod preimage;
pub mod semantics;
pub mod state;
pub mod stats;
pub mod step;
mod syscall;
pub mod witness;
