//! Bad files in, and outputs that cannot be written.

use crate::support::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn hello_state() -> Vec<u8> {
    unpack(Path::new(&prestate("hello")))
}

#[test]
fn bad_states_are_refused_in_one_line() {
    let sandbox = Sandbox::new();
    let (state, packed) = (hello_state(), fs::read(prestate("hello")).unwrap());
    let mut versions = state.clone();
    let mut flag = state.clone();
    let exited = state.len() - 4 - 298 - 8 - 8 - 8 - 1 - 8 - 8 - 1;
    flag[exited] = 7;
    let cases: [(&str, Vec<u8>, &[&str]); 11] = [
        ("empty.bin", Vec::new(), &["truncated"]),
        ("cut.bin", state[..state.len() / 2].to_vec(), &["truncated"]),
        (
            "cut2.bin",
            state[..state.len() - 1].to_vec(),
            &["truncated"],
        ),
        ("long.bin", [&state[..], &[0]].concat(), &["oversized"]),
        ("flag.bin", flag, &["corrupt", "exited is 7"]),
        ("cut.bin.gz", packed[..packed.len() / 2].to_vec(), &["gzip"]),
        ("text.bin.gz", b"hello".to_vec(), &["gzip"]),
        ("empty.bin.gz", Vec::new(), &[]),
        ("plain.bin.gz", state.clone(), &["gzip"]),
        ("state.json", state.clone(), &["version 0", "Go cannon"]),
        ("state", state.clone(), &["version 0"]),
    ];
    for (name, bytes, words) in cases {
        sandbox.write(name, bytes);
        let words = [&[name], words].concat();
        sandbox.run(name, &["--output", "o.bin"]).fails(1, &words);
        for tool in ["witness", "inspect", "disassemble"] {
            sandbox.call(&[tool, "--input", name]).fails(1, &words);
        }
        fs::remove_file(sandbox.path(name)).unwrap();
    }
    for (number, words) in [
        (0, "singlethreaded"),
        (2, "Go cannon"),
        (5, "multithreaded-2"),
        (6, "multithreaded64-3"),
        (9, "unknown state version 9"),
        (255, "255"),
    ] {
        versions[0] = number;
        sandbox.write("v.bin", &versions);
        sandbox
            .call(&["witness", "--input", "v.bin", "--output", "w"])
            .fails(1, &["v.bin", &format!("version {number}"), words]);
    }
    sandbox
        .call(&["witness", "--input", "none.bin"])
        .fails(1, &["none.bin", "No such file"]);
    sandbox.call(&["witness", "--input", "."]).fails(1, &["."]);
    fs::create_dir(sandbox.path("d.bin")).unwrap();
    sandbox
        .call(&["witness", "--input", "d.bin"])
        .fails(1, &["d.bin", "folder"]);
    assert_eq!(sandbox.files(), ["d.bin", "v.bin"]);
}

#[test]
fn bad_programs_are_refused_in_one_line() {
    let sandbox = Sandbox::new();
    let elf = fs::read(guest("hello").join("guest.elf")).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut elf = elf.clone();
        elf[at..at + bytes.len()].copy_from_slice(bytes);
        elf
    };
    let header = usize::try_from(u64::from_be_bytes(elf[32..40].try_into().unwrap())).unwrap();
    let load = (0..)
        .map(|n| header + 56 * n)
        .find(|at| elf[*at..at + 4] == [0, 0, 0, 1])
        .unwrap();
    let cases: [(Vec<u8>, &[&str]); 9] = [
        (Vec::new(), &["ELF"]),
        (b"#!/bin/sh\n".to_vec(), &["not an ELF"]),
        (with(5, &[1]), &["little-endian"]),
        (with(4, &[1]), &["32"]),
        (with(18, &[0, 62]), &["MIPS"]),
        (elf[..elf.len() / 2].to_vec(), &[]),
        // Segments: at the end of the address space, over the heap, and of a size to fill it.
        (
            with(load + 16, &0xffff_ffff_ffff_0000_u64.to_be_bytes()),
            &["segment"],
        ),
        (
            with(load + 16, &0x1000_0000_0000_u64.to_be_bytes()),
            &["heap"],
        ),
        (with(load + 40, &0x0800_0000_0000_u64.to_be_bytes()), &[]),
    ];
    for (n, (bytes, words)) in cases.into_iter().enumerate() {
        sandbox.write("bad.elf", bytes);
        let ran = sandbox.call(&[
            "load-elf",
            "--type",
            "multithreaded64-5",
            "--path",
            "bad.elf",
        ]);
        ran.fails(1, &[&["bad.elf"], words].concat());
        assert_eq!(sandbox.files(), ["bad.elf"], "case {n}");
    }
    let load = |path: &str, out: &str| {
        sandbox.call(&[
            "load-elf",
            "--type",
            "multithreaded64-5",
            "--path",
            path,
            "--out",
            out,
        ])
    };
    load("none.elf", "x.bin").fails(1, &["failed to open ELF file", "none.elf"]);
    load(".", "x.bin").fails(1, &["folder"]);
    load("/dev/zero", "x.bin").fails(1, &["/dev/zero", "GiB"]);
    let good = guest("hello").join("guest.elf");
    let good = good.to_str().unwrap();
    for out in ["-", "state.json", "none/x.bin"] {
        load(good, out).fails(1, &[out]);
    }
    assert_eq!(sandbox.files(), ["bad.elf"]);
}

#[test]
fn bad_metadata_is_refused() {
    let sandbox = Sandbox::new();
    for text in [
        "",
        "[]",
        "{",
        "{\"symbols\":[{}]}",
        "{\"symbols\":[{\"name\":1,\"start\":2,\"size\":3}]}",
    ] {
        sandbox.write("m.json", text);
        sandbox
            .call(&["run", "--input", &prestate("hello"), "--meta", "m.json"])
            .fails(1, &["m.json"]);
    }
    sandbox.write("m.json", "{\"symbols\":null}");
    sandbox
        .call(&[
            "run",
            "--input",
            &prestate("hello"),
            "--meta",
            "m.json",
            "--stop-at",
            "=3",
        ])
        .expect(0);
}

#[test]
fn outputs_without_a_place_are_refused_before_the_run() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    fs::create_dir(sandbox.path("d.bin")).unwrap();
    for flags in [
        &["--output", "none/x.bin"][..],
        &["--output", "d.bin"],
        &["--debug-info", "none/x.json"],
        &["--debug-info", "d.bin"],
        &["--proof-at", "=5", "--proof-fmt", "none/%d.json"],
        &["--snapshot-at", "%5", "--snapshot-fmt", "none/%d.bin"],
    ] {
        let ran = sandbox
            .run(&hello, flags)
            .fails(1, &["cannot write", "folder"]);
        assert!(!ran.stderr.contains("Loaded"), "{}", ran.stderr);
    }
    assert_eq!(sandbox.files(), ["d.bin"]);
}

#[test]
fn failed_writes_leave_nothing() {
    let sandbox = Sandbox::new();
    symlink("/dev/full", sandbox.path("full.bin")).unwrap();
    let hello = prestate("hello");
    sandbox
        .run(&hello, &["--stop-at", "=9", "--output", "full.bin"])
        .fails(1, &["full.bin", "No space left"]);
    assert!(
        fs::symlink_metadata(sandbox.path("full.bin"))
            .unwrap()
            .is_symlink()
    );
    // A limit of the file's size, whose signal must not kill us.
    for flags in [
        "--output big.bin",
        "--output '' --snapshot-at =5 --snapshot-fmt %d.bin",
    ] {
        let ran = sandbox.shell(&format!(
            "ulimit -f 100; $BIN run --input $PRE --meta '' --stop-at =9 {flags}"
        ));
        ran.fails(1, &["cannot write", "File too large"]);
    }
    assert_eq!(sandbox.files(), ["full.bin"]);
    // A file system that is full for true, where we may mount one.
    let ran = sandbox.shell("mkdir m; mount -t tmpfs -o size=64k none m 2>/dev/null || exit 77; \
        $BIN run --input $PRE --meta '' --stop-at =9 --output m/x.bin; code=$?; ls -A m; umount m; exit $code");
    if ran.code != Some(77) {
        assert_eq!(ran.stdout, "", "something was left");
        ran.fails(1, &["m/x.bin", "No space left"]);
    }
}

#[test]
fn read_only_folders_are_an_error() {
    let sandbox = Sandbox::new();
    // Permissions do not bind root, so the folder is one where nobody may write.
    sandbox
        .run(
            &prestate("hello"),
            &["--stop-at", "=9", "--output", "/proc/x.bin"],
        )
        .fails(1, &["cannot write /proc/x.bin"]);
    assert!(sandbox.files().is_empty());
}

#[test]
fn devices_are_written_to_and_links_replaced() {
    let sandbox = Sandbox::new();
    symlink("/dev/null", sandbox.path("null.bin")).unwrap();
    sandbox.write("target", "old");
    symlink("target", sandbox.path("link.bin")).unwrap();
    let hello = prestate("hello");
    sandbox
        .run(&hello, &["--stop-at", "=9", "--output", "null.bin"])
        .expect(0);
    sandbox
        .run(&hello, &["--stop-at", "=9", "--output", "link.bin"])
        .expect(0);
    assert_eq!(fs::read(sandbox.path("target")).unwrap(), b"old");
    assert_eq!(sandbox.witness("link.bin")["step"], 9);
    assert!(
        fs::symlink_metadata(sandbox.path("null.bin"))
            .unwrap()
            .is_symlink()
    );
    let ran = sandbox
        .shell("$BIN witness --input $PRE --output /dev/stdout | head -c 188 | wc -c")
        .expect(0);
    assert_eq!(ran.stdout.trim(), "188");
}

#[test]
fn writers_of_the_same_file_do_not_mix() {
    let sandbox = Sandbox::new();
    let steps = ["=100", "=200", "=300", "=400"];
    let pre = prestate("hello");
    let runs =
        steps.map(|stop| sandbox.spawn(&["run", "--input", &pre, "--meta", "", "--stop-at", stop]));
    for run in runs {
        run.finish().expect(0);
    }
    let step = sandbox.witness("out.bin.gz")["step"].as_u64().unwrap();
    assert!([100, 200, 300, 400].contains(&step));
    assert_eq!(sandbox.files(), ["out.bin.gz"]);
}
