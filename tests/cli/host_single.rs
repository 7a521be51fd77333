//! `host single` and `host convert`: the real binary between a client and a node.

use crate::stores::files_below;
use crate::support::*;
use carronade_emulator::hash::keccak256;
use carronade_emulator::oracle::PreimageOracle;
use carronade_host::{FileStore, Layout, ProcessOracle, Store, create_store, open_store};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

/// The flags that every run needs, as op-challenger writes them.
const RUN: [&str; 14] = [
    "--l1-head",
    "0x1111111111111111111111111111111111111111111111111111111111111111",
    "--agreed-l2-head-hash",
    "0x2222222222222222222222222222222222222222222222222222222222222222",
    "--agreed-l2-output-root",
    "0x3333333333333333333333333333333333333333333333333333333333333333",
    "--claimed-l2-output-root",
    "0x4444444444444444444444444444444444444444444444444444444444444444",
    "--claimed-l2-block-number",
    "77",
    "--l2-chain-id",
    "901",
    "--server",
    "--enable-experimental-witness-endpoint",
];

/// A keccak key and its value.
fn image(value: &[u8]) -> ([u8; 32], Vec<u8>) {
    let mut key = keccak256(value);
    key[0] = 2;
    (key, value.to_vec())
}

fn local(number: u8) -> [u8; 32] {
    let mut key = [0; 32];
    (key[0], key[31]) = (1, number);
    key
}

/// The value number `index` that nodes here have: as long as a header, say.
fn value(index: u64) -> Vec<u8> {
    format!("pre-image number {index:06} ").repeat(20).into()
}

/// A node that has codes ([`value`]) by their hashes, and knows its chain; one thread for each
/// connection.
fn node() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let codes: std::collections::HashMap<String, Vec<u8>> = (0..3000)
        .map(value)
        .map(|code| (const_hex::encode_prefixed(keccak256(&code)), code))
        .collect();
    let codes = Arc::new(codes);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let codes = Arc::clone(&codes);
            std::thread::spawn(move || answer(stream, &codes));
        }
    });
    address
}

/// Answers the requests on one connection.
fn answer(stream: TcpStream, codes: &std::collections::HashMap<String, Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_lowercase();
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request: Value = serde_json::from_slice(&body).ok()?;
        let asked = request["params"][0].as_str().unwrap_or_default();
        let result = match request["method"].as_str()? {
            "eth_chainId" => json!("0x385"),
            // Without geth's prefix.
            _ => json!(codes.get(asked).map(const_hex::encode_prefixed)),
        };
        let reply = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{reply}",
            reply.len()
        )
        .ok()?;
    }
}

/// The flags for a node that is all three.
fn online(address: &str) -> Vec<String> {
    [
        "--l1-node-address",
        "--l1-beacon-address",
        "--l2-node-address",
    ]
    .iter()
    .flat_map(|flag| [(*flag).to_owned(), address.to_owned()])
    .collect()
}

/// Starts `host single` in the sandbox, as a VM would; what it says goes into the file `said`.
fn host(sandbox: &Sandbox, flags: &[&str], said: &str) -> ProcessOracle {
    let script = format!("cd \"$0\" && exec \"$@\" 2>{said}");
    let mut words: Vec<OsString> = ["sh", "-c", &script].map(OsString::from).into();
    words.push(sandbox.path("").into());
    words.extend([BINARY, "host", "single"].map(OsString::from));
    words.extend(RUN.iter().chain(flags).map(OsString::from));
    ProcessOracle::spawn(&words, Arc::default()).unwrap()
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn said(sandbox: &Sandbox, file: &str) -> String {
    fs::read_to_string(sandbox.path(file)).unwrap_or_default()
}

/// Hints at a code and asks for it.
fn ask(host: &mut ProcessOracle, code: &[u8]) -> Vec<u8> {
    let hash = keccak256(code);
    let hint = format!("l2-code {}", const_hex::encode_prefixed(hash));
    host.hint(hint.as_bytes()).unwrap();
    host.preimage(image(code).0).unwrap()
}

#[test]
fn an_offline_host_serves_its_store_and_ends_with_its_client() {
    let sandbox = Sandbox::new();
    let store = FileStore::create(&sandbox.path("store"), Layout::Directory).unwrap();
    let (key, value) = image(b"something");
    store.put(&key, &value).unwrap();
    let mut oracle = host(&sandbox, &["--data-dir", "store"], "said");
    assert_eq!(oracle.preimage(local(1)).unwrap(), [0x11; 32]);
    assert_eq!(oracle.preimage(local(2)).unwrap(), [0x33; 32]);
    assert_eq!(oracle.preimage(local(3)).unwrap(), [0x44; 32]);
    assert_eq!(oracle.preimage(local(4)).unwrap(), 77_u64.to_be_bytes());
    assert_eq!(oracle.preimage(local(5)).unwrap(), 901_u64.to_be_bytes());
    oracle.hint(b"l1-block-header 0x00").unwrap();
    assert_eq!(oracle.preimage(key).unwrap(), value);
    let exit = oracle.shutdown();
    assert_eq!(exit.status.and_then(|status| status.code()), Some(0));
    assert_eq!(said(&sandbox, "said"), "");

    // What is not there ends it, with one line that names key and hint.
    let mut oracle = host(&sandbox, &["--data-dir", "store"], "said");
    oracle.hint(b"l1-block-header 0x5555").unwrap();
    let missing = image(b"something else").0;
    assert!(oracle.preimage(missing).is_err());
    let exit = oracle.shutdown();
    assert_eq!(exit.status.and_then(|status| status.code()), Some(1));
    let words = said(&sandbox, "said");
    let key = const_hex::encode_prefixed(missing);
    assert!(
        words.contains(&key) && words.contains("`l1-block-header 0x5555`"),
        "{words}"
    );
    assert_eq!(words.lines().count(), 1, "{words}");

    // What is damaged is not served.
    store.put(&missing, b"a lie").unwrap();
    let mut oracle = host(&sandbox, &["--data-dir", "store"], "said");
    assert!(oracle.preimage(missing).is_err());
    drop(oracle);
    wait_until("the host says so", || {
        said(&sandbox, "said").contains("is wrong")
    });
}

#[test]
fn a_configuration_goes_to_the_program_as_it_is() {
    let sandbox = Sandbox::new();
    let rollup = "{ \"l2_chain_id\": 902, \"something_new\": 5 }\n";
    sandbox.write("rollup.json", rollup);
    sandbox.write("l1.json", "{}");
    FileStore::create(&sandbox.path("store"), Layout::Directory).unwrap();
    // The variables of kona-host; flags go before them.
    let script = "exec \"$0\" host single --server --l2-head $H --claimed-l2-block-number 5 2>said";
    let hex = "22".repeat(32);
    let words = [
        "env",
        &format!("--chdir={}", sandbox.path("").display()),
        &format!("H={hex}"),
        &format!("L1_HEAD={hex}"),
        &format!("AGREED_L2_OUTPUT_ROOT={hex}"),
        &format!("CLAIMED_L2_OUTPUT_ROOT={hex}"),
        "CLAIMED_L2_BLOCK_NUMBER=6",
        "ROLLUP_CONFIG_PATH=rollup.json",
        "L1_CONFIG_PATH=l1.json",
        "DATA_DIR=store",
        "sh",
        "-c",
        script,
        BINARY,
    ]
    .map(OsString::from);
    let mut oracle = ProcessOracle::spawn(&words, Arc::default()).unwrap();
    assert_eq!(oracle.preimage(local(6)).unwrap(), rollup.as_bytes());
    assert_eq!(oracle.preimage(local(7)).unwrap(), b"{}");
    assert_eq!(oracle.preimage(local(5)).unwrap(), 902_u64.to_be_bytes());
    assert_eq!(oracle.preimage(local(4)).unwrap(), 5_u64.to_be_bytes());
    drop(oracle);
    assert_eq!(said(&sandbox, "said"), "");
}

#[test]
fn flags_that_do_not_go_together_are_one_line_each() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    sandbox.write("rollup.json", "{}");
    fs::create_dir(sandbox.path("rocks")).unwrap();
    sandbox.write("rocks/CURRENT", "MANIFEST-000004\n");
    fs::create_dir(sandbox.path("pebble")).unwrap();
    sandbox.write("pebble/kvformat", "pebble");
    fs::create_dir(sandbox.path("files")).unwrap();
    sandbox.write("files/kvformat", "file");
    let node = "http://127.0.0.1:1";
    let with = |flags: &[&str]| {
        let line = [&["host", "single"], &RUN[..], flags].concat();
        sandbox.call(&line)
    };
    let all = ["--l1", node, "--beacon", node, "--l2", node];
    with(&[]).fails(1, &["neither nodes nor --data-dir"]);
    with(&["--l1", node]).fails(
        1,
        &["--l1-node-address without --l1-beacon-address and --l2-node-address"],
    );
    with(&["--l1", node, "--l2", node, "--db", "files"]).fails(1, &["without --l1-beacon-address"]);
    with(&["--native"]).fails(2, &["one of --server and --native"]);
    with(&["--rollup-cfg", "rollup.json"]).fails(1, &["one of --l2-chain-id and"]);
    with(&["--data-dir", "none"]).fails(1, &["none"]);
    with(&["--l3", "x"]).fails(1, &["--l3"]);
    let online = |flags: &[&str]| with(&[&all[..], flags].concat());
    online(&["--data-dir", "file"]).fails(1, &["file", "ot a directory"]);
    online(&["--data-dir", "file/below"]).fails(1, &["file/below"]);
    online(&["--data-dir", "rocks"]).fails(1, &["rocks", "database of another program"]);
    online(&["--data-dir", "pebble"]).fails(1, &["pebble", "cannot be read"]);
    online(&["--data-format", "rocksdb"]).fails(1, &["RocksDB", "directory", "database"]);
    online(&["--data-dir", "files", "--data-format", "database"])
        .fails(1, &["files", "carronade-database", "host convert"]);
    with(&["--l1", "nowhere", "--beacon", node, "--l2", node]).fails(1, &["L1 node", "nowhere"]);
    let bare = ["host", "single", "--server", "--l1-head", "0x12"];
    sandbox.call(&bare).fails(1, &["--l1-head", "32 bytes"]);
    let mut other = RUN.to_vec();
    other.retain(|word| !["--l2-chain-id", "901"].contains(word));
    let line = [
        &["host", "single", "--rollup-cfg", "rollup.json"],
        &all[..],
        &other[..],
    ];
    sandbox
        .call(&line.concat())
        .fails(1, &["rollup.json", "l2_chain_id"]);
    // All is well, but nobody started it as a host.
    online(&[]).fails(1, &["a VM starts this program"]);
    assert_eq!(
        sandbox.files(),
        ["file", "files", "pebble", "rocks", "rollup.json"]
    );
}

#[test]
fn what_a_node_gave_stays_in_the_store() {
    let sandbox = Sandbox::new();
    let address = node();
    for format in ["directory", "file", "database"] {
        let more = [
            "--data-dir",
            format,
            "--data-format",
            format,
            "-v",
            "--summary-file",
            "sum.json",
        ];
        let flags = online(&address);
        let flags = [&strs(&flags)[..], &more].concat();
        let mut oracle = host(&sandbox, &flags, "said");
        for index in 0..20 {
            assert_eq!(ask(&mut oracle, &value(index)), value(index));
        }
        let exit = oracle.shutdown();
        let words = said(&sandbox, "said");
        assert_eq!(
            exit.status.and_then(|status| status.code()),
            Some(0),
            "{words}"
        );
        assert!(
            words.contains("20 hints, 20 pre-images served (9600 bytes), 20 fetched"),
            "{words}"
        );
        let summary = sandbox.json("sum.json");
        assert_eq!(summary["preimages"]["keccak256"]["served"], 20);
        assert_eq!(summary["requests"]["L2 node eth_chainId"]["calls"], 1);
        // The same again, without a node and without naming the format.
        let mut oracle = host(&sandbox, &["--data-dir", format], "said");
        assert_eq!(ask(&mut oracle, &value(7)), value(7));
        assert_eq!(
            oracle.shutdown().status.and_then(|status| status.code()),
            Some(0)
        );
    }
    assert_eq!(
        fs::read(sandbox.path("directory/kvformat")).unwrap(),
        b"directory"
    );
}

#[test]
fn a_host_of_another_chain_ends() {
    let sandbox = Sandbox::new();
    let address = node();
    let flags = online(&address);
    let flags = [&strs(&flags)[..], &["--l2-chain-id", "10"]].concat();
    let mut oracle = host(&sandbox, &flags, "said");
    let hash = const_hex::encode_prefixed(keccak256(&value(1)));
    oracle.hint(format!("l2-code {hash}").as_bytes()).unwrap();
    assert!(oracle.preimage(image(&value(1)).0).is_err());
    assert_eq!(
        oracle.shutdown().status.and_then(|status| status.code()),
        Some(1)
    );
    let words = said(&sandbox, "said");
    let errors: Vec<_> = words
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{words}");
    assert!(
        words.contains("L2 node") && words.contains("chain 901, not of chain 10"),
        "{words}"
    );
}

#[test]
fn two_hosts_share_a_directory_but_not_a_database() {
    let sandbox = Sandbox::new();
    let address = node();
    let flags = online(&address);
    let shared = [&strs(&flags)[..], &["--data-dir", "shared"]].concat();
    let hosts = [0, 1].map(|number| host(&sandbox, &shared, &format!("said{number}")));
    let threads = hosts.map(|mut oracle| {
        std::thread::spawn(move || {
            for index in 0..200 {
                assert_eq!(ask(&mut oracle, &value(index)), value(index));
            }
            oracle.shutdown().status.and_then(|status| status.code())
        })
    });
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Some(0));
    }
    let store = open_store(&sandbox.path("shared")).unwrap();
    let mut count = 0;
    store
        .each(&mut |key, value| {
            count += 1;
            carronade_host::check(&key, &value)
        })
        .unwrap();
    assert_eq!(count, 200);

    let more = ["--data-dir", "alone", "--data-format", "database"];
    let alone = [&strs(&flags)[..], &more].concat();
    let mut first = host(&sandbox, &alone, "first");
    assert_eq!(ask(&mut first, &value(1)), value(1));
    let line = [&["host", "single"], &RUN[..], &alone].concat();
    sandbox
        .call(&line)
        .fails(1, &["alone", "another host is using this store"]);
    let offline = [&["host", "single"], &RUN[..], &more[..2]].concat();
    sandbox
        .call(&offline)
        .fails(1, &["alone", "another host is using this store"]);
    assert_eq!(ask(&mut first, &value(2)), value(2));
    assert_eq!(
        first.shutdown().status.and_then(|status| status.code()),
        Some(0)
    );
}

#[test]
fn a_killed_host_leaves_whole_pre_images() {
    let sandbox = Sandbox::new();
    let address = node();
    let flags = online(&address);
    for (round, format) in ["directory", "database", "directory", "database"]
        .iter()
        .enumerate()
    {
        let more = ["--data-dir", format, "--data-format", format];
        let flags = [&strs(&flags)[..], &more].concat();
        let mut oracle = host(&sandbox, &flags, "said");
        let from = round as u64 * 500;
        let asked = 20 + from % 37;
        for index in from..from + asked {
            ask(&mut oracle, &value(index));
        }
        // In the middle of the next one, wherever that is.
        let hint = const_hex::encode_prefixed(keccak256(&value(from + asked)));
        oracle.hint(format!("l2-code {hint}").as_bytes()).unwrap();
        let pid = oracle.pid();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(from % 7));
            send("KILL", pid);
        });
        let _ = oracle.preimage(image(&value(from + asked)).0);
        killer.join().unwrap();
        let exit = oracle.shutdown().status.unwrap();
        assert_eq!(exit.signal(), Some(9));
        // All that was served is there, and whatever is there is right.
        let store = open_store(&sandbox.path(format)).unwrap();
        for index in from..from + asked {
            let (key, value) = image(&value(index));
            assert_eq!(store.get(&key).unwrap(), Some(value));
        }
        let check = &mut |key: [u8; 32], value: Vec<u8>| carronade_host::check(&key, &value);
        store.each(check).unwrap();
    }
}

#[test]
fn a_signal_ends_a_host_that_waits() {
    let sandbox = Sandbox::new();
    // Nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let flags = online(&format!("http://{free}/secret"));
    let flags = [
        &strs(&flags)[..],
        &["--data-dir", "store", "--summary-file", "sum.json"],
    ]
    .concat();
    for signal in ["INT", "TERM"] {
        let mut oracle = host(&sandbox, &flags, "said");
        oracle
            .hint(format!("l2-code 0x{}", "11".repeat(32)).as_bytes())
            .unwrap();
        send(signal, oracle.pid());
        let mut key = [0x11; 32];
        key[0] = 2;
        assert!(oracle.preimage(key).is_err());
        assert_eq!(
            oracle.shutdown().status.and_then(|status| status.code()),
            Some(130)
        );
        assert!(sandbox.json("sum.json")["hints"].is_u64());
        let words = said(&sandbox, "said");
        assert!(
            words.contains(&free.to_string()) && words.contains("trying on"),
            "{words}"
        );
        assert!(!words.contains("secret"), "{words}");
    }
}

#[test]
fn a_client_that_gives_up_waiting_ends_the_host() {
    let sandbox = Sandbox::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let flags = online(&format!("http://{free}"));
    let hint = format!("l2-code 0x{}", "30".repeat(32));
    sandbox.write(
        "hint",
        [&(hint.len() as u32).to_be_bytes()[..], hint.as_bytes()].concat(),
    );
    sandbox.write("key", [&[2][..], &[0x30; 31]].concat());
    let script = "$BIN host single $RUN 3< <(cat hint; sleep 2) 4> >(cat >ack) 5< <(sleep 1; cat key; sleep 1) 6> >(cat >image) 2>said; echo $?";
    let run: Vec<_> = RUN.iter().copied().chain(strs(&flags)).collect();
    let mut command = sandbox.command_of("bash", ["-c", script]);
    command.env("BIN", BINARY).env("RUN", run.join(" "));
    let output = command.output().unwrap();
    let words = said(&sandbox, "said");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "0",
        "{words}"
    );
    assert!(!words.contains("error: "), "{words}");
}

#[test]
fn a_host_stays_in_the_group_and_session_of_its_vm() {
    let sandbox = Sandbox::new();
    FileStore::create(&sandbox.path("store"), Layout::Directory).unwrap();
    let mut oracle = host(&sandbox, &["--data-dir", "store"], "said");
    oracle.preimage(local(1)).unwrap();
    let group = |process: &str| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<_> = fields.split(' ').map(str::to_owned).collect();
        fields[2..4].to_vec()
    };
    assert_eq!(group(&oracle.pid().to_string()), group("self"));
}

#[test]
fn stores_are_converted_either_way() {
    let sandbox = Sandbox::new();
    let first = sandbox.path("first");
    let store = create_store(&first, carronade_host::Format::Directory).unwrap();
    let mut all: Vec<_> = (0..300).map(|index| image(&value(index))).collect();
    all.push(image(&vec![7; 20 << 20]));
    all.push(image(b""));
    let mut element = [0x55; 32];
    element[0] = 5;
    all.push((element, vec![1; 32]));
    store.put_all(&all).unwrap();
    sandbox.write("first/debug-info.json", "{}");
    let convert = |from: &str, to: &str, format: &str| {
        sandbox.call(&[
            "host", "convert", "--from", from, "--to", to, "--format", format,
        ])
    };
    let bytes: usize = all.iter().map(|(_, value)| value.len()).sum();
    let line = format!("303 pre-images, {bytes} bytes\n");
    for (from, to, format) in [
        ("first", "second", "database"),
        ("second", "third", "file"),
        ("third", "fourth", "database"),
        ("fourth", "fifth", "directory"),
    ] {
        assert_eq!(convert(from, to, format).expect(0).stdout, line);
    }
    let files = |name: &str| -> Vec<_> {
        let root = sandbox.path(name);
        let found = files_below(&root).into_iter();
        let found = found.map(|file| {
            (
                file.strip_prefix(&root).unwrap().to_owned(),
                fs::read(&file).unwrap(),
            )
        });
        found
            .filter(|(name, _)| name.extension().is_none_or(|ext| ext != "json"))
            .collect()
    };
    assert_eq!(files("first"), files("fifth"));
    // A database's own host can use it.
    let mut oracle = host(&sandbox, &["--data-dir", "fourth"], "said");
    assert_eq!(oracle.preimage(all[5].0).unwrap(), all[5].1);
    drop(oracle);

    convert("first", "first", "directory").fails(1, &["same folder", "first"]);
    convert("first", "second", "directory").fails(1, &["second", "carronade-database"]);
    // A format for files does not stand for another one either.
    convert("first", "third", "directory").fails(1, &["third", "format file, not directory"]);
    convert("first", "third", "file").expect(0);
    convert("none", "sixth", "directory").fails(1, &["none"]);
    convert("first", "sixth", "rocksdb").fails(1, &["RocksDB"]);
    // A wrong value is named, and nothing is made of it.
    let (key, _) = all[9];
    store.put(&key, b"a lie").unwrap();
    let words = [&const_hex::encode_prefixed(key)[..], "hashes to"];
    convert("first", "seventh", "database").fails(1, &words);
    let copy = open_store(&sandbox.path("seventh")).unwrap();
    assert_eq!(copy.get(&key).unwrap(), None);
    // So is a wrong result of a precompile, if the call is there.
    let call = [&[0; 19][..], &[1], &3000_u64.to_be_bytes(), &[0; 128]].concat();
    let (mut key, call) = image(&call);
    let eighth = create_store(&sandbox.path("eighth"), carronade_host::Format::Directory).unwrap();
    eighth.put(&key, &call).unwrap();
    key[0] = 6;
    eighth.put(&key, &[1]).unwrap();
    convert("eighth", "ninth", "file").expect(0);
    eighth.put(&key, &[1, 2]).unwrap();
    convert("eighth", "tenth", "file").fails(1, &[&const_hex::encode_prefixed(key), "precompile"]);
}
