//! Which rows of the instruction table a run has come by.

use carronade_emulator::isa::ROWS;

/// How often each row was next at a stop. Of the rows that are executed all but never,
/// some will be missing; one that is missing after a million stops is never executed.
#[derive(Debug, Clone)]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; ROWS.len()])
    }
}

impl Coverage {
    /// Counts the row of an instruction word, if it has one.
    pub fn note(&mut self, word: u32) {
        if let Some(row) = ROWS.iter().position(|row| row.matches(word)) {
            self.0[row] += 1;
        }
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += b);
    }

    /// How many rows have been seen.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.0.iter().filter(|count| **count > 0).count()
    }

    /// The mnemonics and patterns of the rows that have not been seen.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let rows = ROWS.iter().zip(&self.0).filter(|(_, count)| **count == 0);
        rows.map(|(row, _)| format!("{} {}", row.mnemonic, String::from_utf8_lossy(&row.pattern)))
            .collect()
    }
}
