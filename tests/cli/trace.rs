//! `trace`: what a trace answers.

use crate::stores::*;
use crate::support::*;
use serde_json::{Value, json};
use std::fs;

fn json_lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn hashes_are_those_of_the_reference() {
    for name in ["hello", "oracle"] {
        let (sandbox, marks) = (Sandbox::new(), marks(name));
        let ran = about(&sandbox, name, &["trace", "hash", "--at", &steps(&marks)]).expect(0);
        assert_eq!(ran.stdout, lines(&marks), "{name}");
        // Backwards, in hexadecimal, one twice, one past the end; and the host is not needed.
        let backwards: Vec<_> = marks.iter().rev().map(|(step, _)| step).collect();
        let at: Vec<_> = backwards
            .iter()
            .map(|step| format!("{step:#x}"))
            .chain(["0x3e8".into(), u64::MAX.to_string()])
            .collect();
        let ran = alone(&sandbox, name, &["trace", "hash", "--at", &at.join(",")]).expect(0);
        let past = format!("{} {}\n", u64::MAX, marks[marks.len() - 1].1);
        assert_eq!(ran.stdout, lines(&marks) + &past, "{name}");
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_new_store_without_a_host_has_no_answer() {
    let sandbox = Sandbox::new();
    let ran = alone(&sandbox, "oracle", &["trace", "end"]);
    ran.fails(2, &["no pre-image host"]);
    about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    let ran = alone(&sandbox, "oracle", &["trace", "end"]).expect(0);
    let marks = marks("oracle");
    assert_eq!(ran.stdout, lines(&marks[marks.len() - 1..]));
}

#[test]
fn what_the_store_told_is_kept_on_a_new_way_too() {
    let (sandbox, marks) = (Sandbox::new(), marks("oracle"));
    let words = ["trace", "hash", "--at", "4300000,8600000"];
    about(&sandbox, "oracle", &words).expect(0);
    // From the beginning to the end in one edge, past those two.
    about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    let words = ["trace", "hash", "--at", &steps(&marks)];
    let ran = alone(&sandbox, "oracle", &words).expect(0);
    assert_eq!(ran.stdout, lines(&marks));
}

#[test]
fn proofs_are_those_of_a_run() {
    for (name, at) in [
        ("hello", "431326,0,1000"),
        ("oracle", "10000003,77,5000001"),
    ] {
        let sandbox = Sandbox::new();
        about(&sandbox, name, &["trace", "witness", "--at", at]).expect(0);
        fs::create_dir(sandbox.path("run")).unwrap();
        let steps: Vec<_> = at.split(',').collect();
        let marks: Vec<_> = steps.iter().map(|step| format!("={step}")).collect();
        let flags = ["--proof-at", &marks.join(","), "--proof-fmt", "run/%d.json"];
        run(&sandbox, name, &[&flags[..], &["--output", ""]].concat());
        for step in steps {
            let own = fs::read(sandbox.path(&format!("proof-{step}.json"))).unwrap();
            let run = fs::read(sandbox.path(&format!("run/{step}.json"))).unwrap();
            assert!(own == run, "{name}, step {step}");
        }
    }
}

/// `run` of a golden guest without a store.
fn run(sandbox: &Sandbox, name: &str, flags: &[&str]) {
    match name {
        "oracle" => sandbox.run_oracle(flags).expect(0),
        _ => sandbox.run(&prestate(name), flags).expect(0),
    };
}

#[test]
fn states_are_those_of_a_run() {
    for name in ["hello", "oracle"] {
        let (sandbox, end) = (Sandbox::new(), last(name));
        let at = [0, 1, end / 2, end - 1];
        let list = |head: &str| at.map(|step| format!("{head}{step}")).join(",");
        let words = ["trace", "export", "--at", &list("")];
        about(
            &sandbox,
            name,
            &[&words[..], &["--snapshot-fmt", "trace-%d.bin"]].concat(),
        )
        .expect(0);
        let flags = ["--snapshot-at", &list("="), "--snapshot-fmt", "run-%d.bin"];
        run(&sandbox, name, &[&flags[..], &["--output", ""]].concat());
        for step in at {
            let own = fs::read(sandbox.path(&format!("trace-{step}.bin"))).unwrap();
            let run = fs::read(sandbox.path(&format!("run-{step}.bin"))).unwrap();
            assert!(own == run, "{name}, step {step}");
        }
    }
}

#[test]
fn past_the_end_there_is_no_proof_and_the_last_state() {
    let (sandbox, end) = (Sandbox::new(), last("hello"));
    let at = format!("{end},{}", 1_u64 << 42);
    let ran = about(&sandbox, "hello", &["trace", "witness", "--at", &at]).expect(0);
    assert_eq!(sandbox.files(), ["store"]);
    let warnings: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{}", ran.stderr);
    for (warning, step) in warnings.iter().zip([end, 1 << 42]) {
        assert!(warning.contains("level=WARN msg=\"No proof"), "{warning}");
        assert!(warning.ends_with(&format!("step={step} last={end}")));
    }
    let words = ["trace", "export", "--at", &at, "--snapshot-fmt", "%d.bin"];
    about(&sandbox, "hello", &words).expect(0);
    for step in at.split(',') {
        let state = fs::read(sandbox.path(&format!("{step}.bin"))).unwrap();
        assert_eq!(sha256(&state), golden("hello")["final_state_bin_sha256"]);
    }
}

#[test]
fn the_store_is_listed() {
    let (sandbox, marks) = (Sandbox::new(), marks("oracle"));
    // Where there is no store, none is made.
    let ran = about(&sandbox, "oracle", &["trace", "list"]);
    ran.fails(1, &["no checkpoint store at store"]);
    assert!(sandbox.files().is_empty());
    fs::create_dir(sandbox.path("store")).unwrap();
    let ran = about(&sandbox, "oracle", &["trace", "list"]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(files_below(&sandbox.path("store")).is_empty());
    let words = ["trace", "hash", "--at", &steps(&marks)];
    about(&sandbox, "oracle", &words).expect(0);
    let ran = alone(&sandbox, "oracle", &["trace", "list"]).expect(0);
    let listed: Vec<_> = ran.stdout.lines().collect();
    let known = lines(&marks);
    assert!(listed.iter().all(|line| known.contains(line)));
    let far = [&marks[5..6], &marks[6..]].map(lines);
    assert!(far.iter().all(|line| ran.stdout.contains(line)));
}

#[test]
fn who_forgets_the_inputs_is_told_that_there_are_others() {
    let sandbox = Sandbox::new();
    about(&sandbox, "hello", &["trace", "end"]).expect(0);
    let list = |guest: &str| {
        let input = prestate(guest);
        let words = ["trace", "list", "--input", &input, "--store", "store"];
        sandbox.call(&words).expect(0)
    };
    let ran = list("hello");
    assert_eq!(ran.stdout, "");
    let (message, said) = (
        "level=WARN msg=\"Nothing is stored for these inputs",
        &ran.stderr,
    );
    assert!(said.contains(message), "{said}");
    assert!(said.trim_end().ends_with("others=1"), "{said}");
    // Another program's trace is none of them.
    assert_eq!(list("oracle").stderr, "");
}

#[test]
fn traces_of_long_ago_are_removed() {
    let (sandbox, end) = (Sandbox::new(), ["trace", "end"]);
    about(&sandbox, "hello", &end).expect(0);
    about(&sandbox, "oracle", &end).expect(0);
    let prune = |words: &[&str]| {
        let all = [&["trace", "prune", "--store", "store"], words].concat();
        sandbox.call(&all)
    };
    let traces = || fs::read_dir(sandbox.path("store")).unwrap().count();
    assert_eq!(prune(&[]).expect(0).stdout, "");
    assert_eq!(traces(), 2);
    let listed = prune(&["--older-than", "0", "--dry-run"]).expect(0);
    assert_eq!(listed.stdout.lines().count(), 2);
    assert_eq!(traces(), 2);
    let removed = prune(&["--older-than", "0"]).expect(0);
    assert_eq!(removed.stdout, listed.stdout);
    let line = removed.stdout.lines().next().unwrap();
    let (id, rest) = line.split_once(' ').unwrap();
    assert_eq!(id.len(), 129);
    assert!(rest.ends_with(" bytes, 0 days"), "{line}");
    assert_eq!(traces(), 0);
    // What was known is not, and can be computed again.
    alone(&sandbox, "oracle", &end).fails(2, &["no pre-image host"]);
    about(&sandbox, "oracle", &end).expect(0);
    let line = "CARRONADE_STORE=store $BIN --json trace prune --older-than 0";
    let ran = sandbox.shell(line).expect(0);
    let said = &json_lines(&ran)[0];
    assert!(said["bytes"].as_u64().unwrap() > 1000, "{said}");
    assert_eq!(said["inputs"].as_str().unwrap().len(), 66);
    // What cannot be removed keeps nothing else.
    about(&sandbox, "hello", &end).expect(0);
    about(&sandbox, "oracle", &end).expect(0);
    let traces_now: Vec<_> = fs::read_dir(sandbox.path("store")).unwrap().collect();
    let odd = traces_now[0].as_ref().unwrap().path().join("results");
    fs::write(&odd, b"no folder").unwrap();
    let ran = prune(&["--older-than", "0"]);
    let ran = ran.fails(1, &["a trace cannot be removed"]);
    assert_eq!((ran.stdout.lines().count(), traces()), (1, 1));
    assert!(
        ran.stderr.contains("results: Not a directory"),
        "{}",
        ran.stderr
    );
    fs::remove_file(odd).unwrap();
    assert_eq!(
        prune(&["--older-than", "0"])
            .expect(0)
            .stdout
            .lines()
            .count(),
        1
    );
    prune(&["--older-than", "1.5"]).fails(1, &["--older-than"]);
    let ran = sandbox.call(&["trace", "prune", "--store", "nowhere"]);
    ran.fails(1, &["no checkpoint store at nowhere"]);
}

#[test]
fn answers_are_json_if_asked_for() {
    let (sandbox, marks) = (Sandbox::new(), marks("hello"));
    let (step, hash) = &marks[marks.len() - 1];
    let end = json!({"step": step, "stateHash": hash, "exited": true});
    let words = ["--json", "trace", "hash", "--at", &steps(&marks)];
    let ran = about(&sandbox, "hello", &words).expect(0);
    let mut want: Vec<_> = marks
        .iter()
        .map(|(step, hash)| json!({"step": step, "stateHash": hash, "exited": false}))
        .collect();
    want.pop();
    want.push(end.clone());
    assert_eq!(json_lines(&ran), want);
    let ran = about(&sandbox, "hello", &["--json", "trace", "end"]).expect(0);
    assert_eq!(json_lines(&ran), [end]);
    let ran = about(&sandbox, "hello", &["--json", "trace", "list"]).expect(0);
    let first = json!({"step": 0, "stateHash": marks[0].1});
    assert_eq!(json_lines(&ran)[0], first);
}

#[test]
fn wrong_words_are_refused() {
    let sandbox = Sandbox::new();
    for at in ["", "x", "1,,2", "18446744073709551616", "1.5", "=1"] {
        let ran = about(&sandbox, "hello", &["trace", "hash", "--at", at]);
        ran.fails(1, &["--at"]);
    }
    let names = ["--proof-fmt", "same.json"];
    let words = [&["trace", "witness", "--at", "1,2"][..], &names].concat();
    about(&sandbox, "hello", &words).fails(1, &["same.json", "%d"]);
    let names = ["--snapshot-fmt", "state.txt"];
    let words = [&["trace", "export", "--at", "1"][..], &names].concat();
    about(&sandbox, "hello", &words).fails(1, &["state.txt"]);
    let names = ["--proof-fmt", "missing/%d.json"];
    let words = [&["trace", "witness", "--at", "1"][..], &names].concat();
    about(&sandbox, "hello", &words).fails(1, &["missing"]);
    assert!(sandbox.files().is_empty());
}

#[test]
fn a_store_is_needed_and_the_environment_may_name_it() {
    let sandbox = Sandbox::new();
    let pre = prestate("hello");
    let words = ["trace", "end", "--input", &pre];
    sandbox
        .call(&words)
        .fails(1, &["--store", "CARRONADE_STORE"]);
    let mut command = sandbox.command(words);
    let output = command.env("CARRONADE_STORE", "there").output().unwrap();
    assert!(output.status.success());
    assert_eq!(sandbox.files(), ["there"]);
    // The flag comes first.
    let mut command = sandbox.command([&words[..], &["--store", "here"]].concat());
    let output = command.env("CARRONADE_STORE", "there").output().unwrap();
    assert!(output.status.success());
    assert_eq!(sandbox.files(), ["here", "there"]);
}

#[test]
fn what_is_no_store_is_told_in_one_line() {
    let sandbox = Sandbox::new();
    let pre = prestate("hello");
    sandbox.write("file", "x");
    for place in ["file", "file/deeper", "s3://", "/proc/none"] {
        let words = ["trace", "end", "--input", &pre, "--store", place];
        let ran = sandbox.call(&words).fails(1, &[place]);
        assert_eq!(ran.stdout, "");
    }
    let ran = about(
        &sandbox,
        "hello",
        &["trace", "end", "--engine", "crosscheck"],
    );
    ran.fails(1, &["crosscheck"]);
}

#[test]
fn other_inputs_under_the_same_name_are_refused() {
    let sandbox = Sandbox::new();
    about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    let mut images: Value = serde_json::from_slice(&fs::read(images()).unwrap()).unwrap();
    let images = images.as_object_mut().unwrap();
    let local = images.keys().find(|key| key.starts_with("0x01")).unwrap();
    let local = local.clone();
    images.insert(local, json!("0x1234567812345678"));
    sandbox.write("other.json", serde_json::to_vec(&images).unwrap());
    let mut line = line(&["trace", "end"], "oracle", false);
    let host = ["--", BINARY, "host", "--images", "other.json"];
    line.extend(host.map(str::to_owned));
    let ran = call(&sandbox, &line).fails(1, &["other inputs", "local key"]);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn without_a_name_the_hosts_command_line_is_one() {
    let sandbox = Sandbox::new();
    let pre = prestate("oracle");
    let words = ["trace", "end", "--input", &pre, "--store", "store"];
    let host = oracle_host();
    let host: Vec<_> = host.iter().map(String::as_str).collect();
    sandbox.call(&[&words[..], &host].concat()).expect(0);
    sandbox.call(&words).fails(2, &["no pre-image host"]);
    // Two traces: of this host and of none.
    let traces = fs::read_dir(sandbox.path("store")).unwrap().count();
    assert_eq!(traces, 2);
}
