//! What can go wrong on the way to a pre-image.

use carronade_host::StoreError;

/// Why a hint did not lead to its data.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The endpoint gave no answer; it may later.
    #[error("{endpoint}: {method}: {reason}")]
    Unreachable {
        /// Which endpoint, and where it is.
        endpoint: String,
        /// What was called.
        method: String,
        /// What went wrong.
        reason: String,
    },
    /// The endpoint answered that it does not have the data, or with an error; it may later.
    #[error("{endpoint}: {method}: {reason}")]
    Refused {
        /// Which endpoint, and where it is.
        endpoint: String,
        /// What was called.
        method: String,
        /// The endpoint's words.
        reason: String,
    },
    /// The endpoint answered with data that is not what was asked for.
    #[error("{endpoint} gave a wrong answer to {method}: {reason}")]
    Lie {
        /// Which endpoint, and where it is.
        endpoint: String,
        /// What was called.
        method: String,
        /// What differs.
        reason: String,
    },
    /// The endpoint does not know the method, and will not learn it soon.
    #[error("{endpoint} has no method {method}")]
    Missing {
        /// Which endpoint, and where it is.
        endpoint: String,
        /// What was called.
        method: String,
    },
    /// The hint makes no sense.
    #[error("{0}")]
    Hint(String),
    /// What the host was told at its start contradicts what the nodes have.
    #[error("{0}")]
    Settings(String),
    /// The store failed.
    #[error("the store of pre-images fails: {0}")]
    Store(#[from] StoreError),
}

impl Fault {
    /// Whether asking again cannot help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. } | Self::Hint(_) | Self::Settings(_) | Self::Store(_)
        )
    }

    /// Whether another method of the same endpoint may do better.
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Lie { .. } | Self::Missing { .. }
        )
    }

    /// The one of two faults that is worth telling, where both ways failed.
    pub(crate) fn or(self, second: Self) -> Self {
        if matches!(self, Self::Missing { .. }) {
            second
        } else {
            self
        }
    }
}
