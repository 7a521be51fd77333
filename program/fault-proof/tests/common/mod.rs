//! Real OP Sepolia blocks, which are not part of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use alloy_consensus::Header;
use alloy_primitives::B256;
use carronade_fault_proof::boot::CHAIN_ID;
use carronade_fault_proof::stateless::{ATTRIBUTES, EXPECTED_HASH, PARENT_HASH};
use carronade_program::key::PreimageKey;
use serde::Deserialize;
use serde_json::Value;

/// One block, and what its execution needs.
pub struct RealBlock {
    /// Its file's name.
    pub name: String,
    /// The hash that it has.
    pub hash: B256,
    /// Local keys, trie nodes, codes and headers.
    pub preimages: Vec<(PreimageKey, Vec<u8>)>,
}

#[derive(Deserialize)]
struct File {
    parent_header: Header,
    executing_payload: Value,
    expected_block_hash: B256,
    rollup_config: Config,
}

#[derive(Deserialize)]
struct Config {
    l2_chain_id: u64,
}

/// The real blocks at hand. Says so when there are none.
pub fn real_blocks() -> Vec<RealBlock> {
    let shared = std::env::var_os("CARRONADE_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("fixtures/op-sepolia");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: no real blocks in {}", folder.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// The folder `shared` beside the repository.
fn beside() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = folders.find(|folder| folder.join("Cargo.lock").exists());
    root.unwrap().join("../shared")
}

fn read(path: &Path) -> RealBlock {
    let file: File = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let parent = file.parent_header.hash_slow();
    let mut preimages = vec![
        (
            PreimageKey::local(EXPECTED_HASH),
            file.expected_block_hash.to_vec(),
        ),
        (PreimageKey::local(PARENT_HASH), parent.to_vec()),
        (
            PreimageKey::local(ATTRIBUTES),
            file.executing_payload.to_string().into(),
        ),
        (
            PreimageKey::local(CHAIN_ID),
            file.rollup_config.l2_chain_id.to_be_bytes().into(),
        ),
        (
            PreimageKey::keccak256(parent.0),
            alloy_rlp::encode(file.parent_header),
        ),
    ];
    preimages.extend(entries(&fs::read(path.with_extension("bin")).unwrap()));
    RealBlock {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        hash: file.expected_block_hash,
        preimages,
    }
}

/// Count, then key, length and value of each entry; numbers are little-endian.
fn entries(mut bytes: &[u8]) -> Vec<(PreimageKey, Vec<u8>)> {
    let mut take = |n: usize| {
        let (head, tail) = bytes.split_at(n);
        bytes = tail;
        head
    };
    let count = u64::from_le_bytes(take(8).try_into().unwrap());
    let mut entry = || {
        let key = PreimageKey::keccak256(take(32).try_into().unwrap());
        let length = u32::from_le_bytes(take(4).try_into().unwrap());
        (key, take(length as usize).to_vec())
    };
    (0..count).map(|_| entry()).collect()
}
