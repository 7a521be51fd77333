//! keccak256, as Ethereum uses it, and the hashes of empty subtrees.

use crate::keccak::Kernel;
use sha3::{Digest, Keccak256};
use std::sync::LazyLock;

/// A 32-byte hash.
pub type Hash = [u8; 32];

/// keccak256 of some bytes.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> Hash {
    Keccak256::digest(bytes).into()
}

/// keccak256 of two nodes of a tree.
#[must_use]
pub fn hash_pair(left: &Hash, right: &Hash) -> Hash {
    let mut both = [0u8; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    Kernel::best().hash(&[&both])[0]
}

/// Levels of hashing between a 32-byte leaf of memory and the root.
pub const TREE_LEVELS: usize = 59;

static ZERO_HASHES: LazyLock<[Hash; TREE_LEVELS + 1]> = LazyLock::new(|| {
    let mut ladder = [[0u8; 32]; TREE_LEVELS + 1];
    for level in 0..TREE_LEVELS {
        ladder[level + 1] = hash_pair(&ladder[level], &ladder[level]);
    }
    ladder
});

/// The hash of a subtree of memory that is all zero and `level` levels high; level 0 is
/// the leaf itself, which is not hashed (`mipsevm/memory/memory.go`).
#[must_use]
pub fn zero_hash(level: usize) -> &'static Hash {
    &ZERO_HASHES[level]
}
