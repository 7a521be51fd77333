//! Traces that somebody removes while a machine goes on in them.

use crate::support::*;
use carronade_checkpoint::Store;
use carronade_emulator::codec::{Packing, read_state, write_state};
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{MapOracle, PreimageOracle as _};
use carronade_emulator::preimage::key_type;
use carronade_emulator::state::State;
use carronade_emulator::step::NoOutput;
use carronade_trace::{Options, Trace, TraceError};
use std::path::{Path, PathBuf};
use std::time::Duration;

const GUEST: &str = "oracle";

fn trace(folder: &Path) -> Trace {
    let mut trace = open(GUEST, folder, translator(), oracle()).unwrap();
    trace.begin_again_with(|| Ok(start(GUEST)));
    trace
}

/// Removes all traces, as somebody else does.
fn prune(folder: &Path) {
    let store = Store::open(folder.to_str().unwrap(), &Default::default()).unwrap();
    for id in store.traces().unwrap() {
        assert!(store.prune(id, Duration::ZERO).unwrap().is_some());
    }
}

/// The same as in an object store: what is open is gone, too.
fn prune_what_is_open(folder: &Path) {
    for file in std::fs::read_dir(edges(folder)).unwrap() {
        std::fs::write(file.unwrap().path(), []).unwrap();
    }
    prune(folder);
}

/// The host with another value for a local key.
fn other_host() -> MapOracle {
    let mut host = oracle();
    let local = |key: &Hash| key[0] == key_type::LOCAL;
    let key = *host.images.keys().filter(|key| local(key)).min().unwrap();
    host.images.get_mut(&key).unwrap()[0] ^= 1;
    assert_ne!(host.preimage(key).unwrap(), oracle().preimage(key).unwrap());
    host
}

fn edges(folder: &Path) -> PathBuf {
    let id = store(folder, GUEST).id().to_string();
    folder.join(id).join("edges")
}

fn count(folder: &Path) -> usize {
    store(folder, GUEST).checkpoints().unwrap().len()
}

/// The store refuses other inputs, and has all that a run to the end needs.
fn expect_whole(folder: &Path) {
    let other = open(GUEST, folder, interpreter(), other_host());
    assert!(matches!(other, Err(TraceError::Inputs(_))));
    let options = Options {
        gain: u64::MAX,
        ..small()
    };
    let mut again = open_with(GUEST, folder, interpreter(), no_host(), options).unwrap();
    let end = again.known_end().unwrap();
    let hash = again.seek(u64::MAX).unwrap().witness().unwrap().1;
    assert_eq!((again.executed(), end.step), (length(GUEST), length(GUEST)));
    assert_eq!(hash, interpreted(GUEST, &[end.step])[0]);
    assert_eq!(end.state_hash, hash);
}

#[test]
fn a_trace_that_is_removed_in_the_middle_comes_back_whole() {
    let third = length(GUEST) / 3;
    // With a listing that has the machine's checkpoint, and one that does not.
    for listed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut trace = trace(folder.path());
        trace.seek(third).unwrap();
        trace.flush().unwrap();
        if listed {
            trace.refresh().unwrap();
        }
        prune(folder.path());
        trace.seek(2 * third).unwrap();
        trace.end().unwrap();
        trace.flush().unwrap();
        drop(trace);
        expect_whole(folder.path());
    }
}

#[test]
fn what_cannot_be_whole_any_more_is_not_written() {
    let third = length(GUEST) / 3;
    let folder = tempfile::tempdir().unwrap();
    let mut trace = trace(folder.path());
    trace.seek(third).unwrap();
    trace.flush().unwrap();
    trace.refresh().unwrap();
    prune_what_is_open(folder.path());
    trace.seek(2 * third).unwrap();
    trace.flush().unwrap();
    assert_eq!(count(folder.path()), 0);
    // A machine that begins again has it all.
    let hash = trace.state_hash(third).unwrap();
    assert_eq!(hash, interpreted(GUEST, &[third])[0]);
    assert!(count(folder.path()) > 0);
    trace.end().unwrap();
    trace.flush().unwrap();
    drop(trace);
    expect_whole(folder.path());
}

/// The state at a step.
fn middle(step: u64) -> (State, Memory) {
    let (state, memory) = start(GUEST);
    let mut machine = Machine::new(state, memory, Box::new(oracle()), Box::new(NoOutput));
    machine.run(step, Watch::Nothing).unwrap();
    let mut file = Vec::new();
    write_state(&mut file, Packing::Gzip, machine.state(), machine.memory()).unwrap();
    read_state(&file[..], Packing::Gzip).unwrap()
}

#[test]
fn who_began_in_the_middle_does_not_know_what_was_read_before() {
    let third = length(GUEST) / 3;
    let folder = tempfile::tempdir().unwrap();
    let mut whole = trace(folder.path());
    whole.seek(third).unwrap();
    whole.end().unwrap();
    whole.flush().unwrap();
    drop(whole);
    let mut part = Trace::open(
        middle(third),
        Box::new(oracle()),
        Box::new(NoOutput),
        store(folder.path(), GUEST),
        translator(),
        small(),
    )
    .unwrap();
    part.begin_again_with(move || Ok(middle(third)));
    part.seek(2 * third).unwrap();
    part.flush().unwrap();
    prune_what_is_open(folder.path());
    for step in [2 * third + 5000, third + 5000, u64::MAX] {
        part.seek(step).unwrap();
        part.flush().unwrap();
        assert_eq!(count(folder.path()), 0, "at {step}");
    }
    drop(part);
    // So whoever comes with other inputs is not taken for one who goes on.
    let other = open(GUEST, folder.path(), translator(), other_host()).unwrap();
    assert_eq!(other.known_end(), None);
}

#[test]
fn an_end_without_its_checkpoint_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = trace(folder.path());
    let end = first.end().unwrap();
    first.flush().unwrap();
    drop(first);
    assert_eq!(trace(folder.path()).known_end(), Some(end));
    std::fs::remove_dir_all(edges(folder.path())).unwrap();
    let mut again = trace(folder.path());
    assert_eq!(again.known_end(), None);
    assert_eq!(again.end().unwrap(), end);
    assert_eq!(again.known_end(), Some(end));
}
