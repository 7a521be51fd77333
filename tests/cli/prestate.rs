//! `prestate`: the programs' start states, their hashes, and those of others.

use crate::support::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What `prestate` says with these flags, in JSON.
fn about(sandbox: &Sandbox, flags: &[&str]) -> Vec<Value> {
    let ran = sandbox
        .call(&[&["--json", "prestate"], flags].concat())
        .expect(0);
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The start state of `fault-proof` in `right.bin.gz`, and its hash.
fn right(sandbox: &Sandbox) -> String {
    word(&about(sandbox, &["--out", "right.bin.gz"])[0]["prestate"])
}

#[test]
fn a_written_state_has_the_hash_that_is_told() {
    let sandbox = Sandbox::new();
    for program in ["fault-proof", "stateless"] {
        for (version, number) in [("multithreaded64-4", 7), ("multithreaded64-5", 8)] {
            let flags = ["--program", program, "--type", version];
            let told = about(&sandbox, &[&flags[..], &["--out", "state.bin.gz"]].concat());
            assert_eq!(told.len(), 1);
            assert_eq!(told[0]["program"], program);
            assert_eq!(told[0]["stateVersion"], version);
            assert_eq!(told[0]["file"], "state.bin.gz");
            let witness = sandbox.witness("state.bin.gz");
            assert_eq!(witness["witnessHash"], told[0]["prestate"]);
            assert_eq!(witness["stateVersion"], number);
            assert_eq!(witness["step"], 0);
        }
    }
}

#[test]
fn the_programs_are_those_of_the_repository() {
    let sums = Path::new(env!("CARGO_MANIFEST_DIR")).join("program/elf/SHA256SUMS");
    let sums = fs::read_to_string(sums).unwrap();
    let told = about(&Sandbox::new(), &[]);
    let programs: Vec<_> = told.iter().map(|about| word(&about["program"])).collect();
    assert_eq!(programs, ["fault-proof", "stateless"]);
    for about in &told {
        let (sum, name) = (word(&about["elfSha256"]), word(&about["program"]));
        let line = format!("{}  {name}.elf", sum.trim_start_matches("0x"));
        assert!(sums.lines().any(|known| known == line), "{line}");
    }
}

#[test]
fn a_folder_gets_the_state_by_its_hash() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("states")).unwrap();
    let ran = sandbox.call(&["prestate", "--out", "states"]).expect(0);
    let hash = right(&sandbox);
    let file = format!("states/{hash}.bin.gz");
    assert!(ran.stdout.contains(&hash), "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with(&format!("written to {file}\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(sandbox.witness(&file)["witnessHash"], hash);
    // Named by its hash, it needs no flag to be checked.
    let ran = sandbox.call(&["prestate", "--check", &file]).expect(0);
    assert!(
        ran.stdout.contains("the prestate of fault-proof"),
        "{}",
        ran.stdout
    );
    let other = format!("states/0x{}.bin.gz", "03".repeat(32));
    fs::copy(sandbox.path(&file), sandbox.path(&other)).unwrap();
    let ran = sandbox.call(&["prestate", "--check", &other]).expect(1);
    assert!(
        ran.stdout.contains("not the state asked for"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_check_tells_right_from_wrong() {
    let sandbox = Sandbox::new();
    let hash = right(&sandbox);
    let check =
        |file: &str, hash: &str| sandbox.call(&["prestate", "--check", file, "--hash", hash]);
    let ran = check("right.bin.gz", &hash).expect(0);
    let words = "the prestate of fault-proof";
    assert!(
        ran.stdout.contains(words) && ran.stdout.contains("(multithreaded64-5)"),
        "{}",
        ran.stdout
    );
    let flags = ["--type", "multithreaded64-4", "--out", "older.bin.gz"];
    let older = word(&about(&sandbox, &flags)[0]["prestate"]);
    let ran = check("older.bin.gz", &older).expect(0);
    assert!(ran.stdout.contains("(multithreaded64-4)"), "{}", ran.stdout);
    let wrong = format!("0x{}", "03".repeat(32));
    let ran = check("right.bin.gz", &wrong).expect(1);
    assert!(
        ran.stdout.contains(&hash) && ran.stdout.contains(&wrong),
        "{}",
        ran.stdout
    );
    // Another program's state is told from ours, whatever it is compared with.
    let foreign = prestate("hello");
    let found = word(&sandbox.witness(&foreign)["witnessHash"]);
    for (hash, code) in [(&hash, 1), (&found, 0)] {
        let ran = check(&foreign, hash).expect(code);
        assert!(
            ran.stdout
                .contains("no prestate of a program in this binary"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn what_cannot_be_checked_or_written_is_one_line() {
    let sandbox = Sandbox::new();
    right(&sandbox);
    sandbox.write("other.bin.gz", "not a state");
    let run = |flags: &[&str]| sandbox.call(&[&["prestate"], flags].concat());
    run(&["--check", "right.bin.gz"]).fails(1, &["nothing to compare with"]);
    run(&["--check", "right.bin.gz", "--hash", "0x12"]).fails(1, &["--hash", "32 bytes"]);
    run(&["--check", "other.bin.gz"]).fails(1, &["other.bin.gz"]);
    run(&["--check", "none.bin.gz"]).fails(1, &["none.bin.gz"]);
    run(&["--hash", "0x12"]).fails(1, &["--check"]);
    run(&["--program", "hello"]).fails(1, &["hello", "fault-proof and stateless"]);
    run(&["--type", "cannon"]).fails(1, &["cannon"]);
    run(&["--out", "no.json/prestates"]).expect(0);
    run(&["--out", "prestates-1.0/"]).expect(0);
    for folder in ["no.json/prestates", "prestates-1.0"] {
        let states = fs::read_dir(sandbox.path(folder)).unwrap();
        assert_eq!(states.count(), 1, "{folder}");
    }
    run(&["--out", "nowhere.json"]).fails(1, &["--out", "no folder"]);
    run(&["--out", "no/where.bin.gz"]).fails(1, &["no/where.bin.gz"]);
    let files = ["no.json", "other.bin.gz", "prestates-1.0", "right.bin.gz"];
    assert_eq!(sandbox.files(), files);
}
