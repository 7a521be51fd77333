//! The fault proof program in the VM. Exits with 0 if the claim is valid, with 1 if it is not,
//! and with 2, and the reason on standard error, if it cannot tell.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use carronade_fault_proof::guest::Pipes;
use carronade_program::{eprintln, println};

carronade_program::entry!(main);

fn main() -> i32 {
    match carronade_fault_proof::run(Arc::new(Pipes)) {
        Ok(verdict) => {
            println!("{verdict}");
            verdict.exit_code()
        }
        Err(error) => {
            eprintln!("{error}");
            2
        }
    }
}
