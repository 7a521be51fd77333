//! Checkpoint stores in trouble: processes that are killed, disks that are full, files that
//! are damaged. Answers are right, or there is none.

use crate::stores::*;
use crate::support::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Steps that get checkpoints of their own.
const AT: &str = "4300000,8600000,0xc4de00";

/// Asserts that a store answers as the reference does.
#[track_caller]
fn is_right(sandbox: &Sandbox, with_host: bool) {
    let marks = marks("oracle");
    let line = line(
        &["trace", "hash", "--at", &steps(&marks)],
        "oracle",
        with_host,
    );
    let ran = call(sandbox, &line).expect(0);
    assert_eq!(ran.stdout, lines(&marks));
}

/// Starts a command line and kills it after a time.
fn kill(sandbox: &Sandbox, line: &[String], after: Duration) {
    let mut command = sandbox.command(line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whoever_is_killed_leaves_a_store_to_go_on_with() {
    let (mut seed, mut sandbox) = (17, Sandbox::new());
    let trace = |sandbox: &Sandbox, words: &[&str]| {
        let line = line(words, "oracle", true);
        let began = std::time::Instant::now();
        call(sandbox, &line).expect(0);
        began.elapsed()
    };
    let whole = trace(&Sandbox::new(), &["trace", "hash", "--at", AT]);
    for round in 0..30 {
        let after = Duration::from_micros(random(&mut seed) % whole.as_micros() as u64);
        let words = match round % 3 {
            0 => vec!["trace", "end"],
            1 => vec!["trace", "hash", "--at", AT],
            _ => vec![
                "run",
                "--meta",
                "",
                "--snapshot-at",
                "%3000000",
                "--output",
                "",
            ],
        };
        kill(&sandbox, &line(&words, "oracle", true), after);
        if round % 5 == 4 {
            is_right(&sandbox, true);
            sandbox = Sandbox::new();
        }
    }
}

#[test]
fn an_interrupted_command_leaves_a_usable_store() {
    for words in [
        &["trace", "end"][..],
        &["run", "--meta", "", "--output", ""],
    ] {
        let sandbox = Sandbox::new();
        let mut line = line(words, "oracle", false);
        // A host that never answers keeps it from ending before the signal.
        let host = "head -c 32 <&5 > key; exec sleep 1000";
        line.extend(["--", "sh", "-c", host].map(str::to_owned));
        let words: Vec<_> = line.iter().map(String::as_str).collect();
        let running = sandbox.spawn(&words);
        wait_until("the host is asked", || {
            fs::read(sandbox.path("key")).is_ok_and(|key| key.len() == 32)
        });
        running.signal("INT");
        let ran = running.finish().expect(130);
        assert!(
            ran.stderr.ends_with("command interrupted\n"),
            "{}",
            ran.stderr
        );
        is_right(&sandbox, true);
    }
}

#[test]
fn a_long_run_over_a_store_is_interrupted() {
    let sandbox = Sandbox::new();
    let words = ["trace", "end", "--engine", "interpreter"];
    let line = line(&words, "keccakloop", false);
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    let running = sandbox.spawn(&words);
    wait_until("there is a checkpoint", || {
        !files_below(&sandbox.path("store")).is_empty()
    });
    running.signal("INT");
    running.finish().expect(130);
    let (step, hash) = &marks("keccakloop")[5];
    let at = step.to_string();
    let ran = about(&sandbox, "keccakloop", &["trace", "hash", "--at", &at]).expect(0);
    assert_eq!(ran.stdout, format!("{step} {hash}\n"));
}

#[test]
fn files_that_may_not_grow_are_one_warning() {
    let sandbox = Sandbox::new();
    let trace = "--input $PRE --store store --inputs golden";
    for blocks in [0, 1, 100] {
        for command in ["end", "hash --at 1000,431327,1", "witness --at 77,3"] {
            let script = format!("ulimit -f {blocks}; $BIN trace {command} {trace}");
            let ran = sandbox.shell(&script);
            // Nor is there room for the proof, unless there is for more.
            if blocks == 100 || !command.starts_with("witness") {
                assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
                assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
            }
            assert!(ran.stderr.contains("level=WARN"), "{}", ran.stderr);
            assert!(ran.stderr.contains("no space left"), "{}", ran.stderr);
            if command == "end" {
                assert_eq!(ran.stdout, lines(&marks("hello")[4..]));
            }
        }
    }
    let ran = sandbox.shell(&format!("$BIN trace end {trace}")).expect(0);
    assert_eq!(ran.stdout, lines(&marks("hello")[4..]));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_run_over_a_store_that_cannot_grow_is_that_of_a_run_without() {
    let sandbox = Sandbox::new();
    let run = "$BIN run --input $PRE --meta '' --output x.json --debug-info";
    let run = run.replace(" --output x.json", " --output ''");
    let script = format!("{run} with.json --store store; echo code $?");
    let ran = sandbox.shell(&format!("ulimit -f 100; {script}"));
    assert_eq!(ran.stdout, "code 0\n", "{}", ran.stderr);
    assert!(ran.stderr.contains("level=WARN"), "{}", ran.stderr);
    sandbox.shell(&format!("{run} without.json")).expect(0);
    let [with, without] = ["with.json", "without.json"].map(|name| sandbox.json(name));
    assert_eq!(with, without);
}

#[test]
fn a_full_file_system_is_one_warning() {
    let sandbox = Sandbox::new();
    // Room for the first checkpoint, not for those that follow.
    let script = "mkdir m; mount -t tmpfs -o size=1160k none m 2>/dev/null || exit 77; \
         trap 'umount m' EXIT; \
         trace() { $BIN trace \"$@\" --input $ORACLE --inputs golden --store m $HOST; }; \
         trace end; echo code $?; trace list; mount -o remount,size=64m m; trace end";
    let script = script
        .replace("$ORACLE", &prestate("oracle"))
        .replace("$HOST", &oracle_host().join(" "));
    let ran = sandbox.shell(&script);
    if ran.code == Some(77) {
        return;
    }
    let marks = marks("oracle");
    let [first, last] = [&marks[..1], &marks[marks.len() - 1..]].map(lines);
    let want = format!("{last}code 0\n{first}{last}");
    assert_eq!(ran.stdout, want, "{}", ran.stderr);
    assert!(ran.stderr.contains("no space left"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("WARN").count(), 1, "{}", ran.stderr);
}

#[test]
fn several_processes_fill_a_store_at_once() {
    let sandbox = Sandbox::new();
    let marks = marks("oracle");
    let hash = line(&["trace", "hash", "--at", &steps(&marks)], "oracle", true);
    let at = line(&["trace", "hash", "--at", AT], "oracle", true);
    let words = [
        "run",
        "--meta",
        "",
        "--snapshot-at",
        "%3000000",
        "--output",
        "",
    ];
    let run = line(&words, "oracle", true);
    std::thread::scope(|scope| {
        let all = [&hash, &hash, &at, &run];
        let jobs = all.map(|line| scope.spawn(|| call(&sandbox, line).expect(0)));
        let [first, second, ..] = jobs.map(|job| job.join().unwrap());
        assert_eq!(first.stdout, lines(&marks));
        assert_eq!(second.stdout, lines(&marks));
    });
    is_right(&sandbox, false);
}

/// A store with some checkpoints.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    about(&sandbox, "oracle", &["trace", "hash", "--at", AT]).expect(0);
    about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    sandbox
}

/// A copy of a store with one file changed.
fn damaged(from: &Path, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Sandbox {
    let sandbox = Sandbox::new();
    copy(from, &sandbox.path("store"));
    let file: PathBuf = sandbox.path("store").join(file.strip_prefix(from).unwrap());
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    sandbox
}

/// Asserts that answers are right or that there is one clear error.
#[track_caller]
fn never_wrong(sandbox: &Sandbox, with_host: bool) -> bool {
    let marks = marks("oracle");
    let words = ["trace", "hash", "--at", &steps(&marks)];
    let ran = call(sandbox, &line(&words, "oracle", with_host));
    match ran.code {
        Some(0) => assert_eq!(ran.stdout, lines(&marks)),
        _ => {
            assert!(lines(&marks).starts_with(&ran.stdout), "{}", ran.stdout);
            let errors = ran
                .stderr
                .lines()
                .filter(|line| line.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{}", ran.stderr);
        }
    }
    println!("{}", ran.stderr);
    ran.code == Some(0)
}

#[test]
fn damaged_files_never_lead_to_wrong_answers() {
    let (sound, mut seed) = (filled(), 4);
    let store = sound.path("store");
    let files = files_below(&store);
    assert!(files.len() >= 6, "{files:?}");
    for file in &files {
        for round in 0..4 {
            let at = random(&mut seed) as usize;
            let sandbox = damaged(&store, file, |bytes| match round {
                0 => bytes.truncate(at % bytes.len()),
                1 => {
                    let end = bytes.len() - 1;
                    bytes[end] ^= 1;
                }
                _ => {
                    let at = at % bytes.len();
                    bytes[at] ^= 0x10;
                }
            });
            // With its host, whatever was lost is found again, and kept.
            assert!(never_wrong(&sandbox, true), "{}", file.display());
            assert!(never_wrong(&sandbox, false), "{}", file.display());
        }
    }
}

#[test]
fn without_a_host_damage_is_an_error_at_worst() {
    let (sound, mut seed) = (filled(), 5);
    let store = sound.path("store");
    for file in files_below(&store) {
        let sandbox = damaged(&store, &file, |bytes| {
            let at = random(&mut seed) as usize % bytes.len();
            bytes[at] ^= 0x80;
        });
        never_wrong(&sandbox, false);
    }
}

/// The edges of the store.
fn edges(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = files_below(&sandbox.path("store")).into_iter();
    let edges = files.filter(|file| file.parent().unwrap().ends_with("edges"));
    edges.collect()
}

#[test]
fn damage_that_a_run_meets_half_way_is_mended() {
    let sandbox = Sandbox::new();
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/guests/elf");
    sandbox.write("mixed.elf", unpack(&benches.join("mixed.elf.gz")));
    let load = ["load-elf", "--type", "multithreaded64-5", "--path"];
    let load = [&load[..], &["mixed.elf", "--out", "pre.bin.gz"]].concat();
    sandbox.call(&load).expect(0);
    let trace = |words: &[&str]| {
        let line = ["--input", "pre.bin.gz", "--store", "store"];
        sandbox.call(&[&["trace"], words, &line].concat()).expect(0)
    };
    trace(&["end"]);
    let [store, sound] = ["store", "sound"].map(|name| sandbox.path(name));
    copy(&store, &sound);
    let hash = ["hash", "--at", "1400000000"];
    let wanted = trace(&hash).stdout;
    let run = |name: &str, store: &[&str]| {
        let line = ["--input", "pre.bin.gz", "--output", "", "--debug-info"];
        let line = [&["run", "--meta", ""], &line[..], &[name], store].concat();
        let ran = sandbox.call(&line).expect(0);
        let guest = ran
            .stderr
            .lines()
            .filter(|line| line.contains("module=guest"));
        (
            guest.map(str::to_owned).collect::<Vec<_>>(),
            sandbox.json(name),
        )
    };
    let plain = run("plain.json", &[]);
    let all = edges(&sandbox);
    let root = all.last().unwrap();
    let flip = |file: &Path, tenth: usize| {
        let name = file.strip_prefix(&store).unwrap();
        let mut bytes = fs::read(sound.join(name)).unwrap();
        let at = bytes.len() * tenth / 10;
        bytes[at] ^= 1;
        fs::remove_dir_all(&store).unwrap();
        copy(&sound, &store);
        fs::write(file, bytes).unwrap();
    };
    for (edge, tenth) in [(root, 5), (root, 1), (&all[all.len() / 2], 5)] {
        flip(edge, tenth);
        assert_eq!(trace(&hash).stdout, wanted);
        flip(edge, tenth);
        assert_eq!(run("stored.json", &["--store", "store"]), plain);
    }
}

#[test]
fn a_store_keeps_to_its_limit_with_short_processes() {
    let sandbox = Sandbox::new();
    let size = || {
        let sizes = edges(&sandbox).into_iter();
        sizes
            .map(|file| fs::metadata(file).unwrap().len())
            .sum::<u64>()
    };
    about(&sandbox, "oracle", &["trace", "hash", "--at", "0"]).expect(0);
    // Room for the root edge and for some that follow.
    let limit = size() + 150_000;
    let most = limit.to_string();
    for n in 1..15 {
        let [at, stop] = [n * 1_000_000, n * 1_000_000 + 1].map(|step| format!("={step}"));
        let words = ["run", "--meta", "", "--output", "", "--debug-info", ""];
        let flags = ["--snapshot-fmt", "x.bin", "--store-limit", &most];
        let steps = ["--snapshot-at", &at, "--stop-at", &stop];
        about(&sandbox, "oracle", &[&words[..], &flags, &steps].concat()).expect(0);
    }
    assert!(size() <= limit, "{} of {limit}", size());
    assert!(edges(&sandbox).len() > 2);
}

#[test]
fn what_writers_left_behind_long_ago_is_removed_at_opening() {
    let sandbox = Sandbox::new();
    about(&sandbox, "hello", &["trace", "end"]).expect(0);
    let edge = files_below(&sandbox.path("store")).into_iter();
    let edge = { edge }.find(|file| file.parent().unwrap().ends_with("edges"));
    let [old, new] = [".writing-old", ".writing-new"].map(|name| {
        let file = edge.as_ref().unwrap().with_file_name(name);
        fs::write(&file, "").unwrap();
        file
    });
    let hours = std::time::SystemTime::now() - Duration::from_secs(7200);
    let times = fs::FileTimes::new().set_modified(hours);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_times(times).unwrap();
    about(&sandbox, "hello", &["trace", "hash", "--at", "5"]).expect(0);
    assert!(!old.exists());
    assert!(new.exists());
}
