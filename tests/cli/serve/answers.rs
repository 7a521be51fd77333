//! What is answered, and to whom not.

use super::*;
use crate::golden::compare;

fn oracle(sandbox: &Sandbox) -> Server {
    let host = oracle_host();
    let host: Vec<_> = host.iter().map(String::as_str).collect();
    Server::start(sandbox, &prestate("oracle"), &host)
}

#[test]
fn hashes_and_proofs_are_the_reference_s() {
    let (sandbox, golden) = (Sandbox::new(), golden("oracle"));
    let server = oracle(&sandbox);
    // From the end on back, as a dispute does.
    for mark in golden["marks"].as_array().unwrap().iter().rev() {
        let reply = server.get(&format!("/v1/hash?step={}", mark["step"]));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let hash = reply.json();
        for (key, want) in [
            ("step", "step"),
            ("stateHash", "state_hash"),
            ("exited", "exited"),
        ] {
            assert_eq!(hash[key], mark[want], "{key} at step {}", mark["step"]);
        }
    }
    for proof in golden["proofs"].as_array().unwrap().iter().take(12) {
        let step = proof["step"].as_u64().unwrap();
        let reply = server.get(&format!("/v1/witness?step={step:#x}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        compare(&reply.json(), proof);
    }
}

#[test]
fn proofs_and_states_are_the_files_of_run() {
    let sandbox = Sandbox::new();
    let server = oracle(&sandbox);
    sandbox
        .run_oracle(&[
            "--proof-at",
            "=1000000",
            "--snapshot-at",
            "=1000000",
            "--info-at",
            "never",
        ])
        .expect(0);
    let file = |name: &str| std::fs::read(sandbox.path(name)).unwrap();
    let proof = server.get("/v1/witness?step=1000000");
    assert_eq!(proof.body, file("proof-1000000.json"));
    let state = server.get("/v1/state?step=1000000");
    assert!(state.head.contains("content-type: application/gzip"));
    assert_eq!(state.body, file("state-1000000.bin.gz"));
    // After the end there is the last state.
    let state = server.get("/v1/state?step=20000000");
    assert_eq!(state.body, file("out.bin.gz"));
}

#[test]
fn all_else_is_told_too() {
    let (sandbox, golden) = (Sandbox::new(), golden("oracle"));
    let server = oracle(&sandbox);
    let trace = server.get("/v1/trace").json();
    assert_eq!(trace["prestate"], golden["marks"][0]["state_hash"]);
    assert_eq!(
        (&trace["first_step"], &trace["end"]),
        (&0.into(), &Value::Null)
    );
    let last = &golden["final_step"];
    let missing = server.get("/v1/witness?step=20000000");
    assert_eq!((missing.status, &missing.json()["end"]), (404, last));
    let published = server.post("/v1/publish?step=100000");
    assert_eq!(
        published.json()["stateHash"],
        golden["marks"][3]["state_hash"]
    );
    let list = sandbox.call(&[
        "trace",
        "list",
        "--input",
        &prestate("oracle"),
        "--store",
        "store",
        "--",
        BINARY,
        "host",
        "--images",
        &images(),
    ]);
    assert!(list.expect(0).stdout.contains("\n100000 0x"));
    let trace = server.get("/v1/trace").json();
    assert_eq!(&trace["end"]["step"], last);
    assert_eq!(trace["step"], 100_000);
    assert_eq!(trace["checkpoints"], 3);
    assert!(trace["executed"].as_u64() >= last.as_u64());
    for (target, status) in [
        ("/v1/hash", 400),
        ("/v1/hash?step=x", 400),
        ("/v1/nothing", 404),
        ("/v1/publish?step=1", 405),
        ("/health", 200),
    ] {
        let reply = server.get(target);
        assert_eq!(reply.status, status, "{target}");
        assert!(
            status == 200 || reply.json()["error"].is_string(),
            "{target}"
        );
    }
    for line in [
        "carronade_requests_total{kind=\"publish\",outcome=\"ok\"} 1",
        "carronade_requests_total{kind=\"witness\",outcome=\"not_found\"} 1",
        "carronade_requests_total{kind=\"hash\",outcome=\"bad_request\"} 2",
        "carronade_queue_length 0",
        "carronade_step 100000",
        "carronade_checkpoints 3",
    ] {
        assert!(server.counts(line), "{line}");
    }
}

#[test]
fn what_is_published_is_in_the_store_when_it_is_answered() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &prestate("sortmap"), &[]);
    for step in (1..=8).map(|part| part * 5_000_000) {
        let reply = server.post(&format!("/v1/publish?step={step}"));
        // At once: whoever has asked lists the store next.
        let names = crate::stores::files_below(&sandbox.path("store"));
        assert_eq!(reply.status, 200);
        let end = format!("-{step:020}");
        let is_there = |name: &std::path::PathBuf| name.to_string_lossy().ends_with(&end);
        assert!(names.iter().any(is_there), "{step}: {names:?}");
    }
}

#[test]
fn a_guest_that_cannot_go_on_does_not_end_the_server() {
    let sandbox = Sandbox::new();
    // A system call that there is none of.
    sandbox.program(&[0x2402_1092, 0x0000_000c], |_| ());
    let server = Server::start(&sandbox, "program.bin", &[]);
    for _ in 0..2 {
        let reply = server.get("/v1/hash?step=9");
        assert_eq!(reply.status, 422);
        let words = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(words.starts_with("VM panic at step 1 "), "{words}");
        assert_eq!(server.get("/v1/hash?step=1").status, 200);
    }
}

#[test]
fn too_many_questions_are_turned_away_and_abandoned_ones_end() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    let server = Server::start(&sandbox, "program.bin", &["--queue", "1"]);
    let running = server.keep_busy();
    let waiting = server.begin("GET", "/v1/hash?step=7");
    wait_until("the queue is full", || {
        server.counts("carronade_queue_length 1")
    });
    let reply = server.get("/v1/hash?step=7");
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("\r\nretry-after: 1"), "{}", reply.head);
    drop(waiting);
    wait_until("the queue is empty", || {
        server.counts("carronade_queue_length 0")
    });
    let waiting = server.begin("GET", "/v1/hash?step=8");
    wait_until("the queue is full", || {
        server.counts("carronade_queue_length 1")
    });
    drop(running);
    assert_eq!(receive(waiting).unwrap().json()["step"], 8);
    let cancelled = "carronade_requests_total{kind=\"hash\",outcome=\"cancelled\"} 2";
    assert!(server.counts(cancelled));
}
