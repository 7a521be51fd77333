//! Surroundings and inputs that nobody wishes for. A Rust panic in any of them is a bug;
//! `Ran` looks for its message.

use crate::support::*;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

#[test]
fn readers_that_leave_early_are_no_error() {
    let sandbox = Sandbox::new();
    for command in [
        "disassemble --input $PRE --count 100000",
        "inspect --input $PRE",
        "help",
        "list",
    ] {
        let ran = sandbox
            .shell(&format!(
                "{{ sleep 0.1; $BIN {command}; echo $? >code; }} | true; cat code"
            ))
            .expect(0);
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            ("0\n", ""),
            "{command}"
        );
    }
    // A proof that nobody takes is an error, though.
    let ran = sandbox.shell("{ sleep 0.1; $BIN run --input $PRE --meta '' --output '' --proof-at =0 --proof-fmt -; echo $? >code; } | true; exit $(cat code)");
    ran.fails(1, &["stdout", "Broken pipe"]);
}

#[test]
fn full_and_closed_outputs_are_errors_or_nothing() {
    let sandbox = Sandbox::new();
    for command in [
        "list",
        "help",
        "inspect --input $PRE",
        "witness --input $PRE",
        "disassemble --input $PRE",
    ] {
        sandbox
            .shell(&format!("$BIN {command} >/dev/full"))
            .fails(1, &["cannot write to stdout", "No space left"]);
        sandbox.shell(&format!("$BIN {command} >&-")).expect(0);
    }
    // The log is not worth failing for.
    for stderr in ["2>/dev/full", "2>&-", "2> >(true)"] {
        let ran = sandbox
            .shell(&format!(
                "$BIN run --input $PRE --meta '' --output o.bin {stderr}; code=$?; wait; exit $code"
            ))
            .expect(0);
        assert_eq!(ran.stderr, "");
        assert_eq!(sandbox.witness("o.bin")["exited"], true);
    }
    sandbox.shell("$BIN run --input nothing.bin 2>&-").expect(1);
}

#[test]
fn surroundings_do_not_matter() {
    let sandbox = Sandbox::new();
    let run = "run --input $PRE --meta '' --stop-at =5";
    for script in [
        format!("env -i $BIN {run}"),
        format!("env -i HOME= PATH= TMPDIR=/nonexistent $BIN {run} -- /bin/true"),
        format!("exec -a '' $BIN {run}"),
        format!("exec -a /x/cannon $BIN {run}"),
        format!("exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null; $BIN {run} -- true"),
        format!("exec 0<&-; $BIN {run} -- true"),
        format!("ulimit -v 400000; $BIN {run}"),
        format!("trap '' INT TERM PIPE CHLD; $BIN {run} -- true"),
    ] {
        sandbox.shell(&script).expect(0);
        assert_eq!(sandbox.witness("out.bin.gz")["step"], 5, "{script}");
        fs::remove_file(sandbox.path("out.bin.gz")).unwrap();
    }
    let mut command = sandbox.command(["list"]);
    assert!(command.arg0("").output().unwrap().status.success());
}

#[test]
fn names_need_not_be_text() {
    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"\xff\xfe\n.bin");
    let (pre, flag) = (prestate("hello"), OsStr::new("--output"));
    let start = ["run", "--input", &pre, "--meta", "", "--stop-at", "=4"].map(OsStr::new);
    let status = sandbox
        .command(start.into_iter().chain([flag, name]))
        .output()
        .unwrap();
    assert!(status.status.success());
    assert!(fs::exists(Path::new(&sandbox.path("")).join(name)).unwrap());
    // What is text in the end must be text.
    for flag in [
        "--proof-fmt",
        "--stop-at",
        "--stop-at-preimage",
        "--debug",
        "--nonsense",
    ] {
        let output = sandbox
            .command(start.into_iter().chain([OsStr::new(flag), name]))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(101), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    let missing = OsStr::from_bytes(b"\xff\n\x1b[31m.bin");
    let output = sandbox
        .command([OsStr::new("witness"), OsStr::new("--input"), missing])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), stderr.lines().count()),
        (Some(1), 1),
        "{stderr}"
    );
    assert!(!stderr.contains('\u{1b}'));
}

/// A sequence of numbers that is the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len());
            match self.roll(4) {
                0 => bytes[at] ^= 1 << self.roll(8),
                1 => bytes[at] = [0, 0xff, 0x7f, 0x80][self.roll(4)],
                2 => bytes.truncate(at.max(1)),
                _ => drop(bytes.splice(at..(at + 8).min(bytes.len()), [0xff; 8])),
            }
        }
        bytes
    }
}

#[test]
fn spoiled_states_never_panic() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0x2408_0005, 0x0000_000c, 0x0800_0400, 0], |_| ());
    let good = fs::read(sandbox.path("program.bin")).unwrap();
    let mut dice = Dice(1);
    for _ in 0..60 {
        sandbox.write("bad.bin", dice.spoil(&good));
        let ran = sandbox.call(&[
            "run",
            "--input",
            "bad.bin",
            "--output",
            "",
            "--stop-at",
            "%1000",
            "--proof-at",
            "=1",
            "--debug",
        ]);
        assert!(
            matches!(ran.code, Some(0..=2)),
            "{:?} {}",
            ran.code,
            ran.stderr
        );
        for tool in ["witness", "inspect", "disassemble"] {
            let ran = sandbox.call(&[tool, "--input", "bad.bin"]);
            assert!(
                matches!(ran.code, Some(0 | 1)),
                "{:?} {}",
                ran.code,
                ran.stderr
            );
        }
    }
}

#[test]
fn spoiled_programs_symbols_and_proofs_never_panic() {
    let sandbox = Sandbox::new();
    let elf =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("program/elf/hello.elf")).unwrap();
    sandbox
        .run(&prestate("hello"), &["--proof-at", "=0", "--stop-at", "=1"])
        .expect(0);
    sandbox.program(&[0x0000_000d], |_| ());
    let (proof, meta) = (
        fs::read(sandbox.path("proof-0.json")).unwrap(),
        fs::read(sandbox.path("meta.json")).unwrap(),
    );
    let mut dice = Dice(2);
    for n in 0..60 {
        let mut bytes = elf.clone();
        // Headers are where it hurts.
        let head = dice.spoil(&elf[..400]);
        bytes[..head.len()].copy_from_slice(&head);
        sandbox.write("bad.elf", if n % 2 == 0 { bytes } else { dice.spoil(&elf) });
        sandbox.write("bad.json", dice.spoil(&proof));
        sandbox.write("symbols.json", dice.spoil(&meta));
        let load = [
            "load-elf",
            "--type",
            "multithreaded64-5",
            "--path",
            "bad.elf",
            "--out",
            "bad.bin",
            "--meta",
            "m.json",
        ];
        for args in [
            &load[..],
            &["verify", "--input", "bad.json"],
            &[
                "inspect",
                "--input",
                "program.bin",
                "--meta",
                "symbols.json",
            ],
        ] {
            let ran = sandbox.call(args);
            assert!(
                matches!(ran.code, Some(0 | 1)),
                "{:?} {}",
                ran.code,
                ran.stderr
            );
        }
        let ran = sandbox.call(&["run", "--input", "program.bin", "--meta", "symbols.json"]);
        assert!(
            matches!(ran.code, Some(1 | 2)),
            "{:?} {}",
            ran.code,
            ran.stderr
        );
    }
}
