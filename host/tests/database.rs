//! The database store, and what folders say about themselves.

use std::fs;

use carronade_host::{
    DatabaseStore, FileStore, Format, Layout, Store, StoreError, check, create_store, open_store,
};

/// A key of this type that ends in this byte.
fn key(kind: u8, last: u8) -> [u8; 32] {
    let mut key = [0; 32];
    (key[0], key[31]) = (kind, last);
    key
}

#[test]
fn a_database_gives_back_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b");
    let store = DatabaseStore::create(&root).unwrap();
    assert_eq!(store.get(&key(2, 0)).unwrap(), None);
    let pairs: Vec<_> = (0..=255_u8)
        .map(|byte| (key(2, byte), vec![byte; usize::from(byte) * 1000]))
        .collect();
    store.put_all(&pairs).unwrap();
    store.put(&key(5, 1), b"").unwrap();
    store.put(&pairs[7].0, b"new").unwrap();
    drop(store);
    assert_eq!(
        fs::read(root.join("kvformat")).unwrap(),
        b"carronade-database"
    );
    let store = open_store(&root).unwrap();
    for (index, (key, value)) in pairs.iter().enumerate() {
        let expected = if index == 7 { b"new" } else { &value[..] };
        assert_eq!(store.get(key).unwrap().unwrap(), expected);
    }
    let mut keys = Vec::new();
    let visit = &mut |key: [u8; 32], _: Vec<u8>| {
        keys.push(key);
        Ok(())
    };
    store.each(visit).unwrap();
    assert_eq!(keys.len(), 257);
    assert!(keys.is_sorted());
    // Opened to read, it cannot be written.
    let error = store.put(&key(2, 0), b"x").unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
}

#[test]
fn an_empty_database_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    drop(DatabaseStore::create(dir.path()).unwrap());
    let store = open_store(dir.path()).unwrap();
    assert_eq!(store.get(&key(2, 0)).unwrap(), None);
    store.each(&mut |_, _| panic!("there is nothing")).unwrap();
}

#[test]
fn a_database_has_one_writer_or_several_readers() {
    let dir = tempfile::tempdir().unwrap();
    let writer = DatabaseStore::create(dir.path()).unwrap();
    for error in [
        DatabaseStore::create(dir.path()).unwrap_err(),
        DatabaseStore::open(dir.path()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }
    drop(writer);
    let readers = [0; 2].map(|_| DatabaseStore::open(dir.path()).unwrap());
    let error = DatabaseStore::create(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(readers);
    DatabaseStore::create(dir.path()).unwrap();
}

#[test]
fn one_format_does_not_stand_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let other = |error| matches!(error, StoreError::OtherFormat { .. });
    let files = dir.path().join("files");
    FileStore::create(&files, Layout::File).unwrap();
    assert!(other(DatabaseStore::create(&files).unwrap_err()));
    let database = dir.path().join("database");
    drop(DatabaseStore::create(&database).unwrap());
    assert!(other(
        FileStore::create(&database, Layout::File).unwrap_err()
    ));
    assert!(other(FileStore::open(&database).unwrap_err()));
    // Files do stand for files: the folder keeps its layout.
    create_store(&files, Format::Directory).unwrap();
    assert_eq!(Format::of(&files).unwrap(), Some(Format::File));
}

#[test]
fn folders_say_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    assert_eq!(Format::of(&root.join("none")).unwrap(), None);
    assert_eq!(Format::of(root).unwrap(), None);
    // What op-challenger puts there is nothing against it.
    fs::write(root.join("debug-info.json"), "{}").unwrap();
    assert_eq!(Format::of(root).unwrap(), None);
    fs::write(root.join(format!("0x{}.txt", "22".repeat(32))), "00").unwrap();
    assert_eq!(Format::of(root).unwrap(), Some(Format::File));
    fs::write(root.join("MANIFEST-000001"), "").unwrap();
    let error = Format::of(root).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(open_store(root).is_err() && create_store(root, Format::Database).is_err());
    assert!(Format::of(&root.join("debug-info.json")).is_err());
}

#[test]
fn a_file_that_is_no_database_is_told() {
    let dir = tempfile::tempdir().unwrap();
    drop(DatabaseStore::create(dir.path()).unwrap());
    fs::write(dir.path().join("preimages.redb"), vec![7; 5000]).unwrap();
    for error in [
        DatabaseStore::open(dir.path()).unwrap_err(),
        DatabaseStore::create(dir.path()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("preimages.redb"), "{error}");
    }
    fs::remove_file(dir.path().join("preimages.redb")).unwrap();
    assert!(DatabaseStore::open(dir.path()).is_err());
}

#[test]
fn no_damage_of_a_database_is_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = DatabaseStore::create(dir.path()).unwrap();
    let pairs: Vec<_> = (0..=255_u8).map(|n| (key(2, n), vec![n; 700])).collect();
    for some in pairs.chunks(16) {
        store.put_all(some).unwrap();
    }
    drop(store);
    let file = dir.path().join("preimages.redb");
    let whole = fs::read(&file).unwrap();
    let (mut failures, mut panics) = (0, 0);
    for page in 0..whole.len() / 4096 {
        for fill in [0, 0xff] {
            let mut bytes = whole.clone();
            bytes[page * 4096..(page + 1) * 4096].fill(fill);
            fs::write(&file, bytes).unwrap();
            for writes in [false, true] {
                if let Err(error) = use_damaged(dir.path(), &pairs, writes) {
                    failures += 1;
                    panics += usize::from(error.to_string().contains("is damaged: "));
                }
            }
        }
    }
    assert!(failures > panics && panics > 0, "{failures}, {panics}");
}

/// Reads, visits and perhaps writes all of a damaged database; what fails names the file.
fn use_damaged(
    root: &std::path::Path,
    pairs: &[([u8; 32], Vec<u8>)],
    writes: bool,
) -> Result<(), StoreError> {
    let work = || {
        let store = match writes {
            true => DatabaseStore::create(root)?,
            false => DatabaseStore::open(root)?,
        };
        let mut result = Ok(());
        for (key, _) in pairs {
            result = result.and(store.get(key).map(drop));
        }
        result = result.and(store.each(&mut |_, _| Ok(())));
        if writes {
            result = result.and(store.put(&key(2, 0), b"new"));
        }
        result
    };
    work().inspect_err(|error| {
        assert!(error.to_string().contains("preimages.redb"), "{error}");
    })
}

#[test]
fn values_are_held_against_their_keys() {
    let hello = const_hex::decode_to_array::<_, 32>(
        "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8",
    );
    let mut keccak = hello.unwrap();
    keccak[0] = 2;
    check(&keccak, b"hello").unwrap();
    let error = check(&keccak, b"hellp").unwrap_err().to_string();
    assert!(error.contains(&const_hex::encode(keccak)), "{error}");
    for (kind, length, good) in [(5, 32, true), (5, 48, true), (5, 31, false), (6, 0, false)] {
        assert_eq!(check(&key(kind, 1), &vec![0; length]).is_ok(), good);
    }
    assert!(check(&key(6, 1), &[1, 9]).is_ok() && check(&key(6, 1), &[2]).is_err());
    assert!(check(&key(1, 1), b"anything").is_ok());
}
