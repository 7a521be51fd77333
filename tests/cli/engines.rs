//! `--engine`, `--stats` and what goes with them.

use crate::golden::{compare, guest_output};
use crate::support::*;
use serde_json::Value;

/// Runs a golden guest to its end on an engine, and compares with the reference.
fn whole(name: &str, engine: &str) {
    let (golden, sandbox) = (golden(name), Sandbox::new());
    let host = if name == "oracle" {
        oracle_host()
    } else {
        Vec::new()
    };
    let mut flags = vec!["--engine", engine, "--info-at", "never"];
    flags.extend(host.iter().map(String::as_str));
    let ran = sandbox.run(&prestate(name), &flags).expect(0);
    assert!(ran.stdout.is_empty());
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert_eq!(guest_output(&ran, "stdout"), golden["stdout"], "{name}");
    assert_eq!(guest_output(&ran, "stderr"), golden["stderr"], "{name}");
    let state = sha256(&unpack(&sandbox.path("out.bin.gz")));
    assert_eq!(state, golden["final_state_bin_sha256"], "{name}");
}

#[test]
fn the_interpreter_alone() {
    whole("hello", "interpreter");
    whole("oracle", "interpreter");
}

#[test]
fn crosscheck_of_small_guests() {
    for name in ["hello", "exit7", "panic2", "oracle"] {
        whole(name, "crosscheck");
    }
}

#[test]
fn crosscheck_of_goroutines() {
    whole("goroutines", "crosscheck");
}

#[test]
fn crosscheck_of_sortmap() {
    whole("sortmap", "crosscheck");
}

#[test]
fn crosscheck_of_keccakloop() {
    whole("keccakloop", "crosscheck");
}

#[test]
fn proofs_and_snapshots_are_the_same_in_a_crosscheck() {
    let golden = golden("oracle");
    let proof = &golden["proofs"][1];
    let step = proof["step"].as_u64().unwrap();
    let flags = [
        format!("--proof-at=={step}"),
        format!("--snapshot-at=={}", step + 1),
        format!("--stop-at=={}", step + 1000),
    ];
    let files = ["interpreter", "crosscheck"].map(|engine| {
        let sandbox = Sandbox::new();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let flags = [
            &["--engine", engine, "--debug-info", "info.json"],
            &flags[..],
        ]
        .concat();
        sandbox.run_oracle(&flags).expect(0);
        compare(&sandbox.json(&format!("proof-{step}.json")), proof);
        let names = [format!("state-{}.bin.gz", step + 1), "out.bin.gz".into()];
        let states = names.map(|name| sha256(&unpack(&sandbox.path(&name))));
        (states, sandbox.json("info.json"))
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn a_crosscheck_stops_at_preimages_as_others_do() {
    let ends = ["interpreter", "translator", "crosscheck"].map(|engine| {
        let sandbox = Sandbox::new();
        let flags = ["--engine", engine, "--stop-at-preimage-type", "sha256"];
        let ran = sandbox.run_oracle(&flags).expect(0);
        assert!(ran.stderr.contains("Stopping at preimage read"));
        sandbox.witness("out.bin.gz")["witnessHash"].clone()
    });
    assert!(ends[0] == ends[1] && ends[1] == ends[2], "{ends:?}");
}

#[test]
fn a_fault_is_a_fault_on_both_sides() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0, 0, 0x0000_000d], |_| ());
    sandbox
        .run("program.bin", &["--engine", "crosscheck"])
        .fails(2, &["step 2 ", "pc 0x1008", "invalid instruction"]);
    let ran = sandbox.run(&prestate("oracle"), &["--engine", "crosscheck"]);
    ran.fails(2, &["no pre-image host"]);
}

#[test]
fn without_room_for_native_code_the_interpreter_runs() {
    let sandbox = Sandbox::new();
    let run = "ulimit -v 4000000; $BIN run --input $PRE --meta '' --info-at never --output ''";
    let ran = sandbox.shell(run).expect(0);
    assert_eq!(
        ran.stderr.matches("level=WARN").count(),
        1,
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("No native code"), "{}", ran.stderr);
    let quiet = sandbox.shell(&format!("{run} --engine interpreter"));
    assert!(!quiet.expect(0).stderr.contains("WARN"));
    sandbox
        .shell(&format!("{run} --engine crosscheck"))
        .fails(1, &["crosscheck needs native code"]);
}

/// Checks figures of a run to the end of a guest.
fn check_figures(figures: &Value, engine: &str, steps: &Value) {
    let run = &figures["run"];
    assert_eq!((&run["steps"], &run["engine"]), (steps, &engine.into()));
    let number = |key: &str| run[key].as_f64().unwrap();
    let sum = number("native_steps") + number("interpreted_steps");
    assert_eq!(sum, number("steps"));
    assert!(number("cpu_seconds") > 0.0 && number("steps_per_cpu_second") > 0.0);
    assert!((0.0..=1.0).contains(&number("interpreted_share")));
    if engine == "interpreter" {
        assert_eq!(number("native_steps"), 0.0);
        assert!(figures.get("translator").is_none());
        return;
    }
    assert!(number("native_steps") > 0.0);
    for key in ["regions", "instructions", "native_bytes", "compile_seconds"] {
        assert!(figures["translator"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    for key in ["dropped", "evictions", "refused", "compile_share"] {
        assert!(figures["translator"][key].is_number(), "{key}");
    }
    for key in ["returned", "budget", "window", "page", "fault"] {
        assert!(figures["exits"][key].is_u64(), "{key}");
    }
}

#[test]
fn figures_come_as_json() {
    let (sandbox, golden) = (Sandbox::new(), golden("keccakloop"));
    for engine in ["interpreter", "translator", "crosscheck"] {
        let flags = [
            "--no-cache",
            "--engine",
            engine,
            "--stats=json",
            "--stats-file",
            "s.json",
        ];
        let ran = sandbox.run(&prestate("keccakloop"), &flags).expect(0);
        assert!(ran.stdout.is_empty());
        let line = ran.stderr.lines().find(|line| line.starts_with('{'));
        let told: Value = serde_json::from_str(line.unwrap()).unwrap();
        check_figures(&told, engine, &golden["final_step"]);
        assert_eq!(sandbox.json("s.json"), told);
    }
}

#[test]
fn figures_come_as_log_lines_after_failures_too() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0, 0, 0x0000_000d], |_| ());
    let ran = sandbox
        .run("program.bin", &["--stats", "--stats-file", "s.json"])
        .fails(2, &["invalid instruction"]);
    for about in ["run", "translator", "exits", "cache"] {
        let line = format!("level=INFO msg=Statistics module=vm about={about} ");
        assert_eq!(ran.stderr.matches(&line).count(), 1, "{}", ran.stderr);
    }
    assert_eq!(sandbox.json("s.json")["run"]["steps"], 2);
    let flags = ["--stats-file", "missing/s.json"];
    let ran = sandbox.run("program.bin", &flags);
    ran.fails(1, &["folder missing does not exist"]);
    let ran = sandbox.run("program.bin", &["--stats-file", "-"]);
    ran.fails(1, &["--stats-file", "--stats=json"]);
}

/// The cache's figures after a run of keccakloop.
fn cache_use(sandbox: &Sandbox, flags: &[&str]) -> (u64, u64) {
    let pre = prestate("keccakloop");
    let flags = [&["--stats-file", "s.json", "--output="], flags].concat();
    sandbox.run(&pre, &flags).expect(0);
    let cache = &sandbox.json("s.json")["cache"];
    let number = |key: &str| cache[key].as_u64().unwrap();
    (number("hits"), number("misses"))
}

#[test]
fn native_code_is_kept_for_the_next_run() {
    let sandbox = Sandbox::new();
    let here = ["--cache-dir", "code"];
    let (hits, misses) = cache_use(&sandbox, &here);
    assert!(hits == 0 && misses > 0);
    let (hits, fewer) = cache_use(&sandbox, &here);
    assert!(hits > 0 && fewer < misses, "{hits} {fewer} {misses}");
    let (none, all) = cache_use(&sandbox, &["--no-cache"]);
    assert!(none == 0 && all >= misses);
    assert_eq!(sandbox.files(), ["code", "s.json"]);
    // What comes out of the cache is compared, too.
    let checked = cache_use(&sandbox, &["--cache-dir", "code", "--engine", "crosscheck"]);
    assert!(checked.0 > 0);
}

#[test]
fn code_is_translated_ahead_of_a_run() {
    let (sandbox, pre) = (Sandbox::new(), prestate("keccakloop"));
    let compile = ["compile", "--input", &pre, "--cache-dir", "code"];
    let ran = sandbox.call(&compile).expect(0);
    assert!(
        ran.stdout.contains("regions translated in"),
        "{}",
        ran.stdout
    );
    let again = sandbox.call(&compile).expect(0);
    assert!(again.stdout.starts_with("0 regions"), "{}", again.stdout);
    let (hits, _) = cache_use(&sandbox, &["--cache-dir", "code", "--engine", "crosscheck"]);
    assert!(hits > 0);
    sandbox.write("file", "");
    sandbox
        .call(&["compile", "--input", &pre, "--cache-dir", "file"])
        .fails(1, &["cannot keep native code in file"]);
}

#[test]
fn benches_tell_figures_of_each_guest() {
    let sandbox = Sandbox::new();
    let bench = |flags: &[&str]| sandbox.call(&[&["bench", "--steps", "200000"], flags].concat());
    let ran = bench(&["--json", "--repeat", "1"]).expect(0);
    assert!(ran.stderr.is_empty());
    let figures: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(figures["repeat"], 1);
    let guests = figures["guests"].as_array().unwrap();
    assert_eq!(guests.len(), 5);
    for guest in guests {
        for engine in ["interpreter", "cold", "warm"] {
            let figures = &guest[engine];
            assert_eq!(figures["steps"], 200_000, "{guest}");
            for key in ["cpu_seconds", "steps_per_cpu_second"] {
                assert!(figures[key].as_f64().unwrap() > 0.0, "{guest}");
            }
            for key in [
                "compile_share",
                "interpreted_share",
                "cache_hits",
                "cache_bytes",
            ] {
                assert!(figures[key].is_number(), "{key} {guest}");
            }
        }
    }
    let some = ["--guests", "mixed,bytecode", "--engine", "translator"];
    let table = bench(&some).expect(0).stdout;
    let names: Vec<_> = table
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["guest", "mixed", "bytecode", "Millions"]);
    bench(&["--guests", "hello"]).fails(1, &["no guest", "hello", "keccakloop"]);
    bench(&["--repeat", "0"]).fails(1, &["--repeat"]);
    assert!(sandbox.files().is_empty());
}

#[test]
fn nobody_hears_figures_that_were_not_asked_for() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&prestate("hello"), &["--output="]).expect(0);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains("Statistics"));
    assert!(sandbox.files().is_empty());
}

#[test]
fn flags_of_engines_are_checked() {
    let (sandbox, hello) = (Sandbox::new(), prestate("hello"));
    let run = |flags: &[&str]| sandbox.run(&hello, flags);
    run(&["--engine", "jit"]).fails(1, &["--engine", "jit"]);
    run(&["--stats=xml"]).fails(1, &["--stats", "xml"]);
    run(&["--no-cache", "--cache-dir", "x"]).fails(1, &["--no-cache", "--cache-dir"]);
    run(&["--no-cache", "--stop-at", "=9"]).expect(0);
}
