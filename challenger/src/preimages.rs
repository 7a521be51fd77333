//! Pre-images for the contract's oracle, from the store of the programs' hosts.

use std::sync::Arc;

use alloy_primitives::B256;
use carronade_dispute::upload::PreimageSource;
use carronade_host::{Store, check};

/// A store that hosts fill, as the source of pre-images.
#[derive(Clone)]
pub struct StoredPreimages(Arc<dyn Store + Send + Sync>);

impl StoredPreimages {
    /// What is in a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store + Send + Sync>) -> Self {
        Self(store)
    }
}

impl PreimageSource for StoredPreimages {
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String> {
        let found = self.0.get(&key).map_err(|error| error.to_string())?;
        let value = found.ok_or_else(|| format!("pre-image {key} is not stored"))?;
        check(&key, &value).map_err(|error| error.to_string())?;
        Ok(value)
    }

    fn prove_blob(&mut self, commitment: &[u8], z: B256) -> Result<(B256, Vec<u8>), String> {
        let (y, proof) = carronade_online::prove_blob(&*self.0, commitment, &z)?;
        Ok((y.into(), proof.to_vec()))
    }
}
