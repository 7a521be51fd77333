//! A machine somewhere in a trace, and what it has done since the checkpoint below it.
//!
//! A checkpoint is made in two parts. It is begun where the machine stands: what changed is
//! copied, and hashed by other cores while the machine goes on. It is completed once its
//! hash is known, at the latest before the next one begins.

use crate::error::TraceError;
use crate::saved::{Counted, Happened, Saved, encode_output};
use crate::shelf::Shelf;
use crate::world::{Notes, SharedWorld};
use crate::writer::{Contents, Draft};
use carronade_checkpoint::{Checkpoint, Error as StoreError, Output, Point};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::capture::Capture;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::{Memory, Page, PageError, PageSource};
use carronade_emulator::oracle::OracleError;
use carronade_emulator::state::State;
use std::sync::Arc;
use std::time::Duration;

/// Makes what executes a machine's steps; nothing for the interpreter.
pub type Engine =
    Arc<dyn Fn(&mut Memory) -> Result<Option<Box<dyn Accelerator>>, OracleError> + Send + Sync>;

/// A machine, and the checkpoint that it goes on from.
pub struct Stand {
    /// The machine.
    pub machine: Machine,
    /// The checkpoint; none before the first, and while the next one is incomplete.
    base: Option<Point>,
    /// The next one, as long as it is incomplete.
    begun: Option<Begun>,
    /// The step since which all that was read is in the world's notes.
    noted_from: u64,
    world: SharedWorld,
}

/// A checkpoint whose hash is being computed.
struct Begun {
    step: u64,
    capture: Capture,
    /// What else is to be stored, if it is.
    contents: Option<Contents>,
}

impl Stand {
    /// A machine in a state that no checkpoint is below.
    ///
    /// # Errors
    /// When the engine cannot be made.
    pub fn first(
        state: State,
        mut memory: Memory,
        world: &SharedWorld,
        engine: &Engine,
    ) -> Result<Self, TraceError> {
        memory.track_changes();
        world.restart(&state.replay_hint);
        let accelerator = engine(&mut memory).map_err(TraceError::Engine)?;
        let (oracle, output) = (Box::new(world.clone()), Box::new(world.clone()));
        let noted_from = state.step;
        let mut machine = Machine::new(state, memory, oracle, output);
        if let Some(accelerator) = accelerator {
            machine = machine.with_accelerator(accelerator);
        }
        Ok(Self {
            machine,
            base: None,
            begun: None,
            noted_from,
            world: world.clone(),
        })
    }

    /// A machine at a checkpoint.
    ///
    /// # Errors
    /// When the checkpoint is damaged, or the engine cannot be made.
    pub fn at(
        checkpoint: &Checkpoint,
        world: &SharedWorld,
        engine: &Engine,
    ) -> Result<Self, TraceError> {
        let saved = Saved::decode(&checkpoint.state()?)?;
        let held = match saved.held {
            Some(key) => checkpoint.preimage(&key)?.map(|value| (key, value)),
            None => None,
        };
        let mut memory = Memory::new();
        memory.restore_lazily(checkpoint.pages(), Arc::new(Pages(checkpoint.clone())));
        let mut stand = Self::first(saved.state()?, memory, world, engine)?;
        let last = last_counters(checkpoint)?;
        stand.machine.resume(&last.stats, held);
        stand.base = Some(checkpoint.point());
        Ok(stand)
    }

    /// The step counter.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.machine.state().step
    }

    /// The checkpoint below; none before the first, and while the next one is incomplete.
    #[must_use]
    pub fn base(&self) -> Option<Point> {
        self.base
    }

    /// Begins a checkpoint here, if there is none, when the one before is complete: what
    /// was counted since that.
    ///
    /// # Errors
    /// When a page could not be loaded.
    pub fn begin(&mut self, shelf: &mut Shelf) -> Result<Counted, TraceError> {
        let step = self.step();
        let mut is_new = shelf.state_hash(step).is_none() && !shelf.is_broken();
        // Until this one is complete there is none to go on from: changes are told once.
        debug_assert!(self.begun.is_none(), "the one before is complete");
        let from = match self.base.take() {
            Some(base) if is_new && shelf.has(base)? => Some(base),
            _ => None,
        };
        let mut read = None;
        if is_new && from.is_none() {
            // If that is gone, a machine that begins again will have it.
            read = shelf.read_before(self.noted_from)?;
            is_new = read.is_some();
        }
        // The first checkpoint, or one whose base somebody has thinned away, needs all pages.
        let capture = match from {
            None if is_new => self.machine.capture_all()?,
            _ => self.machine.capture_changes()?,
        };
        let (stats, requests) = self.machine.take_counters();
        let counted = Counted { stats, requests };
        let mut notes = self.world.take_notes();
        self.noted_from = step;
        notes.preimages.append(&mut read.unwrap_or_default());
        let contents = is_new.then(|| self.contents(from, &counted, notes));
        self.begun = Some(Begun {
            step,
            capture,
            contents: contents.transpose()?,
        });
        Ok(counted)
    }

    fn contents(
        &self,
        from: Option<Point>,
        counted: &Counted,
        notes: Notes,
    ) -> Result<Contents, TraceError> {
        Ok(Contents {
            from,
            state: Saved::of(&self.machine).encode()?,
            preimages: notes.preimages,
            output: encode_notes(self.step(), counted, notes.output)?,
        })
    }

    /// Whether a checkpoint was begun that is not complete.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether a checkpoint was begun, and completing it would take no time.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        let begun = self.begun.as_ref();
        begun.is_some_and(|begun| begun.capture.is_hashed())
    }

    /// Completes the checkpoint that was begun, if there is one, and goes on from it: how
    /// long hashing it took.
    ///
    /// # Errors
    /// When it cannot be stored, or an earlier run has come to another state there.
    pub fn complete(&mut self, shelf: &mut Shelf) -> Result<Option<Duration>, TraceError> {
        let Some(begun) = self.begun.take() else {
            return Ok(None);
        };
        let (step, captured) = (begun.step, begun.capture.wait());
        let (state_hash, took) = (captured.state_hash, captured.memory.hashing_time());
        let to = Point { step, state_hash };
        match (shelf.state_hash(step), begun.contents) {
            (Some(stored), _) => same(step, state_hash, stored)?,
            (None, Some(contents)) if !shelf.is_broken() => shelf.put(Draft {
                to,
                pages: captured.memory,
                contents,
            })?,
            _ => (),
        }
        self.base = Some(to);
        Ok(Some(took))
    }

    /// Makes a checkpoint in the first state, if there is none.
    ///
    /// # Errors
    /// As [`Stand::begin`] and [`Stand::complete`].
    pub fn checkpoint(&mut self, shelf: &mut Shelf) -> Result<(), TraceError> {
        self.begin(shelf)?;
        self.complete(shelf).map(drop)
    }

    /// Loads the pages that nobody has touched yet.
    ///
    /// # Errors
    /// When one of them is damaged.
    pub fn load(&self) -> Result<(), TraceError> {
        let memory = self.machine.memory();
        for page in memory.page_indexes() {
            // A reference to a page is to one that was loaded.
            let _ = memory.page(page);
        }
        self.expect_pages()
    }

    /// Pages that could not be loaded are zeros, which must not get into a checkpoint.
    fn expect_pages(&self) -> Result<(), TraceError> {
        match self.machine.memory().failure() {
            Some(error) => Err(TraceError::Unread(error.into())),
            None => Ok(()),
        }
    }
}

fn encode_notes(
    step: u64,
    counted: &Counted,
    output: Vec<(carronade_emulator::step::Stream, Vec<u8>)>,
) -> Result<Vec<Output>, TraceError> {
    let written = output.into_iter();
    let written = written.map(|(stream, bytes)| encode_output(step, stream, bytes));
    let mut all: Vec<_> = written.collect();
    all.push(counted.encode(step)?);
    Ok(all)
}

/// A machine's pages, loaded when they are first touched.
struct Pages(Checkpoint);

impl PageSource for Pages {
    fn load(&self, index: u64, into: &mut Page) -> Result<(), PageError> {
        let reason = |error: StoreError| PageError {
            page: index,
            reason: error.to_string(),
        };
        *into = *self.0.load(index).map_err(reason)?;
        Ok(())
    }
}

/// The counters of the interval that a checkpoint ends.
fn last_counters(checkpoint: &Checkpoint) -> Result<Counted, TraceError> {
    let step = checkpoint.point().step;
    let mut last = Counted::default();
    for output in checkpoint.output(step..=step)? {
        if let Happened::Counted(counted) = Happened::decode(output)? {
            last = counted;
        }
    }
    Ok(last)
}

/// Two runs must come to the same state.
fn same(step: u64, now: Hash, stored: Hash) -> Result<(), TraceError> {
    if now == stored {
        return Ok(());
    }
    Err(TraceError::Differs { step, now, stored })
}
