//! The host as a process: what it inherits, and how it ends.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carronade_host::{Ended, Grace, HostExit, ProcessOracle};
use common::{again, gone, proc_file, sh, spawn, stat, within};

/// Not a test but the start of the programs that the tests run; see `common`.
#[test]
fn role_entry() {
    if common::role().as_deref() == Some("parent") {
        // Started by a thread that ends at once, which must not end the host.
        let oracle = std::thread::spawn(|| spawn(&["sleep".into(), "60".into()]))
            .join()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(
            !gone(oracle.pid()),
            "the host died with the thread that started it"
        );
        println!("host {}", oracle.pid());
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// A host's exit code.
fn code(exit: HostExit) -> Option<i32> {
    exit.status.and_then(|status| status.code())
}

/// Waits up to 5 s for the process to be gone.
fn vanishes(pid: u32) -> bool {
    let start = Instant::now();
    while !gone(pid) {
        if start.elapsed() > Duration::from_secs(5) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn the_host_dies_when_we_are_killed() {
    within(30, || {
        let argv = again("parent", "");
        let mut parent = Command::new(&argv[0])
            .args(&argv[1..])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        // The test runner may print on the same line before us.
        let host: u32 = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("host ")
                    .and_then(|(_, pid)| pid.parse().ok())
            })
            .expect("the parent tells its host's process id");
        assert!(!gone(host));
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(vanishes(host), "the host outlives its VM");
    });
}

#[test]
fn the_host_stays_in_our_process_group_and_gets_four_pipes() {
    let oracle = spawn(&["sleep".into(), "30".into()]);
    let own = std::process::id();
    let group = |pid| stat(pid).expect("it runs")[2].clone();
    assert_eq!(group(oracle.pid()), group(own));

    let fds: BTreeSet<u32> = std::fs::read_dir(proc_file(oracle.pid(), "fd"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    let target = |fd| std::fs::read_link(proc_file(oracle.pid(), &format!("fd/{fd}"))).unwrap();
    assert_eq!(target(0).to_str(), Some("/dev/null"));
    for fd in 3..=6 {
        assert!(target(fd).to_str().unwrap().starts_with("pipe:"), "{fd}");
    }
    // Other tests of this process may leave descriptors of their own to the host, but the
    // ends of its pipes, ours or its own, must not be there a second time.
    let pipes: Vec<_> = (3..=6).map(target).collect();
    for fd in fds.into_iter().filter(|fd| *fd > 6) {
        let leaked = pipes.contains(&target(fd));
        assert!(!leaked, "descriptor {fd} has leaked into the host");
    }
}

#[test]
fn the_host_has_no_input_and_no_colours() {
    within(20, || {
        let script = "[ \"${NO_COLOR+set}\" = set ] || exit 1; read line && exit 2; exit 9";
        assert_eq!(code(spawn(&sh(script)).shutdown()), Some(9));
    });
}

#[test]
fn a_host_that_ends_with_its_pipes_is_not_waited_for() {
    within(20, || {
        let start = Instant::now();
        let exit = spawn(&sh("cat <&5 >/dev/null; exit 7")).shutdown();
        assert_eq!((code(exit), exit.ended), (Some(7), Ended::ByItself));
        assert!(
            start.elapsed() < Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
    });
}

/// Starts a host that ignores the end of its pipes, with grace periods in milliseconds.
fn stubborn(script: &str, grace: [u64; 3], flag: &Arc<AtomicBool>) -> ProcessOracle {
    // The file tells that the script has come to the point of ignoring things.
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let script = script.replace("READY", &format!("touch '{}'", ready.display()));
    let mut oracle = ProcessOracle::spawn(&sh(&script), Arc::clone(flag)).unwrap();
    while !ready.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let [after_close, after_interrupt, when_interrupted] = grace.map(Duration::from_millis);
    oracle.set_grace(Grace {
        after_close,
        after_interrupt,
        when_interrupted,
    });
    oracle
}

/// A host that only SIGKILL ends.
const DEAF: &str = "trap '' INT TERM; READY; while :; do sleep 0.2; done";

/// Whether SIGINT is ignored in this process, as it is in background jobs of a shell.
fn ignores_sigint() -> bool {
    let status = std::fs::read_to_string(proc_file(std::process::id(), "status")).unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap()
        .trim();
    u64::from_str_radix(mask, 16).unwrap() & 2 != 0
}

#[test]
fn a_host_that_ignores_the_end_of_its_pipes_gets_sigint() {
    if ignores_sigint() {
        // The host would inherit that, and no shell can undo it.
        return;
    }
    within(20, || {
        let start = Instant::now();
        let exit = stubborn("READY; exec sleep 30", [200, 9000, 9000], &Arc::default()).shutdown();
        assert_eq!(exit.ended, Ended::Interrupted);
        assert!(exit.status.unwrap().to_string().contains("signal: 2"));
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn a_host_that_ignores_everything_is_killed() {
    within(20, || {
        let oracle = stubborn(DEAF, [200, 200, 9000], &Arc::default());
        let (pid, start) = (oracle.pid(), Instant::now());
        let exit = oracle.shutdown();
        assert_eq!(exit.ended, Ended::Killed);
        assert!(exit.status.unwrap().to_string().contains("signal: 9"));
        assert!(start.elapsed() >= Duration::from_millis(400));
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
        assert!(stat(pid).is_none(), "not reaped");
    });
}

#[test]
fn an_interrupt_shortens_the_shutdown() {
    within(20, || {
        let flag = Arc::new(AtomicBool::new(true));
        let oracle = stubborn(DEAF, [9000, 9000, 300], &flag);
        let start = Instant::now();
        assert_eq!(oracle.shutdown().ended, Ended::Killed);
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );

        // The same when the flag is set while the shutdown waits already.
        let flag = Arc::new(AtomicBool::new(false));
        let oracle = stubborn(DEAF, [9000, 9000, 300], &flag);
        let setter = Arc::clone(&flag);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            setter.store(true, Ordering::Relaxed);
        });
        let start = Instant::now();
        assert_eq!(oracle.shutdown().ended, Ended::Killed);
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn an_oracle_that_is_dropped_kills_and_reaps_its_host() {
    within(20, || {
        let oracle = stubborn(DEAF, [9000; 3], &Arc::default());
        let (pid, start) = (oracle.pid(), Instant::now());
        drop(oracle);
        assert!(stat(pid).is_none(), "not reaped");
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn descriptors_are_given_back() {
    within(60, || {
        // Other tests of this program open descriptors meanwhile; a leak shows in the trend.
        let count = || {
            std::fs::read_dir(proc_file(std::process::id(), "fd"))
                .unwrap()
                .count()
        };
        for _ in 0..100 {
            spawn(&sh("exit 0")).shutdown();
        }
        assert!(count() < 100, "{} descriptors are open", count());
    });
}
