//! Pre-images as the rest of the program sees them: hinted, checked, cached.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use alloy_primitives::{B256, Bytes, keccak256};
use carronade_program::key::PreimageKey;
use revm::precompile::hash::sha256_run;
use spin::Mutex;

use crate::cache::Cache;
use crate::error::Error;
use crate::hint::Hint;
use crate::oracle::Oracle;

/// The oracle, and what is known of it. Clones share everything.
///
/// **A failure stays.** Code between here and the verdict may take an error for something else:
/// a block that cannot be executed is replaced by one without transactions, say. So the first
/// failure is kept, every later request gives it again, and whoever gives a verdict asks
/// [`failure`](Self::failure) first.
#[derive(Clone)]
pub struct Preimages(Arc<Shared>);

struct Shared {
    oracle: Arc<dyn Oracle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: Cache,
    /// A hint that goes out with the next request the cache cannot answer.
    waiting: Option<Hint>,
    failure: Option<Error>,
}

impl Preimages {
    /// Nothing asked so far.
    pub fn new(oracle: Arc<dyn Oracle>) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { oracle, state }))
    }

    /// The first failure.
    pub fn failure(&self) -> Option<Error> {
        self.0.state.lock().failure.clone()
    }

    /// Keeps `error`, unless one is kept already, and gives back the one that is.
    pub fn fail(&self, error: Error) -> Error {
        self.0.state.lock().failure.get_or_insert(error).clone()
    }

    /// The local pre-image with this number. Nothing about it can be checked.
    pub fn local(&self, ident: u64) -> Result<Vec<u8>, Error> {
        self.ask(PreimageKey::local(ident))
    }

    /// The data with this keccak256 digest.
    pub fn keccak(&self, hash: B256) -> Result<Bytes, Error> {
        if let Some(known) = self.0.state.lock().cache.get(&hash) {
            return Ok(known);
        }
        self.send_waiting()?;
        let key = PreimageKey::keccak256(hash.0);
        let data = Bytes::from(self.ask(key)?);
        if keccak256(&data) != hash {
            return Err(self.fail(Error::NotThePreimage { key }));
        }
        self.remember(hash, data.clone());
        Ok(data)
    }

    /// The data with this keccak256 digest; `hint` goes out if it is not known yet.
    pub fn keccak_hinted(&self, hash: B256, hint: Hint) -> Result<Bytes, Error> {
        self.expect(hint);
        self.keccak(hash)
    }

    /// The data with this SHA-256 digest, of which the first byte does not count: it is not
    /// part of the key.
    pub fn sha256(&self, hash: B256) -> Result<Vec<u8>, Error> {
        let key = PreimageKey::sha256(hash.0);
        let data = self.ask(key)?;
        let digest = sha256_run(&data, u64::MAX).map_err(|e| self.malformed(key, e))?;
        if digest.bytes[1..] != hash[1..] {
            return Err(self.fail(Error::NotThePreimage { key }));
        }
        Ok(data)
    }

    /// A pre-image that has no digest to check: a blob's field element, a precompile's result.
    pub fn unchecked(&self, key: PreimageKey) -> Result<Vec<u8>, Error> {
        self.ask(key)
    }

    /// Enters data that the program made itself.
    pub fn remember(&self, hash: B256, data: Bytes) {
        self.0.state.lock().cache.insert(hash, data);
    }

    /// Has `hint` sent before the next request that the cache cannot answer; it takes the place
    /// of one that is still waiting.
    pub fn expect(&self, hint: Hint) {
        self.0.state.lock().waiting = Some(hint);
    }

    /// Sends `hint` at once.
    pub fn hint(&self, hint: &Hint) -> Result<(), Error> {
        let sent = self.0.oracle.hint(&hint.to_string());
        sent.map_err(|reason| {
            let hint = hint.name().to_string();
            self.fail(Error::Hint { hint, reason })
        })
    }

    /// Keeps and gives back an error about the pre-image of `key`.
    pub fn malformed(&self, key: PreimageKey, reason: impl fmt::Display) -> Error {
        let reason = format!("{reason}");
        self.fail(Error::Malformed { key, reason })
    }

    fn send_waiting(&self) -> Result<(), Error> {
        let waiting = self.0.state.lock().waiting.take();
        waiting.map_or(Ok(()), |hint| self.hint(&hint))
    }

    fn ask(&self, key: PreimageKey) -> Result<Vec<u8>, Error> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let answer = self.0.oracle.get(key);
        answer.map_err(|reason| self.fail(Error::Missing { key, reason }))
    }
}

impl fmt::Debug for Preimages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preimages")
    }
}
