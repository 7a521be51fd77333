//! `verify`, `inspect`, `diff`, `disassemble`, `demo`.

use crate::support::*;
use serde_json::Value;

#[test]
fn verify_accepts_a_proof_and_refuses_each_changed_field() {
    let sandbox = Sandbox::new();
    let step = {
        sandbox
            .run_oracle(&["--stop-at-preimage", "04@8"])
            .expect(0);
        sandbox.witness("out.bin.gz")["step"].as_u64().unwrap() - 1
    };
    sandbox
        .run_oracle(&[
            "--proof-at",
            &format!("={step}"),
            "--stop-at",
            &format!("={}", step + 1),
            "--proof-fmt",
            "p.json.gz",
        ])
        .expect(0);
    let ran = sandbox.call(&["verify", "--input", "p.json.gz"]).expect(0);
    let proof = sandbox.json("p.json.gz");
    assert_eq!(
        ran.stdout,
        format!(
            "step {step} verified, post {}\n",
            proof["post"].as_str().unwrap()
        )
    );
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = proof.clone();
        change(&mut changed);
        sandbox.write("bad.json", changed.to_string());
        sandbox
            .call(&["verify", "--input", "bad.json"])
            .fails(1, &[]);
    };
    for key in [
        "pre",
        "post",
        "state-data",
        "proof-data",
        "oracle-key",
        "oracle-value",
    ] {
        let text = proof[key].as_str().unwrap();
        let last = if text.ends_with('0') { '1' } else { '0' };
        // The last byte of proof-data is in a branch that this step does not use.
        let at = if key == "proof-data" {
            20
        } else {
            text.len() - 1
        };
        let flipped = format!("{}{last}{}", &text[..at], &text[at + 1..]);
        let flipped = if flipped == text {
            text.replacen("0x0", "0x1", 1)
        } else {
            flipped
        };
        refused(&|proof| proof[key] = flipped.clone().into());
        // A step that touches one word uses two branches of three; the rest may be missing.
        let cut = if key == "proof-data" { 5000 } else { 2 };
        refused(&|proof| proof[key] = text[..text.len() - cut].into());
        refused(&|proof| proof[key] = "0xzz".into());
        refused(&|proof| proof[key] = 5.into());
        refused(&|proof| drop(proof.as_object_mut().unwrap().remove(key)));
    }
    refused(&|proof| proof["step"] = (step + 1).into());
    refused(&|proof| proof["oracle-offset"] = 16.into());
    refused(&|proof| proof["oracle-offset"] = u64::MAX.into());
    sandbox
        .call(&["verify", "--input", "p.json.gz", "--type", "multithreaded"])
        .fails(1, &["multithreaded"]);
}

#[test]
fn inspect_shows_a_state() {
    let sandbox = Sandbox::new();
    let (pre, meta) = (
        prestate("goroutines"),
        guest("goroutines").join("meta.json"),
    );
    let meta = meta.to_str().unwrap();
    sandbox.run(&pre, &["--stop-at", "=2000000"]).expect(0);
    let witness = sandbox.witness("out.bin.gz");
    let text = sandbox
        .call(&["inspect", "--input", "out.bin.gz", "--meta", meta])
        .expect(0)
        .stdout;
    assert!(
        text.contains("multithreaded64-5")
            && text.contains(witness["witnessHash"].as_str().unwrap())
    );
    assert!(text.contains("step             2000000\n") && text.contains(", running)"));
    let json = sandbox
        .call(&["--json", "inspect", "--input", "out.bin.gz"])
        .expect(0)
        .stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["stateHash"], witness["witnessHash"]);
    assert_eq!(json["step"], 2_000_000);
    assert!(json["pages"].as_u64().unwrap() > 100);
}

#[test]
fn diff_explains_the_first_difference() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    let ran = sandbox.call(&["diff", &hello, &hello]).expect(0);
    assert!(ran.stdout.starts_with("the states are equal: 0x"));
    sandbox.program(&[0x2408_0005, 0xffa8_0000, 0], |state| {
        state.left.threads[0].registers[29] = 0x8000
    });
    sandbox
        .run("program.bin", &["--stop-at", "=2", "--output", "b.bin"])
        .expect(0);
    let ran = sandbox
        .call(&["diff", "program.bin", "b.bin", "--meta", "meta.json"])
        .expect(1);
    assert!(ran.stderr.is_empty());
    assert!(
        ran.stdout.contains("first difference: step: 0 against 2\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("pc: 0x1000 in main against 0x1008 in main\n")
    );
    assert!(ran.stdout.contains("register 8): 0x0 against 0x5\n"));
    assert!(
        ran.stdout
            .contains("memory from 0x8000 to 0x8fff exists only in the second state\n")
    );
    sandbox
        .call(&["diff", "program.bin", "none.bin"])
        .fails(1, &["none.bin"]);
}

#[test]
fn diff_compares_a_thread_that_changed_stacks() {
    let sandbox = Sandbox::new();
    for step in [50_000, 150_000] {
        let (at, name) = (format!("={step}"), format!("{step}.bin"));
        sandbox
            .run(&prestate("hello"), &["--stop-at", &at, "--output", &name])
            .expect(0);
    }
    let ran = sandbox.call(&["diff", "50000.bin", "150000.bin"]).expect(1);
    let stdout = &ran.stdout;
    assert!(
        stdout.contains("left stack, bottom first: [0] against []\n"),
        "{stdout}"
    );
    assert!(stdout.contains("thread 0 pc: 0x"), "{stdout}");
    assert!(
        stdout.contains(" words of memory in all; 16 are shown\n"),
        "{stdout}"
    );
}

#[test]
fn disassemble_shows_instructions() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0x2408_0005, 0x0c00_0408, 0], |_| ());
    let ran = sandbox
        .call(&[
            "disassemble",
            "--input",
            "program.bin",
            "--meta",
            "meta.json",
            "--count",
            "3",
        ])
        .expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "main:");
    assert!(
        lines[1].starts_with("=>         1000  24080005  "),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].contains("jal") && lines[2].contains("helper"),
        "{}",
        lines[2]
    );
    let at = |place: &str| {
        sandbox.call(&[
            "disassemble",
            "--input",
            "program.bin",
            "--meta",
            "meta.json",
            "--at",
            place,
        ])
    };
    assert_eq!(at("helper").expect(0).stdout.lines().count(), 9);
    assert_eq!(
        at("0xfffffffffffffffc").expect(0).stdout.lines().count(),
        32
    );
    for bad in ["nowhere", "0x", "0xg", "0x10000000000000000"] {
        at(bad).fails(1, &[bad]);
    }
}

#[test]
fn the_demo_works() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .call(&["demo", "--blocks", "3", "--dir", "demo"])
        .expect(0);
    assert!(ran.stdout.contains("verified, post 0x"), "{}", ran.stdout);
}
