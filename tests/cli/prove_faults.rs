//! `prove` with nodes that fail or lie: it costs time, and changes nothing.

use crate::chain::*;
use crate::support::*;
use carronade_devnet::{Faults, Node};
use std::time::Duration;

/// Each node, how the messages name it, and a chain that needs it.
fn nodes() -> [(Node, &'static str, &'static Chain); 3] {
    [
        (Node::L1, "L1 node", &*CALLDATA),
        (Node::Beacon, "L1 beacon node", &*BLOBS),
        (Node::L2, "L2 node", &*CALLDATA),
    ]
}

#[test]
fn dropped_and_late_answers_do_not_change_the_trace() {
    for (seed, chain) in [(0, &*BLOBS), (1, &*CALLDATA), (2, &*CALLDATA)] {
        let expected = chain.proven();
        let sandbox = Sandbox::new();
        let faults = Faults {
            seed,
            drops: 20,
            errors: 5,
            delay: Duration::from_millis(40),
            ..Faults::default()
        };
        let (flags, _served) = chain.online(&sandbox, faults);
        let found = report(&prove(&sandbox, &flags, &[]).expect(0));
        assert!(failures(&found) > 0, "{found}");
        assert_same_trace(&found, &expected);
    }
}

#[test]
fn a_node_that_lies_now_and_then_is_named_and_not_believed() {
    for (liar, name, chain) in nodes() {
        let expected = chain.proven();
        let mut told = 0;
        for seed in 0..2 {
            let sandbox = Sandbox::new();
            let faults = Faults {
                seed,
                lies: 40,
                liar: Some(liar),
                ..Faults::default()
            };
            let (flags, _served) = chain.online(&sandbox, faults);
            let ran = prove(&sandbox, &flags, &[]).expect(0);
            assert_same_trace(&report(&ran), &expected);
            for line in lies(&ran) {
                assert!(line.contains(name), "{line}");
                told += 1;
            }
        }
        assert!(told > 0, "no lie of the {name} was noticed");
    }
}

/// The lines that tell of wrong answers.
fn lies(ran: &Ran) -> impl Iterator<Item = &str> {
    let lines = ran.stderr.lines();
    lines.filter(|line| line.contains("gave a wrong answer"))
}

#[test]
fn a_node_that_always_lies_is_named_and_nothing_is_stated() {
    for (liar, name, chain) in nodes() {
        for more in [&[][..], &["--native"]] {
            let sandbox = Sandbox::new();
            let faults = Faults {
                lies: 100,
                liar: Some(liar),
                ..Faults::default()
            };
            let (flags, _served) = chain.online(&sandbox, faults);
            let line = line(&["--json", "prove"], &flags, more);
            let running = Talking::spawn(&sandbox, &line);
            running.wait_for("gave a wrong answer");
            running.signal("TERM");
            let ran = running.finish().expect(130);
            assert_eq!(ran.stdout, "");
            let node = format!("{name} http://127.0.0.1:");
            assert!(
                lies(&ran).all(|line| line.contains(&node)),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn nodes_that_are_away_for_a_while_cost_time_only() {
    let expected = CALLDATA.proven();
    let sandbox = Sandbox::new();
    // Slow enough for the middle of the run to be met.
    let faults = Faults {
        delay: Duration::from_millis(100),
        ..Faults::default()
    };
    let (flags, served) = CALLDATA.online(&sandbox, faults);
    let running = Talking::spawn(&sandbox, &line(&["--json", "prove"], &flags, &[]));
    wait_until("the run is under way", || requests(&served) >= 8);
    served.set_offline(true);
    // Said when the same has been tried some times.
    running.wait_for("waiting for pre-image");
    assert_eq!(running.stdout(), "");
    served.set_offline(false);
    let ran = running.finish().expect(0);
    assert_same_trace(&report(&ran), &expected);
    let told = ran.stderr.lines().find(|line| line.contains("waiting for"));
    for word in ["hint `", "node http://127.0.0.1:", "trying on"] {
        assert!(told.unwrap().contains(word), "{}", ran.stderr);
    }
}

#[test]
fn a_block_that_a_reorganisation_took_away_is_waited_for() {
    let expected = CALLDATA.proven();
    let sandbox = Sandbox::new();
    let (flags, served) = CALLDATA.online(&sandbox, Faults::default());
    served.set_reorg(1);
    let running = Talking::spawn(&sandbox, &line(&["--json", "prove"], &flags, &[]));
    // All that is asked for hangs on the L1 head, which nobody has.
    let tries = || served.counts().get("debug_getRawHeader").copied();
    wait_until("the host tries again", || tries() > Some(6));
    assert_eq!(running.stdout(), "");
    served.set_reorg(u64::MAX);
    assert_same_trace(&report(&running.finish().expect(0)), &expected);
}

#[test]
fn nodes_without_the_methods_of_the_debug_namespace_will_do() {
    let expected = BLOBS.proven();
    let missing = [
        "debug_executePayload",
        "debug_getRawHeader",
        "debug_getRawReceipts",
        "blobs",
    ];
    let sandbox = Sandbox::new();
    let faults = Faults {
        missing: missing.map(str::to_owned).into(),
        ..Faults::default()
    };
    let (flags, _served) = BLOBS.online(&sandbox, faults);
    let ran = prove(&sandbox, &flags, &[]).expect(0);
    assert_same_trace(&report(&ran), &expected);
    for method in missing {
        let told = ran
            .stderr
            .matches(&format!("has no method {method};"))
            .count();
        assert!(told <= 2, "{}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("has no method debug_getRawHeader;"),
        "{}",
        ran.stderr
    );
}
