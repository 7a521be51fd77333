//! What may run instructions in the interpreter's place.

use crate::core::Core;
use crate::leaders::Leaders;
use crate::memory::Memory;
use crate::state::{Reservation, Thread};
use crate::stats::Stats;
use std::any::Any;

/// Runs stretches of a thread's instructions natively.
///
/// A machine with an accelerator interprets until control arrives at a [leader](Leaders)
/// that is hot or has native code, and then lets the accelerator go on. The accelerator
/// comes back whenever it likes, always between two instructions.
pub trait Accelerator: Any + Send {
    /// The counts that the interpreter keeps for it.
    fn leaders(&mut self) -> &mut Leaders;

    /// Executes at most `budget` instructions of the running thread, none of them a system
    /// call, and says how many; 0 if there is no native code for the next one. Thread,
    /// memory, reservation and counters are then as if the interpreter had executed them.
    fn run(&mut self, running: &mut Running<'_>, budget: u64) -> u64;

    /// Drops what was made from any of the 8-byte words at these addresses.
    fn forget(&mut self, addresses: &[u64]);

    /// Drops everything.
    fn forget_all(&mut self);
}

/// The running thread and what its instructions may touch.
#[expect(missing_docs, reason = "the fields are named after their types")]
pub struct Running<'a> {
    pub thread: &'a mut Thread,
    pub memory: &'a mut Memory,
    pub reservation: &'a mut Reservation,
    pub stats: &'a mut Stats,
    /// Value of the machine's step counter before the next instruction.
    pub step: u64,
}

impl Running<'_> {
    pub(crate) fn core(&mut self, step: u64) -> Core<'_, Memory> {
        Core {
            pc: 0,
            next_pc: 0,
            after: 0,
            step,
            thread: self.thread,
            bus: self.memory,
            reservation: self.reservation,
            stats: self.stats,
        }
    }
}
