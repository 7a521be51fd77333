//! Pre-images too large for one transaction (`PreimageOracle.sol`, large preimage
//! proposals).
//!
//! The pre-image is absorbed in blocks of 136 bytes, and for each block the uploader claims
//! the hash of the sponge's state. Blocks and claims are leaves of a tree; anybody can show
//! one of them wrong until the challenge period is over, then the uploader squeezes.

mod tree;

use alloy_primitives::{Address, B256, U256, keccak256};

pub use tree::{BlockTree, Challenge, Leaf, Transition};

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
        let tree = self.tree();
        let (blocks, commitments) = (tree.blocks(), tree.state_commitments());
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
    pub fn squeeze(&self) -> Option<Transition> {
        let tree = self.tree();
        tree.transition(tree.blocks().len() - 1)
    }

    /// The tree of its blocks.
    #[must_use]
    pub fn tree(&self) -> BlockTree {
        BlockTree::honest(padded(&self.preimage))
    }
}

/// Whole blocks of an input behind which nothing follows.
fn padded(input: &[u8]) -> Vec<[u8; BLOCK_BYTES]> {
    let mut padded = input.to_vec();
    padded.push(1);
    padded.resize(padded.len().next_multiple_of(BLOCK_BYTES), 0);
    if let Some(last) = padded.last_mut() {
        *last |= 0x80;
    }
    padded.as_chunks().0.to_vec()
}

#[cfg(test)]
mod tests;
