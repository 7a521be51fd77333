//! Flags, defaults and matchers.

use crate::support::*;
use serde_json::json;

#[test]
fn defaults_are_the_references() {
    let sandbox = Sandbox::new();
    let elf = guest("hello").join("guest.elf");
    sandbox
        .call(&[
            "load-elf",
            "--type",
            "multithreaded64-5",
            "--path",
            elf.to_str().unwrap(),
        ])
        .expect(0);
    assert_eq!(sandbox.files(), ["meta.json", "state.bin.gz"]);
    let ran = sandbox
        .call(&[
            "run",
            "--input=state.bin.gz",
            "--proof-at==5",
            "--snapshot-at==3",
            "--stop-at==6",
        ])
        .expect(0);
    assert_eq!(
        sandbox.files(),
        [
            "meta.json",
            "out.bin.gz",
            "proof-5.json",
            "state-3.bin.gz",
            "state.bin.gz"
        ]
    );
    // %1000000000 matches step 0.
    assert_eq!(ran.stderr.matches("msg=processing").count(), 1);
    assert!(ran.stderr.contains("name=_rt0_mips64_linux"));
    assert!(ran.stdout.is_empty());
}

#[test]
fn empty_paths_mean_nothing() {
    let sandbox = Sandbox::new();
    let elf = guest("hello").join("guest.elf");
    let load = [
        "load-elf",
        "--type=multithreaded64-4",
        "--path",
        elf.to_str().unwrap(),
        "--out",
        "",
        "--meta=",
    ];
    sandbox.call(&load).expect(0);
    sandbox
        .run(
            &prestate("hello"),
            &[
                "--output=",
                "--debug-info",
                "",
                "--snapshot-fmt",
                "",
                "--stop-at",
                "=9",
            ],
        )
        .expect(0);
    assert!(sandbox.files().is_empty());
    sandbox.call(&["run", "--input", ""]).fails(1, &["--input"]);
    sandbox
        .call(&["run", "--input", &prestate("hello")])
        .fails(1, &["failed to load metadata", "meta.json"]);
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&prestate("hello"), &["--stop-at", "=5", "--stop-at", "=7"])
        .expect(0);
    assert_eq!(sandbox.witness("out.bin.gz")["step"], 7);
}

#[test]
fn matchers_match_before_the_step() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    let files = |flags: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox
            .run(
                &hello,
                &[&["--output", "", "--info-at", "never"], flags].concat(),
            )
            .expect(0);
        sandbox.files()
    };
    assert_eq!(
        files(&["--snapshot-at", "%0b10", "--stop-at", "=0o6"]),
        ["state-0.bin.gz", "state-2.bin.gz", "state-4.bin.gz"]
    );
    assert_eq!(
        files(&["--proof-at", "always", "--stop-at", "=2"]),
        ["proof-0.json", "proof-1.json"]
    );
    assert_eq!(
        files(&["--proof-at", "=1_0", "--stop-at", "=0xb"]),
        ["proof-10.json"]
    );
    assert_eq!(
        files(&["--proof-at", "=3,=1,%4", "--stop-at", "=7"]),
        [
            "proof-0.json",
            "proof-1.json",
            "proof-3.json",
            "proof-4.json"
        ]
    );
    assert!(
        files(&[
            "--proof-at",
            "",
            "--snapshot-at",
            "never",
            "--stop-at",
            "always"
        ])
        .is_empty()
    );
    for bad in [
        "sometimes",
        "=",
        "%",
        "%0",
        "=-1",
        "=18446744073709551616",
        "5",
        "=1__0",
    ] {
        sandbox
            .run(&hello, &["--stop-at", bad])
            .fails(1, &["--stop-at", bad]);
    }
    assert!(sandbox.files().is_empty());
}

#[test]
fn output_goes_where_names_say() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    let ran = sandbox
        .run(
            &hello,
            &[
                "--output",
                "",
                "--proof-at",
                "=3",
                "--stop-at",
                "=4",
                "--proof-fmt",
                "-",
            ],
        )
        .expect(0);
    let proof: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(proof["step"], 3);
    // Without a number, one proof is one file; several would overwrite each other.
    sandbox
        .run(
            &hello,
            &[
                "--output",
                "",
                "--proof-at",
                "=3",
                "--stop-at",
                "=4",
                "--proof-fmt",
                "p.json",
            ],
        )
        .expect(0);
    assert_eq!(sandbox.json("p.json"), proof);
    for (at, fmt, name) in [
        ("--proof-at", "--proof-fmt", "p.json"),
        ("--snapshot-at", "--snapshot-fmt", "s.bin"),
    ] {
        for steps in ["%5", "always"] {
            sandbox
                .run(&hello, &[at, steps, fmt, name])
                .fails(1, &[fmt, name, "%d"]);
        }
    }
    // Only %d is special.
    sandbox
        .run(
            &hello,
            &[
                "--output",
                "",
                "--proof-at",
                "=3",
                "--stop-at",
                "=4",
                "--proof-fmt",
                "%d-%s-%d.json",
            ],
        )
        .expect(0);
    assert_eq!(sandbox.files(), ["3-%s-3.json", "p.json"]);
    sandbox
        .run(&hello, &["--output", "x.json"])
        .fails(1, &["--output", "x.json", ".bin"]);
    sandbox
        .run(&hello, &["--snapshot-fmt", "%d.json"])
        .fails(1, &["--snapshot-fmt", ".bin"]);
}

#[test]
fn unknown_flags_and_commands_are_refused() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    sandbox.run(&hello, &["--bogus"]).fails(1, &["--bogus"]);
    sandbox
        .run(&hello, &["--inptu", "x"])
        .fails(1, &["--inptu"]);
    sandbox
        .run(&hello, &["--debug=maybe"])
        .fails(1, &["--debug"]);
    sandbox
        .run(&hello, &["--stop-at-preimage-larger-than", "many"])
        .fails(1, &["larger-than"]);
    sandbox
        .run(&hello, &["--stop-at-preimage-type", "none"])
        .fails(1, &["preimage type", "none"]);
    sandbox
        .run(&hello, &["--stop-at-preimage", "02@x"])
        .fails(1, &["--stop-at-preimage", "offset"]);
    sandbox
        .run(&hello, &["--debug"])
        .fails(1, &["debug", "metadata"]);
    sandbox.call(&["run"]).fails(1, &["--input"]);
    sandbox
        .call(&["load-elf", "--path", "x"])
        .fails(1, &["--type"]);
    sandbox.call(&["explode"]).fails(1, &["explode"]);
    assert!(sandbox.files().is_empty());
}

#[test]
fn booleans_and_numbers_are_taken_as_go_takes_them() {
    let sandbox = Sandbox::new();
    let hello = prestate("hello");
    let flags = [
        "--debug=0",
        "--pprof.cpu=False",
        "--stop-at-preimage-larger-than",
        "0x_10",
        "--stop-at",
        "=2",
    ];
    sandbox.run(&hello, &flags).expect(0);
    assert_eq!(sandbox.files(), ["out.bin.gz"]);
}

#[test]
fn a_host_command_may_come_without_dashes() {
    let sandbox = Sandbox::new();
    let (pre, images) = (prestate("oracle"), images());
    let host = [BINARY, "host", "--images", &images];
    sandbox
        .run(&pre, &[&["--stop-at", "=500000"], &host[..]].concat())
        .expect(0);
    assert_eq!(sandbox.witness("out.bin.gz")["step"], 500_000);
    // After the host's name all is the host's.
    let ran = sandbox
        .run(
            &prestate("hello"),
            &["--stop-at", "=5", "echo", "--stop-at", "=9", "--help"],
        )
        .expect(0);
    assert_eq!(ran.stdout, "--stop-at =9 --help\n");
}

#[test]
fn help_and_version_and_list() {
    let sandbox = Sandbox::new();
    for args in [
        &["--help"][..],
        &["help"],
        &[],
        &["run", "--help"],
        &["--version"],
    ] {
        let ran = sandbox.call(args).expect(0);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty());
    }
    assert_eq!(
        sandbox.call(&["list"]).expect(0).stdout,
        "Available cannon versions:\n\
         filename: cannon-7\tversion: multithreaded64-4 (7)\n\
         filename: cannon-8\tversion: multithreaded64-5 (8)\n"
    );
}

#[test]
fn versions_differ_in_the_state() {
    let sandbox = Sandbox::new();
    let elf = guest("hello").join("guest.elf");
    for (name, number) in [("multithreaded64-4", 7), ("multithreaded64-5", 8)] {
        sandbox
            .call(&["load-elf", "--type", name, "--path", elf.to_str().unwrap()])
            .expect(0);
        assert_eq!(
            sandbox.witness("state.bin.gz")["stateVersion"],
            json!(number)
        );
    }
    for (name, words) in [
        ("singlethreaded-2", "version 2"),
        ("multithreaded64-3", "version 6"),
        ("latest", "unknown"),
    ] {
        sandbox
            .call(&["load-elf", "--type", name, "--path", "x"])
            .fails(1, &[name, words]);
    }
}
