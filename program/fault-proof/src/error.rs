//! Why the program has no verdict.

use alloc::string::{String, ToString};

use carronade_program::key::PreimageKey;
use kona_derive::{PipelineError, PipelineErrorKind};

use crate::oracle::OracleError;

/// Why there is no verdict: the program exits with 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The oracle has no such pre-image.
    #[error("pre-image {key}: {reason}")]
    Missing {
        /// The key asked for.
        key: PreimageKey,
        /// The oracle's words.
        reason: OracleError,
    },
    /// The oracle's answer is not the pre-image of the key.
    #[error("pre-image {key}: the oracle's answer is not its pre-image")]
    NotThePreimage {
        /// The key asked for.
        key: PreimageKey,
    },
    /// The pre-image cannot be what the program takes it for.
    #[error("pre-image {key}: {reason}")]
    Malformed {
        /// The key asked for.
        key: PreimageKey,
        /// What is wrong with it.
        reason: String,
    },
    /// The oracle did not take a hint.
    #[error("hint {hint}: {reason}")]
    Hint {
        /// The type of the hint.
        hint: String,
        /// The oracle's words.
        reason: OracleError,
    },
    /// A rule set that this program does not have.
    #[error("{fork} is active at {place}, and this program has no rules for it")]
    UnknownFork {
        /// Name of the fork.
        fork: String,
        /// Where it would be needed.
        place: String,
    },
    /// The rollup configuration cannot be used.
    #[error("rollup configuration: {0}")]
    Config(String),
    /// The L1 chain ends before the block asked for. Derivation takes it for the end of its data.
    #[error("L1 block {number} is past the L1 head, block {head}")]
    PastL1Head {
        /// The block asked for.
        number: u64,
        /// Number of the L1 head.
        head: u64,
    },
    /// There is no such L2 block on the chain derived so far.
    #[error("L2 block {number} is past the safe head, block {head}")]
    PastSafeHead {
        /// The block asked for.
        number: u64,
        /// Number of the safe head.
        head: u64,
    },
    /// An L2 block of the agreed chain makes no sense.
    #[error("L2 block {number}: {reason}")]
    L2Block {
        /// The block.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The derivation pipeline gave up.
    #[error("derivation: {0}")]
    Derivation(String),
    /// A block could not be executed, for a reason that is not the block's.
    #[error("execution of L2 block {number}: {reason}")]
    Execution {
        /// The block that was to be built.
        number: u64,
        /// What went wrong.
        reason: String,
    },
}

impl From<Error> for PipelineErrorKind {
    fn from(error: Error) -> Self {
        match error {
            Error::PastL1Head { .. } => PipelineError::EndOfSource.crit(),
            other => PipelineError::Provider(other.to_string()).crit(),
        }
    }
}
