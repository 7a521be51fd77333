//! What a program inside the fault proof VM needs: pre-image keys, the oracle and hint client,
//! and an in-memory host.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
pub mod fmt;
pub mod io;
pub mod keccak;
pub mod key;
pub mod memory;

/// A keccak256 digest.
pub type Hash = [u8; 32];
