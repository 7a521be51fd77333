//! Random claims about random chains: the program comes to the same exit code natively and in
//! the VM, and to the right one where it is known.

#![no_main]

use carronade_chains::Outcome;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|seed: u64| {
    let outcome = Outcome::of(seed);
    assert_eq!(outcome.fault(), None, "seed {seed}: {:?}", outcome.case);
});
