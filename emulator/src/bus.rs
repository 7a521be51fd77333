//! How a step reaches memory: directly, recording proofs, or through proofs alone.

use crate::cpu::{Trap, Width};
use crate::memory::{Memory, Stored};

/// Memory as a step sees it. Addresses are rounded down to the width of the access.
///
/// Its three forms are [`Memory`] (to run), [`Recorder`](crate::witness::Recorder) (to run
/// and keep the branches of what was touched) and
/// [`ProvenMemory`](crate::witness::ProvenMemory) (to know only what branches prove).
pub trait Bus {
    /// The instruction word at a program counter that is a multiple of 4.
    ///
    /// # Errors
    /// A proof that does not hold.
    fn fetch(&mut self, pc: u64) -> Result<u32, Trap>;

    /// Loads big-endian and zero-extended.
    ///
    /// # Errors
    /// A proof that does not hold.
    fn load(&mut self, address: u64, width: Width) -> Result<u64, Trap>;

    /// Stores the low bytes big-endian.
    ///
    /// # Errors
    /// A proof that does not hold.
    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<Stored, Trap>;

    /// Stores the second 8-byte word of a step, at an aligned address; only
    /// `clock_gettime` has one.
    ///
    /// # Errors
    /// A proof that does not hold.
    fn store_second(&mut self, address: u64, value: u64) -> Result<Stored, Trap>;

    /// Calls `sink` with the bytes of a range for the outside world, which no proof
    /// covers; without memory, not at all.
    fn read_range(&self, address: u64, count: u64, sink: &mut dyn FnMut(&[u8]));
}

impl Bus for Memory {
    #[inline(always)]
    fn fetch(&mut self, pc: u64) -> Result<u32, Trap> {
        Ok(Memory::load(self, pc, Width::Word) as u32)
    }

    #[inline(always)]
    fn load(&mut self, address: u64, width: Width) -> Result<u64, Trap> {
        Ok(Memory::load(self, address, width))
    }

    #[inline(always)]
    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<Stored, Trap> {
        Ok(Memory::store(self, address, width, value))
    }

    fn store_second(&mut self, address: u64, value: u64) -> Result<Stored, Trap> {
        Ok(Memory::store(self, address, Width::Double, value))
    }

    fn read_range(&self, address: u64, count: u64, sink: &mut dyn FnMut(&[u8])) {
        self.read(address, count, sink);
    }
}
