//! Names of traces, edges and small objects.

use crate::error::{Error, Result};
use std::fmt;

/// A 32-byte hash.
pub type Hash = [u8; 32];

/// Whose checkpoints these are: a program's first state and the inputs of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TraceId {
    /// State hash at step 0.
    pub prestate: Hash,
    /// Stands for all that the host may say.
    pub inputs: Hash,
}

impl TraceId {
    /// The trace with a name; none if the store gives no such name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (prestate, inputs) = name.split_once('-')?;
        let id = Self {
            prestate: const_hex::decode_to_array(prestate).ok()?,
            inputs: const_hex::decode_to_array(inputs).ok()?,
        };
        // Only one way to write it counts.
        (id.to_string() == name).then_some(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (prestate, inputs) = (self.prestate, self.inputs);
        write!(out, "{}-", const_hex::encode(prestate))?;
        write!(out, "{}", const_hex::encode(inputs))
    }
}

/// The name of an object: which steps it leads from and to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct EdgeName {
    /// None for a root edge, which needs nothing below it.
    pub from: Option<u64>,
    pub to: u64,
}

impl EdgeName {
    /// The edge with a name; none if the store gives no such name.
    pub fn parse(name: &str) -> Option<Self> {
        let (from, to) = name.split_once('-')?;
        let from = match from {
            "root" => None,
            step => Some(step.parse().ok()?),
        };
        let edge = Self {
            from,
            to: to.parse().ok()?,
        };
        // Only one way to write it counts.
        (edge.to_string() == name && edge.is_forward()).then_some(edge)
    }

    /// Whether it leads to a later step.
    pub fn is_forward(&self) -> bool {
        self.from.is_none_or(|from| from < self.to)
    }

    /// Whether it begins or ends at a step.
    pub fn touches(&self, step: u64) -> bool {
        self.to == step || self.from == Some(step)
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self.from {
            Some(from) => write!(out, "{from:020}-{:020}", self.to),
            None => write!(out, "root-{:020}", self.to),
        }
    }
}

/// Refuses names of small objects that would not be the same on every system.
pub(crate) fn check_plain(name: &str) -> Result<()> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Error::Invalid {
            object: name.into(),
            why: "names are 1 to 100 of a-z, 0-9, '-', '_', '.' and do not begin with '.'",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_edges() {
        for (from, to) in [(None, 0), (Some(0), 1), (Some(7), u64::MAX)] {
            let edge = EdgeName { from, to };
            assert_eq!(EdgeName::parse(&edge.to_string()), Some(edge));
        }
    }

    #[test]
    fn other_names_are_not_edges() {
        let good = EdgeName {
            from: Some(3),
            to: 4,
        }
        .to_string();
        assert!(EdgeName::parse(&good).is_some());
        let backward = format!("{:020}-{:020}", 4, 4);
        for name in [
            "",
            "root",
            "3-4",
            "root-4",
            "+3-4",
            &good[1..],
            &(good.clone() + "0"),
            &backward,
        ] {
            assert_eq!(EdgeName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_names_of_traces_are_traces() {
        let id = TraceId {
            prestate: [0xab; 32],
            inputs: [0; 32],
        };
        let name = id.to_string();
        assert_eq!(TraceId::parse(&name), Some(id));
        let (upper, prefixed) = (name.to_uppercase(), format!("0x{name}"));
        for name in [
            "",
            "-",
            "lost+found",
            &name[1..],
            &upper,
            &prefixed,
            &(name.clone() + "0"),
        ] {
            assert_eq!(TraceId::parse(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_reach_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "A", "a b", &"a".repeat(101)] {
            assert!(check_plain(name).is_err(), "{name}");
        }
        check_plain("slice-000.v1_a").unwrap();
    }
}
