//! One step of the machine on any bus: scheduling, fetch, execution
//! (`multithreaded/mips.go`, `doMipsStep`; `MIPS64.sol`, `doStep`).

use crate::bus::Bus;
use crate::core::Core;
use crate::cpu::{Fault, Trap};
use crate::isa::{Instruction, execute};
use crate::oracle::PreimageOracle;
use crate::preimage::PreimageReader;
use crate::state::State;
use crate::stats::Stats;
use crate::syscall;

/// After how many steps a thread is preempted (`exec/mips_syscalls.go`).
pub const SCHED_QUANTUM: u64 = 100_000;

/// Where the guest writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// Receives what the guest writes to its standard streams.
pub trait GuestOutput {
    /// A piece of output; one write of the guest comes in pieces of at most a page.
    fn write(&mut self, stream: Stream, bytes: &[u8]);
}

/// Drops the guest's output.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoOutput;

impl GuestOutput for NoOutput {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

/// Keeps the guest's output.
impl GuestOutput for Vec<(Stream, Vec<u8>)> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.push((stream, bytes.to_vec()));
    }
}

/// All that a step may need besides state and memory.
pub(crate) struct Outside<'a> {
    pub oracle: &'a mut dyn PreimageOracle,
    pub reader: &'a mut PreimageReader,
    pub output: &'a mut dyn GuestOutput,
    pub stats: &'a mut Stats,
}

/// Executes one step. On an error the state is as before the step.
pub(crate) fn step<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
) -> Result<(), Trap> {
    outside.reader.reset();
    if state.exited {
        // Nothing changes, but the contract still looks at the active stack.
        return if state.active().is_empty() {
            Err(Fault::NoActiveThread.into())
        } else {
            Ok(())
        };
    }
    if schedule(state, outside.stats)? {
        return Ok(());
    }
    state.step = state.step.wrapping_add(1);
    state.steps_since_context_switch += 1;
    let pc = state.thread()?.pc;
    let done = match execute_one(state, bus, outside.stats) {
        Err(Trap::Syscall) => {
            syscall::execute(state, bus, outside).inspect(|()| outside.stats.executed(pc, 1))
        }
        Err(Trap::CodeWritten) => Ok(()),
        other => other,
    };
    if done.is_err() {
        state.step = state.step.wrapping_sub(1);
        state.steps_since_context_switch -= 1;
    }
    done
}

/// Spends a step on the scheduler if it is due: says whether it did.
pub(crate) fn schedule(state: &mut State, stats: &mut Stats) -> Result<bool, Fault> {
    if state.thread()?.exited.get() {
        if state.last_thread_remaining() {
            return Err(Fault::NoActiveThread);
        }
        state.step = state.step.wrapping_add(1);
        state.active_mut().threads.pop();
        finish_switch(state);
        return Ok(true);
    }
    if state.steps_since_context_switch >= SCHED_QUANTUM {
        state.step = state.step.wrapping_add(1);
        preempt(state, stats);
        stats.forced_preemption();
        return Ok(true);
    }
    Ok(false)
}

/// Moves the running thread to the other stack.
pub(crate) fn preempt(state: &mut State, stats: &mut Stats) {
    if let Some(thread) = state.active_mut().threads.pop() {
        state.inactive_mut().threads.push(thread);
    }
    finish_switch(state);
    if let Ok(thread) = state.thread() {
        stats.thread_activated(thread.id, state.step);
    }
}

/// After a thread has left the active stack.
fn finish_switch(state: &mut State) {
    if state.active().is_empty() {
        state.traverse_right = (!state.traverse_right.get()).into();
    }
    state.steps_since_context_switch = 0;
}

fn execute_one<B: Bus>(state: &mut State, bus: &mut B, stats: &mut Stats) -> Result<(), Trap> {
    let step = state.step;
    let (thread, reservation) = state.running()?;
    let (pc, next_pc) = (thread.pc, thread.next_pc);
    if pc & 3 != 0 {
        return Err(Fault::UnalignedPc(pc).into());
    }
    let instruction = Instruction::decode(bus.fetch(pc)?);
    let after = next_pc.wrapping_add(4);
    let mut core = Core {
        thread,
        bus,
        reservation,
        stats,
        pc,
        next_pc,
        after,
        step,
    };
    let done = execute(&mut core, instruction);
    if matches!(done, Ok(()) | Err(Trap::CodeWritten)) {
        core.thread.pc = next_pc;
        core.thread.next_pc = core.after;
        core.stats.executed(pc, 1);
    }
    done
}
