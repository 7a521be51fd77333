//! The key that transactions are signed with.

use std::path::Path;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature};
use k256::ecdsa::SigningKey;

/// Why there is no key. No message holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// The file cannot be read.
    #[error("cannot read the key from {0}: {1}")]
    File(String, std::io::Error),
    /// What is given as a file's name looks like a key itself, and is not shown.
    #[error("the name of the key's file looks like a key: give a file that has it")]
    NoName,
    /// The variable is not set.
    #[error("the environment has no {0}, which is to hold the key")]
    Unset(String),
    /// It is none.
    #[error("{0} holds no private key: 32 bytes in hex are needed")]
    NoKey(String),
}

/// A private key and its address.
pub struct Wallet {
    key: SigningKey,
    address: Address,
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its hash.
    pub hash: B256,
    /// What is sent.
    pub raw: Bytes,
}

impl Wallet {
    /// The key in a file: 32 bytes in hex, space around it.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn from_file(path: &Path) -> Result<Self, WalletError> {
        let name = path.display().to_string();
        if Self::from_hex(&name).is_some() {
            return Err(WalletError::NoName);
        }
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| WalletError::File(name.clone(), error))?;
        Self::from_hex(&text).ok_or(WalletError::NoKey(name))
    }

    /// The key in an environment variable.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn from_environment(variable: &str) -> Result<Self, WalletError> {
        let text = std::env::var(variable);
        let text = text.map_err(|_| WalletError::Unset(variable.to_owned()))?;
        Self::from_hex(&text).ok_or_else(|| WalletError::NoKey(variable.to_owned()))
    }

    /// The key that is written in hex, if it is one.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = const_hex::decode_to_array(text.trim()).ok()?;
        let key = SigningKey::from_bytes(&bytes.into()).ok()?;
        let address = Address::from_private_key(&key);
        Some(Self { key, address })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a transaction.
    ///
    /// # Errors
    /// When the signature cannot be made, which for a key that is one does not happen.
    pub fn sign(&self, transaction: TxEip1559) -> Result<Signed, k256::ecdsa::Error> {
        let hash = transaction.signature_hash();
        let (signature, recovery) = self.key.sign_prehash_recoverable(hash.as_slice())?;
        let signature = Signature::from_signature_and_parity(signature, recovery.is_y_odd());
        let signed = TxEnvelope::from(transaction.into_signed(signature));
        Ok(Signed {
            hash: *signed.tx_hash(),
            raw: signed.encoded_2718().into(),
        })
    }
}

impl std::fmt::Debug for Wallet {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wallet").field(&self.address).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, address};

    /// A key that every Ethereum developer knows: the first one of test chains.
    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn a_key_has_its_address_and_signs_for_it() {
        let wallet = Wallet::from_hex(KEY).expect("a key");
        let address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(wallet.address(), address);
        assert!(!format!("{wallet:?}").contains("ac0974"));
        let transaction = TxEip1559 {
            chain_id: 1,
            value: U256::from(5),
            ..TxEip1559::default()
        };
        let hash = transaction.signature_hash();
        let signed = wallet.sign(transaction).expect("a signature");
        let envelope: TxEnvelope =
            alloy_eips::Decodable2718::decode_2718(&mut &signed.raw[..]).expect("a transaction");
        assert_eq!(*envelope.tx_hash(), signed.hash);
        let signature = envelope.signature();
        let signer = signature.recover_address_from_prehash(&hash);
        assert_eq!(signer.expect("a signer"), address);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in [
            "",
            "0x",
            "secret",
            &KEY[..64],
            &"0".repeat(64),
            &"f".repeat(64),
        ] {
            assert!(Wallet::from_hex(text).is_none(), "{text}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        std::fs::write(&file, "secret").expect("written");
        let error = Wallet::from_file(&file).expect_err("no key").to_string();
        assert!(error.ends_with("holds no private key: 32 bytes in hex are needed"));
        assert!(!error.contains("secret"));
        let named = Wallet::from_file(Path::new(KEY)).expect_err("no file");
        assert!(!named.to_string().contains(&KEY[2..10]), "{named}");
        std::fs::write(&file, format!("{KEY}\n")).expect("written");
        assert!(Wallet::from_file(&file).is_ok());
    }
}
