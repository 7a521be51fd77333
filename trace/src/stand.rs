//! A machine somewhere in a trace, and what it has done since the checkpoint below it.

use crate::error::TraceError;
use crate::saved::{Counted, Happened, Saved, encode_output};
use crate::shelf::Shelf;
use crate::world::{Known, Notes, SharedWorld};
use crate::writer::Draft;
use carronade_checkpoint::{Checkpoint, Error as StoreError, Output, Point};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::{Memory, Page, PageError, PageSource};
use carronade_emulator::oracle::OracleError;
use carronade_emulator::state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes what executes a machine's steps; nothing for the interpreter.
pub type Engine =
    Arc<dyn Fn(&mut Memory) -> Result<Option<Box<dyn Accelerator>>, OracleError> + Send + Sync>;

/// A machine, and the checkpoint that it goes on from.
pub struct Stand {
    /// The machine.
    pub machine: Machine,
    /// The checkpoint; none before the first.
    base: Option<Point>,
    world: SharedWorld,
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
        let mut machine = Machine::new(state, memory, oracle, output);
        if let Some(accelerator) = accelerator {
            machine = machine.with_accelerator(accelerator);
        }
        Ok(Self {
            machine,
            base: None,
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

    /// The step of the checkpoint below.
    #[must_use]
    pub fn base(&self) -> Option<u64> {
        self.base.map(|base| base.step)
    }

    /// Makes a checkpoint here, if there is none, and goes on from it: its state hash, and
    /// what was counted since the one before.
    ///
    /// # Errors
    /// When it cannot be stored, or an earlier run has come to another state here.
    pub fn checkpoint(&mut self, shelf: &mut Shelf) -> Result<(Hash, Counted), TraceError> {
        let (step, state_hash) = (self.step(), self.machine.witness()?.1);
        let (stats, requests) = self.machine.take_counters();
        let counted = Counted { stats, requests };
        let changes = self.machine.take_changes();
        let notes = self.world.take_notes();
        match shelf.state_hash(step) {
            Some(stored) => same(step, state_hash, stored)?,
            None if shelf.is_broken() => (),
            None => self.store(shelf, state_hash, &counted, &changes, notes)?,
        }
        self.base = Some(Point { step, state_hash });
        Ok((state_hash, counted))
    }

    fn store(
        &mut self,
        shelf: &mut Shelf,
        state_hash: Hash,
        counted: &Counted,
        changes: &[(u64, Hash)],
        notes: Notes,
    ) -> Result<(), TraceError> {
        let step = self.step();
        let from = self.base.filter(|base| shelf.has(*base));
        let (mut preimages, all) = (notes.preimages, self.base_pages(from));
        if from.is_none() {
            add_known(&mut preimages, shelf);
        }
        let pages = all.as_deref().unwrap_or(changes);
        let pages = with_bytes(self.machine.memory(), pages);
        self.expect_pages()?;
        shelf.put(Draft {
            from,
            to: Point { step, state_hash },
            state: Saved::of(&self.machine).encode()?,
            pages,
            preimages,
            output: encode_notes(step, counted, notes.output)?,
        })
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

    /// The first checkpoint, or one whose base somebody has thinned away, needs all pages.
    fn base_pages(&mut self, from: Option<Point>) -> Option<Vec<(u64, Hash)>> {
        from.is_none().then(|| self.machine.pages())
    }
}

/// Adds the pre-images that earlier runs of the trace have read, but for damaged ones.
fn add_known(preimages: &mut BTreeMap<Hash, Vec<u8>>, shelf: &Shelf) {
    let mut known = shelf.known();
    for key in known.keys() {
        if let Ok(Some(value)) = known.preimage(&key) {
            preimages.entry(key).or_insert(value);
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

fn with_bytes(memory: &Memory, pages: &[(u64, Hash)]) -> Vec<(u64, Hash, Box<Page>)> {
    let page = |(index, root): &(u64, Hash)| {
        let bytes = memory.page(*index)?;
        Some((*index, *root, Box::new(*bytes)))
    };
    pages.iter().filter_map(page).collect()
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
