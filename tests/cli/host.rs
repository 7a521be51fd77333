//! Host processes, good and bad.

use crate::support::*;
use carronade_host::{MemoryStore, Store, inherited_fds, serve};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;

/// The host that [`recording_host`] starts: writes each hint into a file, and ends after as
/// many as it is told to. Not a test; it does nothing without a word from one.
#[test]
fn recording_host_process() {
    let Some(file) = std::env::var_os("CARRONADE_TEST_HINTS") else {
        return;
    };
    let limit: usize = std::env::var("CARRONADE_TEST_LIMIT")
        .unwrap()
        .parse()
        .unwrap();
    let mut out = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .unwrap();
    let store: Box<dyn Store> = Box::new(MemoryStore::read_json(Path::new(&images())).unwrap());
    let mut count = 0;
    let mut hint = |hint: &[u8]| {
        count += 1;
        if count > limit {
            std::process::exit(7);
        }
        writeln!(out, "{}", String::from_utf8_lossy(hint)).unwrap();
    };
    serve(&*store, &mut hint, &inherited_fds().unwrap()).unwrap();
}

/// A command for a host that records hints in a file and exits at the one after `limit`.
fn recording_host(sandbox: &Sandbox, file: &str, limit: usize) -> Vec<String> {
    let variables = [
        format!("CARRONADE_TEST_HINTS={}", sandbox.path(file).display()),
        format!("CARRONADE_TEST_LIMIT={limit}"),
    ];
    let this = std::env::current_exe()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let test = "host::recording_host_process".to_owned();
    let mut words = vec!["--".to_owned(), "env".into()];
    words.extend(variables);
    words.extend([this, "--exact".into(), test, "--nocapture".into()]);
    words
}

fn run_with(sandbox: &Sandbox, input: &str, flags: &[&str], host: &[String]) -> Ran {
    let host: Vec<_> = host.iter().map(String::as_str).collect();
    sandbox.run(input, &[flags, &host].concat())
}

#[test]
fn hints_arrive_and_the_last_is_replayed_on_resuming() {
    let sandbox = Sandbox::new();
    let pre = prestate("oracle");
    let hints = golden("oracle")["hints"].as_array().unwrap().clone();
    let read = |file: &str| fs::read_to_string(sandbox.path(file)).unwrap_or_default();
    let host = recording_host(&sandbox, "all", usize::MAX);
    run_with(
        &sandbox,
        &pre,
        &["--snapshot-at", "%7000000", "--output", "x.bin"],
        &host,
    )
    .expect(0);
    let all: Vec<_> = read("all").lines().map(Value::from).collect();
    assert_eq!(all, hints);

    let host = recording_host(&sandbox, "rest", usize::MAX);
    run_with(
        &sandbox,
        "state-7000000.bin.gz",
        &["--output", "y.bin"],
        &host,
    )
    .expect(0);
    let rest: Vec<_> = read("rest").lines().map(Value::from).collect();
    // What the guest would not repeat, or the next if that came before any question.
    assert_eq!(rest, hints[hints.len() - rest.len()..]);
    assert!(rest.len() > 50 && rest.len() < 150, "{}", rest.len());
    assert_eq!(
        fs::read(sandbox.path("x.bin")).unwrap(),
        fs::read(sandbox.path("y.bin")).unwrap()
    );

    // Right before a read, the hint of the run before is all that the host can know it by.
    let stop = ["--stop-at-preimage", "04@0@5000000"];
    let host = recording_host(&sandbox, "first", usize::MAX);
    run_with(&sandbox, &pre, &stop, &host).expect(0);
    let last_step = sandbox.witness("out.bin.gz")["step"].as_u64().unwrap() - 1;
    run_with(
        &sandbox,
        &pre,
        &["--stop-at", &format!("={last_step}")],
        &oracle_host(),
    )
    .expect(0);
    let host = recording_host(&sandbox, "replayed", usize::MAX);
    run_with(
        &sandbox,
        "out.bin.gz",
        &["--stop-at", &format!("={}", last_step + 1)],
        &host,
    )
    .expect(0);
    let (first, replayed) = (read("first"), read("replayed"));
    assert_eq!(first.lines().last(), replayed.lines().next());
    assert_eq!(replayed.lines().count(), 1);
}

#[test]
fn a_host_that_dies_is_an_error_that_names_the_hint() {
    let sandbox = Sandbox::new();
    let host = recording_host(&sandbox, "hints", 3);
    let hints = golden("oracle")["hints"].clone();
    let ran = run_with(&sandbox, &prestate("oracle"), &[], &host);
    ran.fails(
        2,
        &[
            "step ",
            "pc 0x",
            "syscall",
            hints[3].as_str().unwrap(),
            "exit status: 7",
        ],
    );
    assert_eq!(sandbox.files(), ["hints"]);
}

#[test]
fn a_host_that_dies_is_an_error_that_names_the_key() {
    let sandbox = Sandbox::new();
    let pre = prestate("oracle");
    let key = "0x01".to_owned() + &"0".repeat(62);
    for (script, words) in [
        ("exit 5", "exit status: 5"),
        ("kill -9 $$", "SIGKILL"),
        (
            "exec 3<&- 4>&- 5<&- 6>&-; exec sleep 1000",
            "closed its pipe",
        ),
        // An answer that ends in the middle, and one that is far too long.
        (
            "head -c 32 <&5 >/dev/null; printf '\\0\\0\\0\\0\\0\\0\\0\\11abc' >&6; exit 4",
            "exit status: 4",
        ),
        (
            "head -c 32 <&5 >/dev/null; printf '\\177\\0\\0\\0\\0\\0\\0\\0' >&6; exec sleep 1000",
            "bytes",
        ),
    ] {
        let ran = sandbox.run(&pre, &["--", "sh", "-c", script]);
        ran.fails(2, &["VM panic at step", &key, words]);
        assert!(sandbox.files().is_empty());
    }
    // Asked in a step to prove.
    let at = sandbox
        .run_oracle(&["--stop-at-preimage-type", "any"])
        .expect(0);
    drop(at);
    let step = sandbox.witness("out.bin.gz")["step"].as_u64().unwrap() - 1;
    let flags = [
        "--output",
        "",
        "--proof-at",
        &format!("={step}"),
        "--",
        "false",
    ];
    sandbox
        .run(&pre, &flags)
        .fails(2, &["VM panic at step", &key]);
}

#[test]
fn a_host_that_cannot_start_is_an_error() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    sandbox.write("not-a-program", "x");
    for program in ["no-such-host", "./not-a-program", "/"] {
        let ran = sandbox
            .run(&hello, &["--", program])
            .fails(1, &["failed to start", program]);
        assert_eq!(ran.stderr.matches("os error").count(), 1, "{}", ran.stderr);
    }
    assert_eq!(sandbox.files(), ["not-a-program"]);
}

#[test]
fn how_a_host_ends_does_not_count() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    let ran = sandbox
        .run(
            &hello,
            &[
                "--",
                "sh",
                "-c",
                "cat <&5; echo from the host >&2; echo and here; exit 3",
            ],
        )
        .expect(0);
    assert!(
        ran.line("\"failed to close pre-image server\"")
            .contains("exit status: 3")
    );
    assert!(ran.stderr.contains("from the host\n") && ran.stdout == "and here\n");
    assert_eq!(sandbox.witness("out.bin.gz")["exited"], true);
}

#[test]
fn a_host_gets_its_descriptors_and_no_more() {
    let sandbox = Sandbox::new();
    // Descriptors that we inherit must not get in the way of 3 to 6.
    let ran = sandbox.shell("exec 3</dev/null 4>&1 5</dev/null 6>&1 9</dev/null; $BIN run --input $PRE --meta '' -- sh -c 'for n in 3 4 5 6; do readlink /proc/$$/fd/$n; done; echo $NO_COLOR; ps -o pgid= $$ $PPID | sort -u | wc -l'").expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(
        lines[..4].iter().all(|line| line.starts_with("pipe:[")),
        "{}",
        ran.stdout
    );
    assert_eq!(lines[4], "1");
    if lines.len() > 5 {
        assert_eq!(lines[5].trim(), "1", "the host is in our process group");
    }
}

/// Writes the oracle's pre-images with one changed: the first with such a key type.
fn lie(sandbox: &Sandbox, kind: &str) -> String {
    let mut map: serde_json::Map<String, Value> =
        serde_json::from_slice(&fs::read(images()).unwrap()).unwrap();
    let start = golden("oracle")["preimage_requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap())
        .find(|key| key.starts_with(kind))
        .unwrap()
        .to_owned();
    let key = format!("0x{start}");
    let value = map[&key].as_str().unwrap().to_owned();
    map.insert(
        key.clone(),
        format!("{}00", &value[..value.len() - 2]).into(),
    );
    sandbox.write("lies.json", Value::from(map).to_string());
    key
}

#[test]
fn a_lying_host_is_an_error_that_names_the_key() {
    let sandbox = Sandbox::new();
    let key = lie(&sandbox, "04");
    let ran = sandbox.run(
        &prestate("oracle"),
        &["--", BINARY, "host", "--images", "lies.json"],
    );
    ran.fails(2, &["VM panic at step", &key, "wrong", "hashes to 0x04"]);
    // keccak256, with a guest of one system call.
    let key = "02".to_owned() + &"11".repeat(31);
    sandbox.write("keccak.json", format!("{{\"0x{key}\": \"0x1234\"}}"));
    sandbox.program(&[0x0000_000c], |state| {
        state.preimage_key = const_hex::decode(&key).unwrap().try_into().unwrap();
        let registers = &mut state.left.threads[0].registers;
        (registers[2], registers[4], registers[5], registers[6]) = (5000, 5, 0x8000, 8);
    });
    let ran = sandbox.run(
        "program.bin",
        &["--", BINARY, "host", "--images", "keccak.json"],
    );
    ran.fails(2, &["VM panic at step 0", &key, "wrong", "hashes to 0x02"]);
    assert_eq!(
        sandbox.files(),
        ["keccak.json", "lies.json", "meta.json", "program.bin"]
    );
}

#[test]
fn the_host_verb_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.call(&["host"]).fails(1, &["--images"]);
    sandbox
        .call(&["host", "--images", "none.json"])
        .fails(1, &["none.json"]);
    sandbox.write("bad.json", "[1]");
    sandbox
        .call(&["host", "--images", "bad.json"])
        .fails(1, &["bad.json"]);
    sandbox.write("none.json", "{}");
    let ran = sandbox
        .run(
            &prestate("oracle"),
            &["--", BINARY, "host", "--images", "none.json"],
        )
        .expect(2);
    assert!(
        ran.stderr.contains("error: no pre-image for 0x01000000"),
        "{}",
        ran.stderr
    );
}
