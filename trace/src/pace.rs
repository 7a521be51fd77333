//! When the next checkpoint is worth its cost.
//!
//! A run that changes few pages can have checkpoints often; one that changes all of its
//! memory all the time would do little else. So a place for a checkpoint is passed by
//! until the run has taken a multiple of the time that the last one took, but not many in
//! a row: what a run writes once and for all costs the same, however late it is kept.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How many times the cost of a checkpoint the run to the next one should take.
const WORTH: u32 = 8;

/// How many places in a row may be passed by.
const PATIENCE: u32 = 7;

/// What checkpoints cost, and how long the run has taken since the last.
#[derive(Debug, Default)]
pub struct Pace {
    cost: Duration,
    ran: Duration,
    passed: u32,
}

impl Pace {
    /// The run has gone on for some time.
    pub fn ran(&mut self, time: Duration) {
        self.ran += time;
    }

    /// A checkpoint was made, which has taken so long up to now.
    pub fn made(&mut self, cost: Duration) {
        *self = Self {
            cost,
            ..Self::default()
        };
    }

    /// It has taken some more, while the run went on.
    pub fn cost(&mut self, more: Duration) {
        self.cost += more;
    }

    /// Whether there should be a checkpoint at this place. What the one before costs is
    /// not known as long as it is `pending`.
    pub fn is_due(&mut self, pending: bool) -> bool {
        let worth = !pending && self.ran >= self.cost * WORTH;
        let due = worth || self.passed >= PATIENCE;
        if !due {
            self.passed += 1;
        }
        due
    }
}

/// CPU time of this thread: what others do meanwhile is no cost of ours.
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn cheap_checkpoints_are_always_due() {
        let mut pace = Pace::default();
        assert!(pace.is_due(false));
        pace.made(MILLISECOND);
        pace.ran(8 * MILLISECOND);
        assert!(pace.is_due(false));
    }

    #[test]
    fn dear_ones_wait_but_not_for_ever() {
        let mut pace = Pace::default();
        pace.made(100 * MILLISECOND);
        let places = (1..).take_while(|_| {
            pace.ran(MILLISECOND);
            !pace.is_due(false)
        });
        assert_eq!(places.count(), PATIENCE as usize);
        pace.made(MILLISECOND);
        pace.cost(MILLISECOND);
        pace.ran(15 * MILLISECOND);
        assert!(!pace.is_due(false));
        pace.ran(MILLISECOND);
        assert!(pace.is_due(false));
    }

    #[test]
    fn a_pending_one_is_waited_for_but_not_for_ever() {
        let mut pace = Pace::default();
        pace.made(Duration::ZERO);
        pace.ran(MILLISECOND);
        let places = (1..).take_while(|_| !pace.is_due(true));
        assert_eq!(places.count(), PATIENCE as usize);
    }
}
