//! Accounts with known keys.

use alloy_consensus::{SignableTransaction, Signed};
use alloy_primitives::{Address, B256, Signature, keccak256};
use k256::ecdsa::SigningKey;

/// An account whose key is keccak256 of its name, so that anybody can sign for it.
#[derive(Clone, Debug)]
pub struct Signer {
    key: SigningKey,
    address: Address,
}

impl Signer {
    /// The account of this name, for instance `batcher` or `user 0`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let key = SigningKey::from_slice(keccak256(name).as_slice())
            .expect("no name in use hashes to an invalid key");
        let address = Address::from_public_key(key.verifying_key());
        Self { key, address }
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a digest; the same digest gives the same signature (RFC 6979).
    #[must_use]
    pub fn sign_hash(&self, hash: B256) -> Signature {
        let (signature, recovery) = self
            .key
            .sign_prehash_recoverable(hash.as_slice())
            .expect("a digest of 32 bytes can be signed");
        Signature::from((signature, recovery))
    }

    /// Signs a transaction.
    #[must_use]
    pub fn sign<T: SignableTransaction<Signature>>(&self, transaction: T) -> Signed<T> {
        let signature = self.sign_hash(transaction.signature_hash());
        transaction.into_signed(signature)
    }
}
