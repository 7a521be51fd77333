//! The digest of pre-images.

use sha3::{Digest, Keccak256};

use crate::Hash;

/// keccak256 of `data`.
pub fn keccak256(data: &[u8]) -> Hash {
    Keccak256::digest(data).into()
}

/// keccak256 of two digests, one behind the other.
pub fn keccak256_pair(left: &Hash, right: &Hash) -> Hash {
    Keccak256::new()
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmt::parse_hash;

    #[test]
    fn known_digests() {
        // The empty trie's and the zero pair's digests are constants of Ethereum.
        let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(keccak256(b""), parse_hash(empty).unwrap());
        let pair = "0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5";
        assert_eq!(
            keccak256_pair(&[0; 32], &[0; 32]),
            parse_hash(pair).unwrap()
        );
        assert_eq!(keccak256(&[0; 64]), parse_hash(pair).unwrap());
    }
}
