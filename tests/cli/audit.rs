//! `verify --store`: traces that are true, and traces that are not.

use crate::stores::*;
use crate::support::*;
use carronade_checkpoint::{ChangedPage, Checkpoint, Edge, Hash, Page, Point, Store, TraceStore};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Steps that get checkpoints of their own.
const AT: &str = "4300000,8600000,12900000";

/// A store of the oracle guest's trace: four segments.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    about(&sandbox, "oracle", &["trace", "hash", "--at", AT]).expect(0);
    about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    sandbox
}

fn verify(sandbox: &Sandbox, flags: &[&str]) -> Ran {
    alone(sandbox, "oracle", &[&["verify"], flags].concat())
}

const CONFIRMED: &str = "4 segments, 14736179 steps: confirmed\n";

#[test]
fn a_true_trace_is_confirmed() {
    let sandbox = filled();
    for flags in [&["--jobs", "1"][..], &["--jobs", "2"], &[]] {
        let ran = verify(&sandbox, flags).expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONFIRMED, ""));
    }
    let ran = verify(&sandbox, &["--engine", "interpreter"]).expect(0);
    assert_eq!(ran.stdout, CONFIRMED);
}

#[test]
fn what_is_not_in_the_store_cannot_be_verified() {
    let sandbox = filled();
    let words = ["verify", "--input", &prestate("oracle"), "--store", "store"];
    sandbox.call(&words).fails(1, &["no trace", "--inputs"]);
    alone(&sandbox, "hello", &["verify"]).fails(1, &["no trace"]);
    let mistyped = ["verify", "--input", &prestate("oracle"), "--store", "stoer"];
    sandbox
        .call(&mistyped)
        .fails(1, &["no checkpoint store at stoer"]);
    assert!(!sandbox.path("stoer").exists());
    let crowd = ["--jobs", "1025"];
    verify(&sandbox, &crowd).fails(1, &["--jobs", "1025"]);
    let words = ["verify", "--input", "x.json", "--worker", "a"];
    sandbox.call(&words).fails(1, &["--store"]);
}

#[test]
fn workers_share_the_work_and_one_may_be_killed() {
    let sandbox = Sandbox::new();
    let at: Vec<_> = (1..10).map(|n| (n * 4_250_000).to_string()).collect();
    let words = ["trace", "hash", "--at", &at.join(",")];
    about(&sandbox, "sortmap", &words).expect(0);
    about(&sandbox, "sortmap", &["trace", "end"]).expect(0);
    let spawn = |worker: &str| {
        let words = ["verify", "--engine", "interpreter", "--claim-seconds", "2"];
        let line = line(
            &[&words[..], &["--worker", worker]].concat(),
            "sortmap",
            false,
        );
        let words: Vec<_> = line.iter().map(String::as_str).collect();
        sandbox.spawn(&words)
    };
    let mut victim = spawn("victim");
    wait_until("the victim has claimed a segment", || {
        claims(&sandbox.path("store"), "victim")
    });
    let others = ["second", "third"].map(spawn);
    victim.signal("KILL");
    victim.wait();
    for other in others {
        let ran = other.finish().expect(0);
        let want = format!("10 segments, {} steps: confirmed\n", last("sortmap"));
        assert_eq!((ran.stdout, ran.stderr.as_str()), (want, ""));
    }
    // Who comes later finds the work done, in its round.
    let results = files_below(&sandbox.path("store"));
    let results = results
        .iter()
        .filter(|path| path.parent().unwrap().ends_with("results"));
    assert_eq!(results.count(), 10);
    spawn("late").finish().expect(0);
}

/// Whether a worker has claimed something.
fn claims(store: &Path, worker: &str) -> bool {
    let claims = files_below(store).into_iter();
    let mut claims = claims.filter(|path| path.parent().unwrap().ends_with("claims"));
    claims.any(|path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes
            .windows(worker.len())
            .any(|word| word == worker.as_bytes())
    })
}

/// A page's index, its root, and its bytes.
type Stored = (u64, Hash, Box<Page>);

/// What a liar makes of an edge: its number, its two points, and its pages.
type Lie = dyn Fn(usize, &mut [Point; 2], &mut Vec<Stored>);

/// The trace of the oracle guest in a store.
fn trace_in(place: &Path) -> TraceStore {
    let store = Store::open(place.to_str().unwrap(), &Default::default()).unwrap();
    let first = const_hex::decode_to_array(&marks("oracle")[0].1).unwrap();
    store.trace(first, blake3::hash(INPUTS.as_bytes()).into())
}

/// A copy of a store with lies in it.
fn forge(sound: &Sandbox, lie: &Lie) -> Sandbox {
    let sandbox = Sandbox::new();
    let from = trace_in(&sound.path("store"));
    let to = trace_in(&sandbox.path("store"));
    let mut base: Option<(Checkpoint, Point)> = None;
    for (n, point) in from.checkpoints().unwrap().into_iter().enumerate() {
        let checkpoint = from.open(point.step).unwrap();
        let begin = base.as_ref().map(|(_, claimed)| *claimed);
        let mut points = [begin.unwrap_or(point), point];
        let mut pages = pages(&checkpoint, base.as_ref().map(|(base, _)| base));
        lie(n, &mut points, &mut pages);
        put(
            &to,
            &checkpoint,
            begin.map(|_| points[0]),
            points[1],
            &pages,
        );
        base = Some((checkpoint, points[1]));
    }
    if let Some(end) = from.end().unwrap() {
        to.keep_end(end).unwrap();
    }
    sandbox
}

/// The pages of a checkpoint that differ from another one's.
fn pages(checkpoint: &Checkpoint, base: Option<&Checkpoint>) -> Vec<Stored> {
    let old = base.map(Checkpoint::pages).unwrap_or_default();
    let new = checkpoint.pages().into_iter();
    new.filter(|page| !old.contains(page))
        .map(|(index, root)| (index, root, checkpoint.load(index).unwrap()))
        .collect()
}

fn put(
    to: &TraceStore,
    checkpoint: &Checkpoint,
    begin: Option<Point>,
    end: Point,
    pages: &[Stored],
) {
    let keys = checkpoint.preimages();
    let preimages: Vec<_> = keys
        .iter()
        .map(|key| (*key, checkpoint.preimage(key).unwrap().unwrap()))
        .collect();
    let first = begin.map_or(0, |begin| begin.step + 1);
    to.put(Edge {
        from: begin,
        to: end,
        state: &checkpoint.state().unwrap(),
        pages: pages
            .iter()
            .map(|(index, root, bytes)| ChangedPage {
                index: *index,
                root: *root,
                bytes,
            })
            .collect(),
        preimages: preimages
            .iter()
            .map(|(key, value)| (*key, &value[..]))
            .collect(),
        output: checkpoint.output(first..=end.step).unwrap(),
    })
    .unwrap();
}

/// Asserts that a lie is found, in these words, by one and by a worker.
#[track_caller]
fn is_found(sound: &Sandbox, words: &[&str], lie: &Lie) {
    let sandbox = forge(sound, lie);
    for flags in [&["--jobs", "1"][..], &["--worker", "a"]] {
        let ran = verify(&sandbox, flags).expect(1);
        for word in words {
            assert!(
                ran.stdout.contains(word),
                "{word}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
        assert!(!ran.stdout.contains("confirmed\n") || ran.stdout.contains("not confirmed"));
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_copy_without_lies_is_confirmed() {
    let sandbox = forge(&filled(), &|_, _, _| ());
    assert_eq!(verify(&sandbox, &[]).expect(0).stdout, CONFIRMED);
}

#[test]
fn a_wrong_state_hash_is_found() {
    let sound = filled();
    for wrong in 1..=4 {
        let step = [0, 4_300_000, 8_600_000, 12_900_000, 14_736_179][wrong];
        let words = [
            &*format!("to {step}: they lead to 0x0"),
            "4 segments are not",
        ];
        is_found(&sound, &words, &move |n, points, _| {
            if n == wrong {
                points[1].state_hash[7] ^= 1;
            }
        });
    }
}

#[test]
fn bytes_that_are_not_their_roots_are_found() {
    let sound = filled();
    // Of the first state, which no segment leads to, too.
    for wrong in 0..=4 {
        let words = ["is not the one that its root", "segments are not confirmed"];
        is_found(&sound, &words, &move |n, _, pages| {
            if n == wrong {
                pages.last_mut().unwrap().2[4095] ^= 1;
            }
        });
    }
}

#[test]
fn a_wrong_page_with_its_own_root_is_found() {
    let sound = filled();
    for wrong in [0, 2, 4] {
        is_found(
            &sound,
            &["segments are not confirmed"],
            &move |n, _, pages| {
                if n == wrong {
                    // Another page's bytes and root.
                    let (first, rest) = pages.split_first_mut().unwrap();
                    let other = rest.iter().find(|page| page.1 != first.1).unwrap();
                    (first.1, first.2) = (other.1, other.2.clone());
                }
            },
        );
    }
}

#[test]
fn a_wrong_end_is_found() {
    let sound = filled();
    let ends = |step: u64, flip: u8| {
        let sandbox = Sandbox::new();
        copy(&sound.path("store"), &sandbox.path("store"));
        for file in files_below(&sandbox.path("store")) {
            if file.ends_with("notes/end") {
                fs::remove_file(file).unwrap();
            }
        }
        let trace = trace_in(&sandbox.path("store"));
        let points = trace.checkpoints().unwrap();
        let mut state_hash = points[points.len() - 1].state_hash;
        state_hash[9] ^= flip;
        trace.keep_end(Point { step, state_hash }).unwrap();
        verify(&sandbox, &[]).expect(1).stdout
    };
    for told in [ends(8_600_000, 0), ends(20_000_000, 0), ends(14_736_179, 1)] {
        assert!(told.contains("the store says"), "{told}");
        assert!(!told.contains(": confirmed"), "{told}");
    }
}

#[test]
fn what_is_not_the_whole_trace_is_not_confirmed() {
    let sandbox = Sandbox::new();
    about(&sandbox, "oracle", &["trace", "hash", "--at", "0"]).expect(0);
    let told = verify(&sandbox, &[]).expect(1).stdout;
    let unknown = "the store does not know where the trace ends";
    let want = format!("0 segments, 0 steps: checked to step 0; {unknown}\n");
    assert_eq!(told, want);
    about(&sandbox, "oracle", &["trace", "hash", "--at", AT]).expect(0);
    for flags in [&[][..], &["--worker", "a"]] {
        let told = verify(&sandbox, flags).expect(1).stdout;
        let want = format!("3 segments, 12900000 steps: checked to step 12900000; {unknown}\n");
        assert_eq!(told, want);
    }
}

#[test]
fn a_chain_that_is_cut_is_told_and_not_confirmed() {
    let sandbox = Sandbox::new();
    let at = format!("{AT},{}", u64::MAX);
    about(&sandbox, "oracle", &["trace", "hash", "--at", &at]).expect(0);
    let cut = files_below(&sandbox.path("store")).into_iter();
    let mut cut = cut.filter(|file| file.ends_with("00000000000004300000-00000000000008600000"));
    fs::remove_file(cut.next().unwrap()).unwrap();
    let told = verify(&sandbox, &[]).expect(1).stdout;
    let want = [
        "2 objects of the store lead nowhere or are damaged: \
         00000000000008600000-00000000000012900000, ...",
        "1 segments, 4300000 steps: checked to step 4300000; the store says that the trace \
         ends at step 14736179, but has no such checkpoint",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), want);
}

#[test]
fn a_worker_waits_for_others_and_can_be_interrupted() {
    let sandbox = filled();
    let trace = trace_in(&sandbox.path("store"));
    let points = trace.checkpoints().unwrap();
    for pair in points.windows(2) {
        let name = format!("verify-{}-{}", pair[0].step, pair[1].step);
        trace
            .claim(&name, "other", Duration::from_secs(600))
            .unwrap();
    }
    let line = line(&["verify", "--worker", "own"], "oracle", false);
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    let running = sandbox.spawn(&words);
    std::thread::sleep(Duration::from_millis(700));
    running.signal("INT");
    running.finish().expect(130);
    // Another round is other work.
    let ran = verify(&sandbox, &["--worker", "own", "--round", "second"]).expect(0);
    assert_eq!(ran.stdout, CONFIRMED);
}
