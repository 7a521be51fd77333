//! Hints of the `verifier` guest.

use core::fmt;
use core::str::FromStr;

use crate::Hash;
use crate::fmt::{Hex, parse_hash};

/// What the guest asks for next. As text: `block 0x…` or `payload 0x…` with 64 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainHint {
    /// The block with this digest.
    Block(Hash),
    /// All nodes of the payload tree with this root.
    Payload(Hash),
}

impl fmt::Display for ChainHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(hash) => write!(f, "block {}", Hex(hash)),
            Self::Payload(root) => write!(f, "payload {}", Hex(root)),
        }
    }
}

/// The text is no hint of this guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAChainHint;

impl fmt::Display for NotAChainHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `block 0x…` or `payload 0x…` with 64 digits")
    }
}

impl core::error::Error for NotAChainHint {}

impl FromStr for ChainHint {
    type Err = NotAChainHint;

    fn from_str(text: &str) -> Result<Self, NotAChainHint> {
        let (kind, hash) = text.split_once(' ').ok_or(NotAChainHint)?;
        let hash = parse_hash(hash).ok_or(NotAChainHint)?;
        match kind {
            "block" => Ok(Self::Block(hash)),
            "payload" => Ok(Self::Payload(hash)),
            _ => Err(NotAChainHint),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn hints_survive_as_text() {
        for hint in [ChainHint::Block([0xa5; 32]), ChainHint::Payload([7; 32])] {
            assert_eq!(hint.to_string().parse(), Ok(hint));
        }
        assert!(
            ChainHint::Block([1; 32])
                .to_string()
                .starts_with("block 0x0101")
        );
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "block", "block 0x00", "node 0x", "block  0x"] {
            assert_eq!(text.parse::<ChainHint>(), Err(NotAChainHint), "{text}");
        }
    }
}
