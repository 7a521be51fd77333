//! SIGINT, SIGTERM and SIGKILL at awkward moments.

use crate::support::*;
use std::fs;
use std::process::Command;

/// Writes a guest that spins for ever.
fn spinner(sandbox: &Sandbox) {
    // j 0x1000; nop
    sandbox.program(&[0x0800_0400, 0], |_| ());
}

/// The arguments of a run that says when it is under way: by a snapshot.
const SPIN: [&str; 11] = [
    "run",
    "--input",
    "program.bin",
    "--meta",
    "",
    "--snapshot-at",
    "=1",
    "--snapshot-fmt",
    "started-%d.bin",
    "--info-at",
    "never",
];

fn alive(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_run_is_interrupted() {
    for signal in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        spinner(&sandbox);
        let running = sandbox.spawn(&SPIN);
        wait_until("the run starts", || sandbox.path("started-1.bin").exists());
        running.signal(signal);
        let ran = running.finish().expect(130);
        assert!(
            ran.stderr.ends_with("command interrupted\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(
            sandbox.files(),
            ["meta.json", "program.bin", "started-1.bin"]
        );
    }
}

#[test]
fn a_question_to_the_host_is_interrupted_and_the_host_ends() {
    let sandbox = Sandbox::new();
    let pre = prestate("oracle");
    let script = "echo $$ > pid.new; mv pid.new pid; head -c 32 <&5 > key; exec sleep 1000";
    let running = sandbox.spawn(&[
        "run", "--input", &pre, "--meta", "", "--", "sh", "-c", script,
    ]);
    wait_until("the host is asked", || {
        fs::read(sandbox.path("key")).is_ok_and(|key| key.len() == 32)
    });
    running.signal("TERM");
    running.finish().expect(130);
    let pid = fs::read_to_string(sandbox.path("pid")).unwrap();
    assert!(!alive(pid.trim()));
    assert_eq!(sandbox.files(), ["key", "pid"]);
}

#[test]
fn a_host_dies_with_us() {
    let sandbox = Sandbox::new();
    let pre = prestate("oracle");
    let script = "echo $$ > pid.new; mv pid.new pid; exec sleep 1000";
    let mut running = sandbox.spawn(&[
        "run", "--input", &pre, "--meta", "", "--", "sh", "-c", script,
    ]);
    wait_until("the host starts", || sandbox.path("pid").exists());
    running.signal("KILL");
    running.wait();
    let pid = fs::read_to_string(sandbox.path("pid")).unwrap();
    wait_until("the host dies", || !alive(pid.trim()));
}

#[test]
fn a_signal_after_the_last_file_only_hurries_the_host() {
    let sandbox = Sandbox::new();
    let pre = prestate("hello");
    let running = sandbox.spawn(&["run", "--input", &pre, "--meta", "", "--", "sleep", "1000"]);
    wait_until("the state is written", || {
        sandbox.path("out.bin.gz").exists()
    });
    running.signal("INT");
    let ran = running.finish().expect(0);
    assert!(
        ran.line("\"failed to close pre-image server\"")
            .contains("SIGKILL"),
        "{}",
        ran.stderr
    );
}

#[test]
fn loading_is_interrupted() {
    let sandbox = Sandbox::new();
    // A pipe that stays open gives us the time.
    assert!(
        Command::new("mkfifo")
            .arg(sandbox.path("slow.bin"))
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let path = sandbox.path("slow.bin");
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
            // Version 8, very many pages.
            let head = [&[8][..], &[0x00, 0x0f, 0xff, 0xff, 0, 0, 0, 0]].concat();
            std::io::Write::write_all(&mut pipe, &head).unwrap();
            let page = [0; 4104];
            for n in 0_u64.. {
                let mut page = page;
                page[..8].copy_from_slice(&n.to_be_bytes());
                if std::io::Write::write_all(&mut pipe, &page).is_err() {
                    return n;
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            0
        }
    });
    let running = sandbox.spawn(&["witness", "--input", "slow.bin", "--output", "w"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal("INT");
    running.finish().expect(130);
    assert!(writer.join().unwrap() > 0);
    assert_eq!(sandbox.files(), ["slow.bin"]);
}

#[test]
fn endless_printing_is_interrupted() {
    let sandbox = Sandbox::new();
    let script = "$BIN disassemble --input $PRE --count 18446744073709551615 > text & \
                  while ! [ -s text ]; do sleep 0.01; done; kill -INT $!; wait $!";
    sandbox.shell(script).expect(130);
}

#[test]
fn a_host_of_ours_can_be_ended() {
    let sandbox = Sandbox::new();
    let script = "mkfifo a b; sleep 1000 3<>a & other=$!; $BIN host --images $IMAGES 3<>a 4<>a 5<>b 6<>b & \
                  sleep 0.3; kill -TERM $!; wait $!; echo $?; kill $other";
    let script = script.replace("$IMAGES", &images());
    assert_eq!(sandbox.shell(&script).stdout, "143\n");
}
