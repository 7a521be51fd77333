//! Reading pre-images: one is kept, checked against its key, and counted.

use crate::cpu::{Fault, Trap};
use crate::hash::{Hash, keccak256};
use crate::oracle::{OracleError, PreimageOracle};
use sha2::{Digest, Sha256};
use std::fmt;

/// Key types, the first byte of a key (specification, `fault-proof/index.md`).
pub mod key_type {
    /// Data of the dispute itself, by number.
    pub const LOCAL: u8 = 1;
    /// keccak256 of the pre-image.
    pub const KECCAK256: u8 = 2;
    /// sha256 of the pre-image.
    pub const SHA256: u8 = 4;
    /// A field element of a blob.
    pub const BLOB: u8 = 5;
    /// The result of a precompile.
    pub const PRECOMPILE: u8 = 6;
}

/// Why a pre-image is not to be had.
#[derive(Debug)]
pub enum PreimageError {
    /// The oracle failed.
    Oracle {
        /// What was asked for.
        key: Hash,
        /// The oracle's words.
        source: OracleError,
    },
    /// The oracle answered with bytes that do not hash to the key.
    Mismatch {
        /// What was asked for.
        key: Hash,
        /// What the answer hashes to, with the key's type byte.
        actual: Hash,
    },
    /// A hint could not be delivered.
    Hint(OracleError),
}

/// `0x` and the digits of some bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for PreimageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oracle { key, source } => {
                write!(f, "no pre-image for key {}: {source}", hex(key))
            }
            Self::Mismatch { key, actual } => write!(
                f,
                "the host's pre-image for key {} is wrong: it hashes to {}",
                hex(key),
                hex(actual)
            ),
            Self::Hint(source) => write!(f, "hint not delivered: {source}"),
        }
    }
}

impl std::error::Error for PreimageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Oracle { source, .. } | Self::Hint(source) => Some(&**source),
            Self::Mismatch { .. } => None,
        }
    }
}

/// A read of the oracle in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreimageRead {
    /// The key that was read.
    pub key: Hash,
    /// Where, counted from the start of the length prefix.
    pub offset: u64,
}

/// Keeps the pre-image that the guest reads, as `TrackingPreimageOracleReader` does
/// (`exec/preimage.go`).
#[derive(Default)]
pub struct PreimageReader {
    key: Hash,
    /// With its 8-byte length prefix; empty before the first read.
    value: Vec<u8>,
    last_read: Option<PreimageRead>,
    requests: u64,
    total_size: u64,
}

impl PreimageReader {
    /// Up to 32 bytes of a pre-image from an offset on, and how many they are.
    ///
    /// # Errors
    /// When the oracle fails or lies, and at offsets past the end.
    pub fn read(
        &mut self,
        oracle: &mut dyn PreimageOracle,
        key: &Hash,
        offset: u64,
    ) -> Result<([u8; 32], u64), Trap> {
        // The reference starts with the zero key and nothing behind it, so that a read of
        // the zero key is out of bounds rather than a request.
        if *key != self.key {
            let value = fetch(oracle, key).map_err(|error| Trap::Preimage(Box::new(error)))?;
            self.requests += 1;
            self.total_size += value.len() as u64;
            self.value = (value.len() as u64).to_be_bytes().into();
            self.value.extend_from_slice(&value);
            self.key = *key;
        }
        let length = self.value.len() as u64;
        if offset >= length {
            return Err(Fault::PreimageOffset { offset, length }.into());
        }
        self.last_read = Some(PreimageRead { key: *key, offset });
        let rest = &self.value[offset as usize..];
        let count = rest.len().min(32);
        let mut part = [0; 32];
        part[..count].copy_from_slice(&rest[..count]);
        Ok((part, count as u64))
    }

    /// Forgets that there was a read, before a step.
    pub fn reset(&mut self) {
        self.last_read = None;
    }

    /// The read since the last reset.
    #[must_use]
    pub fn last_read(&self) -> Option<&PreimageRead> {
        self.last_read.as_ref()
    }

    /// The pre-image that was read last, with its length prefix.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The key of the pre-image that was read last, if there was one.
    #[must_use]
    pub fn key(&self) -> Option<&Hash> {
        (!self.value.is_empty()).then_some(&self.key)
    }

    /// Goes on in a pre-image that an earlier reader has read last.
    pub(crate) fn resume(&mut self, held: Option<(Hash, Vec<u8>)>) {
        *self = Self::default();
        if let Some((key, value)) = held {
            self.value = (value.len() as u64).to_be_bytes().into();
            self.value.extend_from_slice(&value);
            self.key = key;
        }
    }

    pub(crate) fn take_counts(&mut self) -> (u64, u64) {
        let counts = self.counts();
        (self.requests, self.total_size) = (0, 0);
        counts
    }

    /// How many pre-images were asked for, and their bytes.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.requests, self.total_size)
    }
}

fn fetch(oracle: &mut dyn PreimageOracle, key: &Hash) -> Result<Vec<u8>, PreimageError> {
    let value = oracle
        .preimage(*key)
        .map_err(|source| PreimageError::Oracle { key: *key, source })?;
    match true_key(key[0], &value) {
        Some(actual) if actual != *key => Err(PreimageError::Mismatch { key: *key, actual }),
        _ => Ok(value),
    }
}

/// The key that a pre-image has by its hash, for the key types that are hashes.
#[must_use]
pub fn true_key(kind: u8, value: &[u8]) -> Option<Hash> {
    let mut key = match kind {
        key_type::KECCAK256 => keccak256(value),
        key_type::SHA256 => Sha256::digest(value).into(),
        _ => return None,
    };
    key[0] = kind;
    Some(key)
}
