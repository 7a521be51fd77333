//! The tree of a large pre-image's blocks, and what shows that one of them is wrong.

use alloy_primitives::{B256, U256, keccak256};
use keccak::Keccak;

use super::{BLOCK_BYTES, MAX_BLOCKS, StateMatrix, TREE_DEPTH, padded};

/// The blocks of a large pre-image, and what is claimed of each: the hash of the sponge's state
/// after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockTree {
    /// As long as the commitments.
    blocks: Vec<[u8; BLOCK_BYTES]>,
    state_commitments: Vec<B256>,
}

/// A leaf of the tree, and its branch from the bottom up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The block.
    pub input: [u8; BLOCK_BYTES],
    /// Its number.
    pub index: usize,
    /// What is claimed to be the hash of the sponge's state after it.
    pub state_commitment: B256,
    /// The neighbours on the way to the root.
    pub branch: [B256; TREE_DEPTH],
}

/// Two leaves side by side, and the sponge's state between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state after the one before.
    pub state_matrix: StateMatrix,
    /// The one before.
    pub pre: Leaf,
    /// The one after.
    pub post: Leaf,
}

/// What shows that a large pre-image is not what is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// The state after the first block is wrong (`challengeFirstLPP`).
    First(Box<Leaf>),
    /// The state after a later block does not follow from the one before (`challengeLPP`).
    Later(Box<Transition>),
}

impl Challenge {
    /// The number of the block after which the state is wrong.
    #[must_use]
    pub fn block(&self) -> usize {
        match self {
            Self::First(post) => post.index,
            Self::Later(transition) => transition.post.index,
        }
    }
}

impl BlockTree {
    /// Blocks of which what is true is claimed.
    pub(super) fn honest(blocks: Vec<[u8; BLOCK_BYTES]>) -> Self {
        let state_commitments = states(&blocks).map(|state| commitment(&state)).collect();
        Self {
            blocks,
            state_commitments,
        }
    }

    /// Adds what a call of `addLeavesLPP` does: an input, the commitments to the states after its
    /// blocks, and whether it is the last, which is padded. False, and nothing is added, where the
    /// contract does not take it.
    #[must_use]
    pub fn add(&mut self, input: &[u8], state_commitments: &[B256], finalize: bool) -> bool {
        let blocks = match (finalize, input.as_chunks()) {
            (true, _) => padded(input),
            (false, (blocks, [])) => blocks.to_vec(),
            (false, _) => return false,
        };
        let count = self.blocks.len() + blocks.len();
        if blocks.len() != state_commitments.len() || count > MAX_BLOCKS {
            return false;
        }
        self.blocks.extend(blocks);
        self.state_commitments.extend(state_commitments);
        true
    }

    /// The blocks.
    #[must_use]
    pub fn blocks(&self) -> &[[u8; BLOCK_BYTES]] {
        &self.blocks
    }

    /// What is claimed to be the hash of the sponge's state after each block.
    #[must_use]
    pub fn state_commitments(&self) -> &[B256] {
        &self.state_commitments
    }

    /// Its root (`getTreeRootLPP`).
    #[must_use]
    pub fn root(&self) -> B256 {
        self.climb(0).1
    }

    /// A block with its branch; none if there is no such block.
    #[must_use]
    pub fn leaf(&self, index: usize) -> Option<Leaf> {
        Some(Leaf {
            input: *self.blocks.get(index)?,
            index,
            state_commitment: self.state_commitments[index],
            branch: self.climb(index).0,
        })
    }

    /// A block and the one before it, with the true state between them; none if there are not both.
    #[must_use]
    pub fn transition(&self, post: usize) -> Option<Transition> {
        let pre = post.checked_sub(1)?;
        Some(Transition {
            post: self.leaf(post)?,
            pre: self.leaf(pre)?,
            state_matrix: states(&self.blocks).nth(pre)?,
        })
    }

    /// What shows the first wrong claim to be wrong; none if all are right.
    #[must_use]
    pub fn challenge(&self) -> Option<Challenge> {
        let claimed = self.state_commitments.iter();
        let wrong = states(&self.blocks)
            .zip(claimed)
            .position(|(state, claimed)| commitment(&state) != *claimed)?;
        match self.transition(wrong) {
            // The claim of the block before is right, so its state is what is committed to.
            Some(transition) => Some(Challenge::Later(Box::new(transition))),
            None => Some(Challenge::First(Box::new(self.leaf(wrong)?))),
        }
    }

    /// The neighbours of a leaf on the way up, and the root; leaves that are missing are zero.
    fn climb(&self, mut index: usize) -> ([B256; TREE_DEPTH], B256) {
        let mut level: Vec<B256> = self
            .blocks
            .iter()
            .zip(&self.state_commitments)
            .enumerate()
            .map(|(at, (block, commitment))| leaf_hash(block, at, *commitment))
            .collect();
        let mut zero = B256::ZERO;
        let branch = std::array::from_fn(|_| {
            let neighbour = level.get(index ^ 1).copied().unwrap_or(zero);
            level = level
                .chunks(2)
                .map(|pair| hash_pair(pair[0], pair.get(1).copied().unwrap_or(zero)))
                .collect();
            zero = hash_pair(zero, zero);
            index /= 2;
            neighbour
        });
        (branch, level.first().copied().unwrap_or(zero))
    }
}

/// The sponge's state after each block.
pub(super) fn states(blocks: &[[u8; BLOCK_BYTES]]) -> impl Iterator<Item = StateMatrix> {
    let keccak = Keccak::new();
    blocks.iter().scan([0; 25], move |state, block| {
        for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        keccak.with_f1600(|f1600| f1600(state));
        Some(*state)
    })
}

/// The hash of a state: its 25 lanes as words (`abi.encode`).
pub(super) fn commitment(state: &StateMatrix) -> B256 {
    let words: Vec<[u8; 32]> = state
        .iter()
        .map(|&lane| U256::from(lane).to_be_bytes())
        .collect();
    keccak256(words.concat())
}

pub(super) fn leaf_hash(block: &[u8; BLOCK_BYTES], index: usize, commitment: B256) -> B256 {
    let index = U256::from(index).to_be_bytes::<32>();
    keccak256([&block[..], &index, commitment.as_slice()].concat())
}

pub(super) fn hash_pair(left: B256, right: B256) -> B256 {
    keccak256([left, right].concat())
}
