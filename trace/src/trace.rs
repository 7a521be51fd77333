//! A trace that can be asked: the state hash or the witness of any step.

use crate::bisect::Claims;
use crate::error::TraceError;
use crate::mend::Beginning;
use crate::pace::{Pace, cpu_time};
use crate::saved::{Counted, Happened};
use crate::shelf::Shelf;
use crate::stand::{Engine, Stand};
use crate::world::{Known, SharedWorld};
use crate::writer::Job;
use carronade_checkpoint::{Error as StoreError, Limit, Point, TraceStore};
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::PreimageOracle;
use carronade_emulator::preimage::key_type;
use carronade_emulator::state::State;
use carronade_emulator::stats::DebugInfo;
use carronade_emulator::step::GuestOutput;
use carronade_emulator::witness::StepWitness;
use std::time::Instant;

/// How a trace is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Steps between checkpoints, if they are to be the same all the time.
    pub interval: Option<u64>,
    /// Otherwise log2 of the steps between checkpoints at the beginning.
    pub interval_shift: u32,
    /// How many intervals a trace has at most: then they become twice as long.
    pub intervals: u64,
    /// Whether places for checkpoints are passed by as long as they are not worth their
    /// cost, which depends on the machine and its other work.
    pub paced: bool,
    /// How far from the last checkpoint an asked step must be to get one of its own.
    pub asked_gap: u64,
    /// How many steps opening a checkpoint must save.
    pub gain: u64,
    /// How many checkpoints are kept at most.
    pub checkpoints: usize,
    /// How many bytes they may take in the store; what is just being written may come on
    /// top for a time, and what others write meanwhile.
    pub bytes: u64,
    /// Whether to show the guest's output and to count as if every step were executed
    /// here, also where a checkpoint saves it.
    pub faithful: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interval: None,
            interval_shift: 26,
            intervals: 256,
            paced: true,
            asked_gap: 1 << 22,
            gain: 1 << 24,
            checkpoints: 512,
            bytes: 64 << 30,
            faithful: false,
        }
    }
}

/// How many asked steps are remembered, for thinning.
const ASKED: usize = 8;

/// The note of a trace that is part of another one: that one's first state.
const PART_OF: &str = "part-of";

/// The first state of the trace that one which begins in the middle of it is part of, if
/// it is known to be ([`Trace::publish`]).
///
/// # Errors
/// When the store cannot be read.
pub fn part_of(store: &TraceStore) -> Result<Option<Hash>, TraceError> {
    let note = sound(store.note(PART_OF))?;
    Ok(note.and_then(|bytes| bytes.try_into().ok()))
}

/// A note, which is as good as none if it is damaged.
fn sound<T>(note: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match note {
        Err(StoreError::Damaged { .. }) => Ok(None),
        other => other,
    }
}

/// Steps between looks at whether to go on.
const SLICE: u64 = 50_000_000;

/// The trace of a program from its first state on, over a store that keeps what was
/// executed once.
pub struct Trace {
    pub(crate) shelf: Shelf,
    pub(crate) world: SharedWorld,
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) first: u64,
    /// The state hash at the first step.
    pub(crate) start: Hash,
    pub(crate) beginning: Option<Beginning>,
    pub(crate) stand: Stand,
    /// What was counted between where the caller began and the stand's checkpoint, as far
    /// as the trace is faithful.
    pub(crate) before: Counted,
    /// How often damage was mended for this question.
    pub(crate) mended: u32,
    end: Option<Point>,
    asked: Vec<u64>,
    executed: u64,
    /// How many of these were over when the machine was made.
    executed_before: u64,
    pace: Pace,
    /// How many bytes of checkpoints are too many.
    heavy: u64,
    interrupted: Box<dyn Fn(Progress) -> bool + Send>,
}

/// How far a trace has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step that the machine stands before.
    pub step: u64,
    /// How many steps were executed for all answers so far.
    pub executed: u64,
    /// How many checkpoints there are, as far as they were listed.
    pub checkpoints: usize,
}

impl Trace {
    /// The trace that begins in a state, over a store of its checkpoints, with a host to
    /// ask for pre-images that the store does not have.
    ///
    /// # Errors
    /// When the store cannot be used, or belongs to other inputs.
    pub fn open(
        (state, memory): (State, Memory),
        mut host: Box<dyn PreimageOracle + Send>,
        output: Box<dyn GuestOutput + Send>,
        store: TraceStore,
        engine: Engine,
        options: Options,
    ) -> Result<Self, TraceError> {
        // In a store that cannot be written, they stay.
        let _ = store.sweep();
        // A damaged note is written anew once the end is found again.
        let end = sound(store.end())?;
        let mut shelf = Shelf::new(store)?;
        // Without its checkpoint it would not be known for which inputs.
        let end = end.filter(|end| shelf.state_hash(end.step) == Some(end.state_hash));
        check_inputs(&shelf, &mut *host)?;
        let world = SharedWorld::new(host, Box::new(shelf.known()), output);
        let first = state.step;
        let mut stand = Stand::first(state, memory, &world, &engine)?;
        let (_, start) = stand.machine.witness()?;
        // It may also be the middle of a trace, of which more must be known.
        if start == shelf.store().id().prestate {
            shelf.begin_at(first);
        }
        stand.checkpoint(&mut shelf)?;
        Ok(Self {
            shelf,
            world,
            engine,
            options,
            first,
            start,
            beginning: None,
            stand,
            before: Counted::default(),
            mended: 0,
            end,
            asked: Vec::new(),
            executed: 0,
            executed_before: 0,
            pace: Pace::default(),
            heavy: options.bytes,
            interrupted: Box::new(|_| false),
        })
    }

    /// From the first failure to write on, checkpoints are not written any more, and somebody
    /// is told of it once. Else it is an error, and answers are withheld.
    pub fn forgive_writing(&mut self, told: impl Fn(&TraceError) + Send + 'static) {
        self.shelf.forgive(Box::new(told));
    }

    /// Ends long runs with [`TraceError::Interrupted`] when `interrupted` says so.
    pub fn interrupt_when(&mut self, interrupted: impl Fn() -> bool + Send + 'static) {
        self.observe(move |_| interrupted());
    }

    /// As [`Trace::interrupt_when`], for those who also want to see how far a long run is.
    pub fn observe(&mut self, interrupted: impl Fn(Progress) -> bool + Send + 'static) {
        self.interrupted = Box::new(interrupted);
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            step: self.stand.step(),
            executed: self.executed,
            checkpoints: self.shelf.count(),
        }
    }

    /// Lists the checkpoints again, as others may have added some.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refresh(&mut self) -> Result<(), TraceError> {
        self.shelf.refresh()
    }

    /// The step counter of the first state.
    #[must_use]
    pub fn first_step(&self) -> u64 {
        self.first
    }

    /// The end, if it is known: the counter of the last state, and its hash.
    #[must_use]
    pub fn known_end(&self) -> Option<Point> {
        self.end
    }

    /// How many steps were executed for all answers so far.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// How many of these the machine where it is has executed: each time that one goes on from a
    /// checkpoint, it is a new one.
    #[must_use]
    pub fn executed_by_machine(&self) -> u64 {
        self.executed - self.executed_before
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &TraceStore {
        self.shelf.store()
    }

    /// The hash of the state with a step counter; after the end that of the last state.
    ///
    /// # Errors
    /// When the machine cannot come there.
    pub fn state_hash(&mut self, step: u64) -> Result<Hash, TraceError> {
        if step < self.first {
            return Err(TraceError::Before(step));
        }
        if let Some(end) = self.end.filter(|end| end.step <= step) {
            return Ok(end.state_hash);
        }
        match self.shelf.state_hash(step) {
            Some(hash) => Ok(hash),
            None => {
                self.seek(step)?;
                self.mending(|trace| Ok(trace.stand.machine.witness()?.1))
            }
        }
    }

    /// The witness of the step that is executed at a step counter; none after the end.
    ///
    /// # Errors
    /// When the machine cannot come there, or the step cannot be executed.
    pub fn witness(&mut self, step: u64) -> Result<Option<StepWitness>, TraceError> {
        if self.seek(step)?.state().exited {
            return Ok(None);
        }
        self.prove().map(Some)
    }

    /// Executes the step that the machine stands before, and proves it.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn prove(&mut self) -> Result<StepWitness, TraceError> {
        self.mending(|trace| {
            let witness = trace.stand.machine.prove()?;
            trace.executed += 1;
            Ok(witness)
        })
    }

    /// The end of the trace: the counter of the last state, and its hash.
    ///
    /// # Errors
    /// When the machine cannot come there.
    pub fn end(&mut self) -> Result<Point, TraceError> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        self.seek(u64::MAX)?;
        self.end.ok_or(TraceError::Endless)
    }

    /// The machine before the step at a step counter, or at the end of the trace, if that
    /// is earlier.
    ///
    /// # Errors
    /// When the machine cannot come there.
    pub fn seek(&mut self, step: u64) -> Result<&mut Machine, TraceError> {
        self.mended = 0;
        self.shelf.refresh()?;
        while !self.approach(step, u64::MAX)? {}
        self.keep()?;
        Ok(&mut self.stand.machine)
    }

    /// The machine where it is, with all of its memory: who reads that as a whole is not to
    /// find damage in it half-way.
    ///
    /// # Errors
    /// When the store has lost some of it, and it cannot be had otherwise.
    pub fn whole(&mut self) -> Result<&mut Machine, TraceError> {
        self.mending(|trace| trace.stand.load())?;
        Ok(&mut self.stand.machine)
    }

    /// Goes on towards a step, at most to `pause` and for some milliseconds: whether the
    /// machine has arrived at the step, or at the end of the trace. The way to a step far
    /// away may lead over checkpoints rather than over the steps between.
    ///
    /// # Errors
    /// When the machine cannot come there.
    pub fn approach(&mut self, step: u64, pause: u64) -> Result<bool, TraceError> {
        if step < self.first {
            return Err(TraceError::Before(step));
        }
        self.mending(|trace| trace.step_towards(step, pause))
    }

    pub(crate) fn step_towards(&mut self, step: u64, pause: u64) -> Result<bool, TraceError> {
        let target = step.min(self.end.map_or(u64::MAX, |end| end.step));
        self.come_near(target)?;
        if !self.arrived(target) {
            self.advance(target.min(pause))?;
        } else if self.machine().state().exited && self.end.is_none() {
            // Whoever made this checkpoint did not come to tell that it is the last.
            self.finish()?;
        }
        if self.arrived(target) {
            self.complete()?;
        }
        Ok(self.arrived(target))
    }

    /// [Publishes](Trace::publish) the state where the machine is, if the last checkpoint
    /// is far away: the next question is often near.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn keep(&mut self) -> Result<(), TraceError> {
        self.complete()?;
        let gap = self.options.asked_gap;
        let (step, base) = (self.stand.step(), self.stand.base());
        self.asked.retain(|asked| *asked != step);
        self.asked.push(step);
        self.asked.drain(..self.asked.len().saturating_sub(ASKED));
        match base {
            Some(base) if step - base.step < gap => Ok(()),
            _ => self.publish(),
        }
    }

    /// Makes a checkpoint where the machine is, and says in the store that a trace which
    /// begins in this state is part of this one: somebody will go on from a file of it. It may
    /// be part of another one, too, as one that began later; the last to say so is believed, since
    /// that one is there.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub fn publish(&mut self) -> Result<(), TraceError> {
        self.mending(Self::publish_here)
    }

    fn publish_here(&mut self) -> Result<(), TraceError> {
        self.complete()?;
        let id = self.store().id();
        let Point { state_hash, .. } = match self.stand.base() {
            Some(here) if here.step == self.stand.step() && self.shelf.has(here)? => here,
            _ => self.checkpoint()?,
        };
        if state_hash != id.prestate {
            let part = self.store().sibling(state_hash);
            let note = Job::Note(part, PART_OF, id.prestate.to_vec());
            self.shelf.note(note)?;
        }
        Ok(())
    }

    /// Waits until all checkpoints are in the store. Dropping a trace waits, too, but
    /// cannot tell what went wrong.
    ///
    /// # Errors
    /// When one could not be written.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        self.complete()?;
        self.shelf.flush()?;
        self.thin()
    }

    /// The machine where it is.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.stand.machine
    }

    /// The counters of all steps from where the trace was opened, if it is faithful.
    #[must_use]
    pub fn debug_info(&self) -> DebugInfo {
        let Counted { stats, requests } = &self.before;
        self.machine().debug_info_after(stats, *requests)
    }

    /// Goes on with another machine.
    pub(crate) fn change_stand(&mut self, stand: Stand) {
        self.stand = stand;
        self.executed_before = self.executed;
    }

    fn arrived(&self, target: u64) -> bool {
        let state = self.machine().state();
        state.exited || state.step >= target
    }

    /// Opens the checkpoint before a step, if that is nearer than where the machine is.
    fn come_near(&mut self, target: u64) -> Result<(), TraceError> {
        let here = self.stand.step();
        if here > target {
            self.complete()?;
        }
        let nearest = self.shelf.nearest(target).unwrap_or(self.first);
        if here > target {
            self.before = Counted::default();
            return self.open_checkpoint(nearest);
        }
        let gain = nearest.saturating_sub(here);
        if gain < self.options.gain || self.options.faithful && !self.skip(here, nearest)? {
            return Ok(());
        }
        self.complete()?;
        self.open_checkpoint(nearest)
    }

    /// Does what the caller sees of the steps between two checkpoints; whether they are
    /// two checkpoints.
    fn skip(&mut self, from: u64, to: u64) -> Result<bool, TraceError> {
        self.complete()?;
        if self.stand.base().map(|base| base.step) != Some(from) {
            return Ok(false);
        }
        let Some(checkpoint) = self.shelf.open(to)? else {
            return Ok(false);
        };
        let path = checkpoint.path();
        if checkpoint.point().step != to || !path.contains(&from) {
            return Ok(false);
        }
        for output in checkpoint.output(from + 1..=to)? {
            match Happened::decode(output)? {
                Happened::Wrote(stream, bytes) => self.world.repeat(stream, &bytes),
                Happened::Counted(counted) => self.before.join(&counted),
            }
        }
        Ok(true)
    }

    /// Runs to the target, or to the next place where something is to be done.
    fn advance(&mut self, target: u64) -> Result<(), TraceError> {
        if (self.interrupted)(self.progress()) {
            return Err(self.interruption());
        }
        self.complete_if_hashed()?;
        let here = self.stand.step();
        let (grid, node) = (self.next_on_grid(here), self.next_node(here));
        let until = [target, grid, node, here.saturating_add(SLICE)];
        let until = until.into_iter().fold(u64::MAX, u64::min);
        let (machine, began) = (&mut self.stand.machine, cpu_time());
        let ran = machine.run(until, Watch::Nothing);
        self.pace.ran(cpu_time().saturating_sub(began));
        let (step, exited) = (machine.state().step, machine.state().exited);
        self.executed += step - here;
        ran?;
        if exited {
            self.finish()
        } else if step == node || step == grid && !self.shelf.is_broken() && self.is_due()? {
            self.begin_checkpoint()
        } else {
            Ok(())
        }
    }

    /// The next step that gets a checkpoint without being asked for.
    fn next_on_grid(&self, step: u64) -> u64 {
        let interval = self.options.interval.unwrap_or_else(|| {
            let mut shift = self.options.interval_shift;
            while step >> shift >= self.options.intervals {
                shift += 1;
            }
            1 << shift
        });
        (step / interval)
            .checked_add(1)
            .and_then(|next| next.checked_mul(interval))
            .unwrap_or(u64::MAX)
    }

    /// Whether there should be a checkpoint where the machine is.
    fn is_due(&mut self) -> Result<bool, TraceError> {
        self.complete_if_hashed()?;
        let pending = self.stand.has_begun();
        Ok(!self.options.paced || self.pace.is_due(pending))
    }

    /// Leaves what the run has come to, for who goes on some other time.
    fn interruption(&mut self) -> TraceError {
        match self.stand.complete(&mut self.shelf) {
            Err(error @ TraceError::Differs { .. }) => error,
            _ => TraceError::Interrupted,
        }
    }

    /// The next checkpoint that there is, if the run must not pass it by.
    fn next_node(&self, step: u64) -> u64 {
        let next = self.options.faithful.then(|| self.shelf.next_after(step));
        next.flatten().unwrap_or(u64::MAX)
    }

    /// Makes a checkpoint where the machine is.
    fn checkpoint(&mut self) -> Result<Point, TraceError> {
        self.complete()?;
        // Nothing goes on meanwhile, so that all cores may hash.
        let began = Instant::now();
        self.stand.machine.witness()?;
        let hashing = began.elapsed();
        self.begin_checkpoint()?;
        self.pace.cost(hashing);
        self.complete()?;
        Ok(self.stand.base().expect("a checkpoint was made"))
    }

    /// Begins a checkpoint where the machine is, which goes on meanwhile.
    fn begin_checkpoint(&mut self) -> Result<(), TraceError> {
        self.complete()?;
        let began = cpu_time();
        let counted = self.stand.begin(&mut self.shelf)?;
        self.before.join(&counted);
        self.pace.made(cpu_time().saturating_sub(began));
        Ok(())
    }

    /// Completes the checkpoint that was begun last.
    fn complete(&mut self) -> Result<(), TraceError> {
        if let Some(hashing) = self.stand.complete(&mut self.shelf)? {
            self.pace.cost(hashing + self.shelf.last_cost());
            self.thin()?;
        }
        Ok(())
    }

    /// The same, if that takes no time.
    fn complete_if_hashed(&mut self) -> Result<(), TraceError> {
        match self.stand.is_hashed() {
            true => self.complete(),
            false => Ok(()),
        }
    }

    /// Keeps the store within its bounds.
    fn thin(&mut self) -> Result<(), TraceError> {
        if self.shelf.count() > self.options.checkpoints {
            let limit = Limit::Checkpoints(self.options.checkpoints * 3 / 4);
            self.shelf.thin(limit, &self.asked)?;
        }
        if self.shelf.weight() > self.heavy {
            let most = self.options.bytes;
            self.shelf.thin(Limit::Bytes(most), &self.asked)?;
            // If what must stay is too much, it is not looked at again with every checkpoint.
            let left = self.shelf.weight();
            self.heavy = if left > most { left + left / 8 } else { most };
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), TraceError> {
        let end = self.checkpoint()?;
        self.shelf.note(Job::End(end))?;
        self.end = Some(end);
        Ok(())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What cannot be stored can be told to nobody.
            let _ = self.stand.complete(&mut self.shelf);
        }
    }
}

impl Claims for Trace {
    type Error = TraceError;

    fn state_hash(&mut self, step: u64) -> Result<Hash, TraceError> {
        Trace::state_hash(self, step)
    }
}

/// The dispute's own data must be what they were when the trace was made: all else that a
/// program reads is bound by its key.
fn check_inputs(shelf: &Shelf, host: &mut dyn PreimageOracle) -> Result<(), TraceError> {
    let mut known = shelf.known();
    for key in known.keys() {
        if key[0] != key_type::LOCAL {
            continue;
        }
        // A host that does not know, or none, is no reason to doubt, and a value that is
        // damaged is none.
        if let Ok(Some(stored)) = known.preimage(&key)
            && let Ok(now) = host.preimage(key)
            && stored != now
        {
            return Err(TraceError::Inputs(key));
        }
    }
    Ok(())
}
