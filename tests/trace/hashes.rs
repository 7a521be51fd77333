//! Whatever is asked in whatever order, the answers are the interpreter's.

use crate::support::*;
use carronade_emulator::state::StateVersion;
use carronade_emulator::witness::verify;
use carronade_trace::{Trace, TraceError};
use std::collections::BTreeMap;

const GUESTS: [&str; 7] = [
    "hello",
    "exit7",
    "panic2",
    "oracle",
    "goroutines",
    "sortmap",
    "keccakloop",
];

/// Steps at which the golden guests are asked, and how often the interpreter is: each of
/// its answers costs a root.
const QUESTIONS: usize = 1000;

#[test]
fn hashes_at_random_steps_are_the_interpreters() {
    for guest in GUESTS {
        let folder = tempfile::tempdir().unwrap();
        let length = length(guest);
        let asked = Random(length).steps(QUESTIONS, length + length / 50);
        let mut sorted = asked.clone();
        sorted.sort_unstable();
        let wanted: BTreeMap<_, _> = sorted.iter().zip(interpreted(guest, &sorted)).collect();
        let mut trace = open(guest, folder.path(), translator(), oracle()).unwrap();
        // The first twenty as they come, a machine of its own for most; the others forward.
        for step in asked.iter().take(20).chain(&sorted) {
            assert_eq!(
                trace.state_hash(*step).unwrap(),
                wanted[step],
                "{guest} at {step}"
            );
        }
        assert_eq!(trace.end().unwrap().step, length);
    }
}

#[test]
fn a_stored_trace_answers_without_host_and_with_few_steps() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = open("oracle", folder.path(), translator(), oracle()).unwrap();
    let length = first.end().unwrap().step;
    assert_eq!(first.executed(), length);
    drop(first);
    let asked = Random(5).steps(40, length);
    let wanted: Vec<_> = asked
        .iter()
        .map(|step| interpreted("oracle", &[*step])[0])
        .collect();
    for engine in [interpreter(), translator()] {
        let mut trace = open("oracle", folder.path(), engine, no_host()).unwrap();
        for (step, wanted) in asked.iter().zip(&wanted) {
            assert_eq!(trace.state_hash(*step).unwrap(), *wanted, "at {step}");
        }
        let most = 40 << small().interval_shift;
        assert!(trace.executed() <= most, "{} steps", trace.executed());
    }
}

#[test]
fn witnesses_verify_and_end_with_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open("oracle", folder.path(), translator(), oracle()).unwrap();
    let length = trace.end().unwrap().step;
    let mut with_preimage = 0;
    for step in Random(9).steps(100, length) {
        let witness = trace.witness(step).unwrap().unwrap();
        assert_eq!(witness.step, step);
        assert_eq!(witness.pre, trace.state_hash(step).unwrap());
        assert_eq!(witness.post, trace.state_hash(step + 1).unwrap());
        assert_eq!(verify(StateVersion::V8, &witness), Ok(witness.post));
        with_preimage += u32::from(witness.oracle.is_some());
    }
    let _ = with_preimage;
    assert!(trace.witness(length - 1).unwrap().is_some());
    for step in [length, length + 1, u64::MAX] {
        assert!(trace.witness(step).unwrap().is_none());
        assert_eq!(
            trace.state_hash(step).unwrap(),
            trace.end().unwrap().state_hash
        );
    }
}

#[test]
fn a_bisection_executes_little_more_than_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (mut executed, mut low, mut high) = (0, 0, 1u64 << 42);
    let length = length("keccakloop");
    let lie = length / 3;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        // A process of its own for each question, as op-challenger asks.
        let mut trace = open("keccakloop", folder.path(), translator(), no_host()).unwrap();
        trace.state_hash(middle).unwrap();
        executed += trace.executed();
        if middle < lie {
            low = middle;
        } else {
            high = middle;
        }
    }
    assert!(
        executed <= length + length / 5,
        "{executed} steps for a trace of {length}"
    );
}

#[test]
fn steps_of_machines_are_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open("sortmap", folder.path(), translator(), no_host()).unwrap();
    let third = length("sortmap") / 3;
    trace.seek(2 * third).unwrap();
    let all = |trace: &Trace| (trace.executed(), trace.executed_by_machine());
    assert_eq!(all(&trace), (2 * third, 2 * third));
    // Back, over a checkpoint before that.
    trace.seek(third).unwrap();
    let (executed, by_machine) = all(&trace);
    assert_eq!(executed, 2 * third + by_machine);
    assert!(by_machine < third);
}

#[test]
fn a_trace_of_other_inputs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open("oracle", folder.path(), translator(), oracle())
        .unwrap()
        .end()
        .unwrap();
    let mut other = oracle();
    let locals: Vec<_> = other
        .images
        .keys()
        .filter(|key| key[0] == 1)
        .copied()
        .collect();
    assert!(!locals.is_empty());
    for local in locals {
        other.images.insert(local, b"something else".to_vec());
    }
    let opened = open("oracle", folder.path(), translator(), other);
    assert!(matches!(opened.err(), Some(TraceError::Inputs(_))));
}

#[test]
fn steps_before_the_first_state_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open("hello", folder.path(), interpreter(), no_host()).unwrap();
    let machine = trace.seek(1000).unwrap();
    assert_eq!(machine.state().step, 1000);
}
