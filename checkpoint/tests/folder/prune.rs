//! What a folder's times and links say about which traces go.

use super::super::open;
use crate::suite::world::World;
use carronade_checkpoint::{Error, Store, StoredTrace};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);

/// A folder and all in it was written so long ago.
fn age(path: &Path, ago: Duration) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            age(&entry.unwrap().path(), ago);
        }
    }
    let file = File::open(path).unwrap();
    file.set_modified(SystemTime::now() - ago).unwrap();
}

/// A store with a trace, whose folder is told.
fn trace_of(world: World, store: &Store, folder: &TempDir) -> PathBuf {
    let trace = world.trace(store);
    world.put(&trace, None, 0).unwrap();
    folder.path().join(trace.id().to_string())
}

/// Removes the traces that nothing has been written to for so long.
fn prune(store: &Store, limit: Duration) -> Vec<StoredTrace> {
    let traces = store.traces().unwrap().into_iter();
    traces
        .filter_map(|id| store.prune(id, limit).unwrap())
        .collect()
}

#[test]
fn the_last_thing_that_was_written_counts() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let (old, lively, thinned, new) = (World(1), World(2), World(3), World(4));
    for world in [old, lively, thinned] {
        age(&trace_of(world, &store, &folder), 3 * DAY);
    }
    // Its folder of edges is as old as before.
    let edges = trace_of(lively, &store, &folder).join("edges");
    lively.put(&lively.trace(&store), Some(0), 9).unwrap();
    let opened = File::open(&edges).unwrap();
    opened.set_modified(SystemTime::now() - 3 * DAY).unwrap();
    // Nothing is younger but the folder that something was in.
    let edges = folder.path().join(thinned.trace(&store).id().to_string());
    fs::write(edges.join("edges/other"), []).unwrap();
    fs::remove_file(edges.join("edges/other")).unwrap();
    trace_of(new, &store, &folder);
    let removed = prune(&store, 2 * DAY);
    let ids: Vec<_> = removed.iter().map(|trace| trace.id).collect();
    assert_eq!(ids, [old.trace(&store).id()]);
    assert!(removed[0].modified.elapsed().unwrap() >= 2 * DAY);
    assert_eq!(lively.check_all(&lively.trace(&store)), [0, 9]);
    for world in [thinned, new] {
        assert_eq!(world.check_all(&world.trace(&store)), [0]);
    }
}

#[test]
fn an_empty_place_of_a_trace_may_be_somebodys_who_begins() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let name = World(1).trace(&store).id().to_string();
    fs::create_dir(folder.path().join(&name)).unwrap();
    assert_eq!(prune(&store, DAY), []);
    age(&folder.path().join(&name), 2 * DAY);
    assert_eq!(prune(&store, DAY)[0].bytes, 0);
    assert!(!folder.path().join(&name).exists());
}

#[test]
fn what_is_no_trace_stays() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(&folder);
    let gone = trace_of(World(1), &store, &folder);
    let name = gone.file_name().unwrap().to_str().unwrap();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    fs::create_dir(folder.path().join(name.to_uppercase())).unwrap();
    fs::write(folder.path().join(name.replace('-', "-0")), b"a file").unwrap();
    fs::write(elsewhere.path().join("theirs"), b"theirs").unwrap();
    // A link in a trace is a thing of the trace, what it leads to is not.
    symlink(elsewhere.path(), gone.join("edges/link")).unwrap();
    assert_eq!(prune(&store, Duration::ZERO).len(), 1);
    assert!(!gone.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    assert_eq!(
        fs::read(elsewhere.path().join("theirs")).unwrap(),
        b"theirs"
    );
}

#[test]
fn who_reads_what_is_removed_reads_on_or_is_told() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let (world, trace) = (World(5), World(5).trace(&store));
    world.put(&trace, None, 0).unwrap();
    world.put(&trace, Some(0), 100).unwrap();
    let opened = trace.open(100).unwrap();
    assert_eq!(prune(&open(&folder), Duration::ZERO).len(), 1);
    world.check(&opened).unwrap();
    assert!(trace.open(100).is_err());
    assert!(trace.open_nearest(u64::MAX).unwrap().is_none());
    // An edge on what is gone is refused, one that needs nothing is not.
    assert!(world.put(&trace, Some(100), 200).is_err());
    world.put(&trace, None, 200).unwrap();
    assert_eq!(world.check_all(&trace), [200]);
}

#[test]
fn who_writes_while_all_is_removed_writes_or_is_told_why_not() {
    let folder = TempDir::new().unwrap();
    let (world, done) = (World(6), AtomicBool::new(false));
    let outcomes = scope(|scope| {
        let writer = scope.spawn(|| {
            let trace = world.trace(&open(&folder));
            let steps = (0..400).map(|step| step * 10);
            let write = |step: u64| match world.put(&trace, Some(step.saturating_sub(10)), step) {
                Err(Error::NoCheckpoint { .. }) | Err(Error::Invalid { .. }) => {
                    world.put(&trace, None, step)
                }
                other => other,
            };
            let outcomes: Vec<_> = steps.map(write).collect();
            done.store(true, Ordering::Relaxed);
            outcomes
        });
        let store = open(&folder);
        while !done.load(Ordering::Relaxed) {
            prune(&store, Duration::ZERO);
        }
        writer.join().unwrap()
    });
    // Of an edge that needs nothing it is an error if its place goes each time.
    let told = |outcome: &Result<(), Error>| {
        matches!(
            outcome,
            Err(Error::NoCheckpoint { .. } | Error::Missing { .. })
        )
    };
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.is_err() && !told(outcome))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let store = open(&folder);
    world.check_all(&world.trace(&store));
    prune(&store, Duration::ZERO);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_prune_that_was_killed_is_finished_by_the_next() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let trace = trace_of(World(7), &store, &folder);
    let aside = folder.path().join(".pruned-abc");
    fs::create_dir(&aside).unwrap();
    fs::rename(trace, aside.join("trace")).unwrap();
    assert_eq!(store.traces().unwrap(), []);
    store.finish_pruning().unwrap();
    assert!(!aside.exists());
}

#[test]
fn one_trace_that_cannot_be_removed_does_not_keep_the_others() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let worlds = [World(1), World(2), World(3)];
    let places = worlds.map(|world| trace_of(world, &store, &folder));
    let odd = &places[1];
    fs::remove_dir_all(odd.join("edges")).unwrap();
    fs::write(odd.join("edges"), b"no folder").unwrap();
    let traces = store.traces().unwrap();
    let pruned = traces.iter().map(|id| store.prune(*id, Duration::ZERO));
    let failed: Vec<_> = pruned.filter_map(Result::err).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].to_string().contains("edges"), "{}", failed[0]);
    assert!(odd.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
