//! The store as the source of what is uploaded.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use carronade_challenger::StoredPreimages;
use carronade_dispute::upload::PreimageSource as _;
use carronade_host::{MemoryStore, Store as _};

#[test]
fn only_sound_pre_images_are_given() {
    let store = Arc::new(MemoryStore::new());
    let mut source = StoredPreimages::new(store.clone());
    let mut key = keccak256(b"what it is");
    key[0] = 2;
    let missing = source.preimage(key).expect_err("nothing");
    assert!(missing.contains(&key.to_string()), "{missing}");
    store.put(&key, b"what it is not").expect("memory");
    let damaged = source.preimage(key).expect_err("damage");
    assert!(damaged.contains("it hashes to"), "{damaged}");
    store.put(&key, b"what it is").expect("memory");
    assert_eq!(source.preimage(key), Ok(b"what it is".to_vec()));
}

#[test]
fn a_blob_that_is_not_there_is_told() {
    let mut source = StoredPreimages::new(Arc::new(MemoryStore::new()));
    let error = source
        .prove_blob(&[0xc0; 48], B256::ZERO)
        .expect_err("nothing");
    assert!(
        error.contains("is not stored") && error.contains("0xc0c0"),
        "{error}"
    );
}
