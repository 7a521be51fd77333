//! What a program inside the fault proof VM needs: pre-image keys, the oracle and hint client, a
//! heap, and, on the VM's own target, the entry point, system calls, panic handler and printing.
//!
//! Everything but the `guest` module, which only the VM's target has, builds and is tested
//! natively. The host takes [`key`] and [`chain`] from here: the side that asks owns the
//! vocabulary.
#![no_std]
#![cfg_attr(
    all(target_arch = "mips64", target_os = "none"),
    feature(asm_experimental_arch)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod chain;
pub mod client;
pub mod fmt;
#[cfg(all(target_arch = "mips64", target_os = "none"))]
pub mod guest;
pub mod heap;
pub mod io;
pub mod keccak;
pub mod key;
pub mod memory;

/// A keccak256 digest.
pub type Hash = [u8; 32];
