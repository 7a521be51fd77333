//! What an oracle says of large pre-image proposals at a block.

use std::ops::Range;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use carronade_contracts::abi::{Leaf, PreimageOracle as Abi};
use carronade_dispute::upload::large;

use crate::chain::{Block, Chain};
use crate::rpc::{BATCH, RpcError};

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

/// A proposal at a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Which it is.
    pub proposal: Proposal,
    /// The root of its tree.
    pub root: B256,
    /// How often something was added to it, in blocks that may be the same.
    pub calls: u64,
    /// Whether all its leaves are there.
    pub is_complete: bool,
    /// Whether it was shown to be wrong, or squeezed.
    pub is_over: bool,
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
    pub fn read(&self, indices: &[u64]) -> Result<Vec<Reading>, RpcError> {
        let told = self.view_all(indices.iter().map(|index| Abi::proposalsCall {
            index: U256::from(*index),
        }))?;
        let proposals: Vec<Proposal> = told
            .into_iter()
            .map(|told| Proposal {
                claimant: told.claimant,
                uuid: told.uuid,
            })
            .collect();
        let keys = || proposals.iter().map(|of| (of.claimant, of.uuid));
        let metadata = keys().map(|(claimant, uuid)| Abi::proposalMetadataCall { claimant, uuid });
        let metadata = self.view_all(metadata)?;
        let bonds = keys().map(|(claimant, uuid)| Abi::proposalBondsCall { claimant, uuid });
        let bonds = self.view_all(bonds)?;
        let roots = keys().map(|(claimant, uuid)| Abi::getTreeRootLPPCall { claimant, uuid });
        let roots = self.view_all(roots)?;
        let calls = keys().map(|(claimant, uuid)| Abi::proposalBlocksLenCall { claimant, uuid });
        let calls = self.view_all(calls)?;
        let states = metadata.into_iter().zip(bonds).zip(roots).zip(calls);
        let all = proposals.iter().zip(states);
        let readings = all.map(|(proposal, (((metadata, bond), root), calls))| {
            let progress = Progress::from(metadata);
            Reading {
                proposal: *proposal,
                root,
                calls: calls.saturating_to(),
                is_complete: progress.timestamp != 0,
                is_over: progress.countered || bond.is_zero(),
            }
        });
        Ok(readings.collect())
    }

    /// The numbers of the blocks in which a proposal's leaves were added, each once.
    pub fn blocks(&self, proposal: Proposal) -> Result<Vec<u64>, RpcError> {
        let Proposal { claimant, uuid } = proposal;
        let count = self.view(&Abi::proposalBlocksLenCall { claimant, uuid })?;
        distinct(count.saturating_to(), |indices| {
            self.view_all(indices.map(|index| Abi::proposalBlocksCall {
                claimant,
                uuid,
                index: U256::from(index),
            }))
        })
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

/// The different numbers of an ascending list of so many, of which ranges can be read. Whoever adds
/// nothing very often in one block is passed over in strides.
fn distinct<E>(
    count: u64,
    read: impl Fn(Range<u64>) -> Result<Vec<u64>, E>,
) -> Result<Vec<u64>, E> {
    let batch = BATCH as u64;
    let (mut numbers, mut next) = (Vec::new(), 0);
    while next < count {
        let end = count.min(next + batch);
        let some = read(next..end)?;
        next = end;
        let (first, last) = (some.first().copied(), some.last().copied());
        numbers.extend(some);
        numbers.dedup();
        let mut stride = batch;
        while first == last
            && count - next > stride
            && read(next + stride..next + stride + 1)?.first().copied() == last
        {
            next += stride;
            stride *= 2;
        }
    }
    Ok(numbers)
}

impl From<B256> for Progress {
    /// From the top: timestamp 64 bits, part offset, claimed size, blocks and bytes processed 32
    /// bits each, countered 64.
    fn from(packed: B256) -> Self {
        let number = |range: Range<usize>| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;

    /// The different numbers of a list, and how many ranges were read for them.
    fn numbers(list: &[u64]) -> (Vec<u64>, usize) {
        let reads = Cell::new(0);
        let read = |range: Range<u64>| {
            reads.set(reads.get() + 1);
            Ok::<_, Infallible>(list[range.start as usize..range.end as usize].to_vec())
        };
        let Ok(numbers) = distinct(list.len() as u64, read);
        (numbers, reads.get())
    }

    #[test]
    fn numbers_that_repeat_are_told_once_and_none_is_passed_over() {
        // Runs of many lengths, around those of batches and strides.
        for lengths in [
            &[][..],
            &[1],
            &[1, 1, 1],
            &[49, 1, 2],
            &[50, 1],
            &[51, 49, 100],
            &[100, 1, 100, 1],
            &[149, 2, 151, 1, 99],
            &[1000, 1, 1, 1, 1000, 3, 400],
            &[10_000, 1, 12_345],
        ] {
            let runs = lengths.iter().zip((7_u64..).step_by(3));
            let list: Vec<u64> = runs
                .flat_map(|(&length, number)| std::iter::repeat_n(number, length))
                .collect();
            let mut expected = list.clone();
            expected.dedup();
            assert_eq!(numbers(&list).0, expected, "{lengths:?}");
        }
    }

    #[test]
    fn a_million_calls_in_one_block_are_few_questions() {
        let list = [vec![5; 1_000_000], vec![6; 3]].concat();
        let (numbers, reads) = numbers(&list);
        assert_eq!(numbers, [5, 6]);
        assert!(reads < 200, "{reads}");
    }
}
