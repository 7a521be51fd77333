//! Every golden guest, as the reference ran it.

use crate::support::*;
use serde_json::Value;
use std::path::Path;

/// Compares a guest's states at the marks, its end, its output and some proofs.
fn check(name: &str, proofs: usize) {
    let (golden, sandbox, pre) = (golden(name), Sandbox::new(), prestate(name));
    assert_eq!(
        sha256(&unpack(Path::new(&pre))),
        golden["prestate_bin_sha256"]
    );
    let host = if name == "oracle" {
        oracle_host()
    } else {
        Vec::new()
    };
    let host: Vec<_> = host.iter().map(String::as_str).collect();
    let run = |flags: &[&str]| sandbox.run(&pre, &[flags, &host].concat()).expect(0);
    for mark in golden["marks"].as_array().unwrap() {
        let stop = format!(
            "--stop-at={}",
            if mark["exited"] == true {
                "never".into()
            } else {
                format!("={}", mark["step"])
            }
        );
        let ran = run(&[&stop, "--info-at", "never"]);
        let witness = sandbox.witness("out.bin.gz");
        for (key, want) in [
            ("witnessHash", "state_hash"),
            ("witness", "witness"),
            ("step", "step"),
            ("exited", "exited"),
            ("exitCode", "exit_code"),
        ] {
            assert_eq!(
                witness[key], mark[want],
                "{name} {key} at step {}",
                mark["step"]
            );
        }
        if mark["exited"] == true {
            assert_eq!(guest_output(&ran, "stdout"), golden["stdout"], "{name}");
            assert_eq!(guest_output(&ran, "stderr"), golden["stderr"], "{name}");
        }
    }
    assert_eq!(
        sha256(&unpack(&sandbox.path("out.bin.gz"))),
        golden["final_state_bin_sha256"],
        "{name}"
    );
    for proof in golden["proofs"].as_array().unwrap().iter().take(proofs) {
        let step = proof["step"].as_u64().unwrap();
        run(&[
            &format!("--proof-at=={step:#x}"),
            "--stop-at",
            &format!("={}", step + 1),
        ]);
        compare(&sandbox.json(&format!("proof-{step}.json")), proof);
    }
}

/// Compares proofs but for the memory branches that the step does not use.
pub fn compare(got: &Value, want: &Value) {
    for key in [
        "step",
        "pre",
        "post",
        "state-data",
        "oracle-key",
        "oracle-value",
        "oracle-offset",
    ] {
        assert_eq!(
            got.get(key),
            want.get(key),
            "{key} of step {}",
            want["step"]
        );
    }
    let [got, bytes] =
        [got, want].map(|proof| const_hex::decode(proof["proof-data"].as_str().unwrap()).unwrap());
    assert_eq!(got.len(), 6090);
    assert_eq!(got[..2250], bytes[..2250]);
    for (key, range) in [
        ("x-memproof1-used", 2250..4170),
        ("x-memproof2-used", 4170..6090),
    ] {
        if want[key] == true {
            assert_eq!(got[range.clone()], bytes[range]);
        }
    }
}

/// What the guest wrote, out of the log lines.
pub fn guest_output(ran: &Ran, stream: &str) -> String {
    let head = format!("level=INFO msg=\"\" module=guest stream={stream} text=");
    let texts = ran
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix(&head));
    texts
        .map(|text| {
            if text.starts_with('"') {
                serde_json::from_str(text).unwrap()
            } else {
                text.to_owned()
            }
        })
        .collect()
}

#[test]
fn hello() {
    check("hello", 4);
}

#[test]
fn exit7() {
    check("exit7", 1);
}

#[test]
fn panic2() {
    check("panic2", 1);
}

#[test]
fn goroutines() {
    check("goroutines", 3);
}

#[test]
fn oracle() {
    check("oracle", 3);
}

#[test]
fn sortmap() {
    check("sortmap", 1);
}

#[test]
fn keccakloop() {
    check("keccakloop", 1);
}
