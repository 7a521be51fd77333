//! What the game knows of the machine: one step, and how a state hash tells its status.

use alloy_primitives::{B256, keccak256};

/// The first byte of a state hash (`VMStatuses`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VmStatus {
    /// The program has ended, and confirms the claim.
    Valid = 0,
    /// The program has ended, and refutes the claim.
    Invalid = 1,
    /// The program has ended badly.
    Panic = 2,
    /// The program has not ended.
    Unfinished = 3,
}

impl VmStatus {
    /// What a state hash says; none if its first byte is no status.
    #[must_use]
    pub fn of(claim: &B256) -> Option<Self> {
        Some(match claim[0] {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Panic,
            3 => Self::Unfinished,
            _ => return None,
        })
    }

    /// The hash of a state with this status.
    #[must_use]
    pub fn hash(self, state_data: &[u8]) -> B256 {
        let mut hash = keccak256(state_data);
        hash[0] = self as u8;
        hash
    }
}

/// A machine as the contract sees it: any T(s, i) -> s' (`IBigStepper`).
pub trait Vm {
    /// Executes a step: the hash of the state after it, with its status byte.
    ///
    /// # Errors
    /// When the contract would revert: why.
    fn step(&self, state_data: &[u8], proof: &[u8], local_context: B256) -> Result<B256, String>;
}
