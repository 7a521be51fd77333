//! `prove` and the other ways to judge a claim: one verdict and one trace, however the pre-images
//! come.

use crate::chain::*;
use crate::stores::random;
use crate::support::*;
use carronade_devnet::Faults;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Writes the program's start state to `pre.bin.gz`.
fn write_prestate(sandbox: &Sandbox) {
    let words = ["prestate", "--program", "fault-proof", "--out"];
    sandbox
        .call(&[&words[..], &["pre.bin.gz"]].concat())
        .expect(0);
}

/// A command of the VM on the start state, with the host behind pipes.
fn behind_pipes(start: &[&str], flags: &[String]) -> Vec<String> {
    let host = ["--", BINARY, "host", "single", "--server"];
    let input = ["--input", "pre.bin.gz"];
    line(&[start, &input, &host].concat(), flags, &[])
}

/// What a claim comes to in each way; all must be the same.
fn judge(chain: &Chain, code: i32, verdict: &str) {
    let sandbox = Sandbox::new();
    let offline = chain.offline(&sandbox);
    let expected = report(&prove(&sandbox, &offline, &[]).expect(code));
    assert_eq!(expected["verdict"], verdict);
    let (online, served) = chain.online(&sandbox, Faults::default());
    let kept = ["--data-dir", "kept"];
    let ran = prove(&sandbox, &online, &kept).expect(code);
    assert_same_trace(&report(&ran), &expected);
    assert!(requests(&served) > 0);
    assert_piped_is(&sandbox, &online, &expected);
    for start in [&["prove", "--native"][..], &["host", "single", "--native"]] {
        for flags in [&offline, &online] {
            let ran = call(&sandbox, &line(start, flags, &[])).expect(code);
            assert!(
                ran.stderr.starts_with(&format!("{verdict}: ")),
                "{}",
                ran.stderr
            );
        }
    }
    // What the run has kept is all that it takes.
    drop(served);
    let ran = prove(&sandbox, &chain.flags(&sandbox), &kept).expect(code);
    assert_same_trace(&report(&ran), &expected);
}

/// Runs with the host in a process of its own; the last state must be the one that was proven.
fn assert_piped_is(sandbox: &Sandbox, flags: &[String], expected: &Value) {
    write_prestate(sandbox);
    let start = ["run", "--meta", "", "--output", "end.bin.gz"];
    call(sandbox, &behind_pipes(&start, flags)).expect(0);
    let end = sandbox.witness("end.bin.gz");
    assert_eq!(end["exited"], true);
    assert_eq!(end["exitCode"], expected["exitCode"]);
    assert_eq!(end["step"], expected["vm"]["steps"]);
    assert_eq!(end["witnessHash"], expected["vm"]["finalState"]);
}

#[test]
fn a_right_claim_is_valid_in_every_way() {
    judge(&CALLDATA, 0, "valid");
    judge(&BLOBS, 0, "valid");
}

#[test]
fn a_wrong_root_is_invalid_in_every_way() {
    judge(&CALLDATA.with_wrong_root(), 1, "invalid");
}

#[test]
fn both_engines_and_a_prestate_from_a_file_give_the_same_trace() {
    let sandbox = Sandbox::new();
    let flags = CALLDATA.offline(&sandbox);
    write_prestate(&sandbox);
    let expected = CALLDATA.proven();
    for more in [
        &["--engine", "interpreter"][..],
        &["--no-cache"],
        &["--prestate", "pre.bin.gz"],
        &["--type", "multithreaded64-4"],
    ] {
        let ran = prove(&sandbox, &flags, more).expect(0);
        assert_same_trace(&report(&ran), &expected);
    }
    // Without --json, the same in words.
    let ran = call(&sandbox, &line(&["prove"], &flags, &[])).expect(0);
    assert!(
        ran.stdout.starts_with("valid (in the VM, exit code 0)\n"),
        "{}",
        ran.stdout
    );
    let state = expected["vm"]["finalState"].as_str().unwrap();
    assert!(
        ran.stdout.ends_with(&format!("final state {state}\n")),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_hundred_states_on_the_way_are_the_same_whatever_the_timing() {
    let sandbox = Sandbox::new();
    let steps = BLOBS.proven()["vm"]["steps"].as_u64().unwrap();
    let mut seed = 7;
    let at: BTreeSet<_> = (0..100).map(|_| random(&mut seed) % steps).collect();
    let at: Vec<_> = at.iter().map(u64::to_string).collect();
    write_prestate(&sandbox);
    let hashes = |store: &str, flags: &[String]| {
        let start = ["trace", "hash", "--store", store, "--at", &at.join(",")];
        call(&sandbox, &behind_pipes(&start, flags))
            .expect(0)
            .stdout
    };
    let expected = hashes("offline", &BLOBS.offline(&sandbox));
    assert_eq!(expected.lines().count(), at.len());
    for (seed, millis) in [(1, 0), (2, 40)] {
        let delay = Duration::from_millis(millis);
        let faults = Faults {
            seed,
            delay,
            ..Faults::default()
        };
        let (flags, served) = BLOBS.online(&sandbox, faults);
        assert_eq!(hashes(&format!("online{seed}"), &flags), expected);
        assert!(requests(&served) > 0);
    }
}
