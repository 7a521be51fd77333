//! The machine: state, memory and the outside world, and the loop that runs it.

use crate::accelerator::{Accelerator, Running};
use crate::code::{CodeCache, CodePage};
use crate::core::Core;
use crate::cpu::{Fault, Trap};
use crate::hash::Hash;
use crate::isa::{Instruction, execute};
use crate::leaders::Leaders;
use crate::memory::{Memory, PAGE_SHIFT, PageError};
use crate::oracle::PreimageOracle;
use crate::preimage::{PreimageError, PreimageReader};
use crate::state::{State, WITNESS_BYTES, state_hash};
use crate::stats::{DebugInfo, Stats};
use crate::step::{self, GuestOutput, Outside, SCHED_QUANTUM};
use crate::syscall;
use crate::witness::{Recorder, StepWitness};
use std::fmt;

/// Why a run came back. All are expected outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The step that was asked for is next.
    Step,
    /// The guest has exited.
    Exited,
    /// The last step read a pre-image, and the run was to stop at such.
    PreimageRead,
}

/// Why the machine cannot go on.
#[derive(Debug)]
pub enum Cause {
    /// The guest did what the contract refuses.
    Fault(Fault),
    /// A pre-image or hint failed.
    Preimage(Box<PreimageError>),
    /// A page that somebody wanted could not be loaded. Nothing that the machine has
    /// computed since is to be believed, and the machine is of no more use.
    Page(Box<PageError>),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Fault(fault) => fault.fmt(f),
            Cause::Preimage(error) => error.fmt(f),
            Cause::Page(error) => error.fmt(f),
        }
    }
}

/// The machine cannot execute a step; state and memory are as before it, unless the cause
/// is a page.
#[derive(Debug)]
pub struct VmError {
    /// The step that failed, as the counter stood before it.
    pub step: u64,
    /// The program counter.
    pub pc: u64,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for VmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} (pc 0x{:x}): {}", self.step, self.pc, self.cause)
    }
}

impl std::error::Error for VmError {}

/// What a run stops at besides a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Nothing.
    Nothing,
    /// After every step that reads a pre-image.
    PreimageReads,
}

/// The machine.
pub struct Machine {
    state: State,
    memory: Memory,
    code: CodeCache,
    oracle: Box<dyn PreimageOracle + Send>,
    output: Box<dyn GuestOutput + Send>,
    reader: PreimageReader,
    stats: Stats,
    accelerator: Option<Box<dyn Accelerator>>,
}

impl Machine {
    /// A machine in some state, with an oracle to ask and a place for the guest's output.
    #[must_use]
    pub fn new(
        state: State,
        memory: Memory,
        oracle: Box<dyn PreimageOracle + Send>,
        output: Box<dyn GuestOutput + Send>,
    ) -> Self {
        let (code, reader, stats) = Default::default();
        Self {
            state,
            memory,
            code,
            oracle,
            output,
            reader,
            stats,
            accelerator: None,
        }
    }

    /// The machine with something that runs its instructions faster. Nothing that anyone
    /// can observe of a machine depends on it.
    #[must_use]
    pub fn with_accelerator(mut self, accelerator: Box<dyn Accelerator>) -> Self {
        self.accelerator = Some(accelerator);
        self
    }

    /// The accelerator, if there is one.
    #[must_use]
    pub fn accelerator(&self) -> Option<&dyn Accelerator> {
        self.accelerator.as_deref()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Takes the machine apart.
    #[must_use]
    pub fn into_parts(self) -> (State, Memory) {
        (self.state, self.memory)
    }

    /// The pre-image that was read last, and whether the last step read it.
    #[must_use]
    pub fn preimages(&self) -> &PreimageReader {
        &self.reader
    }

    /// The counters of this run.
    #[must_use]
    pub fn debug_info(&self) -> DebugInfo {
        let pages = self.memory.page_count();
        self.stats
            .debug_info(pages, self.reader.counts(), self.state.step)
    }

    /// [`Machine::debug_info`] with what was counted before the counters began.
    #[must_use]
    pub fn debug_info_after(&self, before: &Stats, requests: (u64, u64)) -> DebugInfo {
        let mut stats = before.clone();
        stats.join(&self.stats);
        let counts = self.reader.counts();
        let requests = (requests.0 + counts.0, requests.1 + counts.1);
        stats.debug_info(self.memory.page_count(), requests, self.state.step)
    }

    /// Goes on where a machine with these counters has come to the same state, in the
    /// pre-image that it read last, if it read one. Counting begins at zero.
    pub fn resume(&mut self, stats: &Stats, held: Option<(Hash, Vec<u8>)>) {
        self.stats = stats.continued();
        self.reader.resume(held);
    }

    /// What was counted since the last call: the counters behind [`Machine::debug_info`],
    /// how many pre-images were asked for, and their bytes.
    pub fn take_counters(&mut self) -> (Stats, (u64, u64)) {
        let next = self.stats.continued();
        let stats = std::mem::replace(&mut self.stats, next);
        (stats, self.reader.take_counts())
    }

    /// The state's witness and hash.
    ///
    /// # Errors
    /// Only when a page could not be loaded.
    pub fn witness(&mut self) -> Result<([u8; WITNESS_BYTES], Hash), VmError> {
        let witness = self.state.witness(&self.memory.root());
        self.check_pages()?;
        Ok((witness, state_hash(&witness)))
    }

    /// Fails if memory is not what it should be, which comes before all that was computed
    /// from it, faults of the guest as well.
    pub(crate) fn check_pages(&self) -> Result<(), VmError> {
        match self.memory.failure() {
            Some(error) => Err(self.error_of(Cause::Page(Box::new(error)))),
            None => Ok(()),
        }
    }

    /// Runs until the step counter is `until`, the guest exits, or what is watched for
    /// happens. Exact: the step at `until` has not been executed.
    ///
    /// # Errors
    /// When a step cannot be executed; the machine is then as before that step.
    pub fn run(&mut self, until: u64, watch: Watch) -> Result<Stop, VmError> {
        self.check_pages()?;
        self.reader.reset();
        while !self.state.exited && self.state.step < until {
            let advanced = self.advance(until);
            self.check_pages()?;
            advanced.map_err(|trap| self.error(trap))?;
            if watch == Watch::PreimageReads && self.reader.last_read().is_some() {
                return Ok(Stop::PreimageRead);
            }
            self.reader.reset();
        }
        Ok(if self.state.exited {
            Stop::Exited
        } else {
            Stop::Step
        })
    }

    /// Executes the next step and records what proves it.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub fn prove(&mut self) -> Result<StepWitness, VmError> {
        let witness = self.prove_step().map_err(|trap| self.error(trap));
        self.refresh_code();
        self.check_pages()?;
        witness
    }

    fn prove_step(&mut self) -> Result<StepWitness, Trap> {
        let mut recorder = Recorder::begin(&self.state, &mut self.memory)?;
        let mut outside = Outside {
            oracle: &mut *self.oracle,
            reader: &mut self.reader,
            output: &mut *self.output,
            stats: &mut self.stats,
        };
        step::step(&mut self.state, &mut recorder, &mut outside)?;
        Ok(recorder.finish(&self.state, &self.reader))
    }

    fn error(&self, trap: Trap) -> VmError {
        self.error_of(match trap {
            Trap::Fault(fault) => Cause::Fault(fault),
            Trap::Preimage(error) => Cause::Preimage(error),
            Trap::Syscall | Trap::CodeWritten | Trap::Refused(_) => {
                unreachable!("only verification refuses, and runs handle the others")
            }
        })
    }

    fn error_of(&self, cause: Cause) -> VmError {
        let pc = self.state.thread().map_or(0, |thread| thread.pc);
        VmError {
            step: self.state.step,
            pc,
            cause,
        }
    }

    /// Spends a step on scheduling, or runs the thread to its next system call, the end of
    /// its quantum, or `until`.
    fn advance(&mut self, until: u64) -> Result<(), Trap> {
        if step::schedule(&mut self.state, &mut self.stats)? {
            return Ok(());
        }
        let quantum = SCHED_QUANTUM - self.state.steps_since_context_switch;
        let budget = quantum.min(until - self.state.step);
        let (executed, end) = self.run_thread(budget);
        self.state.step += executed;
        self.state.steps_since_context_switch += executed;
        self.refresh_code();
        match end {
            End::Budget | End::Leader => Ok(()),
            End::Undecoded(pc) => {
                self.decode(pc);
                Ok(())
            }
            End::Trap(Trap::CodeWritten) => Ok(()),
            End::Trap(Trap::Syscall) => self.syscall(),
            End::Trap(trap) => Err(trap),
        }
    }

    fn syscall(&mut self) -> Result<(), Trap> {
        // The call sees the counters with its own step included, but a call that fails
        // must leave them as they were. It may also reset the second one.
        let before = (self.state.step, self.state.steps_since_context_switch);
        self.state.step += 1;
        self.state.steps_since_context_switch += 1;
        let mut outside = Outside {
            oracle: &mut *self.oracle,
            reader: &mut self.reader,
            output: &mut *self.output,
            stats: &mut self.stats,
        };
        let pc = self.state.thread()?.pc;
        let done = syscall::execute(&mut self.state, &mut self.memory, &mut outside);
        if done.is_err() {
            (self.state.step, self.state.steps_since_context_switch) = before;
        } else {
            self.stats.executed(pc, 1);
            self.refresh_code();
        }
        done
    }

    fn decode(&mut self, pc: u64) {
        let gave_up_others = self.code.fetch(&mut self.memory, pc);
        if let (true, Some(accelerator)) = (gave_up_others, &mut self.accelerator) {
            accelerator.forget_all();
        }
    }

    /// Lets everything that was made from code know what has been stored to it.
    fn refresh_code(&mut self) {
        if self.memory.has_code_writes() {
            let addresses = self.memory.take_code_writes();
            self.code.refresh(&self.memory, &addresses);
            if let Some(accelerator) = &mut self.accelerator {
                accelerator.forget(&addresses);
            }
        }
    }

    /// Runs the current thread for at most `budget` instructions, none of them a system
    /// call. Says how many were completed and why it ended; does not count them.
    fn run_thread(&mut self, budget: u64) -> (u64, End) {
        let step = self.state.step;
        let (thread, reservation) = match self.state.running() {
            Ok(running) => running,
            Err(fault) => return (0, End::Trap(fault.into())),
        };
        let mut running = Running {
            thread,
            memory: &mut self.memory,
            reservation,
            stats: &mut self.stats,
            step,
        };
        let Some(accelerator) = &mut self.accelerator else {
            return run_core(running.core(step), &self.code, budget, None);
        };
        let native = accelerator.run(&mut running, budget);
        if native >= budget || running.memory.has_code_writes() {
            return (native, End::Budget);
        }
        let leaders = Some(accelerator.leaders());
        let core = running.core(step + native);
        let (interpreted, end) = run_core(core, &self.code, budget - native, leaders);
        (native + interpreted, end)
    }
}

/// Why [`run_core`] came back.
enum End {
    Budget,
    /// Control has arrived where native code can go on, or should.
    Leader,
    /// The code at this program counter is not at hand.
    Undecoded(u64),
    Trap(Trap),
}

/// The interpreter's loop: straight runs of decoded instructions, one after the other,
/// each with the delay slot that may follow it.
fn run_core(
    mut core: Core<'_, Memory>,
    code: &CodeCache,
    budget: u64,
    mut leaders: Option<&mut Leaders>,
) -> (u64, End) {
    let (first_step, mut left) = (core.step, budget);
    let mut page = CodePage::NONE;
    while left > 0 {
        let (pc, next_pc) = (core.thread.pc, core.thread.next_pc);
        if pc & 3 != 0 {
            return (budget - left, End::Trap(Fault::UnalignedPc(pc).into()));
        }
        if page.0 != pc >> PAGE_SHIFT {
            match code.at_hand(pc) {
                Some(code) => page = (pc >> PAGE_SHIFT, code),
                None => return (budget - left, End::Undecoded(pc)),
            }
        }
        let sequential = next_pc == pc.wrapping_add(4);
        let run = page.1.run(pc, if sequential { left } else { 1 });
        let length = run.len() as u64;
        // These belong to the last instruction, the only one that may look at them.
        core.pc = pc.wrapping_add(4 * (length - 1));
        core.next_pc = if sequential {
            core.pc.wrapping_add(4)
        } else {
            next_pc
        };
        core.after = core.next_pc.wrapping_add(4);
        core.step = first_step + (budget - left) + length;
        let (done, trap) = run_straight(&mut core, run);
        core.stats.executed(pc, done);
        left -= done;
        if done < length {
            if done > 0 {
                core.thread.pc = pc.wrapping_add(4 * done);
                core.thread.next_pc = core.thread.pc.wrapping_add(4);
            }
        } else {
            (core.thread.pc, core.thread.next_pc) = (core.next_pc, core.after);
        }
        if let Some(trap) = trap {
            return (budget - left, End::Trap(trap));
        }
        if let (Some(slot), true) = (page.1.slot_after(pc, length), left > 0 && sequential) {
            // Whatever ended the run, the next instruction is the one behind it.
            match execute(&mut core, slot) {
                Ok(()) | Err(Trap::CodeWritten) => {}
                Err(trap) => return (budget - left, End::Trap(trap)),
            }
            core.stats.executed(core.next_pc, 1);
            left -= 1;
            core.thread.pc = core.after;
            core.thread.next_pc = core.after.wrapping_add(4);
            if core.bus.has_code_writes() {
                return (budget - left, End::Trap(Trap::CodeWritten));
            }
            if let Some(leaders) = &mut leaders
                && run
                    .last()
                    .is_some_and(|last| last.opcode().transfers_control())
                && leaders.arrive(core.after)
            {
                return (budget - left, End::Leader);
            }
        }
    }
    (budget, End::Budget)
}

/// Executes instructions until one traps: how many completed, and the trap.
#[inline(always)]
fn run_straight(core: &mut Core<'_, Memory>, run: &[Instruction]) -> (u64, Option<Trap>) {
    for (done, instruction) in run.iter().enumerate() {
        match execute(core, *instruction) {
            Ok(()) => {}
            Err(Trap::CodeWritten) => return (done as u64 + 1, Some(Trap::CodeWritten)),
            Err(trap) => return (done as u64, Some(trap)),
        }
    }
    (run.len() as u64, None)
}
