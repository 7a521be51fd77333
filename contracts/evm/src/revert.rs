//! What contracts revert with, by name.

use crate::artifact;
use alloy_primitives::keccak256;
use alloy_sol_types::{Panic, Revert as Text, SolError};
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// Why a call reverted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// An error that a contract of ours declares.
    Named(String),
    /// The text of a `require`.
    Text(String),
    /// One of Solidity's own checks, by its code: 0x11 overflow, 0x32 index out of bounds.
    Panic(u64),
    /// Anything else: what reverts without a word, and what others revert with.
    Unknown(Vec<u8>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Panic(code) => write!(f, "Panic({code:#04x})"),
            Self::Unknown(data) => write!(f, "0x{}", const_hex::encode(data)),
        }
    }
}

impl Reason {
    /// The reason that the data of a revert are of.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        if let Ok(text) = Text::abi_decode(data) {
            return Self::Text(text.reason);
        }
        if let Ok(panic) = Panic::abi_decode(data) {
            return Self::Panic(panic.code.saturating_to());
        }
        let name = data.first_chunk().and_then(|selector| NAMES.get(selector));
        match name {
            Some(name) => Self::Named(name.clone()),
            None => Self::Unknown(data.to_vec()),
        }
    }
}

/// An entry of a contract's interface.
#[derive(Deserialize)]
struct Entry {
    r#type: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    r#type: String,
}

/// By selector, the errors of all contracts.
static NAMES: LazyLock<HashMap<[u8; 4], String>> = LazyLock::new(|| {
    let interfaces = artifact::all().into_iter().map(|artifact| artifact.abi);
    let entries = interfaces.flat_map(|abi| {
        serde_json::from_str::<Vec<Entry>>(abi.get()).expect("artifacts are written by the build")
    });
    let errors = entries.filter(|entry| entry.r#type == "error");
    let named = errors.map(|Entry { name, inputs, .. }| {
        let types: Vec<String> = inputs.into_iter().map(|input| input.r#type).collect();
        let hash = keccak256(format!("{name}({})", types.join(",")));
        ([hash[0], hash[1], hash[2], hash[3]], name)
    });
    named.collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{CannonVM, DisputeGameFactory, FaultDisputeGame};

    #[test]
    fn reasons_have_names() {
        let named = |data: Vec<u8>, name: &str| {
            assert_eq!(Reason::of(&data), Reason::Named(name.into()));
        };
        named(FaultDisputeGame::ValidStep {}.abi_encode(), "ValidStep");
        let root = [7; 32].into();
        let unexpected = FaultDisputeGame::UnexpectedRootClaim { rootClaim: root };
        named(unexpected.abi_encode(), "UnexpectedRootClaim");
        let missing = DisputeGameFactory::NoImplementation { gameType: 3 };
        named(missing.abi_encode(), "NoImplementation");
        let word = CannonVM::InvalidInstruction { instruction: 9 };
        named(word.abi_encode(), "InvalidInstruction");
        let text = Text::from("no").abi_encode();
        assert_eq!(Reason::of(&text), Reason::Text("no".into()));
        let panic = Panic::from(0x32).abi_encode();
        assert_eq!(Reason::of(&panic), Reason::Panic(0x32));
        assert_eq!(Reason::of(&[]), Reason::Unknown(Vec::new()));
    }
}
