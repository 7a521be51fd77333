//! Checks a claim about a chain of blocks. Exits with 0 if it holds, with 1 if it is wrong, and
//! panics (2) when the oracle's data makes no sense.
#![no_std]
#![no_main]

use carronade_program::chain::{Verdict, verify};
use carronade_program::fmt::Hex;
use carronade_program::guest::oracle;
use carronade_program::println;

carronade_program::entry!(main);

fn main() -> i32 {
    match verify(&mut oracle()) {
        Ok(Verdict::Holds(claim)) => {
            println!("claim {} holds", Hex(&claim));
            0
        }
        Ok(Verdict::Refuted { claimed, computed }) => {
            println!("claim {} is wrong: {}", Hex(&claimed), Hex(&computed));
            1
        }
        Err(error) => panic!("{error}"),
    }
}
