//! Executes one L2 block in the VM. Exits with 0 if it has the hash expected, with 1 if it has
//! another, and with 2, and the reason on standard error, if it cannot be executed.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use carronade_fault_proof::guest::Pipes;
use carronade_fault_proof::stateless;
use carronade_program::{eprintln, println};

carronade_program::entry!(main);

fn main() -> i32 {
    match stateless::run(Arc::new(Pipes)) {
        Ok(executed) => {
            println!("{executed}");
            executed.exit_code()
        }
        Err(error) => {
            eprintln!("{error}");
            2
        }
    }
}
