//! A small chain for games that take a second: the verifier of `program/guests` judges it.

use std::sync::Arc;

use alloy_primitives::B256;
use carronade_dispute::Proposal;
use carronade_dispute::provider::{BlockNumberProof, OutputSource};
use carronade_host::MemoryStore;
use carronade_program::chain::{Chain, ChainSpec};

/// A chain in the verifier's format. The output root of block n is what its first n blocks come
/// to. Games must not claim blocks after the last: nothing could prove their number.
#[derive(Clone)]
pub struct QuickChain {
    roots: Arc<[B256]>,
    preimages: Arc<MemoryStore>,
}

impl QuickChain {
    /// The chain of a specification.
    #[must_use]
    pub fn new(spec: ChainSpec) -> Self {
        let chain = Chain::generate(spec);
        let roots = chain.outputs.iter().map(|output| output.root().into());
        let images = chain.preimages.iter();
        let images = images.map(|(key, value)| (*key.as_bytes(), value.clone()));
        Self {
            roots: roots.collect(),
            preimages: Arc::new(images.collect()),
        }
    }

    /// The last block.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.roots.len() as u64 - 1
    }

    /// The output of a block, or of the last one if that is before.
    #[must_use]
    pub fn output(&self, block: u64) -> Proposal {
        let l2_block = block.min(self.head());
        Proposal {
            root: self.roots[l2_block as usize],
            l2_block,
        }
    }

    /// Every pre-image that the verifier may ask for but the local ones.
    #[must_use]
    pub fn preimages(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.preimages)
    }
}

impl OutputSource for QuickChain {
    type Error = String;

    fn output_at(&mut self, block: u64) -> Result<B256, String> {
        Ok(self.output(block).root)
    }

    fn safe_head(&mut self) -> Result<u64, String> {
        Ok(self.head())
    }

    fn block_number_proof(&mut self, block: u64) -> Result<BlockNumberProof, String> {
        Err(format!(
            "block {block}, the last one of the chain, has no header that could prove its number"
        ))
    }
}
