//! What a trace has read: a checkpoint that holds everything needs all of it. Else whoever goes
//! on from it could not tell that the host has other local keys now.

use crate::writer::weight;
use carronade_checkpoint::{Checkpoint, Error as StoreError};
use carronade_emulator::hash::Hash;
use carronade_emulator::preimage::key_type;
use std::collections::BTreeMap;

/// Pre-images by their keys.
pub type Preimages = BTreeMap<Hash, Vec<u8>>;

/// What was read that the last checkpoint listed may not have.
#[derive(Default)]
pub struct Reads {
    /// The trace's first step, before which nothing was read.
    origin: Option<u64>,
    spans: Vec<Span>,
}

/// What was read between two checkpoints.
struct Span {
    /// The step of the first one; none if it is all that was read before the second.
    from: Option<u64>,
    to: u64,
    preimages: Preimages,
    /// Their bytes: there may be millions, and it is asked for at each checkpoint.
    bytes: usize,
}

impl Reads {
    /// Tells where the trace begins.
    pub fn begin_at(&mut self, step: u64) {
        self.origin = Some(step);
    }

    /// Adds what was read between two checkpoints; from nowhere, if it is all before the second.
    pub fn add(&mut self, from: Option<u64>, to: u64, preimages: Preimages) {
        self.spans.push(Span {
            from,
            to,
            bytes: weight(&preimages),
            preimages,
        });
    }

    /// Another checkpoint is the last one listed.
    pub fn settle(&mut self, before: Option<&Checkpoint>, now: Option<&Checkpoint>) {
        let step = |checkpoint: &Checkpoint| checkpoint.point().step;
        let covered = now.map(step);
        // What it has may still be open, though its names are gone.
        if let Some(before) = before.filter(|before| Some(step(before)) > covered)
            && let Some(preimages) = all(before, false)
        {
            self.add(None, step(before), preimages);
        }
        self.spans.retain(|span| Some(span.to) > covered);
    }

    /// How many bytes they have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(|span| span.bytes).sum()
    }

    /// All that was read before a step, and perhaps more; none if that is not known any more, or
    /// cannot be read.
    #[must_use]
    pub fn before(&self, step: u64, latest: Option<&Checkpoint>) -> Option<Preimages> {
        if !self.reach(step, latest.map(|checkpoint| checkpoint.point().step)) {
            return None;
        }
        let mut preimages = match latest {
            Some(latest) => all(latest, true)?,
            None => Preimages::new(),
        };
        for span in &self.spans {
            preimages.extend(span.preimages.clone());
        }
        Some(preimages)
    }

    /// Whether the checkpoint at a step and what comes after it are all before another one.
    fn reach(&self, step: u64, latest: Option<u64>) -> bool {
        let mut known = latest.max(self.origin);
        let mut spans: Vec<_> = self.spans.iter().map(|span| (span.from, span.to)).collect();
        spans.sort_unstable();
        for (from, to) in spans {
            // From nowhere comes first, and needs nothing.
            if from <= known {
                known = known.max(Some(to));
            }
        }
        known >= Some(step)
    }
}

/// All that was read on the way to a checkpoint, if it can be had. Damage may be left out but of
/// local keys: hosts have the rest again.
fn all(checkpoint: &Checkpoint, lenient: bool) -> Option<Preimages> {
    let mut preimages = Preimages::new();
    for key in checkpoint.preimages() {
        match checkpoint.preimage(&key) {
            Ok(Some(value)) => {
                preimages.insert(key, value);
            }
            Err(StoreError::Damaged { .. }) if lenient && key[0] != key_type::LOCAL => {}
            _ => return None,
        }
    }
    Some(preimages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(origin: Option<u64>, latest: Option<u64>, spans: &[(Option<u64>, u64)]) -> u64 {
        let mut reads = Reads {
            origin,
            ..Reads::default()
        };
        for (from, to) in spans {
            reads.add(*from, *to, Preimages::new());
        }
        let reached = (0..100).take_while(|step| reads.reach(*step, latest));
        reached.count() as u64
    }

    #[test]
    fn what_is_known_reaches_as_far_as_spans_follow_each_other() {
        assert_eq!(reach(None, None, &[]), 0);
        assert_eq!(reach(Some(0), None, &[]), 1);
        assert_eq!(reach(None, Some(7), &[]), 8);
        assert_eq!(reach(None, Some(7), &[(Some(7), 9), (Some(9), 12)]), 13);
        assert_eq!(reach(None, Some(7), &[(Some(9), 12), (Some(5), 9)]), 13);
        // A gap.
        assert_eq!(reach(None, Some(7), &[(Some(8), 12)]), 8);
        assert_eq!(reach(None, None, &[(Some(0), 12)]), 0);
        assert_eq!(reach(Some(0), None, &[(Some(0), 12)]), 13);
        // From nowhere, whatever the store has.
        assert_eq!(reach(None, None, &[(Some(12), 20), (None, 12)]), 21);
        assert_eq!(reach(None, Some(30), &[(None, 12)]), 31);
    }
}
