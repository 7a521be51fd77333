//! A store of which nothing is believed: also what a key alone does not tell is checked.
//!
//! The key of a precompile's result or of a blob's element is not the hash of its value. It is
//! that of the call, or of commitment and point, which every host stores under the keccak key of
//! the same hash (kona-host, op-program's `prefetcher.go`, and this one). So results are computed
//! again, and a blob's elements are committed to again, once for each blob.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alloy_primitives::keccak256;
use carronade_host::{Store, StoreError, check};
use carronade_program::key::{KeyType, PreimageKey};

use crate::Pair;
use crate::blob::{self, Element};
use crate::kzg;
use crate::precompile;
use crate::work::lock;

/// How many blobs are kept once they have been checked: an L1 block has fewer.
const BLOBS: usize = 16;

/// How many results are kept. A program asks for one soon after its hint.
const RESULTS: usize = 64;

/// A blob that belongs to its commitment.
struct Blob {
    commitment: [u8; 48],
    bytes: Arc<[u8]>,
}

/// A store, and what is known of its content.
pub(crate) struct Vault {
    store: Arc<dyn Store + Send + Sync>,
    /// The blobs that were needed last; the newest is at the back.
    blobs: Mutex<VecDeque<Blob>>,
    /// The call of a precompile that a hint named last.
    call: Mutex<Vec<u8>>,
    /// Results that were computed here, by their keys; the newest is at the back.
    results: Mutex<VecDeque<Pair>>,
}

impl Vault {
    pub(crate) fn new(store: Arc<dyn Store + Send + Sync>) -> Self {
        Self {
            store,
            blobs: Mutex::default(),
            call: Mutex::default(),
            results: Mutex::default(),
        }
    }

    /// Notes a call of a precompile: address, gas and input.
    pub(crate) fn called(&self, call: &[u8]) {
        *lock(&self.call) = call.to_vec();
    }

    /// What the store has for a key, which is right.
    ///
    /// # Errors
    /// [`StoreError::Wrong`], [`StoreError::Unchecked`], or what the store says.
    pub(crate) fn get(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(value) = self.store.get(key.as_bytes())? else {
            return Ok(None);
        };
        check(key.as_bytes(), &value)?;
        match key.key_type() {
            KeyType::Precompile => self.check_result(key, &value)?,
            KeyType::Blob => self.check_element(key, &value)?,
            _ => {}
        }
        Ok(Some(value))
    }

    /// Executes the call again.
    fn check_result(&self, key: &PreimageKey, value: &[u8]) -> Result<(), StoreError> {
        if self.computed(key)? == value {
            return Ok(());
        }
        Err(wrong(key, "the precompile has another result"))
    }

    /// The result that belongs to a key.
    fn computed(&self, key: &PreimageKey) -> Result<Vec<u8>, StoreError> {
        let known = lock(&self.results)
            .iter()
            .find(|(of, _)| of == key.as_bytes())
            .map(|(_, result)| result.clone());
        if let Some(result) = known {
            return Ok(result);
        }
        let mut call = lock(&self.call).clone();
        if PreimageKey::precompile(keccak256(&call).0) != *key {
            let stored = self.asked(key)?;
            call = stored.ok_or_else(|| unchecked(key, "its call is not stored"))?;
        }
        let result = precompile::execute(&call);
        let result = result.map_err(|fault| unchecked(key, &fault.to_string()))?;
        self.keep_result(*key.as_bytes(), result.clone());
        Ok(result)
    }

    /// Notes a result that was computed here.
    pub(crate) fn keep_result(&self, key: [u8; 32], result: Vec<u8>) {
        push(&self.results, (key, result), RESULTS);
    }

    /// Finds the element in its blob.
    fn check_element(&self, key: &PreimageKey, value: &[u8]) -> Result<(), StoreError> {
        let place = self.asked(key)?;
        let place =
            place.ok_or_else(|| unchecked(key, "its commitment and point are not stored"))?;
        let Some((commitment, point)) = place.split_first_chunk::<48>() else {
            return Err(unchecked(key, "its key is of no commitment and point"));
        };
        let blob = self.blob(key, commitment)?;
        let right = match blob::element(point) {
            Some(Element::Number(number)) => blob[32 * number..][..32] == *value,
            Some(Element::Proof) => kzg::verify_blob(&blob, commitment, value),
            None => return Err(unchecked(key, "its point is none of a blob's elements")),
        };
        match right {
            true => Ok(()),
            false => Err(wrong(key, "the blob has another element there")),
        }
    }

    /// The blob of a commitment. If it is not known yet, its elements are read and checked.
    fn blob(&self, key: &PreimageKey, commitment: &[u8; 48]) -> Result<Arc<[u8]>, StoreError> {
        let known = lock(&self.blobs)
            .iter()
            .find(|blob| blob.commitment == *commitment)
            .map(|blob| Arc::clone(&blob.bytes));
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let mut bytes = Vec::with_capacity(blob::BYTES);
        for element in blob::keys(commitment) {
            match self.store.get(element.as_bytes())? {
                Some(value) if value.len() == 32 => bytes.extend(value),
                Some(_) => return Err(wrong(&element, "a blob's element has 32 bytes")),
                None => {
                    let reason = format!("of the other elements of its blob, {element} is missing");
                    return Err(unchecked(key, &reason));
                }
            }
        }
        match self.belongs(&bytes, commitment)? {
            true => Ok(self.keep_blob(*commitment, bytes)),
            false => Err(wrong(
                key,
                "the elements of its blob do not have the blob's commitment",
            )),
        }
    }

    /// Whether a blob has a commitment: its proof shows it, if that is stored and right; else the
    /// blob is committed to again, which takes the ceremony's setup.
    fn belongs(&self, bytes: &[u8], commitment: &[u8; 48]) -> Result<bool, StoreError> {
        // One that cannot be read is as good as none.
        let proof = self.store.get(blob::proof_key(commitment).as_bytes());
        if proof.is_ok_and(|proof| {
            proof.is_some_and(|proof| kzg::verify_blob(bytes, commitment, &proof))
        }) {
            return Ok(true);
        }
        Ok(blob::commit(bytes).is_ok_and(|found| found == *commitment))
    }

    /// Notes a blob that belongs to its commitment.
    pub(crate) fn keep_blob(&self, commitment: [u8; 48], bytes: Vec<u8>) -> Arc<[u8]> {
        let bytes: Arc<[u8]> = bytes.into();
        let blob = Blob {
            commitment,
            bytes: Arc::clone(&bytes),
        };
        push(&self.blobs, blob, BLOBS);
        bytes
    }

    /// What a key is the hash of, if it is stored and right.
    fn asked(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, StoreError> {
        let mut hash = *key.as_bytes();
        hash[0] = KeyType::Keccak256 as u8;
        let Some(value) = self.store.get(&hash)? else {
            return Ok(None);
        };
        check(&hash, &value)?;
        Ok(Some(value))
    }
}

/// Adds to a list that keeps its newest entries.
fn push<T>(list: &Mutex<VecDeque<T>>, entry: T, most: usize) {
    let mut list = lock(list);
    if list.len() == most {
        list.pop_front();
    }
    list.push_back(entry);
}

fn wrong(key: &PreimageKey, reason: &str) -> StoreError {
    let (key, reason) = (*key.as_bytes(), reason.to_owned());
    StoreError::Wrong { key, reason }
}

fn unchecked(key: &PreimageKey, reason: &str) -> StoreError {
    let (key, reason) = (*key.as_bytes(), reason.to_owned());
    StoreError::Unchecked { key, reason }
}
