//! `--stop-at-preimage*`: when a read of a pre-image ends a run (`cannon/cmd/run.go`).

use crate::cli;
use crate::log::{Field, Value};
use anyhow::{Context, Result, bail};
use carronade_emulator::machine::Watch;
use carronade_emulator::preimage::{PreimageRead, key_type};

/// The rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PreimageStop {
    any: bool,
    prefix: Vec<u8>,
    offset: u64,
    first_step: u64,
    /// Bytes with the length prefix; 0 is no condition.
    larger_than: i64,
}

impl PreimageStop {
    /// The rule that the flags state.
    ///
    /// # Errors
    /// When a flag cannot be read.
    pub fn from_flags(args: &cli::Run) -> Result<Self> {
        let mut stop = match &args.stop_at_preimage {
            Some(text) => Self::from_text(text)
                .with_context(|| format!("invalid --stop-at-preimage {text:?}"))?,
            None => Self::from_type(&args.stop_at_preimage_type)?,
        };
        stop.larger_than = args.stop_at_preimage_larger_than;
        Ok(stop)
    }

    /// `<hex prefix>[@<offset>[@<first step>]]`.
    fn from_text(text: &str) -> Result<Self> {
        let mut parts = text.split('@');
        let prefix = parts.next().unwrap_or_default();
        let prefix = prefix
            .strip_prefix("0x")
            .or(prefix.strip_prefix("0X"))
            .unwrap_or(prefix);
        // An odd digit stands for a whole byte, as in go-ethereum's FromHex.
        let padded = if prefix.len() % 2 == 1 {
            format!("0{prefix}")
        } else {
            prefix.into()
        };
        let prefix = const_hex::decode(padded).context("the key prefix is not hex")?;
        if prefix.len() > 32 {
            bail!("the key prefix is longer than a key");
        }
        let mut number = |what| match parts.next() {
            Some(digits) => digits
                .parse()
                .with_context(|| format!("the {what} is not a number")),
            None => Ok(0),
        };
        let (offset, first_step) = (number("offset")?, number("first step")?);
        if parts.next().is_some() {
            bail!("it has more than three parts");
        }
        Ok(Self {
            prefix,
            offset,
            first_step,
            ..Self::default()
        })
    }

    fn from_type(name: &str) -> Result<Self> {
        let kind = match name {
            "" => return Ok(Self::default()),
            "any" => {
                return Ok(Self {
                    any: true,
                    ..Self::default()
                });
            }
            "local" => key_type::LOCAL,
            "keccak" => key_type::KECCAK256,
            "sha256" => key_type::SHA256,
            "blob" => key_type::BLOB,
            "precompile" => key_type::PRECOMPILE,
            _ => bail!(
                "invalid preimage type {name:?}: use local, keccak, sha256, blob, precompile or any"
            ),
        };
        Ok(Self {
            prefix: vec![kind],
            ..Self::default()
        })
    }

    /// What a run must watch for.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let never = !self.any && self.prefix.is_empty() && self.larger_than == 0;
        if never {
            Watch::Nothing
        } else {
            Watch::PreimageReads
        }
    }

    /// Whether a read ends the run: if so, the fields of the log line that says it.
    /// `size` is the pre-image's with its length prefix.
    #[must_use]
    pub fn decide(
        &self,
        read: &PreimageRead,
        size: usize,
        step: u64,
    ) -> Option<Vec<Field<'static>>> {
        if self.any {
            return Some(Vec::new());
        }
        let prefix: Field<'static> = ("keyPrefix", const_hex::encode(&self.prefix).into());
        let sizes: [Field<'static>; 2] = [
            ("size", (size as u64).into()),
            ("min", Value::Text(self.larger_than.to_string())),
        ];
        let has_prefix = !self.prefix.is_empty();
        let prefix_matches = has_prefix && read.key.starts_with(&self.prefix);
        let size_matches = self.larger_than != 0 && size as i64 > self.larger_than;
        if self.larger_than != 0 {
            let hit = size_matches && (prefix_matches || !has_prefix);
            let shown = if has_prefix { vec![prefix] } else { Vec::new() };
            return hit.then(|| [shown, sizes.to_vec()].concat());
        }
        let hit = prefix_matches && read.offset == self.offset && step >= self.first_step;
        hit.then(|| {
            vec![
                prefix,
                ("offset", read.offset.into()),
                ("step", step.into()),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(first: u8, offset: u64) -> PreimageRead {
        let mut key = [0x11; 32];
        key[0] = first;
        PreimageRead { key, offset }
    }

    #[test]
    fn prefixes_need_offset_and_step() {
        let stop = PreimageStop::from_text("0x0211@8@100").unwrap();
        assert!(stop.decide(&read(2, 8), 10, 100).is_some());
        assert!(stop.decide(&read(2, 8), 10, 99).is_none());
        assert!(stop.decide(&read(2, 0), 10, 100).is_none());
        assert!(stop.decide(&read(1, 8), 10, 100).is_none());
    }

    #[test]
    fn sizes_ignore_offset_and_step() {
        let mut stop = PreimageStop::from_text("2").unwrap();
        stop.larger_than = 9;
        assert!(stop.decide(&read(2, 3), 10, 0).is_some());
        assert!(stop.decide(&read(2, 3), 9, 0).is_none());
        assert!(stop.decide(&read(1, 3), 10, 0).is_none());
        stop.prefix.clear();
        assert!(stop.decide(&read(1, 3), 10, 0).is_some());
    }

    #[test]
    fn types_are_one_byte_prefixes() {
        let stop = PreimageStop::from_type("keccak").unwrap();
        assert!(stop.decide(&read(2, 0), 10, 0).is_some());
        assert!(stop.decide(&read(2, 1), 10, 0).is_none());
        assert!(
            PreimageStop::from_type("any")
                .unwrap()
                .decide(&read(9, 9), 0, 0)
                .is_some()
        );
        assert_eq!(PreimageStop::default().watch(), Watch::Nothing);
        assert!(PreimageStop::from_type("blub").is_err());
        for bad in ["0xzz", "02@", "02@x", "02@1@2@3", &"00".repeat(33)] {
            assert!(PreimageStop::from_text(bad).is_err(), "{bad}");
        }
    }
}
