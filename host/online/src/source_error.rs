//! Why a host has no pre-image for a key.

use carronade_host::{StoreError, show_key};
use carronade_program::key::PreimageKey;

/// Why there is no pre-image.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The bytes are no key.
    #[error("{} is no pre-image key: its type is unknown", show_key(.0))]
    NoKey([u8; 32]),
    /// A local key without a value.
    #[error("no value for the local key {key}: it is {meaning}")]
    NoLocal {
        /// The key.
        key: PreimageKey,
        /// What it would stand for.
        meaning: &'static str,
    },
    /// There are no nodes to ask.
    #[error("no pre-image for {key} ({kind}) in the store, and no nodes to ask{}", after(.hint))]
    Offline {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// The last hint.
        hint: Option<String>,
    },
    /// No hint says where to look.
    #[error("no pre-image for {key} ({kind}), and no hint that leads to it{}", after(.hint))]
    NoHint {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// The last hint.
        hint: Option<String>,
    },
    /// All that hints led to was got, and the pre-image is not there.
    #[error("no pre-image for {key} ({kind}): what its hints lead to does not have it{}{}",
        because(.reasons), after(.hint))]
    Exhausted {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// Why some of it could not be got.
        reasons: Vec<String>,
        /// The last hint.
        hint: Option<String>,
    },
    /// What the host was told contradicts what the nodes have, or what they have cannot be
    /// stored.
    #[error("{0}")]
    Settings(String),
    /// The host was told to stop while it was waiting.
    #[error("stopped while pre-image {0} was being looked for")]
    Stopped(PreimageKey),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn after(hint: &Option<String>) -> String {
    match hint {
        Some(hint) => format!(" (last hint: `{hint}`)"),
        None => " (no hint was received before)".to_owned(),
    }
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join("; "))
    }
}
