//! Pre-image keys.
//!
//! Source: Optimism specification, `fault-proof/index.md`, "Pre-image key types".

use core::fmt;

use crate::Hash;
use crate::fmt::Hex;

/// What the first byte of a key says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyType {
    /// Input of this one run, named by a number rather than by a digest.
    Local = 1,
    /// Pre-image of a keccak256 digest.
    Keccak256 = 2,
    /// Reserved by the specification.
    Generic = 3,
    /// Pre-image of a SHA-256 digest.
    Sha256 = 4,
    /// One field element of an EIP-4844 blob, named by keccak256(commitment ‖ point).
    Blob = 5,
    /// Result of a precompiled contract, named by keccak256(address ‖ gas ‖ input).
    Precompile = 6,
}

impl KeyType {
    /// The type with this number, if there is one.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Local,
            2 => Self::Keccak256,
            3 => Self::Generic,
            4 => Self::Sha256,
            5 => Self::Blob,
            6 => Self::Precompile,
            _ => return None,
        })
    }
}

/// The 32 bytes by which a program asks for a pre-image: a type, then 31 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreimageKey([u8; 32]);

impl PreimageKey {
    /// The key of local input `ident`, which stands big-endian in the last eight bytes.
    pub const fn local(ident: u64) -> Self {
        let mut key = [0; 32];
        let (_, tail) = key.split_at_mut(24);
        tail.copy_from_slice(&ident.to_be_bytes());
        Self::from_hash(KeyType::Local, key)
    }

    /// The key of the data with this keccak256 digest.
    pub const fn keccak256(hash: Hash) -> Self {
        Self::from_hash(KeyType::Keccak256, hash)
    }

    /// The key of the data with this SHA-256 digest.
    pub const fn sha256(hash: Hash) -> Self {
        Self::from_hash(KeyType::Sha256, hash)
    }

    /// The key of the blob field element with this identifying digest.
    pub const fn blob(hash: Hash) -> Self {
        Self::from_hash(KeyType::Blob, hash)
    }

    /// The key of the precompile result with this identifying digest.
    pub const fn precompile(hash: Hash) -> Self {
        Self::from_hash(KeyType::Precompile, hash)
    }

    /// A key of any type: `hash` with its first byte replaced by the type.
    pub const fn from_hash(key_type: KeyType, mut hash: Hash) -> Self {
        hash[0] = key_type as u8;
        Self(hash)
    }

    /// The type; always known, as a key of another type cannot be made.
    pub const fn key_type(&self) -> KeyType {
        match KeyType::from_byte(self.0[0]) {
            Some(key_type) => key_type,
            None => unreachable!(),
        }
    }

    /// The bytes as they go over the wire.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The first byte of these 32 is no key type; it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKeyType(pub u8);

impl fmt::Display for UnknownKeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown pre-image key type {}", self.0)
    }
}

impl core::error::Error for UnknownKeyType {}

impl TryFrom<[u8; 32]> for PreimageKey {
    type Error = UnknownKeyType;

    fn try_from(bytes: [u8; 32]) -> Result<Self, UnknownKeyType> {
        match KeyType::from_byte(bytes[0]) {
            Some(_) => Ok(Self(bytes)),
            None => Err(UnknownKeyType(bytes[0])),
        }
    }
}

impl From<PreimageKey> for [u8; 32] {
    fn from(key: PreimageKey) -> Self {
        key.0
    }
}

impl fmt::Display for PreimageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for PreimageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreimageKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_identifier_is_big_endian_at_the_end() {
        let mut want = [0; 32];
        want[0] = 1;
        want[24..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(PreimageKey::local(0x0102_0304_0506_0708).as_bytes(), &want);
    }

    #[test]
    fn hash_keys_replace_only_the_first_byte() {
        let hash = [0xab; 32];
        let keys = [
            PreimageKey::keccak256(hash),
            PreimageKey::from_hash(KeyType::Generic, hash),
            PreimageKey::sha256(hash),
            PreimageKey::blob(hash),
            PreimageKey::precompile(hash),
        ];
        for (key, byte) in keys.iter().zip(2..) {
            assert_eq!(key.as_bytes()[0], byte);
            assert_eq!(key.key_type() as u8, byte);
            assert_eq!(key.as_bytes()[1..], hash[1..]);
        }
    }

    #[test]
    fn bytes_of_an_unknown_type_are_no_key() {
        for byte in (0..=u8::MAX).filter(|b| !(1..=6).contains(b)) {
            assert_eq!(PreimageKey::try_from([byte; 32]), Err(UnknownKeyType(byte)));
        }
        let key = PreimageKey::local(7);
        assert_eq!(PreimageKey::try_from(<[u8; 32]>::from(key)), Ok(key));
    }

    #[test]
    fn displays_as_hex() {
        let text = std::format!("{}", PreimageKey::local(0xfe));
        assert_eq!(text.len(), 66);
        assert!(text.starts_with("0x0100") && text.ends_with("00fe"));
    }
}
