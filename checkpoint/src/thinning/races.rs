//! What happens when others act at the worst moment.

mod disturbed;

use crate::backend::Backend;
use crate::backend::folder::Folder;
use crate::edge::{Edge, Point};
use crate::error::{Error, Result};
use crate::name::TraceId;
use crate::store::Options;
use crate::thinning::policy::{Limit, Policy};
use crate::trace::TraceStore;
use disturbed::{Act, Disturbed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A trace with checkpoints at 0, 10, 20 and 30, and several who use it.
struct Scene {
    folder: TempDir,
    disturbed: Arc<Disturbed>,
    /// Whom others disturb.
    trace: TraceStore,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let disturbed = Arc::new(Disturbed {
            folder: Folder::open(folder.path()).unwrap(),
            acts: Mutex::default(),
            missed: Mutex::default(),
        });
        let trace = trace(disturbed.clone());
        put(&trace, None, 0).unwrap();
        for step in [0, 10, 20] {
            put(&trace, Some(step), step + 10).unwrap();
        }
        Self {
            folder,
            disturbed,
            trace,
        }
    }

    /// Somebody else, who is not disturbed.
    fn other(&self) -> TraceStore {
        trace(Arc::new(Folder::open(self.folder.path()).unwrap()))
    }

    /// Lets somebody else act before an operation.
    fn disturb(
        &self,
        operation: &'static str,
        path: &str,
        act: impl FnOnce(TraceStore) + Send + 'static,
    ) {
        let other = self.other();
        let act: Act = Box::new(move || act(other));
        self.disturbed
            .acts
            .lock()
            .unwrap()
            .push((operation, path.into(), act));
    }

    fn steps(&self) -> Vec<u64> {
        assert!(
            self.disturbed.acts.lock().unwrap().is_empty(),
            "all have acted"
        );
        let points = self.other().checkpoints().unwrap();
        points.iter().map(|point| point.step).collect()
    }
}

fn trace(backend: Arc<dyn Backend>) -> TraceStore {
    let options = Options {
        fresh: Duration::ZERO,
        ..Options::default()
    };
    TraceStore::new(
        backend,
        TraceId {
            prestate: [1; 32],
            inputs: [2; 32],
        },
        options,
    )
}

fn point(step: u64) -> Point {
    Point {
        step,
        state_hash: [step as u8; 32],
    }
}

fn put(trace: &TraceStore, from: Option<u64>, to: u64) -> Result<()> {
    trace.put(Edge {
        from: from.map(point),
        to: point(to),
        state: b"state",
        pages: Vec::new(),
        preimages: Vec::new(),
        output: Vec::new(),
    })
}

fn thin(trace: &TraceStore, most: usize) -> Vec<u64> {
    let policy = Policy {
        limit: Limit::Checkpoints(most),
        dense: 0,
    };
    trace.thin(&policy, &[]).unwrap().dropped
}

#[test]
fn thinning_gives_in_to_a_writer() {
    let scene = Scene::new();
    // Just before it marks the victims, somebody goes on from both of them.
    scene.disturb("create", "marks", |other| {
        put(&other, Some(20), 25).unwrap()
    });
    assert!(thin(&scene.trace, 2).is_empty());
    assert_eq!(scene.steps(), [0, 10, 20, 25, 30]);
    assert_eq!(thin(&scene.trace, 2), [10, 20, 25]);
    assert_eq!(scene.steps(), [0, 30]);
}

#[test]
fn a_writer_gives_in_to_thinning() {
    let scene = Scene::new();
    // Just before it writes its edge, its base goes.
    scene.disturb("create", "edges", |other| {
        assert_eq!(thin(&other, 2), [10, 20])
    });
    assert!(matches!(
        put(&scene.trace, Some(20), 25),
        Err(Error::NoCheckpoint { step: 20 })
    ));
    assert_eq!(scene.steps(), [0, 30]);
    // Everything there is makes it a checkpoint all the same.
    put(&scene.trace, None, 25).unwrap();
    assert_eq!(scene.steps(), [0, 25, 30]);
}

#[test]
fn a_writer_sees_a_mark_before_its_edges_go() {
    let scene = Scene::new();
    // The thinner stops where it begins to remove, and the writer goes on from a victim.
    scene.disturb("remove", "edges", |other| {
        assert!(matches!(
            put(&other, Some(20), 25),
            Err(Error::NoCheckpoint { step: 20 })
        ));
    });
    assert_eq!(thin(&scene.trace, 2), [10, 20]);
    assert_eq!(scene.steps(), [0, 30]);
}

#[test]
fn thinners_do_not_take_each_others_bridges() {
    let scene = Scene::new();
    // One drops 10 and 20 over a bridge from 0. Before it marks them, another drops 10.
    scene.disturb("create", "marks", |other| drop(thin(&other, 3)));
    thin(&scene.trace, 2);
    let steps = scene.steps();
    assert_eq!((steps.first(), steps.last()), (Some(&0), Some(&30)));
}

#[test]
fn marks_are_listed_before_edges() {
    let scene = Scene::new();
    // Between both listings a thinner comes and goes, so its mark is never seen. Were
    // edges listed first, 20 would still be among them.
    scene.disturb("list", "", |_| {});
    scene.disturb("list", "", |other| assert_eq!(thin(&other, 2), [10, 20]));
    let graph = scene.trace.graph().unwrap();
    assert!(graph.marks.is_empty());
    assert!(!graph.lasting(&Default::default()).reaches(20));
    assert_eq!(scene.steps(), [0, 30]);
}

#[test]
fn a_listing_that_misses_what_comes_and_what_goes_is_repeated() {
    let scene = Scene::new();
    let last = format!("{:020}-{:020}", 20, 30);
    let miss = || scene.disturbed.missed.lock().unwrap().push(last.clone());
    miss();
    assert_eq!(scene.trace.nearest(u64::MAX).unwrap(), Some(point(30)));
    miss();
    assert_eq!(scene.trace.open(30).unwrap().point(), point(30));
    miss();
    assert_eq!(scene.trace.checkpoints().unwrap().len(), 4);
    miss();
    put(&scene.trace, Some(30), 40).unwrap();
}

#[test]
fn a_reader_whose_object_vanishes_looks_again() {
    let scene = Scene::new();
    let other = scene.disturbed.clone();
    let reader = trace(other);
    scene.disturb("open", "0020-", |other| {
        assert_eq!(thin(&other, 2), [10, 20])
    });
    let checkpoint = reader.open(30).unwrap();
    assert_eq!(
        (checkpoint.path(), checkpoint.state().unwrap()),
        (vec![0, 30], b"state".to_vec())
    );
    assert_eq!(scene.steps(), [0, 30]);
    let scene = Scene::new();
    let reader = trace(scene.disturbed.clone());
    scene.disturb("open", "0010-", |other| {
        assert_eq!(thin(&other, 2), [10, 20])
    });
    assert_eq!(reader.nearest(29).unwrap(), Some(point(0)));
}

#[test]
fn abandoned_marks_are_finished_or_withdrawn() {
    for gone_on in [false, true] {
        let scene = Scene::new();
        // It is killed where it begins to remove.
        scene.disturb("remove", "edges", |_| panic!("killed"));
        let trace = scene.trace.clone();
        assert!(std::thread::spawn(move || thin(&trace, 2)).join().is_err());
        assert_eq!(scene.steps(), [0, 30]);
        let marks = scene.folder.path().join(scene.trace.folder("marks"));
        let mark = std::fs::read_dir(&marks)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let old = std::time::SystemTime::now() - Duration::from_secs(3600);
        let file = std::fs::File::options().append(true).open(&mark).unwrap();
        file.set_modified(old).unwrap();
        if gone_on {
            // A writer that had listed before the mark was made comes through now.
            let edge = scene.folder.path().join(scene.trace.folder("edges"));
            let other = Scene::new();
            put(&other.other(), Some(20), 25).unwrap();
            let name = format!("{:020}-{:020}", 20, 25);
            let from = other
                .folder
                .path()
                .join(other.trace.folder("edges"))
                .join(&name);
            std::fs::copy(from, edge.join(&name)).unwrap();
        }
        thin(&scene.other(), 100);
        assert!(!mark.exists());
        let expected: &[u64] = if gone_on {
            &[0, 10, 20, 25, 30]
        } else {
            &[0, 30]
        };
        assert_eq!(scene.steps(), expected);
    }
}
