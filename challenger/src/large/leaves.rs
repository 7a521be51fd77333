//! The leaves of a proposal, from the oracle's logs.
//!
//! Each call of `addLeavesLPP` is logged without a topic: the caller, then the calldata
//! (`PreimageOracle.sol`). Nothing of it is believed: the leaves must come to the root of the
//! proposal's tree.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::SolCall as _;
use carronade_contracts::abi::PreimageOracle as Abi;
use carronade_dispute::upload::large::BlockTree;
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle::{Oracle, Proposal};
use crate::heads::Heads;
use crate::rpc::RpcError;

/// A log, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Log {
    data: Bytes,
}

/// What a call adds.
#[derive(Debug, PartialEq, Eq)]
struct Added {
    input: Vec<u8>,
    state_commitments: Vec<B256>,
    finalize: bool,
}

/// Why a tree is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeavesError {
    /// The node.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// They come to another root, which may be so for a moment when the chain is reorganised.
    #[error("the logs do not have the leaves of its tree")]
    Missing,
    /// All are to stop.
    #[error("stopped")]
    Stopped,
}

/// A tree of which not all leaves have been read.
pub(super) struct Begun {
    proposal: Proposal,
    root: B256,
    /// The blocks in which leaves were added.
    blocks: Vec<u64>,
    /// How many of them have been read.
    read: usize,
    tree: BlockTree,
}

/// The tree of a proposal with a root. What has been read is kept when the node fails, for the next
/// time: there may be so many blocks that it never answers for all of them without a failure.
pub(super) fn tree(
    oracle: &Oracle<'_>,
    proposal: Proposal,
    root: B256,
    kept: &mut Option<Begun>,
    heads: &Heads,
) -> Result<BlockTree, LeavesError> {
    let begun = kept.take();
    let mut begun = match begun.filter(|begun| (begun.proposal, begun.root) == (proposal, root)) {
        Some(begun) => begun,
        None => Begun {
            proposal,
            root,
            blocks: oracle.blocks(proposal)?,
            read: 0,
            tree: BlockTree::default(),
        },
    };
    match begun.go_on(oracle, heads) {
        Ok(()) if begun.tree.root() == root => Ok(begun.tree),
        Ok(()) => Err(LeavesError::Missing),
        Err(error) => {
            if matches!(error, LeavesError::Rpc(_)) {
                *kept = Some(begun);
            }
            Err(error)
        }
    }
}

impl Begun {
    /// How many blocks have been read.
    pub fn read(&self) -> usize {
        self.read
    }

    /// Reads the blocks that are left, one by one: calldata may have megabytes of what is no leaf,
    /// and nodes limit what a batch answers.
    fn go_on(&mut self, oracle: &Oracle<'_>, heads: &Heads) -> Result<(), LeavesError> {
        while let Some(block) = self.blocks.get(self.read) {
            if heads.is_stopped() {
                return Err(LeavesError::Stopped);
            }
            let asked = filter(oracle.address, *block);
            let told: Vec<Log> = oracle.chain.rpc().ask("eth_getLogs", asked)?;
            for log in &told {
                let Some(added) = added(&log.data, self.proposal) else {
                    continue;
                };
                let (input, commitments) = (&added.input, &added.state_commitments);
                if !self.tree.add(input, commitments, added.finalize) {
                    return Err(LeavesError::Missing);
                }
            }
            self.read += 1;
        }
        Ok(())
    }
}

/// The logs of an oracle in a block.
fn filter(oracle: Address, block: u64) -> Value {
    let block = U64::from(block);
    json!([{ "address": oracle, "fromBlock": block, "toBlock": block }])
}

/// What a log says was added to a proposal; none if it is of another call.
///
/// Calldata is read as Solidity reads it, not as encoders write it: a call that the contract takes
/// must not be one that challengers cannot read. Offsets may lead anywhere, and nothing need be
/// padded.
fn added(log: &[u8], proposal: Proposal) -> Option<Added> {
    let (caller, calldata) = log.split_at_checked(Address::len_bytes())?;
    let arguments = calldata.strip_prefix(&Abi::addLeavesLPPCall::SELECTOR)?;
    if caller != proposal.claimant.as_slice() || word(arguments, 0)? != proposal.uuid {
        return None;
    }
    let commitments = array(arguments, 3 * 32, 32)?;
    Some(Added {
        input: array(arguments, 2 * 32, 1)?.to_vec(),
        state_commitments: commitments.chunks(32).map(B256::from_slice).collect(),
        finalize: !word(arguments, 4 * 32)?.is_zero(),
    })
}

/// The word at a place.
fn word(arguments: &[u8], at: usize) -> Option<U256> {
    let bytes = arguments.get(at..)?.get(..32)?;
    Some(U256::from_be_slice(bytes))
}

/// The elements of an array, whose offset is at a place.
fn array(arguments: &[u8], place: usize, element_bytes: usize) -> Option<&[u8]> {
    let begin = usize::try_from(word(arguments, place)?).ok()?;
    let count = usize::try_from(word(arguments, begin)?).ok()?;
    let elements = arguments.get(begin.checked_add(32)?..)?;
    elements.get(..count.checked_mul(element_bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPOSAL: Proposal = Proposal {
        claimant: Address::repeat_byte(0xaa),
        uuid: U256::from_limbs([7, 0, 0, 0]),
    };

    fn log(calldata: &[u8]) -> Vec<u8> {
        [PROPOSAL.claimant.as_slice(), calldata].concat()
    }

    fn call(uuid: U256) -> Vec<u8> {
        let call = Abi::addLeavesLPPCall {
            uuid,
            inputStartBlock: U256::from(3),
            input: vec![5; 139].into(),
            stateCommitments: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
            finalize: true,
        };
        call.abi_encode()
    }

    fn expected() -> Added {
        Added {
            input: vec![5; 139],
            state_commitments: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
            finalize: true,
        }
    }

    #[test]
    fn calls_are_read() {
        let uuid = PROPOSAL.uuid;
        assert_eq!(added(&log(&call(uuid)), PROPOSAL), Some(expected()));
        // Another proposal, another caller, another function.
        assert_eq!(added(&log(&call(uuid + U256::ONE)), PROPOSAL), None);
        let other = [Address::ZERO.as_slice(), &call(uuid)].concat();
        assert_eq!(added(&other, PROPOSAL), None);
        let mut other = call(uuid);
        other[0] ^= 1;
        assert_eq!(added(&log(&other), PROPOSAL), None);
    }

    #[test]
    fn what_is_encoded_oddly_is_read_too() {
        // Commitments first, at an odd place, with what looks like padding of other bytes; the
        // input is the last, without padding.
        let word = |value: u64| U256::from(value).to_be_bytes::<32>();
        let [one, two] = [[1; 32], [2; 32]];
        let head = [word(7), word(3), word(261), word(163), word(1)].concat();
        let data = [&[0xee; 3][..], &word(2), &one, &two, &[0xff; 2]].concat();
        let input = [&word(139)[..], &[5; 139]].concat();
        let calldata = [&Abi::addLeavesLPPCall::SELECTOR[..], &head, &data, &input].concat();
        assert_eq!(added(&log(&calldata), PROPOSAL), Some(expected()));
    }

    #[test]
    fn what_leads_out_of_the_calldata_is_no_call() {
        let whole = call(PROPOSAL.uuid);
        for end in 0..whole.len() {
            assert_eq!(added(&log(&whole[..end]), PROPOSAL), None, "{end}");
        }
        for (at, value) in [(2, U256::MAX), (3, U256::MAX), (2, U256::from(u64::MAX))] {
            let mut broken = whole.clone();
            broken[4 + at * 32..][..32].copy_from_slice(&value.to_be_bytes::<32>());
            assert_eq!(added(&log(&broken), PROPOSAL), None);
        }
        assert_eq!(added(&[], PROPOSAL), None);
        assert_eq!(added(&[0; 19], PROPOSAL), None);
    }
}
