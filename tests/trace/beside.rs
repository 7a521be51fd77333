//! Checkpoints are hashed while the run goes on; nobody is to notice.

use crate::bisect::broken;
use crate::support::*;
use carronade_trace::{Options, Trace, TraceError};
use std::path::Path;

const GUEST: &str = "sortmap";

/// The steps of the checkpoints that small traces have, up to some step.
fn grid(until: u64) -> Vec<u64> {
    (0..=until).step_by(1 << small().interval_shift).collect()
}

/// The steps of the checkpoints in a store.
fn steps(folder: &Path) -> Vec<u64> {
    steps_of(folder, GUEST)
}

fn steps_of(folder: &Path, guest: &str) -> Vec<u64> {
    let points = store(folder, guest).checkpoints().unwrap();
    points.iter().map(|point| point.step).collect()
}

/// A trace that stops at every checkpoint, but never goes on from one.
fn straight(folder: &Path) -> Trace {
    let options = Options {
        faithful: true,
        gain: u64::MAX,
        ..small()
    };
    open_with(GUEST, folder, interpreter(), no_host(), options).unwrap()
}

#[test]
fn an_interrupted_run_leaves_all_checkpoints_that_it_has_come_to() {
    for stop in [1, 3, 20] {
        let folder = tempfile::tempdir().unwrap();
        let mut trace = open(GUEST, folder.path(), translator(), no_host()).unwrap();
        let end = grid(u64::from(u32::MAX))[stop];
        trace.observe(move |progress| progress.step >= end);
        assert!(matches!(trace.seek(u64::MAX), Err(TraceError::Interrupted)));
        drop(trace);
        assert_eq!(steps(folder.path()), grid(end));
    }
}

#[test]
fn a_trace_that_goes_away_leaves_the_checkpoint_that_it_stands_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open(GUEST, folder.path(), translator(), no_host()).unwrap();
    let pause = grid(u64::from(u32::MAX))[5];
    while trace.progress().step < pause {
        trace.approach(u64::MAX, pause).unwrap();
    }
    drop(trace);
    let store = store(folder.path(), GUEST);
    let last = store.checkpoints().unwrap().pop().unwrap();
    assert_eq!(last.step, pause);
    assert_eq!(last.state_hash, interpreted(GUEST, &[pause])[0]);
}

#[test]
fn a_checkpoint_with_another_hash_than_the_stored_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let length = length(GUEST);
    let at = length / 3;
    let mut wrong = open(GUEST, folder.path(), broken(at), no_host()).unwrap();
    wrong.seek(u64::MAX).unwrap();
    drop(wrong);
    let mut right = straight(folder.path());
    let Err(TraceError::Differs { step, now, stored }) = right.seek(u64::MAX) else {
        panic!("the states differ");
    };
    assert_eq!(now, interpreted(GUEST, &[step])[0]);
    assert_ne!(now, stored);
    // The first of the wrong run's checkpoints that is wrong is where it is told.
    let points = store(folder.path(), GUEST).checkpoints().unwrap();
    let first = points.iter().zip(interpreted(GUEST, &steps(folder.path())));
    let first = first.filter(|(point, wanted)| point.state_hash != *wanted);
    assert_eq!(first.map(|(point, _)| point.step).next(), Some(step));
}

#[test]
fn after_an_error_at_a_checkpoint_the_next_one_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let length = length(GUEST);
    let mut wrong = open(GUEST, folder.path(), broken(0), no_host()).unwrap();
    wrong.seek(grid(length)[1]).unwrap();
    drop(wrong);
    let mut right = straight(folder.path());
    let differs = right.seek(length).map(drop);
    assert!(matches!(differs, Err(TraceError::Differs { .. })));
    // Who asks on regardless gets right answers, and leaves checkpoints that are right.
    right.seek(length).unwrap();
    right.flush().unwrap();
    drop(right);
    let mut again = open(GUEST, folder.path(), interpreter(), no_host()).unwrap();
    let asked = [length / 3, length / 2, length - 1];
    for (step, wanted) in asked.iter().zip(interpreted(GUEST, &asked)) {
        assert_eq!(again.state_hash(*step).unwrap(), wanted, "at {step}");
    }
}

/// Runs to a checkpoint that nothing was read just before, and something or nothing earlier.
fn to_a_quiet_checkpoint(trace: &mut Trace, has_read: bool) -> u64 {
    let mut before = 0;
    for step in grid(u64::from(u32::MAX)).into_iter().skip(1) {
        while trace.progress().step < step {
            trace.approach(u64::MAX, step).unwrap();
        }
        trace.flush().unwrap();
        let read = trace.store().open(step).unwrap().preimages().len();
        if read == before && (read > 0) == has_read {
            return step;
        }
        before = read;
    }
    panic!("there is none");
}

#[test]
fn what_was_read_for_lost_checkpoints_is_in_the_next_that_holds_everything() {
    const GUEST: &str = "oracle";
    for has_read in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut trace = open(GUEST, folder.path(), translator(), oracle()).unwrap();
        let base = to_a_quiet_checkpoint(&mut trace, has_read);
        // As if somebody had thinned it away.
        let edges = folder.path().join(trace.store().id().to_string());
        let below = base - (1 << small().interval_shift);
        let edge = edges.join(format!("edges/{below:020}-{base:020}"));
        std::fs::remove_file(edge).unwrap();
        while !trace.approach(u64::MAX, u64::MAX).unwrap() {}
        trace.flush().unwrap();
        drop(trace);
        let last = *steps_of(folder.path(), GUEST).last().unwrap();
        let options = Options {
            gain: u64::MAX,
            ..small()
        };
        // From the first state, with nobody to ask but the store.
        let mut again = open_with(GUEST, folder.path(), interpreter(), no_host(), options).unwrap();
        let hash = again.seek(u64::MAX).unwrap().witness().unwrap().1;
        assert_eq!((again.executed(), last), (length(GUEST), length(GUEST)));
        assert_eq!(hash, interpreted(GUEST, &[last])[0]);
    }
}
