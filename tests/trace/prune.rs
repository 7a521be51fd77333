//! Traces that somebody removes while a machine goes on in them.

use crate::support::*;
use carronade_checkpoint::Store;
use carronade_emulator::hash::Hash;
use carronade_emulator::oracle::{MapOracle, PreimageOracle as _};
use carronade_emulator::preimage::key_type;
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
    // As in an object store: what is open is gone, too.
    for file in std::fs::read_dir(edges(folder.path())).unwrap() {
        std::fs::write(file.unwrap().path(), []).unwrap();
    }
    prune(folder.path());
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
