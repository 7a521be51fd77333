//! The stores on disk: their formats, and what they do with hostile content.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use carronade_host::{FileStore, Layout, MemoryStore, Store, StoreError, open_store, parse_key};

/// Stores and reads values of several sizes; the keys cover every first byte.
fn round_trip(store: &dyn Store) {
    for first in 0..=255_u8 {
        let mut key = [first ^ 0x5a; 32];
        key[0] = first;
        assert_eq!(store.get(&key).unwrap(), None);
        let value = vec![first; usize::from(first) * 7];
        store.put(&key, &value).unwrap();
        assert_eq!(store.get(&key).unwrap(), Some(value));
        store.put(&key, b"new").unwrap();
        assert_eq!(store.get(&key).unwrap().as_deref(), Some(&b"new"[..]));
    }
}

/// Fails if a temporary file is left behind.
fn no_leftovers(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with('.'), "{name} was left behind");
    }
}

#[test]
fn every_store_gives_back_what_it_was_given() {
    round_trip(&MemoryStore::new());
    for layout in [Layout::Directory, Layout::File] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        let store = FileStore::create(&root, layout).unwrap();
        round_trip(&store);
        no_leftovers(&root);
        // Read again by somebody who does not know the layout.
        let mut key = [0x5a; 32];
        key[0] = 0;
        assert_eq!(
            open_store(&root).unwrap().get(&key).unwrap().unwrap(),
            b"new"
        );
    }
}

#[test]
fn the_files_are_those_of_op_program() {
    let key = parse_key(&format!("0x02ABcd{}", "12".repeat(29))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Layout::Directory).unwrap();
    store.put(&key, &[0xca, 0xfe]).unwrap();
    let name = format!("02ab/cd{}.txt", "12".repeat(29));
    assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"cafe");
    assert_eq!(fs::read(dir.path().join("kvformat")).unwrap(), b"directory");
    // The recorded layout wins over the one asked for.
    assert_eq!(
        FileStore::create(dir.path(), Layout::File)
            .unwrap()
            .layout(),
        Layout::Directory
    );

    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Layout::File).unwrap();
    store.put(&key, b"").unwrap();
    let name = format!("0x02abcd{}.txt", "12".repeat(29));
    assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"");
    assert_eq!(store.get(&key).unwrap().unwrap(), b"");
    assert_eq!(fs::read(dir.path().join("kvformat")).unwrap(), b"file");
}

#[test]
fn a_folder_is_opened_as_op_challenger_would() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    assert_eq!(store.layout(), Layout::File);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "opening must not write"
    );
    fs::write(dir.path().join("kvformat"), "pebble").unwrap();
    for error in [
        FileStore::open(dir.path()).unwrap_err(),
        FileStore::create(dir.path(), Layout::File).unwrap_err(),
    ] {
        assert!(error.to_string().contains("`pebble`"), "{error}");
    }
    assert!(FileStore::open(&dir.path().join("missing")).is_err());
    assert!(open_store(&dir.path().join("missing")).is_err());
}

#[test]
fn hostile_files_do_not_lead_out_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    let secret = format!("{}.txt", "0".repeat(60));
    fs::write(outside.path().join(&secret), "5ec7e7").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Layout::Directory).unwrap();

    // A key's folder is a link to somewhere else.
    symlink(outside.path(), dir.path().join("0200")).unwrap();
    let mut key = [0; 32];
    key[0] = 2;
    let refused = |error| matches!(error, StoreError::NotRegular { .. });
    assert!(refused(store.get(&key).unwrap_err()));
    assert!(refused(store.put(&key, b"x").unwrap_err()));

    // A key's file is a link: not followed, and replaced when written.
    key[0] = 4;
    let file = dir.path().join("0400").join(&secret);
    fs::create_dir(dir.path().join("0400")).unwrap();
    symlink(outside.path().join(&secret), &file).unwrap();
    assert!(refused(store.get(&key).unwrap_err()));
    store.put(&key, b"x").unwrap();
    assert_eq!(store.get(&key).unwrap().unwrap(), b"x");
    assert_eq!(fs::read(outside.path().join(&secret)).unwrap(), b"5ec7e7");

    // A named pipe would block whoever opens it; a folder cannot be read.
    fs::remove_file(&file).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    assert!(refused(store.get(&key).unwrap_err()));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(store.get(&key).is_err());
    assert!(store.put(&key, b"x").is_err());
    no_leftovers(dir.path());
}

#[test]
fn damaged_files_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Layout::File).unwrap();
    let file = dir.path().join(format!("0x{}.txt", "00".repeat(32)));
    for text in ["abc", "zz", "12 34", "\u{0}"] {
        fs::write(&file, text).unwrap();
        let error = store.get(&[0; 32]).unwrap_err();
        assert!(matches!(error, StoreError::Hex { .. }), "{text:?}: {error}");
    }
    fs::write(&file, "0xAB12\n").unwrap();
    assert_eq!(store.get(&[0; 32]).unwrap().unwrap(), [0xab, 0x12]);
}

#[test]
fn json_files_may_be_gzipped() {
    let dir = tempfile::tempdir().unwrap();
    let images = [([1; 32], b"one".to_vec()), ([2; 32], Vec::new())];
    let store: MemoryStore = images.clone().into_iter().collect();
    for name in ["images.json", "images.json.gz"] {
        let path = dir.path().join(name);
        store.write_json(&path).unwrap();
        let gzipped = fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]);
        assert_eq!(gzipped, name.ends_with("gz"));
        let read = open_store(&path).unwrap();
        for (key, value) in &images {
            assert_eq!(read.get(key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(read.get(&[3; 32]).unwrap(), None);
    }
    no_leftovers(dir.path());
}

#[test]
fn hostile_json_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("images.json");
    let long = "00".repeat(33);
    let short = "00".repeat(31);
    let good = "00".repeat(32);
    for text in [
        String::new(),
        "[]".to_owned(),
        "{\"0x../../../../etc/passwd\": \"0x00\"}".to_owned(),
        format!("{{\"0x{long}\": \"0x00\"}}"),
        format!("{{\"0x{short}\": \"0x00\"}}"),
        format!("{{\"0x{good}\": \"0x0\"}}"),
        format!("{{\"0x{good}\": 5}}"),
        format!("{{\"0x{good}\": \"0x00\"}} trailing"),
        "[".repeat(100_000),
    ] {
        fs::write(&path, &text).unwrap();
        let shown = &text[..text.len().min(60)];
        assert!(
            matches!(MemoryStore::read_json(&path), Err(StoreError::Json { .. })),
            "{shown}"
        );
    }
    fs::write(&path, [0x1f, 0x8b, 0, 0]).unwrap();
    assert!(matches!(
        MemoryStore::read_json(&path),
        Err(StoreError::Io { .. })
    ));
}
