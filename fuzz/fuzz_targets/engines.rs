//! Random machines: one run, a run over other memory, single steps, proofs, and changes
//! between them all come to the same end.

#![no_main]

use carronade_fuzz::{numbers, random};
use libfuzzer_sys::fuzz_target;

const MAX_STEPS: u64 = 120;

fuzz_target!(|data: &[u8]| {
    let (ways, rest) = data.split_at(data.len().min(8));
    let start = random::start(&mut numbers(rest));
    let end = start.run(MAX_STEPS);
    let mut ways = numbers(ways);
    let mixed = start.run_mixed(MAX_STEPS, || ways() % 12);
    mixed.same_as(&end, "mixed ways");
});
