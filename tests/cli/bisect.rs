//! `bisect`: two sides, one of which lies.

use crate::support::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Bisects against the hello guest, which is on the left unless there are two words.
fn bisect(sandbox: &Sandbox, right: &str, flags: &[&str]) -> Ran {
    let pre = prestate("hello");
    let words = ["bisect", "--left", &pre, "--left-store", "store", "--right"];
    sandbox.call(&[&words[..], &[right], flags].concat())
}

/// A script that answers as the trace is up to a step, and lies from it on.
fn liar(sandbox: &Sandbox, from: u64) -> String {
    let script = format!(
        "#!/bin/sh\n\
         hash=$({BINARY} trace hash --at $STEP --input {} --store liar)\n\
         if [ $STEP -ge {from} ]; then hash=$(echo \"$hash\" | sed 's/0x..../0x0123/'); fi\n\
         echo \"$hash\"\n",
        prestate("hello")
    );
    sandbox.write("liar.sh", script);
    let path = sandbox.path("liar.sh");
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    "sh:./liar.sh".into()
}

#[test]
fn two_equal_traces_are_equal() {
    let sandbox = Sandbox::new();
    let engines = ["--right-engine", "interpreter"];
    let ran = bisect(&sandbox, &prestate("hello"), &engines).expect(0);
    let want = "the traces are equal from step 0 to 431327\n";
    assert_eq!(ran.stdout, want);
    assert_eq!(sandbox.files(), ["store"]);
}

#[test]
fn the_first_lie_is_found_and_proven() {
    for from in [1, 123_457, 431_327] {
        let sandbox = Sandbox::new();
        let ran = bisect(&sandbox, &liar(&sandbox, from), &[]).expect(1);
        let step = from - 1;
        let head = format!("step {step} leads the two traces apart\n");
        assert!(ran.stdout.starts_with(&head), "{}", ran.stdout);
        let proof = sandbox.json(&format!("proof-{step}.json"));
        let tell = |side: &str| {
            let line = ran.stdout.lines().find(|line| line.contains(side));
            line.unwrap().split_whitespace().next_back().unwrap()
        };
        assert_eq!(proof["pre"], tell("before it"));
        assert_eq!(proof["post"], tell("left"));
        assert!(tell("right").starts_with("0x0123"));
        let name = format!("proof-{step}.json");
        sandbox.call(&["verify", "--input", &name]).expect(0);
        assert!(ran.stderr.lines().count() <= 22, "{}", ran.stderr);
    }
}

#[test]
fn the_step_is_shown_with_symbols() {
    let sandbox = Sandbox::new();
    let meta = guest("hello").join("meta.json");
    let flags = ["--meta", meta.to_str().unwrap(), "--proof-fmt", ""];
    let ran = bisect(&sandbox, &liar(&sandbox, 1), &flags).expect(1);
    assert!(ran.stdout.contains("_rt0_mips64_linux"), "{}", ran.stdout);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("proof")));
}

#[test]
fn two_programs_differ_before_the_first_step() {
    let sandbox = Sandbox::new();
    let ran = bisect(&sandbox, &prestate("exit7"), &[]).expect(1);
    let head = "the traces differ before step 0 already:\n";
    assert!(ran.stdout.starts_with(head), "{}", ran.stdout);
}

#[test]
fn a_command_that_gives_no_hash_is_an_error() {
    let sandbox = Sandbox::new();
    for (command, words) in [
        ("exit 3", "failed for step 0: exit status: 3"),
        ("echo nonsense", "printed no state hash for step 0"),
        ("true", "printed no state hash"),
        ("echo 0x12", "printed no state hash"),
        ("kill -9 $$", "failed for step 0: signal: 9"),
    ] {
        let ran = bisect(&sandbox, &format!("sh:{command}"), &[]);
        ran.fails(1, &[command, words]);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let sandbox = Sandbox::new();
    let words = ["bisect", "--left", "sh:echo 1", "--right", "sh:echo 2"];
    sandbox.call(&words).fails(1, &["--to"]);
    let flags = ["--from", "9", "--to", "9"];
    bisect(&sandbox, "sh:true", &flags).fails(1, &["no step between"]);
    bisect(&sandbox, "missing.bin", &[]).fails(1, &["missing.bin"]);
}

#[test]
fn two_commands_are_compared() {
    let sandbox = Sandbox::new();
    let liar = "sh:printf '%064d\\n' $((STEP >= 5))";
    let words = ["bisect", "--left", "sh:printf '%064d' 0", "--right", liar];
    let ran = sandbox.call(&[&words[..], &["--to", "0x10"]].concat());
    let ran = ran.expect(1);
    let head = "step 4 leads the two traces apart\n";
    assert!(ran.stdout.starts_with(head), "{}", ran.stdout);
    assert!(sandbox.files().is_empty());
    let ran = sandbox
        .call(&[&words[..], &["--to", "3"]].concat())
        .expect(0);
    assert_eq!(ran.stdout, "the traces are equal from step 0 to 3\n");
}

#[test]
fn a_signal_ends_a_side_that_is_a_command_too() {
    for signal in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let pre = prestate("hello");
        // Something that the command has started, too.
        let side = "sh:sleep 1000 & echo $! > pid; wait";
        let running = sandbox.spawn(&["bisect", "--left", side, "--right", &pre]);
        let pid = || fs::read_to_string(sandbox.path("pid")).unwrap_or_default();
        wait_until("the command runs", || pid().ends_with('\n'));
        let began = std::time::Instant::now();
        running.signal(signal);
        let ran = running.finish().expect(130);
        assert!(
            ran.stderr.ends_with("command interrupted\n"),
            "{}",
            ran.stderr
        );
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
        let process = format!("/proc/{}/stat", pid().trim());
        wait_until("what it has started has ended", || {
            // A zombie has ended: who looks after orphans may be slow to.
            fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "))
        });
    }
}

#[test]
fn stores_are_found_under_the_names_of_their_inputs() {
    let sandbox = Sandbox::new();
    crate::stores::about(&sandbox, "oracle", &["trace", "end"]).expect(0);
    let pre = prestate("oracle");
    let words = ["bisect", "--left", &pre, "--right", &pre];
    let mut flags = Vec::new();
    for side in ["left", "right"] {
        flags.extend([format!("--{side}-store"), "store".into()]);
        flags.extend([format!("--{side}-inputs"), crate::stores::INPUTS.into()]);
    }
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    // Without a host, only the store knows.
    let ran = sandbox.call(&[&words[..], &flags].concat()).expect(0);
    assert!(
        ran.stdout.starts_with("the traces are equal"),
        "{}",
        ran.stdout
    );
    let words = [&words[..], &["--left-inputs", "x"]].concat();
    sandbox.call(&words).fails(1, &["--left-store"]);
}
