//! The oracle in the VM.

use alloc::string::ToString;
use alloc::vec::Vec;

use carronade_program::guest::oracle;
use carronade_program::key::PreimageKey;

use crate::oracle::{Oracle, OracleError};

/// The host behind file descriptors 3 to 6.
#[derive(Clone, Copy, Debug)]
pub struct Pipes;

impl Oracle for Pipes {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError> {
        oracle().get(key).map_err(|e| OracleError(e.to_string()))
    }

    fn hint(&self, hint: &str) -> Result<(), OracleError> {
        oracle().hint(hint).map_err(|e| OracleError(e.to_string()))
    }
}
