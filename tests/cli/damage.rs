//! Stores that are damaged, or cannot be written: no verdict comes of it but the right one.

use crate::chain::*;
use crate::stores::files_below;
use crate::support::*;
use carronade_devnet::Faults;
use carronade_host::{Format, Store, create_store};
use std::fs;
use std::path::PathBuf;

/// A chain's pre-images in a folder of files, and the flags for them.
fn directory(sandbox: &Sandbox, chain: &Chain) -> (Box<dyn Store + Send + Sync>, Vec<String>) {
    let store = create_store(&sandbox.path("store"), Format::Directory).unwrap();
    chain.devnet.write(&*store, &chain.claim).unwrap();
    let mut flags = chain.flags(sandbox);
    flags.extend(["--data-dir", "store"].map(str::to_owned));
    (store, flags)
}

/// The keys of this type.
fn keys(chain: &Chain, kind: u8) -> Vec<[u8; 32]> {
    let images = chain.devnet.preimages();
    let keys = images.keys().map(|key| *key.as_bytes());
    keys.filter(|key| key[0] == kind).collect()
}

/// Runs `prove` in the VM, `prove --native` and `host single --native`.
fn all_ways(sandbox: &Sandbox, flags: &[String]) -> [Ran; 3] {
    [
        line(&["prove"], flags, &[]),
        line(&["prove"], flags, &["--native"]),
        line(&["host", "single"], flags, &["--native"]),
    ]
    .map(|line| call(sandbox, &line))
}

#[test]
fn results_of_precompiles_are_computed_again() {
    let sandbox = Sandbox::new();
    let (store, flags) = directory(&sandbox, &CALLDATA);
    let results = keys(&CALLDATA, 6);
    assert!(!results.is_empty(), "the chain calls no precompile");
    let right: Vec<_> = results
        .iter()
        .map(|key| store.get(key).unwrap().unwrap())
        .collect();
    for damage in [
        |value: &mut Vec<u8>| value[0] ^= 1,
        |value: &mut Vec<u8>| *value = vec![u8::from(value.len() == 1)],
    ] {
        for (key, value) in results.iter().zip(&right) {
            let mut value = value.clone();
            damage(&mut value);
            store.put(key, &value).unwrap();
        }
        for ran in all_ways(&sandbox, &flags) {
            ran.fails(2, &["0x06", "the precompile has another result"]);
        }
    }
    // With nodes they are replaced.
    let (nodes, _served) = CALLDATA.online(&sandbox, Faults::default());
    let ran = prove(&sandbox, &nodes, &["--data-dir", "store"]).expect(0);
    assert_same_trace(&report(&ran), &CALLDATA.proven());
    assert!(ran.stderr.contains("it is fetched again"), "{}", ran.stderr);
    for (key, value) in results.iter().zip(&right) {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
    // The program names the call in its hint, so it need not be stored.
    for key in &results {
        let hex = const_hex::encode(key);
        let call = format!("store/02{}/{}.txt", &hex[2..4], &hex[4..]);
        fs::remove_file(sandbox.path(&call)).unwrap();
    }
    for ran in all_ways(&sandbox, &flags) {
        ran.expect(0);
    }
}

/// Where a folder of files has a pre-image.
fn file_of(sandbox: &Sandbox, key: &[u8; 32]) -> PathBuf {
    let name = const_hex::encode(key);
    sandbox.path(&format!("store/{}/{}.txt", &name[..4], &name[4..]))
}

#[test]
fn a_blobs_elements_are_committed_to_again() {
    let sandbox = Sandbox::new();
    let (store, flags) = directory(&sandbox, &BLOBS);
    for ran in all_ways(&sandbox, &flags) {
        ran.expect(0);
    }
    let elements = keys(&BLOBS, 5);
    // A blob's proof is the short way only.
    let files = files_below(&sandbox.path("store")).into_iter();
    let mut proofs: Vec<_> = files
        .filter(|file| file.to_string_lossy().contains("/store/05"))
        .collect();
    proofs.retain(|file| !elements.iter().any(|key| file_of(&sandbox, key) == *file));
    assert!(!proofs.is_empty());
    let right_proofs: Vec<_> = proofs.iter().map(|file| fs::read(file).unwrap()).collect();
    let prove_natively = || call(&sandbox, &line(&["prove", "--native"], &flags, &[]));
    for wrong in [
        Some("00".repeat(48)),
        Some("ff".into()),
        Some("no hex".into()),
        None,
    ] {
        for proof in &proofs {
            match &wrong {
                Some(wrong) => fs::write(proof, wrong).unwrap(),
                None => fs::remove_file(proof).unwrap(),
            }
        }
        prove_natively().expect(0);
    }
    for (file, right) in proofs.iter().zip(&right_proofs) {
        fs::write(file, right).unwrap();
    }
    prove_natively().expect(0);
    let right = store.get(&elements[7]).unwrap().unwrap();
    // A blob's first element, whichever that is, is asked for first.
    for key in &elements {
        let mut value = store.get(key).unwrap().unwrap();
        value[31] ^= 1;
        store.put(key, &value).unwrap();
    }
    for ran in all_ways(&sandbox, &flags) {
        ran.fails(2, &["0x05", "do not have the blob's commitment"]);
    }
    let (nodes, _served) = BLOBS.online(&sandbox, Faults::default());
    let ran = prove(&sandbox, &nodes, &["--data-dir", "store"]).expect(0);
    assert_same_trace(&report(&ran), &BLOBS.proven());
    assert!(ran.stderr.contains("it is fetched again"), "{}", ran.stderr);
    assert_eq!(store.get(&elements[7]).unwrap().unwrap(), right);
    // Without all elements nothing can be said of any.
    fs::remove_file(file_of(&sandbox, &elements[0])).unwrap();
    let ran = call(&sandbox, &line(&["prove", "--native"], &flags, &[])).expect(2);
    assert!(ran.stderr.contains("0x05"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_not_hex_is_told_and_fetched_again() {
    let sandbox = Sandbox::new();
    let (_store, offline) = directory(&sandbox, &CALLDATA);
    let (nodes, _served) = CALLDATA.online(&sandbox, Faults::default());
    let root = CALLDATA.claim.agreed_l2_output_root.to_string();
    let output = sandbox.path(&format!("store/02{}/{}.txt", &root[4..6], &root[6..]));
    let right = fs::read(&output).unwrap();
    for damage in ["zz", "0", "00"] {
        fs::write(&output, damage).unwrap();
        call(&sandbox, &line(&["prove", "--native"], &offline, &[])).fails(2, &[&root[6..]]);
        let ran = prove(&sandbox, &nodes, &["--data-dir", "store", "--native"]).expect(0);
        assert!(
            ran.stderr.contains(&root[6..]) && ran.stderr.contains("it is fetched again"),
            "{}",
            ran.stderr
        );
        assert_eq!(fs::read(&output).unwrap(), right);
    }
    // So is one of many that a hint brings.
    for damage in [Some("zz"), None] {
        let mut lost = 0;
        for file in files_below(&sandbox.path("store")) {
            // Headers, receipts and transactions, but also the rest.
            if file.to_string_lossy().contains("/store/02") {
                match damage {
                    Some(damage) => fs::write(&file, damage).unwrap(),
                    None if lost % 2 == 0 => fs::remove_file(&file).unwrap(),
                    None => {}
                }
                lost += 1;
            }
        }
        assert!(lost > 50);
        let ran = prove(&sandbox, &nodes, &["--data-dir", "store"]).expect(0);
        assert_same_trace(&report(&ran), &CALLDATA.proven());
    }
}

#[test]
fn a_damaged_database_gives_no_verdict_but_the_right_one() {
    let sandbox = Sandbox::new();
    let flags = CALLDATA.offline(&sandbox);
    let file = sandbox.path("all/preimages.redb");
    let whole = fs::read(&file).unwrap();
    let (pages, mut failed) = (whole.len() / 4096, 0);
    for page in (0..8).chain((8..pages).step_by(pages / 24 + 1)) {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0);
        fs::write(&file, bytes).unwrap();
        let way = match page % 3 {
            0 => line(&["prove"], &flags, &["--native"]),
            1 => line(&["host", "single"], &flags, &["--native"]),
            _ => line(&["prove"], &flags, &[]),
        };
        let ran = call(&sandbox, &way);
        if ran.code != Some(0) {
            ran.fails(2, &[]);
            failed += 1;
        }
    }
    assert!(failed > 5, "only {failed} damages were noticed");
    for bytes in [&whole[..whole.len() / 2], &[7; 5000]] {
        fs::write(&file, bytes).unwrap();
        for ran in all_ways(&sandbox, &flags) {
            ran.fails(2, &["all/preimages.redb"]);
        }
    }
}

#[test]
fn a_full_disk_is_told_as_what_it_is() {
    for format in ["directory", "database"] {
        let sandbox = Sandbox::new();
        let (nodes, _served) = CALLDATA.online(&sandbox, Faults::default());
        let kind = match format {
            "directory" => Format::Directory,
            _ => Format::Database,
        };
        drop(create_store(&sandbox.path("store"), kind).unwrap());
        let store = ["--data-dir", "store", "--data-format", format].map(str::to_owned);
        let flags = [nodes, store.into()].concat().join(" ");
        // Files that grow beyond the limit stand for a disk without room.
        let size = fs::metadata(sandbox.path("store/preimages.redb")).map_or(0, |file| file.len());
        let limit = size / 1024;
        for more in ["prove", "prove --native", "host single --native"] {
            let script = format!("ulimit -f {limit}; exec $BIN {more} {flags}");
            let ran = sandbox.shell(&script);
            ran.fails(2, &["store", "the store of pre-images fails", "os error"]);
        }
    }
}

#[test]
fn what_killed_hosts_have_left_is_swept() {
    let sandbox = Sandbox::new();
    let (nodes, _served) = CALLDATA.online(&sandbox, Faults::default());
    fs::create_dir(sandbox.path("store")).unwrap();
    let leave = |name: &str, seconds: u64| -> PathBuf {
        let path = sandbox.path("store").join(name);
        let file = fs::File::create(&path).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
        path
    };
    for format in ["directory", "database"] {
        let _ = fs::remove_file(sandbox.path("store/kvformat"));
        let old = leave(".preimage-abcdef", 7200);
        let young = leave(".preimage-ghijkl", 600);
        let other = leave(".notes", 7200);
        let more = ["--data-dir", "store", "--data-format", format, "--native"];
        prove(&sandbox, &nodes, &more).expect(0);
        assert_eq!(
            [&old, &young, &other].map(|file| file.exists()),
            [false, true, true]
        );
    }
}
