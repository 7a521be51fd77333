//! What a translator has done.

use crate::runtime::Exit;
use std::time::Duration;

/// Counters of a translator's life.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Regions translated.
    pub regions: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Bytes of native code made.
    pub native_bytes: u64,
    /// Bytes of native code in memory now.
    pub arena_bytes: u64,
    /// Regions that Cranelift refused.
    pub refused: u64,
    /// Regions given up because their code was stored to, or guessed wrong.
    pub dropped: u64,
    /// How often all code was given up because there was too much of it.
    pub evictions: u64,
    /// Regions that came from the cache.
    pub cached: u64,
    /// Time spent on loading them.
    pub cache_time: Duration,
    /// Time spent translating.
    pub compile_time: Duration,
    /// Steps executed natively.
    pub native_steps: u64,
    /// How often native code was left, by [`Exit`].
    pub exits: [u64; Exit::ALL.len()],
}
