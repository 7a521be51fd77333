//! Pre-images too large for one transaction (`PreimageOracle.sol`, large preimage
//! proposals).
//!
//! The pre-image is absorbed in blocks of 136 bytes, and for each block the uploader claims
//! the hash of the sponge's state. Blocks and claims are leaves of a tree; anybody can show
//! one of them wrong until the challenge period is over, then the uploader squeezes.

use alloy_primitives::{Address, B256, U256, keccak256};
use keccak::Keccak;

/// Bytes that the sponge absorbs at a time.
pub const BLOCK_BYTES: usize = 136;
/// Levels of the tree of blocks (`KECCAK_TREE_DEPTH`).
pub const TREE_DEPTH: usize = 16;
/// Most blocks that a tree holds (`MAX_LEAF_COUNT`).
pub const MAX_BLOCKS: usize = (1 << TREE_DEPTH) - 1;
/// Blocks in one transaction, as op-challenger sends them.
pub const BLOCKS_PER_CALL: usize = 300;

/// The state of the sponge, as `LibKeccak.StateMatrix`.
pub type StateMatrix = [u64; 25];

/// A pre-image that is uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargePreimage {
    /// Where the step reads, counted from the start of the 8-byte length.
    pub part_offset: u32,
    /// The pre-image without its length.
    pub preimage: Vec<u8>,
}

/// One call of `addLeavesLPP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddLeaves {
    /// Blocks added before.
    pub start_block: usize,
    /// Whole blocks; in the last call what is left of the pre-image, which the contract
    /// pads.
    pub input: Vec<u8>,
    /// The hash of the sponge's state after each block.
    pub state_commitments: Vec<B256>,
    /// Whether it is the last call.
    pub finalize: bool,
}

/// A leaf of the tree, and its branch from the bottom up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The block.
    pub input: [u8; BLOCK_BYTES],
    /// Its number.
    pub index: usize,
    /// The hash of the sponge's state after it.
    pub state_commitment: B256,
    /// The neighbours on the way to the root.
    pub branch: [B256; TREE_DEPTH],
}

/// The call of `squeezeLPP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squeeze {
    /// The sponge's state before the last block.
    pub state_matrix: StateMatrix,
    /// The last block but one.
    pub pre: Leaf,
    /// The last block.
    pub post: Leaf,
}

impl LargePreimage {
    /// The size to claim in `initLPP`, in bytes.
    #[must_use]
    pub fn claimed_size(&self) -> usize {
        self.preimage.len()
    }

    /// The identifier under which op-challenger uploads: the same after a restart, another
    /// for another part or sender.
    #[must_use]
    pub fn uuid(&self, sender: Address) -> U256 {
        let offset = self.part_offset.to_le_bytes();
        let all = [&self.preimage[..], &offset, sender.as_slice()].concat();
        keccak256(all).into()
    }

    /// The calls that are left when so many blocks have been added: none once the last is.
    ///
    /// The contract takes the 32 bytes that the step reads from one call, so a block is
    /// kept for the next call where they would be cut.
    #[must_use]
    pub fn calls(&self, blocks_added: usize) -> Vec<AddLeaves> {
        let blocks = self.blocks();
        let commitments: Vec<B256> = states(&blocks).iter().map(commitment).collect();
        let mut calls = Vec::new();
        let mut start = blocks_added;
        while start < blocks.len() {
            let (end, finalize) = self.call_end(start);
            let end_block = if finalize {
                blocks.len()
            } else {
                end / BLOCK_BYTES
            };
            calls.push(AddLeaves {
                start_block: start,
                input: self.preimage[start * BLOCK_BYTES..end].to_vec(),
                state_commitments: commitments[start..end_block].to_vec(),
                finalize,
            });
            start = end_block;
        }
        calls
    }

    /// Where the call that starts with a block ends, in bytes, and whether it is the last.
    fn call_end(&self, start: usize) -> (usize, bool) {
        let begin = start * BLOCK_BYTES;
        let end = begin + BLOCKS_PER_CALL * BLOCK_BYTES;
        if end >= self.preimage.len() {
            return (self.preimage.len(), true);
        }
        let part = (self.part_offset as usize).checked_sub(8);
        let is_cut = part.is_some_and(|part| (begin..end).contains(&part) && part + 32 >= end);
        (if is_cut { end - BLOCK_BYTES } else { end }, false)
    }

    /// What finishes the upload; none for a pre-image of one block, which is not large.
    #[must_use]
    pub fn squeeze(&self) -> Option<Squeeze> {
        let blocks = self.blocks();
        let states = states(&blocks);
        let last = blocks.len() - 1;
        let pre = last.checked_sub(1)?;
        Some(Squeeze {
            state_matrix: states[pre],
            pre: leaf(&blocks, &states, pre),
            post: leaf(&blocks, &states, last),
        })
    }

    /// A block with its branch, to challenge with; none if there is no such block.
    #[must_use]
    pub fn leaf(&self, index: usize) -> Option<Leaf> {
        let blocks = self.blocks();
        (index < blocks.len()).then(|| leaf(&blocks, &states(&blocks), index))
    }

    /// The padded pre-image.
    fn blocks(&self) -> Vec<[u8; BLOCK_BYTES]> {
        let mut padded = self.preimage.clone();
        padded.push(1);
        padded.resize(padded.len().next_multiple_of(BLOCK_BYTES), 0);
        if let Some(last) = padded.last_mut() {
            *last |= 0x80;
        }
        padded.as_chunks().0.to_vec()
    }
}

/// The sponge's state after each block.
fn states(blocks: &[[u8; BLOCK_BYTES]]) -> Vec<StateMatrix> {
    let mut state = [0; 25];
    let mut states = Vec::with_capacity(blocks.len());
    Keccak::new().with_f1600(|f1600| {
        for block in blocks {
            for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane ^= u64::from_le_bytes(*bytes);
            }
            f1600(&mut state);
            states.push(state);
        }
    });
    states
}

/// The hash of a state: its 25 lanes as words (`abi.encode`).
fn commitment(state: &StateMatrix) -> B256 {
    let words: Vec<[u8; 32]> = state
        .iter()
        .map(|&lane| U256::from(lane).to_be_bytes())
        .collect();
    keccak256(words.concat())
}

fn leaf_hash(block: &[u8; BLOCK_BYTES], index: usize, commitment: B256) -> B256 {
    let index = U256::from(index).to_be_bytes::<32>();
    keccak256([&block[..], &index, commitment.as_slice()].concat())
}

fn leaf(blocks: &[[u8; BLOCK_BYTES]], states: &[StateMatrix], index: usize) -> Leaf {
    let hashes = blocks
        .iter()
        .zip(states)
        .enumerate()
        .map(|(at, (block, state))| leaf_hash(block, at, commitment(state)))
        .collect();
    Leaf {
        input: blocks[index],
        index,
        state_commitment: commitment(&states[index]),
        branch: branch(hashes, index),
    }
}

/// The neighbours of a leaf on the way up; leaves that are missing are zero.
fn branch(mut level: Vec<B256>, mut index: usize) -> [B256; TREE_DEPTH] {
    let mut zero = B256::ZERO;
    std::array::from_fn(|_| {
        let neighbour = level.get(index ^ 1).copied().unwrap_or(zero);
        level = level
            .chunks(2)
            .map(|pair| hash_pair(pair[0], pair.get(1).copied().unwrap_or(zero)))
            .collect();
        zero = hash_pair(zero, zero);
        index /= 2;
        neighbour
    })
}

fn hash_pair(left: B256, right: B256) -> B256 {
    keccak256([left, right].concat())
}

#[cfg(test)]
mod tests;
