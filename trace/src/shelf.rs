//! The checkpoints of a trace, as they were listed last.
//!
//! Others may add and thin checkpoints at the same time. A list that is out of date costs
//! steps, never a wrong answer.

use crate::error::TraceError;
use crate::reads::{Preimages, Reads};
use crate::world::Known;
use crate::writer::{Draft, Job, Writer};
use carronade_checkpoint::{Checkpoint, Error as StoreError, Limit, Point, Policy, TraceStore};
use carronade_emulator::hash::Hash;
use carronade_emulator::oracle::OracleError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The checkpoints that a trace goes on from.
pub struct Shelf {
    writer: Writer,
    store: TraceStore,
    points: BTreeMap<u64, Hash>,
    /// What the checkpoints took when that was looked at, and what had been written then.
    weighed: (u64, u64),
    /// Who is told when nothing can be written, so that answers go on without.
    lenient: Option<Told>,
    /// Whether that has happened.
    broken: bool,
    /// What was read on the way to checkpoints that the last one listed does not cover.
    reads: Reads,
    /// Whether it was told that checkpoints cannot be whole.
    told: bool,
    /// The last checkpoint: every pre-image of the trace so far was read on the way there.
    latest: Latest,
}

/// Bytes of pre-images after which it is looked whether the store has them.
const READ: usize = 64 << 20;

/// Who is told of an error.
pub type Told = Box<dyn Fn(&TraceError) + Send>;

type Latest = Arc<Mutex<Option<Checkpoint>>>;

impl Shelf {
    /// The checkpoints in a store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(store: TraceStore) -> Result<Self, TraceError> {
        let mut shelf = Self {
            writer: Writer::new(store.clone()),
            weighed: (store.weigh()?, store.written()),
            store,
            points: BTreeMap::new(),
            lenient: None,
            broken: false,
            reads: Reads::default(),
            told: false,
            latest: Arc::default(),
        };
        shelf.refresh()?;
        Ok(shelf)
    }

    /// Lists the checkpoints again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refresh(&mut self) -> Result<(), TraceError> {
        self.flush()?;
        self.list()
    }

    fn list(&mut self) -> Result<(), TraceError> {
        let points = self.store.checkpoints()?.into_iter();
        self.points = points.map(|point| (point.step, point.state_hash)).collect();
        let latest = self.store.open_nearest(u64::MAX)?;
        let before = std::mem::replace(&mut *lock(&self.latest), latest);
        self.reads
            .settle(before.as_ref(), lock(&self.latest).as_ref());
        Ok(())
    }

    /// Tells where the trace begins.
    pub fn begin_at(&mut self, step: u64) {
        self.reads.begin_at(step);
    }

    /// From the first failure to write on, nothing is written any more, and somebody is told
    /// of it, instead of errors for all questions.
    pub fn forgive(&mut self, told: Told) {
        self.lenient = Some(told);
    }

    /// Whether nothing is written any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Something could not be written.
    fn give_up(&mut self, error: TraceError) -> Result<(), TraceError> {
        // That the store contradicts a run is not for its disk's sake.
        let contradicts = matches!(error, TraceError::Store(StoreError::Conflict { .. }));
        match &self.lenient {
            Some(told) if !contradicts => told(&error),
            _ => return Err(error),
        }
        self.broken = true;
        self.list()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &TraceStore {
        &self.store
    }

    /// What the trace is known to have read.
    #[must_use]
    pub fn known(&self) -> Stored {
        Stored(Arc::clone(&self.latest))
    }

    /// Lists the checkpoints again, and gives all pre-images that were read before a step, for a
    /// checkpoint that holds everything. None if some are gone, since somebody has removed the
    /// whole trace, and not even what was open can be read any more: that is told once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read_before(&mut self, step: u64) -> Result<Option<Preimages>, TraceError> {
        self.refresh()?;
        let read = self.reads.before(step, lock(&self.latest).as_ref());
        if let (None, Some(told), false) = (&read, &self.lenient, self.told) {
            told(&TraceError::Gone);
            self.told = true;
        }
        Ok(read)
    }

    /// How many checkpoints there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.points.len()
    }

    /// The state hash at a checkpoint.
    #[must_use]
    pub fn state_hash(&self, step: u64) -> Option<Hash> {
        self.points.get(&step).copied()
    }

    /// The last checkpoint at or before a step.
    #[must_use]
    pub fn nearest(&self, step: u64) -> Option<u64> {
        self.points
            .range(..=step)
            .next_back()
            .map(|(step, _)| *step)
    }

    /// The first checkpoint after a step.
    #[must_use]
    pub fn next_after(&self, step: u64) -> Option<u64> {
        let next = self.points.range(step.checked_add(1)?..).next();
        next.map(|(step, _)| *step)
    }

    /// Opens a checkpoint; if it has been thinned away meanwhile, one before it, if there
    /// is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(&mut self, step: u64) -> Result<Option<Checkpoint>, TraceError> {
        self.flush()?;
        Ok(self.store.open_nearest(step)?)
    }

    /// Thins the checkpoints to a number or a size.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn thin(&mut self, limit: Limit, asked: &[u64]) -> Result<(), TraceError> {
        self.flush()?;
        if self.broken {
            return Ok(());
        }
        match self.store.thin(&Policy { limit, dense: 0 }, asked) {
            Ok(thinned) => self.weighed = (thinned.bytes, self.store.written()),
            Err(error) => self.give_up(error.into())?,
        }
        self.refresh()
    }

    /// How many bytes the checkpoints take, but for what others have written meanwhile.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let (then, written) = self.weighed;
        then + (self.store.written() - written)
    }

    /// Whether a checkpoint is there for others to go on from.
    ///
    /// # Errors
    /// When one could not be written.
    pub fn has(&mut self, point: Point) -> Result<bool, TraceError> {
        if self.writer.has_lost() {
            self.flush()?;
        }
        Ok(self.state_hash(point.step) == Some(point.state_hash))
    }

    /// Adds a checkpoint, which is written while the run goes on.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn put(&mut self, draft: Draft) -> Result<(), TraceError> {
        let to = draft.to;
        let from = draft.contents.from.map(|from| from.step);
        self.reads
            .add(from, to.step, draft.contents.preimages.clone());
        self.note(Job::Checkpoint(Box::new(draft)))?;
        if !self.broken {
            self.points.insert(to.step, to.state_hash);
        }
        match self.reads.bytes() > READ {
            true => self.refresh(),
            false => Ok(()),
        }
    }

    /// How much CPU time it took to write the last checkpoint.
    #[must_use]
    pub fn last_cost(&self) -> Duration {
        self.writer.last_cost()
    }

    /// Adds a note to a trace, or the end to this one, after what was added before.
    ///
    /// # Errors
    /// When that could not be written.
    pub fn note(&mut self, job: Job) -> Result<(), TraceError> {
        if self.broken {
            return Ok(());
        }
        match self.writer.write(job) {
            Err(error) => self.give_up(error),
            written => written,
        }
    }

    /// Waits until all that was added is in the store.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        match self.writer.flush() {
            Ok(lost) => {
                for lost in lost {
                    self.points.remove(&lost.step);
                }
                Ok(())
            }
            Err(error) => self.give_up(error),
        }
    }
}

fn lock(latest: &Latest) -> MutexGuard<'_, Option<Checkpoint>> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pre-images of a trace that are in its store.
pub struct Stored(Latest);

impl Known for Stored {
    fn preimage(&mut self, key: &Hash) -> Result<Option<Vec<u8>>, OracleError> {
        match &*lock(&self.0) {
            Some(checkpoint) => Ok(checkpoint.preimage(key)?),
            None => Ok(None),
        }
    }
}

impl Stored {
    /// Those that were read on the way to a checkpoint.
    #[must_use]
    pub fn of(checkpoint: Checkpoint) -> Self {
        Self(Arc::new(Mutex::new(Some(checkpoint))))
    }

    /// The keys of those pre-images.
    #[must_use]
    pub fn keys(&self) -> Vec<Hash> {
        let latest = lock(&self.0);
        latest
            .as_ref()
            .map(Checkpoint::preimages)
            .unwrap_or_default()
    }
}
