//! Chains for demonstrations and tests.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    Block, LOCAL_AGREED, LOCAL_BLOCK_COUNT, LOCAL_CLAIM, Output, ZERO_HASH, fold_leaf, left_leaves,
};
use crate::Hash;
use crate::keccak::{keccak256, keccak256_pair};
use crate::key::PreimageKey;

/// Which chain to generate. Equal specifications give equal chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// Chooses the content of the leaves.
    pub seed: u64,
    /// How many blocks there are.
    pub blocks: u64,
    /// How many leaves each block's payload has.
    pub leaves_per_block: u64,
}

/// A generated chain with everything the `verifier` guest asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Digest of the last block; zero for a chain without blocks.
    pub head: Hash,
    /// The right claim about the whole chain: the output root of all blocks.
    pub claim: Hash,
    /// How many blocks there are.
    pub blocks: u64,
    /// The outputs of no block, of the first, of the first two, and so on.
    pub outputs: Vec<Output>,
    /// Blocks, tree nodes and outputs by their keccak256 keys.
    pub preimages: BTreeMap<PreimageKey, Vec<u8>>,
}

impl Chain {
    /// Generates the chain of `spec`.
    pub fn generate(spec: ChainSpec) -> Self {
        let mut chain = Self {
            head: ZERO_HASH,
            claim: ZERO_HASH,
            blocks: spec.blocks,
            outputs: Vec::new(),
            preimages: BTreeMap::new(),
        };
        let mut accumulators = vec![ZERO_HASH];
        for number in 0..spec.blocks {
            let leaves = payload(&spec, number);
            chain.append(number, &leaves);
            let before = accumulators[accumulators.len() - 1];
            accumulators.push(leaves.iter().fold(before, |a, leaf| fold_leaf(&a, leaf)));
        }
        chain.conclude(&accumulators);
        chain
    }

    /// All pre-images for a run about `claim`, right or wrong, from the first block to the last,
    /// including the local keys.
    pub fn inputs(&self, claim: Hash) -> BTreeMap<PreimageKey, Vec<u8>> {
        let mut inputs = self.preimages.clone();
        let count = self.blocks.to_be_bytes();
        let agreed = self.outputs[0].root();
        inputs.insert(PreimageKey::local(LOCAL_AGREED), agreed.into());
        inputs.insert(PreimageKey::local(LOCAL_CLAIM), claim.into());
        inputs.insert(PreimageKey::local(LOCAL_BLOCK_COUNT), count.into());
        inputs
    }

    fn append(&mut self, number: u64, leaves: &[Hash]) {
        let block = Block {
            parent: self.head,
            number,
            leaf_count: leaves.len() as u64,
            payload_root: self.insert_tree(leaves),
        };
        self.head = block.hash();
        self.insert(self.head, &block.encode());
    }

    /// Adds the outputs, which are of the whole chain.
    fn conclude(&mut self, accumulators: &[Hash]) {
        for (blocks, accumulator) in (0..).zip(accumulators) {
            let output = Output {
                head: self.head,
                blocks,
                accumulator: *accumulator,
            };
            self.claim = output.root();
            self.insert(self.claim, &output.encode());
            self.outputs.push(output);
        }
    }

    /// Adds the inner nodes over `leaves` and returns their root.
    fn insert_tree(&mut self, leaves: &[Hash]) -> Hash {
        match leaves {
            [] => ZERO_HASH,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(left_leaves(leaves.len() as u64) as usize);
                let (left, right) = (self.insert_tree(left), self.insert_tree(right));
                let hash = keccak256_pair(&left, &right);
                self.insert(hash, &[left, right].concat());
                hash
            }
        }
    }

    fn insert(&mut self, hash: Hash, data: &[u8]) {
        self.preimages
            .insert(PreimageKey::keccak256(hash), data.into());
    }
}

/// The leaves of one block: keccak256(seed ‖ block number ‖ leaf index), numbers big-endian.
fn payload(spec: &ChainSpec, number: u64) -> Vec<Hash> {
    (0..spec.leaves_per_block)
        .map(|index| keccak256(&[spec.seed, number, index].map(u64::to_be_bytes).concat()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ChainSpec = ChainSpec {
        seed: 1,
        blocks: 3,
        leaves_per_block: 5,
    };

    #[test]
    fn equal_specifications_give_equal_chains() {
        assert_eq!(Chain::generate(SPEC), Chain::generate(SPEC));
        let other = Chain::generate(ChainSpec { seed: 2, ..SPEC });
        assert_ne!(Chain::generate(SPEC).claim, other.claim);
    }

    #[test]
    fn a_tree_of_n_leaves_has_one_node_less() {
        let chain = Chain::generate(SPEC);
        // Three blocks with a tree each, and four outputs.
        assert_eq!(chain.preimages.len(), 3 * (1 + 4) + 4);
        assert_eq!(chain.inputs(chain.claim).len(), 3 * (1 + 4) + 4 + 3);
    }

    #[test]
    fn pre_images_are_named_by_their_digests() {
        for (key, data) in Chain::generate(SPEC).preimages {
            assert_eq!(key, PreimageKey::keccak256(keccak256(&data)));
        }
    }

    #[test]
    fn a_chain_by_hand_is_the_same() {
        let chain = Chain::generate(ChainSpec {
            seed: 7,
            blocks: 1,
            leaves_per_block: 3,
        });
        let leaf = |index: u8| {
            let mut bytes = [0; 24];
            (bytes[7], bytes[23]) = (7, index);
            keccak256(&bytes)
        };
        let [a, b, c] = [0, 1, 2].map(leaf);
        let root = keccak256_pair(&keccak256_pair(&a, &b), &c);
        let mut block = [0; 80];
        block[47] = 3;
        block[48..].copy_from_slice(&root);
        assert_eq!(chain.head, keccak256(&block));
        let folded = [a, b, c]
            .iter()
            .fold([0; 32], |acc, l| keccak256_pair(&acc, l));
        let output = |count: u64, folded: Hash| {
            keccak256(&[&chain.head[..], &count.to_be_bytes(), &folded].concat())
        };
        assert_eq!(chain.claim, output(1, folded));
        assert_eq!(chain.outputs[0].root(), output(0, [0; 32]));
    }
}
