//! The chain that the `verifier` guest checks: its format, a check and a generator.
//!
//! Blocks are linked by the digests of their parents; each commits to a payload of 32-byte leaves
//! by a binary keccak256 Merkle tree. What the first blocks come to is a digest folded over their
//! leaves, oldest first; with the chain that it is of, it makes an output. A claim is that from one
//! output follows another. `README.md` of this crate specifies the format byte by byte.

mod generate;
mod hint;
mod verify;

pub use generate::{Chain, ChainSpec};
pub use hint::ChainHint;
pub use verify::{ChainError, Verdict, fold_chain, verify};

use crate::Hash;
use crate::keccak::{keccak256, keccak256_pair};

/// Local key of the output root to start from (32 bytes). This key and the next two are those of
/// a dispute game (`LocalPreimageKey`).
pub const LOCAL_AGREED: u64 = 2;
/// Local key of the output root that is claimed (32 bytes).
pub const LOCAL_CLAIM: u64 = 3;
/// Local key of the block that it is claimed of (big-endian `u64`): how many blocks come before.
/// One after the last stands for that.
pub const LOCAL_BLOCK_COUNT: u64 = 4;

/// The parent of block 0, the root of an empty payload, and the accumulator before any leaf.
pub const ZERO_HASH: Hash = [0; 32];

/// One block. Its digest is keccak256 of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Digest of the block before.
    pub parent: Hash,
    /// One more than the parent's; 0 for the first.
    pub number: u64,
    /// How many leaves the payload has.
    pub leaf_count: u64,
    /// Root of the payload's tree.
    pub payload_root: Hash,
}

impl Block {
    /// Bytes in an encoded block.
    pub const SIZE: usize = 80;

    /// parent ‖ number ‖ leaf count ‖ payload root, numbers big-endian.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..32].copy_from_slice(&self.parent);
        bytes[32..40].copy_from_slice(&self.number.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.leaf_count.to_be_bytes());
        bytes[48..].copy_from_slice(&self.payload_root);
        bytes
    }

    /// The block with this encoding. Every 80 bytes are some block.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            parent: field(bytes, 0),
            number: u64::from_be_bytes(field(bytes, 32)),
            leaf_count: u64::from_be_bytes(field(bytes, 40)),
            payload_root: field(bytes, 48),
        }
    }

    /// The digest by which the next block names this one.
    pub fn hash(&self) -> Hash {
        keccak256(&self.encode())
    }
}

/// What the first blocks of a chain come to. An output root is the keccak256 of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Digest of the chain's last block; zero for a chain without blocks.
    pub head: Hash,
    /// How many blocks.
    pub blocks: u64,
    /// What their leaves were folded to.
    pub accumulator: Hash,
}

impl Output {
    /// Bytes in an encoded output.
    pub const SIZE: usize = 72;

    /// head ‖ number of blocks, big-endian ‖ accumulator.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..32].copy_from_slice(&self.head);
        bytes[32..40].copy_from_slice(&self.blocks.to_be_bytes());
        bytes[40..].copy_from_slice(&self.accumulator);
        bytes
    }

    /// The output with this encoding. Every 72 bytes are some output.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            head: field(bytes, 0),
            blocks: u64::from_be_bytes(field(bytes, 32)),
            accumulator: field(bytes, 40),
        }
    }

    /// The output root.
    pub fn root(&self) -> Hash {
        keccak256(&self.encode())
    }
}

/// The accumulator after one more leaf.
pub fn fold_leaf(accumulator: &Hash, leaf: &Hash) -> Hash {
    keccak256_pair(accumulator, leaf)
}

/// How many of a node's `leaves` (at least two) are below its left child: the greatest power of
/// two that leaves something for the right one.
pub(crate) fn left_leaves(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The `N` bytes at `start`, which the caller knows to be there.
fn field<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    *bytes[start..].first_chunk().expect("a fixed field")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_encoding() {
        let block = Block {
            parent: [1; 32],
            number: 0x0203_0405_0607_0809,
            leaf_count: 0x0a0b_0c0d_0e0f_1011,
            payload_root: [0x12; 32],
        };
        let bytes = block.encode();
        assert_eq!(bytes[31..34], [1, 2, 3]);
        assert_eq!(bytes[46..49], [0x10, 0x11, 0x12]);
        assert_eq!(Block::decode(&bytes), block);
        assert_eq!(block.hash(), keccak256(&bytes));
    }

    #[test]
    fn outputs_survive_encoding() {
        let output = Output {
            head: [1; 32],
            blocks: 0x0203_0405_0607_0809,
            accumulator: [0x0a; 32],
        };
        let bytes = output.encode();
        assert_eq!(bytes[31..41], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(Output::decode(&bytes), output);
        assert_eq!(output.root(), keccak256(&bytes));
    }

    #[test]
    fn trees_fill_from_the_left() {
        let want = [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8)];
        for (leaves, left) in want {
            assert_eq!(left_leaves(leaves), left, "of {leaves}");
        }
        assert_eq!(left_leaves(u64::MAX), 1 << 63);
    }
}
