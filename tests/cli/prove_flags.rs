//! `prove` with flags, files and nodes that do not do: one clear line each.

use crate::chain::*;
use crate::support::*;
use carronade_devnet::Faults;
use carronade_host::{Format, create_store};
use std::fs;
use std::net::TcpListener;

/// Runs `prove` with the claim's flags and others.
fn with(sandbox: &Sandbox, more: &[&str]) -> Ran {
    call(sandbox, &line(&["prove"], &CALLDATA.flags(sandbox), more))
}

#[test]
fn flags_that_do_not_go_together_are_one_line_each() {
    let sandbox = Sandbox::new();
    let node = "http://127.0.0.1:1";
    let nodes = ["--l1", node, "--beacon", node, "--l2", node];
    with(&sandbox, &[]).fails(2, &["neither nodes nor --data-dir"]);
    with(&sandbox, &["--l3", node]).fails(2, &["--l3"]);
    with(&sandbox, &nodes[..2]).fails(
        2,
        &["--l1-node-address without --l1-beacon-address and --l2-node-address"],
    );
    with(&sandbox, &nodes[2..]).fails(2, &["without --l1-node-address"]);
    with(&sandbox, &["--server"]).fails(2, &["--server"]);
    let native = |more: &[&str]| with(&sandbox, &[&nodes[..], &["--native"], more].concat());
    native(&["--engine", "interpreter"]).fails(2, &["--native", "--engine"]);
    native(&["--prestate", "pre.bin.gz"]).fails(2, &["--native", "--prestate"]);
    native(&["--l2-chain-id", "10"]).fails(2, &["one of --l2-chain-id and --rollup-config-path"]);
    with(&sandbox, &[&nodes[..5], &["nowhere"]].concat()).fails(2, &["L2 node", "nowhere"]);
    with(&sandbox, &[&nodes[..], &["--type", "cannon"]].concat()).fails(2, &["cannon"]);
    assert_eq!(sandbox.files(), ["rollup.json"]);
}

#[test]
fn files_that_cannot_be_used_are_one_line_each() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    sandbox.write("empty", "");
    sandbox.write("state.bin.gz", "x");
    fs::create_dir(sandbox.path("rocks")).unwrap();
    sandbox.write("rocks/CURRENT", "MANIFEST-000004\n");
    let (flags, _served) = CALLDATA.online(&sandbox, Faults::default());
    let online = |more: &[&str]| call(&sandbox, &line(&["prove"], &flags, more));
    online(&["--data-dir", "file"]).fails(2, &["file", "ot a directory"]);
    online(&["--data-dir", "rocks"]).fails(2, &["rocks", "database of another program"]);
    with(&sandbox, &["--data-dir", "none"]).fails(2, &["none", "No such file"]);
    online(&["--prestate", "none.bin.gz"]).fails(2, &["none.bin.gz", "No such file"]);
    online(&["--prestate", "state.bin.gz"]).fails(2, &["state.bin.gz"]);
    online(&["--rollup-cfg", "file"]).fails(2, &["file is not JSON"]);
    online(&["--rollup-cfg", "empty"]).fails(2, &["empty is empty"]);
    with(&sandbox, &["--data-dir", "empty"]).fails(2, &["empty", "neither a folder nor"]);
    assert_eq!(
        sandbox.files(),
        ["empty", "file", "rocks", "rollup.json", "state.bin.gz"]
    );
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let sandbox = Sandbox::new();
    sandbox
        .shell("mkfifo pipe.bin && mkdir folder.bin")
        .expect(0);
    let flags = CALLDATA.offline(&sandbox);
    for place in ["pipe.bin", "folder.bin", "/dev/null"] {
        for flag in [
            "--rollup-config-path",
            "--l1-config-path",
            "--prestate",
            "--summary-file",
        ] {
            // A flag may be given once.
            let mut flags = flags.clone();
            if flag == "--rollup-config-path" {
                let at = flags
                    .iter()
                    .position(|word| word == "--rollup-cfg")
                    .unwrap();
                flags.drain(at..at + 2);
            }
            let ran = call(&sandbox, &line(&["prove"], &flags, &[flag, place]));
            let folder = flag == "--summary-file" && place == "folder.bin";
            let words = if folder {
                "is a folder"
            } else {
                "not a regular file"
            };
            ran.fails(2, &[place, words]);
        }
    }
    for place in ["pipe.bin", "/dev/null"] {
        with(&sandbox, &["--data-dir", place]).fails(2, &[place, "not a regular file"]);
        let ran = sandbox.call(&["host", "--images", place]);
        ran.fails(1, &[place, "not a regular file"]);
    }
}

#[test]
fn numbers_that_would_wrap_are_named() {
    let sandbox = Sandbox::new();
    let flags = CALLDATA.offline(&sandbox);
    let file = sandbox.path("rollup.json");
    let right = fs::read(&file).unwrap();
    for field in [
        "seq_window_size",
        "channel_timeout",
        "granite_channel_timeout",
    ] {
        let mut config: serde_json::Value = serde_json::from_slice(&right).unwrap();
        config[field] = u64::MAX.into();
        fs::write(&file, config.to_string()).unwrap();
        let ran = call(&sandbox, &line(&["prove", "--native"], &flags, &[]));
        ran.fails(2, &["rollup configuration", field]);
        let ran = call(&sandbox, &line(&["prove"], &flags, &[])).expect(2);
        assert!(ran.stderr.contains(field), "{}", ran.stderr);
    }
}

#[test]
fn an_unreachable_node_is_named_and_a_signal_ends_the_wait() {
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let node = format!("http://{free}/secret");
    for (signal, more) in [("TERM", &[][..]), ("INT", &["--native"])] {
        let sandbox = Sandbox::new();
        let nodes = ["--l1", &node, "--beacon", &node, "--l2", &node];
        let flags = CALLDATA.flags(&sandbox);
        let line = line(&["prove"], &flags, &[&nodes[..], more].concat());
        let running = Talking::spawn(&sandbox, &line);
        running.wait_for("trying on");
        running.signal(signal);
        let ran = running.finish().expect(130);
        assert_eq!(ran.stdout, "");
        assert!(
            ran.stderr.contains(&format!("http://{free}: ")),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
        assert!(
            ran.stderr.ends_with("command interrupted\n"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn nodes_of_other_chains_end_the_run() {
    let sandbox = Sandbox::new();
    let (flags, _served) = CALLDATA.online(&sandbox, Faults::default());
    let right = fs::read_to_string(sandbox.path("rollup.json")).unwrap();
    for (field, id, node) in [
        ("l1_chain_id", 900_900, "L1 node"),
        ("l2_chain_id", 900_901, "L2 node"),
    ] {
        let (from, to) = (format!("\"{field}\":{id}"), format!("\"{field}\":77"));
        assert!(right.contains(&from), "{right}");
        sandbox.write("rollup.json", right.replace(&from, &to));
        let words = format!("chain {id}, not of chain 77");
        for more in [&[][..], &["--native"]] {
            let ran = call(&sandbox, &line(&["prove"], &flags, more));
            ran.fails(2, &[node, &words]);
        }
    }
}

#[test]
fn a_claim_about_another_agreed_block_ends_the_run() {
    let sandbox = Sandbox::new();
    let (flags, _served) = CALLDATA.online(&sandbox, Faults::default());
    let other = CALLDATA.devnet.claim(1, 2).agreed_l2_head_hash.to_string();
    let agreed = CALLDATA.claim.agreed_l2_head_hash.to_string();
    let flags: Vec<_> = flags
        .iter()
        .map(|word| word.replace(&agreed, &other))
        .collect();
    prove(&sandbox, &flags, &[]).fails(2, &["agreed", "output root"]);
}

#[test]
fn a_database_is_one_runs_and_a_lack_is_named() {
    let sandbox = Sandbox::new();
    let used = create_store(&sandbox.path("used"), Format::Database).unwrap();
    with(&sandbox, &["--data-dir", "used"]).fails(2, &["used", "another host is using this store"]);
    drop(used);
    let key = CALLDATA.claim.agreed_l2_output_root.to_string();
    let hint = format!("`starting-l2-output {key}`");
    for more in [&[][..], &["--native"]] {
        let ran = with(&sandbox, &[&["--data-dir", "used"], more].concat());
        ran.fails(2, &["0x02", &key[4..], &hint, "no nodes to ask"]);
    }
}

#[test]
fn a_configuration_that_makes_the_program_panic_gives_no_verdict() {
    let sandbox = Sandbox::new();
    let flags = CALLDATA.offline(&sandbox);
    let file = sandbox.path("rollup.json");
    let config = fs::read_to_string(&file).unwrap();
    let absurd = config.replace("\"eip1559Elasticity\":6", "\"eip1559Elasticity\":0");
    assert_ne!(config, absurd);
    fs::write(&file, absurd).unwrap();
    let ran = call(&sandbox, &line(&["prove", "--native"], &flags, &[])).expect(2);
    assert!(ran.stdout.starts_with("failed "), "{}", ran.stdout);
    assert!(ran.stderr.contains("divide by zero"), "{}", ran.stderr);
}
