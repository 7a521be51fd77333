//! What can go wrong.

use std::io;

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes of an object are not those that were written.
    #[error("{object} is damaged: {why}")]
    Damaged {
        /// Where it is.
        object: String,
        /// What gave it away.
        why: String,
    },
    /// An object is gone; somebody thins the trace.
    #[error("{object} does not exist (any more)")]
    Missing {
        /// Where it was.
        object: String,
    },
    /// No sound edges lead to a step: none ever did, or it was thinned away.
    #[error("there is no checkpoint at step {step} (any more)")]
    NoCheckpoint {
        /// The step.
        step: u64,
    },
    /// The guest has not touched a page yet.
    #[error("page {index:#x} does not exist at step {step}")]
    NoPage {
        /// Index of the page.
        index: u64,
        /// Step of the checkpoint.
        step: u64,
    },
    /// Something is there already and says something else. Traces are deterministic, so
    /// one of both is wrong.
    #[error("{object} exists and says something else")]
    Conflict {
        /// Where it is.
        object: String,
    },
    /// What was to be stored makes no sense.
    #[error("cannot store {object}: {why}")]
    Invalid {
        /// What it would have been called.
        object: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The location of a store cannot be understood.
    #[error("bad location {location}: {why}")]
    Location {
        /// The location.
        location: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no space left for an object.
    #[error("no space left to write {object}: {source}")]
    Full {
        /// Where it would have been.
        object: String,
        /// What the system said.
        source: io::Error,
    },
    /// An object store cannot be reached, or refuses.
    #[error("cannot access {object}: {source}")]
    Remote {
        /// Where it is.
        object: String,
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading or writing failed.
    #[error("cannot access {object}: {source}")]
    Io {
        /// Where it is.
        object: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn damaged(object: impl ToString, why: impl ToString) -> Self {
        Self::Damaged {
            object: object.to_string(),
            why: why.to_string(),
        }
    }

    /// An error of the system, told apart by what can be done about it.
    pub(crate) fn io(object: impl ToString, source: io::Error) -> Self {
        let object = object.to_string();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { object },
            io::ErrorKind::UnexpectedEof => Self::damaged(object, "it is too short"),
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { object, source },
            _ => Self::Io { object, source },
        }
    }

    /// Whether another path may lead where this one did not.
    pub(crate) fn is_of_object(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. })
    }
}

/// What the store's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
