//! Stores with damage that shows only when a page is touched, in the middle of a run.

use crate::support::*;
use carronade_emulator::step::{GuestOutput, Stream};
use carronade_trace::{Options, Trace, TraceError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const GUEST: &str = "hello";

/// The edges of the only trace of a store.
fn edges(folder: &Path) -> Vec<PathBuf> {
    let trace = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let edges = fs::read_dir(trace.path().join("edges")).unwrap();
    let mut edges: Vec<_> = edges.map(|edge| edge.unwrap().path()).collect();
    edges.sort();
    edges
}

/// A store of the whole trace.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open(GUEST, folder.path(), interpreter(), no_host()).unwrap();
    trace.end().unwrap();
    folder
}

/// Flips a bit at some tenth of a file, and gives its sound bytes.
fn flip(file: &Path, tenth: usize) -> Vec<u8> {
    let sound = fs::read(file).unwrap();
    let mut bytes = sound.clone();
    bytes[sound.len() * tenth / 10] ^= 1;
    fs::write(file, bytes).unwrap();
    sound
}

#[test]
fn a_damaged_edge_is_written_again_within_the_question() {
    let (folder, length) = (filled(), length(GUEST));
    let asked = [length - 3, 200_000, 70_000, length - 70_000];
    let wanted = asked.map(|step| interpreted(GUEST, &[step])[0]);
    for edge in edges(folder.path()) {
        for tenth in 0..10 {
            let sound = flip(&edge, tenth);
            // The second one meets no damage any more, and needs no first state.
            for first in [true, false] {
                let mut trace = open(GUEST, folder.path(), interpreter(), no_host()).unwrap();
                if first {
                    trace.begin_again_with(|| Ok(start(GUEST)));
                }
                for (step, wanted) in asked.iter().zip(&wanted) {
                    let what = format!("{} at {tenth}/10, step {step}", edge.display());
                    assert_eq!(trace.state_hash(*step).expect(&what), *wanted, "{what}");
                    trace.seek(*step).expect(&what);
                    trace.whole().expect(&what);
                }
            }
            fs::write(&edge, sound).unwrap();
        }
    }
}

/// Keeps what the guest writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl GuestOutput for Written {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// A trace that shows and counts all steps.
fn faithful(folder: &Path) -> (Trace, Written) {
    let (store, output) = (store(folder, GUEST), Written::default());
    let options = Options {
        faithful: true,
        ..small()
    };
    let world = (Box::new(no_host()), Box::new(output.clone()));
    let trace = Trace::open(
        start(GUEST),
        world.0,
        world.1,
        store,
        interpreter(),
        options,
    );
    let mut trace = trace.unwrap();
    trace.begin_again_with(|| Ok(start(GUEST)));
    (trace, output)
}

/// The output and the counters of a run to the end, in pieces.
fn run((mut trace, output): (Trace, Written)) -> (Vec<u8>, String) {
    while !trace.machine().state().exited {
        let step = trace.machine().state().step;
        trace.approach(u64::MAX, step + 50_000).unwrap();
        assert!(trace.machine().state().step >= step);
    }
    let info = serde_json::to_string(&trace.debug_info()).unwrap();
    let output = output.0.lock().unwrap().clone();
    (output, info)
}

#[test]
fn output_and_counters_are_those_of_a_run_without_damage() {
    let folder = filled();
    let wanted = run(faithful(tempfile::tempdir().unwrap().path()));
    assert!(!wanted.0.is_empty());
    assert_eq!(run(faithful(folder.path())), wanted);
    for edge in edges(folder.path()) {
        for tenth in [1, 4, 5, 7] {
            flip(&edge, tenth);
            let what = format!("{} at {tenth}/10", edge.display());
            assert_eq!(run(faithful(folder.path())), wanted, "{what}");
        }
    }
}

#[test]
fn what_cannot_be_had_again_is_neither_the_guests_nor_the_hosts_fault() {
    let folder = filled();
    let root = edges(folder.path()).pop().unwrap();
    assert!(root.ends_with("root-00000000000000000000"));
    flip(&root, 5);
    let mut trace = open(GUEST, folder.path(), interpreter(), no_host()).unwrap();
    let errors = (1..20).filter_map(|n| trace.state_hash(n * 20_000 + 1).err());
    for error in errors {
        assert!(!matches!(error, TraceError::Vm(_)), "{error}");
    }
}

#[test]
fn something_else_of_an_edges_name_is_replaced() {
    let wanted = interpreted(GUEST, &[300_000])[0];
    for (number, what) in (0..7).flat_map(|n| [(n, "folder"), (n, "loop")]) {
        let folder = filled();
        let edge = &edges(folder.path())[number];
        fs::remove_file(edge).unwrap();
        if what == "folder" {
            fs::create_dir(edge).unwrap();
            fs::write(edge.join("file"), "not ours").unwrap();
        } else {
            std::os::unix::fs::symlink(edge, edge).unwrap();
        }
        let mut trace = open(GUEST, folder.path(), interpreter(), no_host()).unwrap();
        trace.seek(u64::MAX).unwrap();
        trace.flush().unwrap();
        let found = fs::symlink_metadata(edge).unwrap();
        assert!(found.is_file(), "{} is still a {what}", edge.display());
        assert_eq!(trace.state_hash(300_000).unwrap(), wanted);
    }
}
