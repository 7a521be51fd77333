//! What the first engine's machine exchanged with the world, for the second to be told the
//! same without the world hearing of it.

use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::step::{GuestOutput, Stream};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Key = [u8; 32];

/// One exchange with the world.
#[derive(PartialEq, Eq)]
enum Exchange {
    Hint(Vec<u8>),
    Preimage(Key),
    Output(Stream, Vec<u8>),
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exchange::Hint(hint) => write!(f, "hint {}", const_hex::encode_prefixed(hint)),
            Exchange::Preimage(key) => {
                write!(f, "pre-image request {}", const_hex::encode_prefixed(key))
            }
            Exchange::Output(stream, bytes) => {
                write!(f, "{stream:?} {}", const_hex::encode_prefixed(bytes))
            }
        }
    }
}

#[derive(Default)]
struct Entries {
    /// What the second machine has yet to repeat.
    ahead: VecDeque<Exchange>,
    /// Pre-images since the last [`Journal::begin`], and the last one before.
    images: HashMap<Key, Vec<u8>>,
    last: Option<Key>,
    /// How the second machine did not repeat the first, the first time.
    surprise: Option<String>,
}

/// The exchanges of two machines.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Entries>>);

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets pre-images but the last, which a machine may be in the middle of.
    pub fn begin(&self) {
        let entries = &mut *self.lock();
        let last = entries.last;
        entries.images.retain(|key, _| Some(*key) == last);
    }

    /// The pre-images since the last [`Journal::begin`].
    pub fn known(&self) -> Known {
        Known(Arc::new(self.lock().images.clone()))
    }

    /// How the second machine's exchanges are not the first's, if so.
    pub fn difference(&self) -> Option<String> {
        let entries = self.lock();
        let missing = || {
            let next = entries.ahead.front()?;
            Some(format!("exchange with the host: {next} against nothing"))
        };
        entries.surprise.clone().or_else(missing)
    }

    fn repeat(&self, now: &Exchange) -> bool {
        let entries = &mut *self.lock();
        let then = entries.ahead.pop_front();
        let equal = then.as_ref() == Some(now);
        if !equal && entries.surprise.is_none() {
            let then = then.map_or("nothing".into(), |then| then.to_string());
            entries.surprise = Some(format!("exchange with the host: {then} against {now}"));
        }
        equal
    }
}

/// The first machine's side of the world: the world itself, and the journal.
pub struct Recording<T: ?Sized> {
    /// Where the journal is.
    pub journal: Journal,
    /// The world.
    pub world: Box<T>,
}

impl PreimageOracle for Recording<dyn PreimageOracle + Send> {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.world.hint(hint)?;
        let entries = &mut *self.journal.lock();
        entries.ahead.push_back(Exchange::Hint(hint.to_vec()));
        Ok(())
    }

    fn preimage(&mut self, key: Key) -> Result<Vec<u8>, OracleError> {
        let value = self.world.preimage(key)?;
        let entries = &mut *self.journal.lock();
        entries.ahead.push_back(Exchange::Preimage(key));
        entries.images.insert(key, value.clone());
        entries.last = Some(key);
        Ok(value)
    }
}

impl GuestOutput for Recording<dyn GuestOutput + Send> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.world.write(stream, bytes);
        let entries = &mut *self.journal.lock();
        let output = Exchange::Output(stream, bytes.to_vec());
        entries.ahead.push_back(output);
    }
}

/// The second machine's side of the world: the journal.
pub struct Repeating(pub Journal);

impl PreimageOracle for Repeating {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.0.repeat(&Exchange::Hint(hint.to_vec()));
        Ok(())
    }

    fn preimage(&mut self, key: Key) -> Result<Vec<u8>, OracleError> {
        let image = self.0.lock().images.get(&key).cloned();
        let equal = self.0.repeat(&Exchange::Preimage(key));
        image
            .filter(|_| equal)
            .ok_or_else(|| "the other engine did not ask for it".into())
    }
}

impl GuestOutput for Repeating {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.0.repeat(&Exchange::Output(stream, bytes.to_vec()));
    }
}

/// Pre-images that were asked for before.
#[derive(Clone)]
pub struct Known(Arc<HashMap<Key, Vec<u8>>>);

impl PreimageOracle for Known {
    fn hint(&mut self, _: &[u8]) -> Result<(), OracleError> {
        Ok(())
    }

    fn preimage(&mut self, key: Key) -> Result<Vec<u8>, OracleError> {
        let image = self.0.get(&key).cloned();
        image.ok_or_else(|| "nobody has asked for it before".into())
    }
}
