//! What can go wrong with a host process.

use std::fmt;
use std::io;
use std::process::ExitStatus;

use crate::show::{show_hint, show_key};

/// The request that was under way when something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A pre-image was asked for.
    Preimage {
        /// The pre-image's key.
        key: [u8; 32],
        /// The last hint that the host acknowledged before.
        last_hint: Option<Vec<u8>>,
    },
    /// A hint was being delivered.
    Hint {
        /// The hint, without its length prefix.
        hint: Vec<u8>,
        /// Whether it is the hint of an earlier run, repeated for a resumed one.
        replayed: bool,
    },
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preimage { key, last_hint } => {
                write!(f, "pre-image {} was asked for", show_key(key))?;
                match last_hint {
                    Some(hint) => write!(f, " (last hint: `{}`)", show_hint(hint)),
                    None => write!(f, " (no hint was sent before)"),
                }
            }
            Self::Hint { hint, replayed } => {
                let of = if *replayed { " of an earlier run" } else { "" };
                write!(f, "hint `{}`{of} was being delivered", show_hint(hint))
            }
        }
    }
}

/// Why a host process could not be started or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The argument list is empty.
    #[error("no pre-image host command was given")]
    NoCommand,
    /// The operating system gives no pipe or thread.
    #[error("cannot prepare the pre-image host process: {0}")]
    Prepare(#[source] io::Error),
    /// The host's program cannot be started.
    #[error("cannot start the pre-image host `{program}`: {source}")]
    Spawn {
        /// The program, as it was given.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The host process has ended; what it had written before was read first.
    #[error("pre-image host exited ({}) while {asked}", show_status(.status))]
    Exited {
        /// How it ended; `None` if the system would not tell.
        status: Option<ExitStatus>,
        /// The request that was under way.
        asked: Asked,
    },
    /// The host closed a pipe but its process lives on.
    #[error("pre-image host closed its pipe while {asked}, though it is still running")]
    Closed {
        /// The request that was under way.
        asked: Asked,
    },
    /// The host announced more data than a pre-image can have.
    #[error("pre-image host announced {length} bytes while {asked}; the limit is {limit}")]
    TooLong {
        /// The announced length in bytes.
        length: u64,
        /// The greatest length accepted, in bytes: [`crate::MAX_PREIMAGE`].
        limit: u64,
        /// The request that was under way.
        asked: Asked,
    },
    /// The hint's length does not fit the protocol's 32-bit length prefix.
    #[error("a hint of {length} bytes does not fit the 32-bit length of the host protocol")]
    HintTooLong {
        /// The hint's length in bytes.
        length: usize,
    },
    /// The interrupt flag was set before the host had answered.
    #[error("interrupted while {asked}")]
    Interrupted {
        /// The request that was under way.
        asked: Asked,
    },
    /// Reading or writing a pipe failed for another reason.
    #[error("cannot talk to the pre-image host while {asked}: {source}")]
    Io {
        /// The request that was under way.
        asked: Asked,
        /// The system's reason.
        source: io::Error,
    },
    /// An earlier request failed half-way, so that answers would no longer fit the questions.
    #[error("the pre-image host cannot be asked any more: an earlier request failed")]
    Broken,
}

impl HostError {
    /// Whether this is not the host's failure but the user's wish to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }
}

/// The exit status in the words of the standard library, or that there is none.
pub(crate) fn show_status(status: &Option<ExitStatus>) -> String {
    status.map_or_else(
        || "exit status unknown".to_owned(),
        |status| status.to_string(),
    )
}
