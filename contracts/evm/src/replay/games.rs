//! Many games, and what was in them.

use super::{Difference, replay};
use carronade_dispute::script::Script;
use carronade_dispute::sim::play;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was in some games that agree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub games: u64,
    /// Claims in all of them.
    pub claims: u64,
    /// Games by depth of the last claims.
    pub depths: BTreeMap<u32, u64>,
    /// Calls that were accepted, by function.
    pub accepted: BTreeMap<&'static str, u64>,
    /// Calls that were refused, by error.
    pub refused: BTreeMap<String, u64>,
}

/// Deals the games of some seeds, and plays each again on the contracts; on all processors.
///
/// # Errors
/// A seed whose game differs, and where; not always the first one.
///
/// # Panics
/// If a game cannot be created.
pub fn play_again(seeds: Range<u64>) -> Result<Tally, (u64, Difference)> {
    let (next, tally) = (
        AtomicU64::new(seeds.start),
        Mutex::new(Ok(Tally::default())),
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || !one(seed, &tally) {
                        break;
                    }
                }
            });
        }
    });
    tally.into_inner().expect("no game panicked")
}

/// Gives whether to go on.
fn one(seed: u64, tally: &Mutex<Result<Tally, (u64, Difference)>>) -> bool {
    let script = play(seed).script;
    let result = replay(&script);
    let mut tally = tally.lock().expect("no game panicked");
    let Ok(counts) = tally.as_mut() else {
        return false;
    };
    if let Err(difference) = result {
        *tally = Err((seed, difference));
        return false;
    }
    counts.count(&script);
    true
}

impl Tally {
    fn count(&mut self, script: &Script) {
        self.games += 1;
        self.claims += script.end.claims.len() as u64;
        *self.depths.entry(script.parameters.max_depth).or_default() += 1;
        for call in script.calls.iter().chain(&script.payouts) {
            match call.error() {
                Some(error) => *self.refused.entry(error.into()).or_default() += 1,
                None => *self.accepted.entry(call.name()).or_default() += 1,
            }
        }
    }
}
