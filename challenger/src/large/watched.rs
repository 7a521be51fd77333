//! Which proposals of an oracle are still to be looked at.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use super::oracle::{Oracle, Proposal};
use crate::rpc::RpcError;
use crate::sender::Request;

/// New proposals that are read from the list at one look.
const AT_ONCE: u64 = 1_000;

/// The proposals of an oracle that can still change, by their places in its list.
#[derive(Default)]
pub(super) struct Watched {
    open: BTreeMap<u64, Entry>,
    /// Where the list was read to.
    read_to: u64,
}

/// A proposal that can still change.
#[derive(Default)]
pub(super) struct Entry {
    /// The block at which it was first seen to be over.
    over_since: Option<u64>,
    /// What is known of it, if its tree has a root.
    verdict: Option<(B256, Verdict)>,
}

/// What is known of a proposal.
#[derive(Clone)]
pub(super) enum Verdict {
    /// All its claims are right.
    Right,
    /// What shows that one is wrong.
    Wrong(Request),
}

impl Entry {
    /// What is known of it, if its tree has this root.
    pub fn verdict(&self, root: B256) -> Option<Verdict> {
        let known = self.verdict.as_ref().filter(|known| known.0 == root);
        known.map(|known| known.1.clone())
    }

    /// Keeps what is known of it with this root.
    pub fn keep(&mut self, root: B256, verdict: Verdict) {
        self.verdict = Some((root, verdict));
    }
}

impl Watched {
    /// The proposals that are complete and not over, at an oracle's block. One that has been over
    /// for so many blocks is not looked at any more.
    pub fn due(
        &mut self,
        oracle: &Oracle<'_>,
        confirmations: u64,
    ) -> Result<Vec<(Proposal, &mut Entry)>, RpcError> {
        let height = oracle.at.number;
        let is_buried = |since: u64| height + 1 >= since.saturating_add(confirmations);
        self.open
            .retain(|_, entry| !entry.over_since.is_some_and(is_buried));
        self.follow(oracle.count()?);
        let indices: Vec<u64> = self.open.keys().copied().collect();
        // A reorganisation may have put another one in its place.
        let proposals = oracle.proposals(&indices)?;
        let progress = oracle.progress(&proposals)?;
        let bonds = oracle.bonds(&proposals)?;
        let mut states = proposals.into_iter().zip(progress).zip(bonds);
        let mut due = Vec::new();
        for entry in self.open.values_mut() {
            let Some(((proposal, progress), bond)) = states.next() else {
                break;
            };
            if progress.countered || bond.is_zero() {
                entry.over_since.get_or_insert(height);
                continue;
            }
            entry.over_since = None;
            if progress.timestamp != 0 {
                due.push((proposal, entry));
            }
        }
        Ok(due)
    }

    /// Takes in what is new in a list of so many.
    fn follow(&mut self, count: u64) {
        self.open.retain(|index, _| *index < count);
        let to = count.min(self.read_to.saturating_add(AT_ONCE));
        for index in self.read_to.min(to)..to {
            self.open.entry(index).or_default();
        }
        self.read_to = to;
    }
}
