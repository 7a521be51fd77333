//! `devnet`: what it writes and serves, `prove` can judge.

use crate::chain::{Talking, call, prove, report};
use crate::support::*;

/// Flags for a chain of two L2 blocks.
const SMALL: [&str; 9] = [
    "devnet",
    "--l1-blocks",
    "3",
    "--l2-blocks",
    "2",
    "--data",
    "calldata",
    "--out",
    "chain",
];

fn small(more: &[&str]) -> Vec<String> {
    let words = [&SMALL[..], more].concat();
    words.into_iter().map(str::to_owned).collect()
}

/// The flags that it printed, in a line.
fn flags(stdout: &str) -> Vec<String> {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    stdout.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_flags_it_prints_are_those_of_a_valid_claim() {
    let sandbox = Sandbox::new();
    let kinds = [
        &["--batches", "single"][..],
        &["--batches", "span", "--seed", "3"],
        &["--batches", "mixed", "--fork", "holocene", "--agreed", "1"],
        &["--fork", "granite", "--agreed", "1", "--claimed", "1"],
    ];
    for kind in kinds {
        let ran = call(&sandbox, &small(kind)).expect(0);
        assert_eq!(ran.stderr, "");
        let flags = flags(&ran.stdout);
        let found = report(&prove(&sandbox, &flags, &[]).expect(0));
        assert_eq!(found["verdict"], "valid");
        prove(&sandbox, &flags, &["--native"]).expect(0);
        std::fs::remove_dir_all(sandbox.path("chain")).unwrap();
    }
}

#[test]
fn the_same_seed_gives_the_same_chain() {
    let sandbox = Sandbox::new();
    let print = |seed: &str| call(&sandbox, &small(&["--seed", seed])).expect(0).stdout;
    let first = print("5");
    assert_eq!(first, print("5"));
    assert_ne!(first, print("6"));
}

#[test]
fn it_serves_until_a_signal_comes() {
    let sandbox = Sandbox::new();
    for signal in ["INT", "TERM"] {
        let serving = Talking::spawn(&sandbox, &small(&["--serve"]));
        wait_until("the flags are there", || serving.stdout().ends_with('\n'));
        let said = serving.stdout();
        let (claim, rollup) = said.split_once('\n').unwrap();
        assert!(
            rollup.starts_with("--rollup-rpc http://127.0.0.1:"),
            "{said}"
        );
        let flags = flags(claim);
        let found = report(&prove(&sandbox, &flags, &[]).expect(0));
        assert_eq!(found["verdict"], "valid");
        serving.signal(signal);
        let ran = serving.finish().expect(130);
        assert_eq!(ran.stderr, "command interrupted\n");
    }
}

#[test]
fn chains_that_cannot_be_are_one_line() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    let run = |more: &[&str]| call(&sandbox, &small(more));
    run(&["--claimed", "9"]).fails(1, &["no such L2 block", "its last one is 2"]);
    run(&["--agreed", "3"]).fails(1, &["no such L2 block", "its last one is 2"]);
    run(&["--agreed", "2", "--claimed", "1"]).fails(1, &["--agreed 2", "--claimed 1"]);
    run(&["--l1-blocks", "1"]).fails(1, &["--l1-blocks"]);
    run(&["--fork", "bedrock"]).fails(1, &["--fork", "bedrock"]);
    let mut elsewhere = small(&[]);
    elsewhere[8] = "file/chain".to_owned();
    call(&sandbox, &elsewhere).fails(1, &["cannot create file/chain"]);
    assert_eq!(sandbox.files(), ["file"]);
}
