//! The harness itself: it finds what differs, and its programs are worth running.

use carronade_emulator::machine::{Machine, Stop, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use carronade_emulator::step::GuestOutput;
use carronade_testing::dice::{Dice, numbers};
use carronade_testing::engines::{Engine, InPieces, Interpreter, reference, under_test};
use carronade_testing::{Limits, Summary, run_differential};

const LIMITS: Limits = Limits {
    stops: 150,
    steps: 100_000,
    until: u64::MAX,
};

#[test]
fn engines_agree_and_programs_are_worth_running() {
    let mut all = Summary::default();
    for seed in 0..150 {
        let mut numbers = numbers(seed);
        let mut dice = Dice(&mut numbers);
        let under_test = under_test(&mut dice);
        match run_differential(&mut dice, &*reference(), &*under_test, LIMITS) {
            Ok(summary) => all.add(&summary),
            Err(difference) => panic!("seed {seed}: {difference}"),
        }
    }
    assert!(all.early_faults * 5 < all.programs, "{all:?}");
    assert!(all.steps > 10_000 * all.programs, "{all:?}");
    let missing = all.coverage.missing();
    assert!(missing.len() < 10, "never seen: {missing:?}");
}

/// An engine with a mistake: it stores to memory unasked.
struct Scribbling;

impl Engine for Scribbling {
    fn machine(
        &self,
        state: State,
        mut memory: Memory,
        output: Box<dyn GuestOutput + Send>,
    ) -> Machine {
        memory.write(0x7777_7770, &[1]);
        Interpreter.machine(state, memory, output)
    }
}

/// An engine that goes one step too far now and then.
struct Overshooting;

impl Engine for Overshooting {
    fn machine(
        &self,
        state: State,
        memory: Memory,
        output: Box<dyn GuestOutput + Send>,
    ) -> Machine {
        Interpreter.machine(state, memory, output)
    }

    fn run(&self, machine: &mut Machine, until: u64, watch: Watch) -> Result<Stop, VmError> {
        let more = u64::from(until.is_multiple_of(16));
        machine.run(until + more, watch)
    }
}

#[track_caller]
fn difference(broken: &dyn Engine) -> String {
    let mut numbers = numbers(5);
    let difference = run_differential(&mut Dice(&mut numbers), &Interpreter, broken, LIMITS);
    difference.expect_err("the mistake shows").to_string()
}

#[test]
fn differences_of_memory_are_found_and_told() {
    let text = difference(&Scribbling);
    assert!(text.contains("pages ["), "{text}");
}

#[test]
fn differences_of_steps_are_found_and_told() {
    let text = difference(&Overshooting);
    assert!(text.contains("pc 0x"), "{text}");
    assert!(text.contains("around 0x"), "{text}");
}

#[test]
fn programs_are_repeatable() {
    let run = || {
        let mut numbers = numbers(11);
        let engine = InPieces { steps: 5 };
        let done = run_differential(&mut Dice(&mut numbers), &Interpreter, &engine, LIMITS);
        done.map(|summary| (summary.stops, summary.steps)).ok()
    };
    assert_eq!(run(), run());
    assert!(run().is_some());
}
