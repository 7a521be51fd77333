//! Objects that are not what was written.

use crate::suite::world::{World, index};
use carronade_checkpoint::{Error, Limit, Policy, TraceStore};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const WORLD: World = World(31);

/// A trace with checkpoints at 0, 10 and 20, each with an edge.
struct Damaged {
    folder: TempDir,
    edges: PathBuf,
}

impl Damaged {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let trace = WORLD.trace(&crate::open(&folder));
        WORLD.put(&trace, None, 0).unwrap();
        WORLD.put(&trace, Some(0), 10).unwrap();
        WORLD.put(&trace, Some(10), 20).unwrap();
        let edges = folder.path().join(trace.id().to_string()).join("edges");
        Self { folder, edges }
    }

    /// The trace as somebody sees it who knows nothing yet.
    fn trace(&self) -> TraceStore {
        WORLD.trace(&crate::open(&self.folder))
    }

    fn file(&self, from: u64, to: u64) -> PathBuf {
        self.edges.join(format!("{from:020}-{to:020}"))
    }
}

/// Whether the damage to the edge from 0 to 10 shows, and does no harm beyond.
fn assert_detected(damaged: &Damaged, what: &str) {
    let trace = damaged.trace();
    let name = damaged.file(0, 10).display().to_string();
    let names_it =
        |error: &Error| matches!(error, Error::Damaged { object, .. } if *object == name);
    let problems = trace.verify().unwrap();
    assert!(problems.iter().any(names_it), "{what} does not show");
    for step in [0, 10, 20] {
        let outcome = trace
            .open(step)
            .and_then(|checkpoint| WORLD.check(&checkpoint));
        match outcome {
            // The damage may lie where this checkpoint reads nothing.
            Ok(()) => {}
            Err(error) => assert!(step > 0 && names_it(&error), "{what}: {error}"),
        }
    }
}

#[test]
fn every_flipped_byte_shows() {
    let damaged = Damaged::new();
    let file = damaged.file(0, 10);
    let sound = fs::read(&file).unwrap();
    assert!(damaged.trace().verify().unwrap().is_empty());
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&file, bytes).unwrap();
        assert_detected(&damaged, &format!("byte {at} of {}", sound.len()));
    }
}

#[test]
fn every_truncation_shows() {
    let damaged = Damaged::new();
    let file = damaged.file(0, 10);
    let sound = fs::read(&file).unwrap();
    for length in 0..sound.len() {
        fs::write(&file, &sound[..length]).unwrap();
        assert_detected(&damaged, &format!("length {length}"));
        assert_eq!(damaged.trace().nearest(100).unwrap(), Some(WORLD.point(0)));
    }
    fs::write(&file, [&sound[..], &[0]].concat()).unwrap();
    assert_detected(&damaged, "one byte more");
}

#[test]
fn objects_under_wrong_names_are_left_out() {
    let damaged = Damaged::new();
    fs::copy(damaged.file(0, 10), damaged.file(0, 20)).unwrap();
    fs::copy(damaged.file(10, 20), damaged.file(20, 30)).unwrap();
    fs::copy(
        damaged.file(10, 20),
        damaged.edges.join(format!("root-{:020}", 40)),
    )
    .unwrap();
    let trace = damaged.trace();
    assert_eq!(WORLD.check_all(&trace), [0, 10, 20]);
    assert_eq!(trace.verify().unwrap().len(), 3);
    assert!(matches!(trace.open(30), Err(Error::Damaged { .. })));
    // The right object under the wrong trace.
    let other = World(32).trace(&crate::open(&damaged.folder));
    let place = damaged
        .folder
        .path()
        .join(other.id().to_string())
        .join("edges");
    fs::create_dir_all(&place).unwrap();
    let root = format!("root-{:020}", 0);
    fs::copy(damaged.edges.join(&root), place.join(&root)).unwrap();
    assert_eq!(other.checkpoints().unwrap(), []);
    assert!(
        other.verify().unwrap()[0]
            .to_string()
            .contains("another trace")
    );
}

/// Somebody else's machine came to other states, and its edges got in here.
#[test]
fn edges_that_continue_another_state_are_left_out() {
    let (here, there) = (Damaged::new(), Damaged::new());
    let [here, there] = [&here, &there].map(|place| {
        let trace = crate::open(&place.folder).trace([1; 32], [2; 32]);
        let edges = place
            .folder
            .path()
            .join(trace.id().to_string())
            .join("edges");
        (trace, edges)
    });
    for (world, (trace, _)) in [(WORLD, &here), (World(32), &there)] {
        world.put(trace, None, 0).unwrap();
        world.put(trace, Some(0), 10).unwrap();
        world.put(trace, Some(10), 20).unwrap();
    }
    let name = format!("{:020}-{:020}", 10, 20);
    fs::copy(there.1.join(&name), here.1.join(&name)).unwrap();
    // One that knows nothing yet: a copy over a file is nothing that a store does.
    let fresh = || {
        let folder = here.1.parent().unwrap().parent().unwrap();
        let store =
            carronade_checkpoint::Store::open(folder.to_str().unwrap(), &Default::default());
        store.unwrap().trace([1; 32], [2; 32])
    };
    assert_eq!(WORLD.check_all(&fresh()), [0, 10]);
    assert_eq!(fresh().nearest(99).unwrap(), Some(WORLD.point(10)));
    let error = fresh().open(20).err().unwrap().to_string();
    assert!(error.contains("another state hash"), "{error}");
}

#[test]
fn foreign_files_are_nobodys() {
    let damaged = Damaged::new();
    for name in ["README", "00000-00010", "root-1", ".hidden"] {
        fs::write(damaged.edges.join(name), b"hello").unwrap();
    }
    fs::create_dir(damaged.file(20, 30)).unwrap();
    assert_eq!(WORLD.check_all(&damaged.trace()), [0, 10, 20]);
    thin(&damaged.trace(), 2);
    assert_eq!(WORLD.check_all(&damaged.trace()), [0, 20]);
    assert!(damaged.edges.join("README").exists());
}

#[test]
fn another_path_is_taken_around_damage() {
    let damaged = Damaged::new();
    WORLD.put(&damaged.trace(), Some(0), 20).unwrap();
    for at in [5, 2000] {
        // First where only loading a page shows it, with the checkpoint open already.
        let file = damaged.file(0, 20);
        let sound = fs::read(&file).unwrap();
        let checkpoint = damaged.trace().open(20).unwrap();
        assert_eq!(checkpoint.path(), [0, 20]);
        let mut bytes = sound.clone();
        let place = if at == 5 { at } else { bytes.len() - at / 10 };
        bytes[place] ^= 1;
        fs::write(&file, bytes).unwrap();
        WORLD.check(&checkpoint).unwrap();
        WORLD.check(&damaged.trace().open(20).unwrap()).unwrap();
        assert_eq!(damaged.trace().verify().unwrap().len(), 1);
        // Writing it again repairs it.
        WORLD.put(&damaged.trace(), Some(0), 20).unwrap();
        assert!(damaged.trace().verify().unwrap().is_empty());
    }
}

#[test]
fn thinning_does_not_rely_on_damaged_edges() {
    let damaged = Damaged::new();
    WORLD.put(&damaged.trace(), Some(0), 20).unwrap();
    let file = damaged.file(0, 20);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    // 20 is reached over 10 only. Dropping that writes the bridge again.
    thin(&damaged.trace(), 2);
    assert_eq!(WORLD.check_all(&damaged.trace()), [0, 20]);
}

#[test]
fn what_cannot_be_merged_is_not_dropped() {
    let damaged = Damaged::new();
    let file = damaged.file(10, 20);
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 1;
    fs::write(&file, bytes).unwrap();
    thin(&damaged.trace(), 2);
    let trace = damaged.trace();
    WORLD.check(&trace.open(10).unwrap()).unwrap();
    assert!(file.exists());
}

#[test]
fn an_open_checkpoint_outlives_thinning() {
    let damaged = Damaged::new();
    let open = damaged.trace().open(10).unwrap();
    thin(&damaged.trace(), 2);
    assert!(damaged.trace().open(10).is_err());
    WORLD.check(&open).unwrap();
    assert_eq!(open.load(index(0)).unwrap().len(), 4096);
}

#[test]
fn damaged_notes_are_errors_and_damaged_marks_are_nobodys() {
    let damaged = Damaged::new();
    let trace = damaged.trace();
    trace.keep_note("speed", b"fast").unwrap();
    let folder = damaged.edges.parent().unwrap();
    let note = folder.join("notes/speed");
    let sound = fs::read(&note).unwrap();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&note, bytes).unwrap();
        assert!(matches!(trace.note("speed"), Err(Error::Damaged { .. })));
    }
    assert!(
        trace.keep_note("speed", b"slow").unwrap(),
        "a damaged note is written again"
    );
    fs::create_dir_all(folder.join("marks")).unwrap();
    fs::write(folder.join("marks/0123"), b"no mark").unwrap();
    assert_eq!(WORLD.check_all(&trace), [0, 10, 20]);
}

fn thin(trace: &TraceStore, most: usize) {
    trace
        .thin(
            &Policy {
                limit: Limit::Checkpoints(most),
                dense: 0,
            },
            &[],
        )
        .unwrap();
}
