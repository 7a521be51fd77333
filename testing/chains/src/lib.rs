//! Random chains and claims, judged natively and in the VM.
//!
//! The devnet executes with op-revm and its own tries and batcher, the program with kona's
//! derivation and executor; so the devnet's outputs are an outside judge of the program. The VM's
//! judges are elsewhere; here it has to come to the native program's exit code.

mod case;
mod judge;

pub use case::{Case, Twist};
pub use judge::{End, in_vm, native};

/// What one seed has shown.
#[derive(Debug)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// Exit code of the native program, and its words.
    pub native: (u8, String),
    /// How the run in the VM ended.
    pub vm: End,
}

impl Outcome {
    /// Makes the case of a seed and judges it both ways.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let case = Case::new(seed);
        let native = native(&case.images);
        let vm = in_vm(&case.images);
        Self { case, native, vm }
    }

    /// What is wrong, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let (code, words) = &self.native;
        if self.vm.exit_code != *code {
            return Some(format!(
                "natively {code} ({words}), in the VM {} ({})",
                self.vm.exit_code, self.vm.words
            ));
        }
        match self.case.expected() {
            Some(expected) if expected != *code => {
                Some(format!("exit code {code} ({words}), not {expected}"))
            }
            _ => None,
        }
    }
}
