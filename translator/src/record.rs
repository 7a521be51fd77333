//! A translated region as it is kept, in memory and on disk.

use carronade_emulator::cpu::Width;
use carronade_emulator::memory::{Memory, PAGE_SHIFT};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A translated region: what it was made from, under which assumptions, and its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The leader where it begins.
    pub start: u64,
    /// If it was limited to some leaders, these.
    pub only: Option<Vec<u64>>,
    /// Whether bases may point into any window.
    pub wide: bool,
    /// The guest's instructions: first address and how many.
    pub runs: Vec<(u64, u32)>,
    /// Loops without calls: first block and all blocks.
    pub loops: Vec<(u64, Vec<u64>)>,
    /// Leaders where control may enter, and where in the code; the start comes first.
    pub entries: Vec<(u64, u32)>,
    /// The hash of the guest's instructions.
    pub guest: [u8; 32],
    /// Native code that may lie anywhere.
    #[serde(skip)]
    pub code: Vec<u8>,
}

impl Record {
    /// Whether an instruction is part of the region.
    pub fn holds(&self, pc: u64) -> bool {
        let mut runs = self.runs.iter();
        runs.any(|(first, count)| pc.wrapping_sub(*first) < 4 * u64::from(*count))
    }

    /// The pages that hold its instructions.
    pub fn pages(&self) -> BTreeSet<u64> {
        let pages = self.runs.iter().flat_map(|(first, count)| {
            let last = first.wrapping_add(4 * (u64::from(*count) - 1));
            [first >> PAGE_SHIFT, last >> PAGE_SHIFT]
        });
        pages.collect()
    }
}

/// The hash of instructions in memory.
pub fn guest_hash(memory: &Memory, runs: &[(u64, u32)]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (first, count) in runs {
        hasher.update(&first.to_le_bytes());
        hasher.update(&count.to_le_bytes());
        for at in 0..u64::from(*count) {
            let word = memory.load(first.wrapping_add(4 * at), Width::Word) as u32;
            hasher.update(&word.to_le_bytes());
        }
    }
    hasher.finalize().into()
}
