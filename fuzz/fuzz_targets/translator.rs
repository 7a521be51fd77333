//! Structured programs on two engines, compared at random stops: the interpreter, and what
//! `carronade_testing::engines::under_test` says.

#![no_main]

use carronade_fuzz::numbers;
use carronade_testing::dice::Dice;
use carronade_testing::engines::{reference, under_test};
use carronade_testing::{Limits, run_differential};
use libfuzzer_sys::fuzz_target;

/// Short, since the fuzzer learns from how many programs it has tried.
const LIMITS: Limits = Limits {
    stops: 60,
    steps: 100_000,
    until: u64::MAX,
};

fuzz_target!(|data: &[u8]| {
    let mut numbers = numbers(data);
    let mut dice = Dice(&mut numbers);
    let under_test = under_test(&mut dice);
    if let Err(difference) = run_differential(&mut dice, &*reference(), &*under_test, LIMITS) {
        panic!("{difference}");
    }
});
