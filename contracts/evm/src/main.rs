//! Executes random steps in emulator and contract until one differs:
//! `differential [STEPS] [SEED]`.

use carronade_contracts::cases::compare;
use carronade_contracts::dice::Dice;
use carronade_contracts::random::random;
use carronade_contracts::stepper::Stepper;

/// A chain is replaced after so many steps, since the oracle on it grows.
const STEPS_OF_A_CHAIN: u64 = 10_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |otherwise| match numbers.next() {
        Some(number) => number.unwrap_or_else(|error| {
            eprintln!("differential [STEPS] [SEED]: {error}");
            std::process::exit(1)
        }),
        None => otherwise,
    };
    let (steps, seed) = (next(1_000_000), next(1));
    let mut dice = Dice::new(seed);
    let (mut stepper, mut executed) = (Stepper::new(), 0);
    for step in 0..steps {
        if step % STEPS_OF_A_CHAIN == 0 {
            stepper = Stepper::new();
        }
        match compare(&mut stepper, &random(&mut dice)) {
            Ok(done) => executed += u64::from(done),
            Err(difference) => {
                eprintln!("step {step} of seed {seed}: {difference}");
                std::process::exit(1);
            }
        }
    }
    println!("{steps} steps agree, {executed} of them executed, the others refused by both");
}
