//! What op-challenger does with `cannon`.

use crate::support::*;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// op-challenger's command line through a symlink of Cannon's name.
fn cannon(sandbox: &Sandbox, input: &str, step: u64) -> Ran {
    for folder in ["proofs", "snapshots", "preimages"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    let _ = symlink(BINARY, sandbox.path("cannon"));
    let dir = sandbox
        .path("")
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let mut words = vec!["run".to_owned(), "--input".into(), input.into()];
    let mut flag = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    flag("output", format!("{dir}/final.bin.gz"));
    flag("meta", String::new());
    flag("info-at", "%10000000".into());
    flag("proof-at", format!("={step}"));
    flag("proof-fmt", format!("{dir}/proofs/%d.json.gz"));
    flag("snapshot-at", "%5000000".into());
    flag("snapshot-fmt", format!("{dir}/snapshots/%d.bin.gz"));
    if step != u64::MAX {
        flag("stop-at", format!("={}", step + 1));
    }
    flag("debug-info", format!("{dir}/preimages/debug-info.json"));
    words.extend(oracle_host());
    let output = sandbox
        .command_of(sandbox.path("cannon"), words)
        .output()
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(folder)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_proof_and_then_one_from_a_snapshot() {
    let sandbox = Sandbox::new();
    let ran = cannon(&sandbox, &prestate("oracle"), 10_000_003).expect(0);
    assert!(ran.stdout.is_empty());
    assert_eq!(names(&sandbox, "proofs"), ["10000003.json.gz"]);
    assert_eq!(
        names(&sandbox, "snapshots"),
        ["0.bin.gz", "10000000.bin.gz", "5000000.bin.gz"]
    );
    assert_eq!(names(&sandbox, "preimages"), ["debug-info.json"]);
    // Stopped before the end, the last state is there all the same.
    let last = sandbox.witness("final.bin.gz");
    assert_eq!(
        (&last["step"], &last["exited"]),
        (&json!(10_000_004), &json!(false))
    );
    let proof = sandbox.json("proofs/10000003.json.gz");
    assert_eq!(proof["post"], last["witnessHash"]);
    let mode = fs::metadata(sandbox.path("proofs/10000003.json.gz"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);

    let resumed = Sandbox::new();
    let snapshot = sandbox.path("snapshots/10000000.bin.gz");
    cannon(&resumed, snapshot.to_str().unwrap(), 10_000_003).expect(0);
    assert_eq!(resumed.json("proofs/10000003.json.gz"), proof);
}

#[test]
fn past_the_end_there_is_no_proof_but_an_exited_state() {
    for step in [1 << 42, u64::MAX] {
        let sandbox = Sandbox::new();
        cannon(&sandbox, &prestate("oracle"), step).expect(0);
        assert!(names(&sandbox, "proofs").is_empty());
        let last = sandbox.witness("final.bin.gz");
        let golden = golden("oracle");
        assert_eq!(
            (&last["step"], &last["exited"]),
            (&golden["final_step"], &json!(true))
        );
        assert_eq!(
            sha256(&unpack(&sandbox.path("final.bin.gz"))),
            golden["final_state_bin_sha256"]
        );
    }
}

#[test]
fn an_exited_state_stays_and_is_written_again() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&prestate("exit7"), &["--output", "a.bin"])
        .expect(0);
    sandbox.run("a.bin", &["--output", "b.bin.gz"]).expect(0);
    assert_eq!(
        fs::read(sandbox.path("a.bin")).unwrap(),
        unpack(&sandbox.path("b.bin.gz"))
    );
    let witness = sandbox.witness("b.bin.gz");
    assert_eq!(
        (&witness["exitCode"], &witness["exited"]),
        (&json!(7), &json!(true))
    );
}

#[test]
fn the_prestate_hash_is_the_pre_of_the_first_proof() {
    let sandbox = Sandbox::new();
    let pre = prestate("hello");
    sandbox
        .run(
            &pre,
            &["--proof-at", "=0", "--stop-at", "=1", "--output", ""],
        )
        .expect(0);
    assert_eq!(sandbox.files(), ["proof-0.json"]);
    let proof = sandbox.json("proof-0.json");
    assert_eq!(proof["pre"], sandbox.witness(&pre)["witnessHash"]);
    let text = fs::read_to_string(sandbox.path("proof-0.json")).unwrap();
    let keys: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
        .collect();
    assert_eq!(keys, ["step", "pre", "post", "state-data", "proof-data"]);
}

#[test]
fn witness_prints_what_op_challenger_reads() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .call(&[
            "witness",
            "--input",
            &prestate("hello"),
            "--output",
            "w.bin",
        ])
        .expect(0);
    let keys: Vec<_> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
        .collect();
    assert_eq!(
        keys,
        [
            "stateVersion",
            "witnessHash",
            "witness",
            "step",
            "exited",
            "exitCode"
        ]
    );
    assert!(ran.stderr.is_empty());
    let raw = fs::read(sandbox.path("w.bin")).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(shown["witness"], const_hex::encode_prefixed(&raw));
    assert_eq!((raw.len(), &shown["stateVersion"]), (188, &json!(8)));
}

#[test]
fn debug_info_has_every_key() {
    let sandbox = Sandbox::new();
    sandbox.run_oracle(&["--debug-info", "info.json"]).expect(0);
    let info = sandbox.json("info.json");
    let mut keys: Vec<_> = info
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let mut want = [
        "pages",
        "memory_used",
        "num_preimage_requests",
        "total_preimage_size",
        "total_steps",
        "instruction_cache_miss_count",
        "highest_icache_miss_pc",
        "rmw_success_count",
        "rmw_fail_count",
        "max_steps_between_ll_and_sc",
        "reservation_invalidation_count",
        "forced_preemption_count",
        "idle_step_count_thread_0",
    ];
    want.sort_unstable();
    assert_eq!(keys, want);
    let golden = golden("oracle");
    assert_eq!(info["total_steps"], golden["final_step"]);
    assert_eq!(
        info["num_preimage_requests"],
        golden["preimage_requests"].as_array().unwrap().len()
    );
    assert!(info["memory_used"].as_str().unwrap().starts_with("0x"));
    assert!(
        info["highest_icache_miss_pc"]
            .as_str()
            .unwrap()
            .starts_with("0x")
    );
}
