//! What is made.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes};
use kona_genesis::RollupConfig;

use crate::DevnetError;
use crate::generator::Generator;
use crate::l1::L1Block;
use crate::l2::L2Block;
use crate::precompile::PrecompileResults;
use crate::spec::Spec;

/// An L1 and an L2 chain with everything that a proof of them needs.
#[derive(Clone, Debug)]
pub struct Devnet {
    /// The L1 chain from genesis.
    pub l1: Vec<L1Block>,
    /// The L2 chain from genesis: exactly what derivation yields from all of L1.
    pub l2: Vec<L2Block>,
    /// The rollup configuration.
    pub config: RollupConfig,
    /// Every trie node of every L2 state by its hash.
    pub(crate) nodes: BTreeMap<B256, Bytes>,
    /// Every code by its hash.
    pub(crate) codes: BTreeMap<B256, Bytes>,
    /// Results of precompiles.
    pub(crate) precompiles: PrecompileResults,
    /// All accounts there ever were, with the slots they wrote.
    pub(crate) keys: BTreeMap<Address, Vec<B256>>,
}

impl Devnet {
    /// Makes the chains that `spec` describes.
    ///
    /// # Errors
    /// When the spec does not make sense; anything else is a fault of this crate.
    pub fn generate(spec: &Spec) -> Result<Self, DevnetError> {
        spec.validate()?;
        Generator::new(spec)?.run()
    }
}
