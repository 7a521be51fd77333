//! Log lines, and what the debugging flags write.

use crate::support::*;
use carronade_emulator::state::State;
use serde_json::Value;
use std::fs;

#[test]
fn raw_lines_have_the_references_fields_in_order() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .run(
            &prestate("hello"),
            &["--info-at", "=1000", "--stop-at", "=2000"],
        )
        .expect(0);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "level=INFO msg=\"no metadata file specified, defaulting to empty metadata\" module=vm"
    );
    assert_eq!(
        lines[1],
        "level=INFO msg=\"Loaded input state\" module=vm version=multithreaded64-5"
    );
    let keys: Vec<_> = lines[2]
        .replace("1.8 MiB", "x")
        .split(' ')
        .map(|field| field.split('=').next().unwrap().to_owned())
        .collect();
    assert!(
        lines[2].starts_with("level=INFO msg=processing module=vm step=1000 pc=000"),
        "{}",
        lines[2]
    );
    assert_eq!(
        keys[..8],
        [
            "level", "msg", "module", "step", "pc", "insn", "ips", "pages"
        ]
    );
    assert!(lines[2].contains(" mem=\"1.") && lines[2].ends_with(" MiB\" name=!unknown"));
    assert_eq!(lines[3], "level=INFO msg=\"Reached stop at\" module=vm");
    assert_eq!(
        lines[4],
        "level=INFO msg=\"Execution stopped\" module=vm exited=false code=0"
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn json_lines_have_them_too() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .run(&prestate("hello"), &["--json", "--info-at", "=1000"])
        .expect(0);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    for line in &lines {
        assert!(line.starts_with("{\"level\":\"INFO\",\"msg\":"), "{line}");
        let _: Value = serde_json::from_str(line).unwrap();
    }
    let processing = lines
        .iter()
        .find(|line| line.contains("processing"))
        .unwrap();
    let places: Vec<_> = [
        "module", "step", "pc", "insn", "ips", "pages", "mem", "name",
    ]
    .map(|key| processing.find(&format!("\"{key}\":")).unwrap())
    .into();
    assert!(places.is_sorted());
    assert!(lines.contains(
        &r#"{"level":"INFO","msg":"","module":"guest","stream":"stdout","text":"hello world\n"}"#
    ));
}

/// A guest that writes bytes to a descriptor and exits.
fn writer(sandbox: &Sandbox, descriptor: u64, bytes: &[u8]) {
    // syscall; then li $v0, 5205; li $a0, 3; syscall, and the bytes as data behind.
    let mut words = vec![0x0000_000c, 0x2402_1455, 0x2404_0003, 0x0000_000c];
    words.extend(bytes.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_be_bytes(word)
    }));
    sandbox.program(&words, |state: &mut State| {
        let registers = &mut state.left.threads[0].registers;
        (registers[2], registers[4], registers[5], registers[6]) =
            (5001, descriptor, START + 16, bytes.len() as u64);
    });
}

#[test]
fn guest_output_is_text_or_hex() {
    let sandbox = Sandbox::new();
    for (descriptor, bytes, want) in [
        (
            1,
            &b"say \"hi\" = \\ \t\n"[..],
            r#"msg="" module=guest stream=stdout text="say \"hi\" = \\ \t\n""#,
        ),
        (
            2,
            b"plain",
            r#"msg="" module=guest stream=stderr text=plain"#,
        ),
        (
            2,
            b"\x1b[31m",
            r#"msg="" module=guest stream=stderr data=0x1b5b33316d"#,
        ),
        (
            1,
            "é".as_bytes(),
            r#"msg="" module=guest stream=stdout data=0xc3a9"#,
        ),
    ] {
        writer(&sandbox, descriptor, bytes);
        let ran = sandbox.run("program.bin", &[]).expect(0);
        assert!(
            ran.stderr
                .lines()
                .any(|line| line == format!("level=INFO {want}")),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr
                .ends_with("msg=\"Execution stopped\" module=vm exited=true code=3\n")
        );
    }
}

#[test]
fn debug_prints_a_traceback() {
    let sandbox = Sandbox::new();
    // jal helper; helper writes nothing and spins at the stop.
    let mut words = [0; 12];
    words[0] = 0x0c00_0408;
    sandbox.program(&words, |_| ());
    let ran = sandbox
        .call(&[
            "run",
            "--input",
            "program.bin",
            "--debug",
            "--stop-at",
            "=3",
        ])
        .expect(0);
    assert_eq!(
        ran.stdout,
        "traceback at pc=1024. step=3\n\t0 1020 in helper caller=00001000\n"
    );
}

#[test]
fn the_profile_counts_the_guests_steps() {
    let sandbox = Sandbox::new();
    let meta = guest("hello").join("meta.json");
    sandbox
        .call(&[
            "run",
            "--input",
            &prestate("hello"),
            "--meta",
            meta.to_str().unwrap(),
            "--pprof.cpu",
        ])
        .expect(0);
    assert_eq!(sandbox.files(), ["cpu.pprof", "out.bin.gz"]);
    let bytes = unpack(&sandbox.path("cpu.pprof"));
    let (mut samples, mut strings, mut rest) = (0, Vec::new(), &bytes[..]);
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        match tag & 7 {
            0 => drop(varint(&mut rest)),
            2 => {
                let length = varint(&mut rest) as usize;
                let (field, after) = rest.split_at(length);
                rest = after;
                match tag >> 3 {
                    2 => samples += 1,
                    6 => strings.push(String::from_utf8(field.to_vec()).unwrap()),
                    _ => {}
                }
            }
            other => panic!("wire type {other}"),
        }
    }
    assert!(samples > 10, "{samples}");
    assert_eq!(strings[..3], ["", "steps", "count"]);
    assert!(strings.iter().any(|name| name.starts_with("runtime.")));
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

#[test]
fn nothing_but_log_lines_when_piped_and_a_bar_on_a_terminal() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&prestate("hello"), &[]).expect(0);
    assert!(!ran.stderr.contains(['\r', '\u{1b}']));
    // script(1) gives the command a terminal; not every machine has it.
    if fs::exists("/usr/bin/script").unwrap() {
        let ran = sandbox
            .shell("script -qec \"$BIN run --input $PRE --meta '' --stop-at =400000\" /dev/null")
            .expect(0);
        assert!(
            ran.stdout
                .contains(" lvl=info msg=\"Loaded input state\" module=vm"),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.starts_with("t=20"), "{}", ran.stdout);
    }
}
