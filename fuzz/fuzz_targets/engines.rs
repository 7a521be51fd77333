//! Random machines: one run, a run over other memory, single steps, proofs, and changes
//! between them all come to the same end.

#![no_main]

use carronade_fuzz::{numbers, random};
use libfuzzer_sys::fuzz_target;

const MAX_STEPS: u64 = 400;
/// Proofs are a hundred times as slow as the rest.
const PROVEN_STEPS: u64 = 16;

fuzz_target!(|data: &[u8]| {
    let (ways, rest) = data.split_at(data.len().min(8));
    let start = random::start(&mut numbers(rest));
    start.run(PROVEN_STEPS);
    let end = start.run_unproven(MAX_STEPS);
    let mut ways = numbers(ways);
    let mixed = start.run_mixed(MAX_STEPS, || ways() % 32);
    mixed.same_as(&end, "mixed ways");
});
