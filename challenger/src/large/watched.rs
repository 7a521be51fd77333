//! Which proposals of an oracle are still to be looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use carronade_dispute::upload::large::Challenge;

use super::leaves::Begun;
use super::oracle::{Oracle, Proposal, Reading};
use crate::chain::is_buried;
use crate::rpc::RpcError;

/// New proposals that are read from the list at one look.
const AT_ONCE: u64 = 10_000;

/// How long a proposal is left alone after it has failed once; doubled with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest that one is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

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
    /// What shows it to be wrong, if anything does, and the root of the tree of which that is so.
    verdict: Option<(B256, Option<Challenge>)>,
    /// The leaves that have been read, should not all have been at once.
    pub begun: Option<Begun>,
    /// How often it has failed, and until when it is left alone.
    failures: Option<(u32, Instant)>,
}

/// A proposal to be looked at.
pub(super) struct Due<'a> {
    /// The proposal.
    pub proposal: Proposal,
    /// The root of its tree.
    pub root: B256,
    /// What is known of it.
    pub entry: &'a mut Entry,
}

impl Due<'_> {
    /// In how many blocks its leaves have been read, should not all have been at once.
    pub fn blocks_read(&self) -> usize {
        self.entry.begun.as_ref().map_or(0, Begun::read)
    }
}

impl Entry {
    /// What shows it to be wrong, or that nothing does, if that is known of its tree with a root.
    pub fn verdict(&self, root: B256) -> Option<&Option<Challenge>> {
        let known = self.verdict.as_ref().filter(|known| known.0 == root);
        known.map(|known| &known.1)
    }

    /// Keeps what is known of its tree with a root.
    pub fn keep(&mut self, root: B256, verdict: Option<Challenge>) {
        self.verdict = Some((root, verdict));
        self.succeed();
    }

    /// Forgets that it has failed.
    pub fn succeed(&mut self) {
        self.failures = None;
    }

    /// Leaves it alone for some time, so that others come first.
    pub fn pause(&mut self) {
        let failures = self.failures();
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures));
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        self.failures = Some((failures.saturating_add(1), until));
    }

    /// Whether it is left alone now.
    fn is_paused(&self) -> bool {
        self.failures
            .is_some_and(|(_, until)| Instant::now() < until)
    }

    fn failures(&self) -> u32 {
        self.failures.map_or(0, |(failures, _)| failures)
    }
}

impl Watched {
    /// The proposals that are complete and not over, at an oracle's block: those that have failed
    /// behind the others, then those first that are read with the fewest questions, so that who
    /// wants to hide one must hide it behind shorter ones. One that has been over for as many blocks
    /// as bury it is not looked at any more.
    pub fn due(
        &mut self,
        oracle: &Oracle<'_>,
        confirmations: u64,
    ) -> Result<Vec<Due<'_>>, RpcError> {
        self.follow(oracle.count()?);
        let indices: Vec<u64> = self.open.keys().copied().collect();
        // A reorganisation may have put another one in its place.
        let readings = oracle.read(&indices)?;
        let is_over: Vec<bool> = readings.iter().map(|reading| reading.is_over).collect();
        let mut readings: BTreeMap<u64, Reading> = indices.into_iter().zip(readings).collect();
        readings.retain(|_, reading| reading.is_complete && !reading.is_over);
        self.note(&is_over, oracle.at.number, confirmations);
        let ready = self.open.iter_mut().filter(|(_, entry)| !entry.is_paused());
        let mut due: Vec<(u64, Due<'_>)> = ready
            .filter_map(|(index, entry)| {
                let reading = readings.remove(index)?;
                let (proposal, root) = (reading.proposal, reading.root);
                let due = Due {
                    proposal,
                    root,
                    entry,
                };
                Some((reading.calls, due))
            })
            .collect();
        due.sort_by_key(|(calls, due)| (due.entry.failures(), *calls));
        Ok(due.into_iter().map(|(_, due)| due).collect())
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

    /// Notes which proposals are over at a block, and forgets those that have been for long enough:
    /// a reorganisation may bring others back.
    fn note(&mut self, is_over: &[bool], height: u64, confirmations: u64) {
        let mut is_over = is_over.iter();
        self.open.retain(|_, entry| {
            if is_over.next() != Some(&true) {
                entry.over_since = None;
                return true;
            }
            let since = *entry.over_since.get_or_insert(height);
            !is_buried(since, height, confirmations)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_once_it_is_buried() {
        let mut watched = Watched::default();
        watched.follow(2);
        watched.note(&[true, false], 100, 3);
        // A reorganisation brings it back; that it was over before does not count.
        watched.note(&[false, false], 110, 3);
        watched.note(&[true, false], 111, 3);
        watched.note(&[true, false], 112, 3);
        assert_eq!(watched.open.len(), 2);
        watched.note(&[true, false], 113, 3);
        assert_eq!(watched.open.keys().collect::<Vec<_>>(), [&1]);
        // It does not come back, others do.
        watched.follow(3);
        assert_eq!(watched.open.keys().collect::<Vec<_>>(), [&1, &2]);
        watched.follow(1);
        watched.follow(2);
        assert_eq!(watched.open.keys().collect::<Vec<_>>(), [&1]);
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let mut entry = Entry::default();
        assert!(!entry.is_paused());
        for _ in 0..40 {
            entry.pause();
            assert!(entry.is_paused());
        }
        let (failures, until) = entry.failures.expect("it has failed");
        assert_eq!(failures, 40);
        assert!(until <= Instant::now() + LONGEST_PAUSE);
        entry.succeed();
        assert!(!entry.is_paused());
    }
}
