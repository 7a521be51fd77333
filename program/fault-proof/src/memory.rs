//! An oracle in memory, for tests and for hosts that have everything at hand.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use alloy_primitives::{Address, hex, keccak256};
use carronade_program::key::PreimageKey;
use revm::precompile::{PrecompileError, Precompiles};
use spin::Mutex;

use crate::oracle::{Oracle, OracleError};

/// Serves a fixed set of pre-images, runs precompiles when they are hinted at, and remembers
/// the hints.
#[derive(Default)]
pub struct MemoryOracle {
    preimages: Mutex<BTreeMap<PreimageKey, Vec<u8>>>,
    hints: Mutex<Vec<String>>,
}

impl MemoryOracle {
    /// An oracle with these pre-images.
    pub fn new(preimages: impl IntoIterator<Item = (PreimageKey, Vec<u8>)>) -> Self {
        Self {
            preimages: Mutex::new(preimages.into_iter().collect()),
            hints: Mutex::default(),
        }
    }

    /// Adds a pre-image under its keccak256 key, and gives the digest.
    pub fn insert_keccak(&self, data: Vec<u8>) -> [u8; 32] {
        let hash = keccak256(&data).0;
        self.preimages
            .lock()
            .insert(PreimageKey::keccak256(hash), data);
        hash
    }

    /// Adds or replaces a pre-image.
    pub fn insert(&self, key: PreimageKey, data: Vec<u8>) {
        self.preimages.lock().insert(key, data);
    }

    /// Removes a pre-image, and gives it if it was there.
    pub fn remove(&self, key: &PreimageKey) -> Option<Vec<u8>> {
        self.preimages.lock().remove(key)
    }

    /// All pre-images, with the results of precompiles that were hinted at.
    pub fn all(&self) -> BTreeMap<PreimageKey, Vec<u8>> {
        self.preimages.lock().clone()
    }

    /// The hints so far.
    pub fn hints(&self) -> Vec<String> {
        self.hints.lock().clone()
    }
}

impl Oracle for MemoryOracle {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError> {
        let found = self.preimages.lock().get(&key).cloned();
        found.ok_or_else(|| OracleError("not in memory".to_string()))
    }

    fn hint(&self, hint: &str) -> Result<(), OracleError> {
        if let Some(call) = hint.strip_prefix("l1-precompile-v2 ") {
            let call = hex::decode(call).map_err(|e| OracleError(e.to_string()))?;
            self.preimages
                .lock()
                .extend(precompile(&call).into_iter().flatten());
        }
        self.hints.lock().push(hint.to_string());
        Ok(())
    }
}

/// The result of a precompile for the call address ‖ gas ‖ input, as the oracle contract stores
/// it, and the call itself under its keccak256 key. None if this build has no such precompile.
pub fn precompile(call: &[u8]) -> Option<[(PreimageKey, Vec<u8>); 2]> {
    let (address, rest) = call.split_first_chunk::<20>()?;
    let (gas, input) = rest.split_first_chunk::<8>()?;
    let run = Precompiles::latest().get(&Address::from(*address))?;
    let result = match run(input, u64::from_be_bytes(*gas)) {
        Ok(output) => [&[1], &output.bytes[..]].concat(),
        Err(PrecompileError::Fatal(_)) => return None,
        Err(_) => alloc::vec![0],
    };
    let hash = keccak256(call).0;
    let call = (PreimageKey::keccak256(hash), call.to_vec());
    Some([(PreimageKey::precompile(hash), result), call])
}
