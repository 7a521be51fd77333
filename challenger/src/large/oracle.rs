//! What an oracle says of large pre-image proposals at a block.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use carronade_contracts::abi::{Leaf, PreimageOracle as Abi};
use carronade_dispute::upload::large;

use crate::chain::{Block, Chain};
use crate::rpc::RpcError;

/// Whose large pre-image, and which of theirs (`LargePreimageProposalKeys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// Who proposes it.
    pub claimant: Address,
    /// Their number of it.
    pub uuid: U256,
}

/// How far a proposal is (`LPPMetaData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// When it became complete, in seconds; 0 before.
    pub timestamp: u64,
    /// The size of the pre-image, in bytes; 0 if there is no proposal.
    pub claimed_size: u32,
    /// Blocks in its tree.
    pub blocks_processed: u32,
    /// Whether it was shown to be wrong.
    pub countered: bool,
}

/// An oracle at a block.
pub(crate) struct Oracle<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// The block.
    pub at: &'a Block,
    /// The oracle.
    pub address: Address,
}

impl Oracle<'_> {
    /// How many proposals there have been.
    pub fn count(&self) -> Result<u64, RpcError> {
        let count = self.view(&Abi::proposalCountCall {})?;
        Ok(count.saturating_to())
    }

    /// The proposals at some places of the list.
    pub fn proposals(&self, indices: &[u64]) -> Result<Vec<Proposal>, RpcError> {
        let calls = indices.iter().map(|index| Abi::proposalsCall {
            index: U256::from(*index),
        });
        let told = self.view_all(calls)?.into_iter();
        let proposals = told.map(|told| Proposal {
            claimant: told.claimant,
            uuid: told.uuid,
        });
        Ok(proposals.collect())
    }

    /// How far each of some proposals is.
    pub fn progress(&self, proposals: &[Proposal]) -> Result<Vec<Progress>, RpcError> {
        let calls = proposals.iter().map(|proposal| Abi::proposalMetadataCall {
            claimant: proposal.claimant,
            uuid: proposal.uuid,
        });
        let told = self.view_all(calls)?.into_iter();
        Ok(told.map(Progress::from).collect())
    }

    /// The bond of each of some proposals, in wei: nothing once it is over.
    pub fn bonds(&self, proposals: &[Proposal]) -> Result<Vec<U256>, RpcError> {
        self.view_all(proposals.iter().map(|proposal| Abi::proposalBondsCall {
            claimant: proposal.claimant,
            uuid: proposal.uuid,
        }))
    }

    /// The root of a proposal's tree.
    pub fn root(&self, proposal: Proposal) -> Result<B256, RpcError> {
        self.view(&Abi::getTreeRootLPPCall {
            claimant: proposal.claimant,
            uuid: proposal.uuid,
        })
    }

    /// The numbers of the blocks in which a proposal's leaves were added, each once.
    pub fn blocks(&self, proposal: Proposal) -> Result<Vec<u64>, RpcError> {
        let Proposal { claimant, uuid } = proposal;
        let count = self.view(&Abi::proposalBlocksLenCall { claimant, uuid })?;
        let indices = 0..count.saturating_to::<u64>();
        let mut blocks = self.view_all(indices.map(|index| Abi::proposalBlocksCall {
            claimant,
            uuid,
            index: U256::from(index),
        }))?;
        // They are in order.
        blocks.dedup();
        Ok(blocks)
    }

    fn view<C: SolCall>(&self, call: &C) -> Result<C::Return, RpcError> {
        self.chain.view(self.at, self.address, call)
    }

    fn view_all<C: SolCall>(
        &self,
        calls: impl Iterator<Item = C>,
    ) -> Result<Vec<C::Return>, RpcError> {
        self.chain.view_all(self.at, self.address, calls)
    }
}

impl From<B256> for Progress {
    /// From the top: timestamp 64 bits, part offset, claimed size, blocks and bytes processed 32
    /// bits each, countered 64.
    fn from(packed: B256) -> Self {
        let number = |range: std::ops::Range<usize>| {
            packed[range]
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        };
        Self {
            timestamp: number(0..8),
            claimed_size: number(12..16) as u32,
            blocks_processed: number(16..20) as u32,
            countered: number(24..32) != 0,
        }
    }
}

/// A leaf's branch, and the leaf, as the contract takes them.
pub(crate) fn leaf(leaf: &large::Leaf) -> (Vec<B256>, Leaf) {
    let told = Leaf {
        input: leaf.input.to_vec().into(),
        index: U256::from(leaf.index),
        stateCommitment: leaf.state_commitment,
    };
    (leaf.branch.to_vec(), told)
}
