//! What the program asks for pre-images: in the VM the host behind its file descriptors,
//! natively a host in the same process, in tests a map.

use alloc::string::String;
use alloc::vec::Vec;

use carronade_program::key::PreimageKey;

/// Serves pre-images and takes hints. What it answers is checked against the key.
pub trait Oracle: Send + Sync {
    /// The pre-image of `key`.
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError>;

    /// Takes note of what will be asked for next: `<type> 0x<hexadecimal digits>`.
    fn hint(&self, hint: &str) -> Result<(), OracleError>;
}

/// Why an oracle has no answer, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OracleError(pub String);
