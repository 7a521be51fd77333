//! `run --store`: everything as without a store, but sooner.

use crate::golden::guest_output;
use crate::stores::*;
use crate::support::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What op-challenger asks for.
#[derive(Clone, Copy)]
struct Query {
    guest: &'static str,
    snapshots: u64,
    step: u64,
}

/// A folder of proofs and snapshots, as op-challenger keeps one for each game.
struct Game(Sandbox);

impl Game {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for folder in ["proofs", "snapshots", "preimages"] {
            fs::create_dir(sandbox.path(folder)).unwrap();
        }
        Self(sandbox)
    }

    /// The greatest snapshot before a step, or the first state.
    fn start(&self, query: &Query) -> String {
        let steps = fs::read_dir(self.0.path("snapshots")).unwrap();
        let steps = steps.filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.split_once('.').unwrap().0.parse::<u64>().ok()
        });
        match steps.filter(|step| *step < query.step).max() {
            Some(step) => format!("snapshots/{step}.bin.gz"),
            None => prestate(query.guest),
        }
    }

    /// op-challenger's command line, with a store or without.
    fn ask(&self, query: &Query, store: Option<&Path>) -> Ran {
        let start = self.start(query);
        let mut words = vec!["run".to_owned()];
        let mut flag = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        flag("input", start);
        flag("output", "final.bin.gz".into());
        flag("meta", String::new());
        flag("info-at", "%10000000".into());
        flag("proof-at", format!("={}", query.step));
        flag("proof-fmt", "proofs/%d.json.gz".into());
        flag("snapshot-at", format!("%{}", query.snapshots));
        flag("snapshot-fmt", "snapshots/%d.bin.gz".into());
        if query.step != u64::MAX {
            flag("stop-at", format!("={}", query.step + 1));
        }
        flag("debug-info", "preimages/debug-info.json".into());
        words.push("--stats=json".into());
        if query.guest == "oracle" {
            words.extend(oracle_host());
        }
        let mut command = self.0.command(words);
        // With a store from the environment, the command line is op-challenger's own.
        match store {
            Some(store) => command.env("CARRONADE_STORE", store),
            None => command.env_remove("CARRONADE_STORE"),
        };
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
        .expect(0)
    }

    /// All files and what is in them, unpacked.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = self.0.path("");
        let file = |path: PathBuf| {
            let packed = path.extension().is_some_and(|end| end == "gz");
            let bytes = match packed {
                true => unpack(&path),
                false => fs::read(&path).unwrap(),
            };
            (path.strip_prefix(&folder).unwrap().to_owned(), bytes)
        };
        files_below(&folder).into_iter().map(file).collect()
    }
}

/// How many steps a run executed.
fn executed(ran: &Ran) -> u64 {
    let mut lines = ran.stderr.lines().filter(|line| line.starts_with('{'));
    let figures: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    figures["run"]["steps"].as_u64().unwrap()
}

/// Asks two games the same, one of them over the store; the steps that each executed.
fn compare(games: &[Game; 2], query: &Query, store: &Path) -> [u64; 2] {
    let (plain, stored) = (games[0].ask(query, None), games[1].ask(query, Some(store)));
    assert_eq!(plain.stdout, stored.stdout);
    for stream in ["stdout", "stderr"] {
        assert_eq!(
            guest_output(&plain, stream),
            guest_output(&stored, stream),
            "{stream}"
        );
    }
    let [plain_files, stored_files] = [games[0].files(), games[1].files()];
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&plain_files), names(&stored_files));
    for (name, bytes) in &plain_files {
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(900)]).into_owned();
        let got = &stored_files[name];
        assert!(
            got == bytes,
            "{} of step {}:\n{}\n{}",
            name.display(),
            query.step,
            text(bytes),
            text(got)
        );
    }
    [executed(&plain), executed(&stored)]
}

/// A dispute over a step: the whole trace first, then a bisection. Done twice, as two
/// games would; what all queries executed, without and with the store.
fn dispute(guest: &'static str, snapshots: u64, honest_until: u64) -> [[u64; 2]; 2] {
    let store = Sandbox::new();
    let place = store.path("store");
    [(); 2].map(|()| {
        let games = [Game::new(), Game::new()];
        let mut query = Query {
            guest,
            snapshots,
            step: u64::MAX,
        };
        let mut sums = compare(&games, &query, &place);
        let (mut low, mut high) = (0, last(guest));
        while high - low > 1_000_000 {
            query.step = low + (high - low) / 2;
            let steps = compare(&games, &query, &place);
            sums = [sums[0] + steps[0], sums[1] + steps[1]];
            match query.step <= honest_until {
                true => low = query.step,
                false => high = query.step,
            }
        }
        sums
    })
}

#[test]
fn a_dispute_leaves_the_same_files_and_output() {
    dispute("oracle", 5_000_000, 9_876_543);
}

#[test]
fn a_dispute_executes_less_over_a_store() {
    let end = last("sortmap");
    let [first, second] = dispute("sortmap", 1_000_000_000, 30_000_000);
    assert!(first[0] > 3 * end, "{first:?}");
    // The trace once, and for the bisection once more: each question is half as far away.
    assert!(first[1] < end * 9 / 4, "{first:?}");
    assert!(second[1] < end, "{second:?}");
    assert_eq!(first[0], second[0]);
}

#[test]
fn a_long_run_is_skipped_the_second_time() {
    let (store, end) = (Sandbox::new(), last("keccakloop"));
    let query = Query {
        guest: "keccakloop",
        snapshots: 90_000_000,
        step: u64::MAX,
    };
    for most in [end, 1000] {
        let games = [Game::new(), Game::new()];
        let [plain, stored] = compare(&games, &query, &store.path("store"));
        assert_eq!(plain, end);
        assert!(stored <= most, "{stored} steps");
    }
}

#[test]
fn what_is_to_see_every_step_goes_without() {
    let sandbox = Sandbox::new();
    let meta = guest("hello").join("meta.json");
    let meta = meta.to_str().unwrap();
    let pre = prestate("hello");
    let stop = ["--stop-at-preimage-type", "local"];
    let both = ["--engine", "crosscheck"];
    for flags in [&["--debug"][..], &["--pprof.cpu"], &stop, &both] {
        let words = ["run", "--input", &pre, "--meta", meta, "--store", "store"];
        let ran = sandbox.call(&[&words[..], flags].concat()).expect(0);
        let warnings = ran
            .stderr
            .lines()
            .filter(|line| line.contains("level=WARN"));
        let warnings: Vec<_> = warnings.collect();
        assert_eq!(warnings.len(), 1, "{}", ran.stderr);
        assert!(warnings[0].contains("store is not used"), "{}", warnings[0]);
        assert!(!sandbox.path("store").exists());
    }
}

#[test]
fn a_run_and_a_trace_share_a_store() {
    let (sandbox, end) = (Sandbox::new(), marks("oracle"));
    let flags = ["--store", "store", "--inputs", INPUTS];
    sandbox.run_oracle(&flags).expect(0);
    let ran = alone(&sandbox, "oracle", &["trace", "end"]).expect(0);
    assert_eq!(ran.stdout, lines(&end[end.len() - 1..]));
}

#[test]
fn a_snapshot_may_be_of_more_than_one_trace() {
    let (sandbox, first) = (Sandbox::new(), prestate("sortmap"));
    let snapshot = |input: &str, at: u64, format: &str, store: &[&str]| {
        let (at, stop) = (format!("={at}"), format!("={}", at + 1));
        let flags = ["--snapshot-at", &at, "--snapshot-fmt", format];
        let flags = [&flags, &["--stop-at", &stop, "--output", ""][..], store].concat();
        sandbox.run(input, &flags).expect(0)
    };
    let store = ["--store", "store"];
    // One that no store knows of, so that a trace of its own begins there.
    snapshot(&first, 1_000_000, "first-%d.bin", &[]);
    snapshot("first-1000000.bin", 2_000_000, "own-%d.bin", &store);
    snapshot(&first, 2_000_000, "whole-%d.bin", &store);
    let read = |name: &str| fs::read(sandbox.path(name)).unwrap();
    assert!(read("own-2000000.bin") == read("whole-2000000.bin"));
    snapshot("own-2000000.bin", 3_000_000, "next-%d.bin", &store);
    snapshot(&first, 3_000_000, "last-%d.bin", &store);
    assert!(read("next-3000000.bin") == read("last-3000000.bin"));
}
