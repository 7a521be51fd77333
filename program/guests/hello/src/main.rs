//! The smallest program for the VM.
#![no_std]
#![no_main]

carronade_program::entry!(main);

fn main() -> i32 {
    carronade_program::println!("hello from the fault proof VM");
    0
}
