//! Random programs: all ways agree, and changing ways at random changes nothing.

use crate::harness::{End, Start, numbers};
use crate::random::start;

const PROGRAMS: u64 = 120;
const STEPS: u64 = 200;

#[test]
fn random_programs_agree_on_every_way() {
    let mut executed = 0;
    for seed in 0..PROGRAMS {
        let start = start(&mut numbers(seed));
        let end = std::panic::catch_unwind(|| start.run(STEPS));
        let end = end.unwrap_or_else(|_| panic!("the ways differ for seed {seed}"));
        executed += end.state.step;
        changing_ways(seed, &start, &end);
    }
    // Most programs fault at some time, but not at once.
    assert!(
        executed > PROGRAMS * 25,
        "{executed} steps are too few to tell anything"
    );
}

fn changing_ways(seed: u64, start: &Start, end: &End) {
    let mut random = numbers(!seed);
    let mixed = start.run_mixed(STEPS, || random() % 12);
    mixed.same_as(end, &format!("mixed ways for seed {seed}"));
}
