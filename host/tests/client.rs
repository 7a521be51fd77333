//! The client against hosts that answer, die, hang and lie.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carronade_emulator::oracle::PreimageOracle as _;
use carronade_host::{HostError, ProcessOracle};
use common::{again, gone, host_error, key, large, server, sh, spawn, within};

/// Reads one key, without answering it.
const TAKE_KEY: &str = "head -c 32 <&5 >/dev/null";

/// Not a test but the start of the programs that the tests run; see `common`.
#[test]
fn role_entry() {
    match common::role().as_deref() {
        Some("serve") => common::serve_and_exit(),
        Some("round-trip") => {
            within(20, round_trip);
            // Said explicitly: a role that is not found must not look like a success.
            std::process::exit(42);
        }
        Some("bad-spawn") => {
            let argv = ["/nonexistent/host".into()];
            let error = ProcessOracle::spawn(&argv, Arc::default()).expect_err("no such file");
            assert!(matches!(error, HostError::Spawn { .. }), "{error}");
            std::process::exit(42);
        }
        Some("no-status") => {
            let mut oracle = spawn(&sh("exit 3"));
            let message = host_error(oracle.preimage(key(2, 7))).to_string();
            assert!(
                message.contains("exited (exit status unknown)"),
                "{message}"
            );
            assert_eq!(oracle.shutdown().status, None);
            std::process::exit(42);
        }
        _ => {}
    }
}

/// Exchanges hints and pre-images of all sizes with our own server.
fn round_trip() {
    let mut oracle = spawn(&server());
    oracle.hint(b"l1-block-header 0x01").unwrap();
    assert_eq!(oracle.preimage(key(2, 1)).unwrap(), b"hello");
    assert_eq!(oracle.preimage(key(2, 0)).unwrap(), b"");
    assert_eq!(oracle.preimage(key(2, 2)).unwrap(), large());
    oracle.hint(b"").unwrap();
    // More than a pipe holds, so that it is written piece by piece.
    oracle.hint(&large()).unwrap();
    assert_eq!(oracle.preimage(key(3, 2)).unwrap(), large());
    assert_eq!(oracle.preimage(key(3, 0)).unwrap(), b"l1-block-header 0x01");
    assert_eq!(oracle.preimage(key(3, 1)).unwrap(), b"");
    for _ in 0..200 {
        assert_eq!(oracle.preimage(key(2, 1)).unwrap(), b"hello");
    }
    assert_eq!(oracle.last_hint(), Some(&large()[..]));
    let exit = oracle.shutdown();
    assert_eq!(exit.status.and_then(|status| status.code()), Some(0));
}

#[test]
fn exchanges_hints_and_preimages() {
    within(20, round_trip);
}

/// Runs a role of this program with the given redirections.
fn run_role(role: &str, redirections: &str) {
    run_role_after(role, &format!("exec >/dev/null {redirections}"));
}

/// Runs a role of this program after some shell commands.
fn run_role_after(role: &str, before: &str) {
    let argv = again(role, before);
    let output = std::process::Command::new(&argv[0])
        .args(&argv[1..])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(42),
        "{role} after {before}: {stderr}"
    );
}

#[test]
fn descriptors_3_to_6_may_be_free_or_used() {
    // All free: our own pipes get these numbers.
    run_role("round-trip", "3<&- 4<&- 5<&- 6<&- 7<&- 8<&-");
    // All used by others and inherited by the host.
    run_role(
        "round-trip",
        "3</dev/null 4</dev/null 5</dev/null 6</dev/null",
    );
    // Holes, and more inherited descriptors above.
    run_role(
        "round-trip",
        "3<&- 4</dev/null 5<&- 6</dev/null 7</dev/null 8<&- 9</dev/null",
    );
    run_role("round-trip", "0<&- 3</dev/null 4<&- 5</dev/null 6<&-");
}

#[test]
fn a_missing_program_is_told_whatever_descriptors_are_free() {
    run_role("bad-spawn", "3<&- 4<&- 5<&- 6<&- 7<&- 8<&-");
    run_role(
        "bad-spawn",
        "3</dev/null 4</dev/null 5</dev/null 6</dev/null",
    );
    let error = ProcessOracle::spawn(&[], Arc::default()).expect_err("no command");
    assert!(matches!(error, HostError::NoCommand));
    let error = ProcessOracle::spawn(&["/nonexistent/host".into()], Arc::default());
    let message = error.expect_err("no such file").to_string();
    assert!(
        message.contains("/nonexistent/host") && message.contains("No such file"),
        "{message}"
    );
}

#[test]
fn an_unknown_key_ends_the_host_and_names_key_and_hint() {
    within(20, || {
        let mut oracle = spawn(&server());
        oracle.hint(b"l2-code 0xabcd").unwrap();
        let message = host_error(oracle.preimage(key(4, 0x99))).to_string();
        let hex = format!("0x04{}", "99".repeat(31));
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(
            message.contains(&format!("pre-image {hex} (sha256)")),
            "{message}"
        );
        assert!(message.contains("last hint: `l2-code 0xabcd`"), "{message}");
        // The answers could be out of step with the questions now.
        assert!(matches!(
            host_error(oracle.preimage(key(2, 1))),
            HostError::Broken
        ));
        assert!(matches!(host_error(oracle.hint(b"x")), HostError::Broken));
    });
}

#[test]
fn a_host_that_exits_at_once() {
    within(20, || {
        let mut oracle = spawn(&sh("exit 3"));
        let message = host_error(oracle.preimage(key(2, 7))).to_string();
        assert!(
            message.contains("exited (exit status: 3) while pre-image 0x0207"),
            "{message}"
        );
        assert!(message.contains("no hint was sent before"), "{message}");
        let mut oracle = spawn(&sh("exit 4"));
        let message = host_error(oracle.hint(b"l1-receipts 0x77")).to_string();
        let expected = "exited (exit status: 4) while hint `l1-receipts 0x77` was being delivered";
        assert!(message.contains(expected), "{message}");
    });
}

#[test]
fn a_host_that_dies_in_the_middle_of_an_answer() {
    within(20, || {
        let script = format!("{TAKE_KEY}; printf '\\0\\0\\0\\0\\0\\0\\0\\012abc' >&6; kill -9 $$");
        let mut oracle = spawn(&sh(&script));
        let error = host_error(oracle.preimage(key(2, 7)));
        assert!(matches!(error, HostError::Exited { .. }), "{error}");
        assert!(error.to_string().contains("signal: 9"), "{error}");
        // The same with the length cut short.
        let mut oracle = spawn(&sh(&format!("{TAKE_KEY}; printf '\\0\\0\\0' >&6; exit 5")));
        assert!(
            host_error(oracle.preimage(key(2, 7)))
                .to_string()
                .contains("status: 5")
        );
    });
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_keep_us() {
    within(20, || {
        let start = Instant::now();
        let script = format!("sleep 8 >/dev/null 2>&1 & {TAKE_KEY}; exit 6");
        let mut oracle = spawn(&sh(&script));
        assert!(
            host_error(oracle.preimage(key(2, 7)))
                .to_string()
                .contains("status: 6")
        );
        let mut oracle = spawn(&sh("sleep 8 >/dev/null 2>&1 & exit 6"));
        assert!(
            host_error(oracle.hint(b"hint"))
                .to_string()
                .contains("status: 6")
        );
        // This one never reads, and the hint does not fit the pipe.
        let mut oracle = spawn(&sh("sleep 8 >/dev/null 2>&1 & exit 6"));
        assert!(
            host_error(oracle.hint(&large()))
                .to_string()
                .contains("status: 6")
        );
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn what_a_dead_host_had_written_is_still_read() {
    within(20, || {
        // The grandchild keeps the key pipe open, or writing the key would fail.
        let answer = "printf '\\0\\0\\0\\0\\0\\0\\0\\003abc' >&6";
        let mut oracle = spawn(&sh(&format!("sleep 5 >/dev/null 2>&1 & {answer}; exit 6")));
        while !gone(oracle.pid()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        // The notice of the end must be there too, so that the reader knows of it.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(oracle.preimage(key(2, 7)).unwrap(), b"abc");
        let error = host_error(oracle.preimage(key(2, 8)));
        assert!(matches!(error, HostError::Exited { .. }), "{error}");
    });
}

#[test]
fn a_giant_length_is_refused() {
    within(20, || {
        let script = format!("{TAKE_KEY}; printf '\\0\\0\\0\\0\\100\\0\\0\\001' >&6; exec sleep 9");
        let mut oracle = spawn(&sh(&script));
        let error = host_error(oracle.preimage(key(2, 7)));
        assert!(
            matches!(
                error,
                HostError::TooLong {
                    length: 0x4000_0001,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains("announced 1073741825 bytes"),
            "{error}"
        );
        // The greatest length is accepted, and waits for data that never comes.
        let script = format!("{TAKE_KEY}; printf '\\0\\0\\0\\0\\100\\0\\0\\0abc' >&6; exit 7");
        let mut oracle = spawn(&sh(&script));
        assert!(
            host_error(oracle.preimage(key(2, 7)))
                .to_string()
                .contains("status: 7")
        );
    });
}

#[test]
fn a_host_that_closes_a_pipe_and_lives_on() {
    within(20, || {
        let mut oracle = spawn(&sh(&format!("exec 6>&-; {TAKE_KEY}; exec sleep 9")));
        let error = host_error(oracle.preimage(key(2, 7)));
        assert!(matches!(error, HostError::Closed { .. }), "{error}");
    });
}

#[test]
fn a_process_that_ignores_sigchld_still_sees_its_host_end() {
    // The kernel then reaps the host itself and keeps no status.
    run_role_after(
        "no-status",
        "ENV_FLAGS=--ignore-signal=CHLD; exec >/dev/null",
    );
}

/// Sets the flag after a while.
fn interrupt_later(flag: &Arc<AtomicBool>, millis: u64) {
    let flag = Arc::clone(flag);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        flag.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_interrupt_ends_the_wait_for_a_silent_host() {
    within(20, || {
        for asked in ["pre-image", "hint", "long hint"] {
            let flag = Arc::new(AtomicBool::new(false));
            let argv = ["sleep".into(), "30".into()];
            let mut oracle = ProcessOracle::spawn(&argv, Arc::clone(&flag)).unwrap();
            interrupt_later(&flag, 300);
            let start = Instant::now();
            let error = match asked {
                "pre-image" => host_error(oracle.preimage(key(2, 7))),
                "hint" => host_error(oracle.hint(b"hint")),
                _ => host_error(oracle.hint(&large())),
            };
            assert!(error.is_interrupted(), "{error}");
            let elapsed = start.elapsed();
            assert!(
                elapsed >= Duration::from_millis(250),
                "{asked}: {elapsed:?}"
            );
            assert!(
                elapsed < Duration::from_millis(1300),
                "{asked}: {elapsed:?}"
            );
        }
    });
}

#[test]
fn a_host_killed_by_the_same_signal_counts_as_an_interrupt() {
    within(20, || {
        let flag = Arc::new(AtomicBool::new(false));
        let argv = sh(&format!("{TAKE_KEY}; kill -TERM $$; sleep 9"));
        let mut oracle = ProcessOracle::spawn(&argv, Arc::clone(&flag)).unwrap();
        // Our own handler is a little late; it must be waited for.
        let setter = Arc::clone(&flag);
        let pid = oracle.pid();
        std::thread::spawn(move || {
            while !gone(pid) {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(30));
            setter.store(true, Ordering::Relaxed);
        });
        let error = host_error(oracle.preimage(key(2, 7)));
        assert!(error.is_interrupted(), "{error}");
        // Without the flag it is the host's own death.
        let mut oracle = spawn(&argv);
        let error = host_error(oracle.preimage(key(2, 7)));
        assert!(error.to_string().contains("signal: 15"), "{error}");
    });
}

#[test]
fn the_hint_of_an_earlier_run_is_replayed_once_before_the_first_preimage() {
    within(20, || {
        let mut oracle = spawn(&server());
        oracle.set_replay_hint(b"l2-payload-witness 0x01".to_vec());
        assert_eq!(oracle.preimage(key(2, 1)).unwrap(), b"hello");
        assert_eq!(
            oracle.preimage(key(3, 0)).unwrap(),
            b"l2-payload-witness 0x01"
        );
        assert_eq!(oracle.last_hint(), Some(&b"l2-payload-witness 0x01"[..]));
        oracle.hint(b"second").unwrap();
        assert_eq!(oracle.preimage(key(3, 1)).unwrap(), b"second");
        // Nothing else was sent.
        assert!(oracle.preimage(key(3, 2)).is_err());
    });
}

#[test]
fn the_hint_of_an_earlier_run_is_dropped_if_the_guest_hints_first() {
    within(20, || {
        let mut oracle = spawn(&server());
        oracle.set_replay_hint(b"old".to_vec());
        oracle.hint(b"new").unwrap();
        assert_eq!(oracle.preimage(key(3, 0)).unwrap(), b"new");
        assert!(oracle.preimage(key(3, 1)).is_err());
        // A host that dies of the replayed hint is told apart.
        let mut oracle = spawn(&sh("exit 1"));
        oracle.set_replay_hint(b"old".to_vec());
        let message = host_error(oracle.preimage(key(2, 1))).to_string();
        assert!(
            message.contains("hint `old` of an earlier run"),
            "{message}"
        );
    });
}
