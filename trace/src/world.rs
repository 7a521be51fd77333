//! What a machine of a trace exchanges with the world: pre-images that the store has or the
//! host is asked for, and the guest's output; all of it noted for the next checkpoint.

use carronade_emulator::hash::Hash;
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::step::{GuestOutput, Stream};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pre-images that earlier runs of the trace have read.
pub trait Known: Send {
    /// The pre-image of a key, if it is known.
    ///
    /// # Errors
    /// When it should be but cannot be read.
    fn preimage(&mut self, key: &Hash) -> Result<Option<Vec<u8>>, OracleError>;
}

/// How many hints are kept for the host in case that a pre-image is not known. A program
/// gives its hint shortly before it reads; hints for pre-images that are known may be many.
const HINTS: usize = 64;

/// The host, what is known without it, and what has happened since the last checkpoint.
pub struct World {
    host: Box<dyn PreimageOracle + Send>,
    known: Box<dyn Known>,
    /// Hints that the host has not been told.
    hints: Vec<Vec<u8>>,
    output: Box<dyn GuestOutput + Send>,
    /// Output that is shown once it is known that nothing damaged has led to it.
    unshown: Vec<(Stream, Vec<u8>)>,
    /// Whether the machine makes steps whose output was shown already.
    again: bool,
    notes: Notes,
}

/// What has happened since the last checkpoint.
#[derive(Debug, Default)]
pub struct Notes {
    /// Pre-images that were read, wherever they came from: edges of other grids may go past
    /// the one that has them already.
    pub preimages: BTreeMap<Hash, Vec<u8>>,
    /// What the guest wrote, piece by piece.
    pub output: Vec<(Stream, Vec<u8>)>,
}

/// A world that a machine and its trace share.
#[derive(Clone)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    /// The world of a host.
    #[must_use]
    pub fn new(
        host: Box<dyn PreimageOracle + Send>,
        known: Box<dyn Known>,
        output: Box<dyn GuestOutput + Send>,
    ) -> Self {
        let (hints, unshown, again, notes) = Default::default();
        Self(Arc::new(Mutex::new(World {
            host,
            known,
            hints,
            output,
            unshown,
            again,
            notes,
        })))
    }

    /// What has happened since the last call.
    #[must_use]
    pub fn take_notes(&self) -> Notes {
        std::mem::take(&mut self.lock().notes)
    }

    /// A machine goes on from a checkpoint: hints that no pre-image was asked for after are
    /// those of another place, but for the one that was sent last before it.
    pub fn restart(&self, last_hint: &[u8]) {
        let world = &mut *self.lock();
        world.notes = Notes::default();
        world.hints.clear();
        if !last_hint.is_empty() {
            world.hints.push(last_hint.to_vec());
        }
    }

    /// Has output shown that a checkpoint has kept.
    pub fn repeat(&self, stream: Stream, bytes: &[u8]) {
        self.lock().have_shown(stream, bytes);
    }

    /// Shows the output since the last call.
    pub fn show(&self) {
        let world = &mut *self.lock();
        for (stream, bytes) in std::mem::take(&mut world.unshown) {
            world.output.write(stream, &bytes);
        }
    }

    /// The machine goes back: what it did since [`SharedWorld::show`] does not count, and what
    /// it does until [`SharedWorld::come_back`] was shown already.
    pub fn go_back(&self) {
        let world = &mut *self.lock();
        world.unshown.clear();
        world.again = true;
    }

    /// The machine is where it went back from.
    pub fn come_back(&self) {
        self.lock().again = false;
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn have_shown(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.again {
            self.unshown.push((stream, bytes.to_vec()));
        }
    }

    /// A pre-image that the store should have but has not: the host may.
    fn replace(&mut self, key: Hash, lost: OracleError) -> Result<Vec<u8>, OracleError> {
        self.ask_host(key).map_err(|_| lost)
    }

    fn ask_host(&mut self, key: Hash) -> Result<Vec<u8>, OracleError> {
        for hint in std::mem::take(&mut self.hints) {
            self.host.hint(&hint)?;
        }
        self.host.preimage(key)
    }
}

impl PreimageOracle for SharedWorld {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        let hints = &mut self.lock().hints;
        if hints.len() == HINTS {
            hints.remove(0);
        }
        hints.push(hint.to_vec());
        Ok(())
    }

    fn preimage(&mut self, key: Hash) -> Result<Vec<u8>, OracleError> {
        let world = &mut *self.lock();
        if let Some(value) = world.notes.preimages.get(&key) {
            return Ok(value.clone());
        }
        let value = match world.known.preimage(&key) {
            Ok(Some(value)) => value,
            Ok(None) => world.ask_host(key)?,
            Err(lost) => world.replace(key, lost)?,
        };
        world.notes.preimages.insert(key, value.clone());
        Ok(value)
    }
}

impl GuestOutput for SharedWorld {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let world = &mut *self.lock();
        world.have_shown(stream, bytes);
        world.notes.output.push((stream, bytes.to_vec()));
    }
}
