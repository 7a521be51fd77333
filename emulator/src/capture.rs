//! A machine's state at one moment, while the machine goes on.

use crate::hash::Hash;
use crate::machine::{Machine, VmError};
use crate::memory;
use crate::state::{WITNESS_BYTES, state_hash};

/// A state whose memory is being hashed.
pub struct Capture {
    /// Without the root of memory, which comes first.
    witness: [u8; WITNESS_BYTES],
    memory: memory::Capture,
}

/// A state and pages of its memory.
pub struct Captured {
    /// The state hash.
    pub state_hash: Hash,
    /// Pages of its memory.
    pub memory: memory::Captured,
}

impl Machine {
    /// Captures the state, with the pages that changed since the last capture.
    ///
    /// # Errors
    /// Only when a page could not be loaded.
    pub fn capture_changes(&mut self) -> Result<Capture, VmError> {
        self.capture(memory::Memory::capture_changes)
    }

    /// Captures the state, with all pages.
    ///
    /// # Errors
    /// Only when a page could not be loaded.
    pub fn capture_all(&mut self) -> Result<Capture, VmError> {
        self.capture(memory::Memory::capture_all)
    }

    fn capture(
        &mut self,
        memory: fn(&mut memory::Memory) -> memory::Capture,
    ) -> Result<Capture, VmError> {
        let witness = self.state().witness(&[0; 32]);
        let memory = memory(self.memory_mut());
        self.check_pages()?;
        Ok(Capture { witness, memory })
    }
}

impl Capture {
    /// Whether waiting would take no time.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.memory.is_hashed()
    }

    /// Waits until the state hash is known.
    #[must_use]
    pub fn wait(mut self) -> Captured {
        let memory = self.memory.wait();
        self.witness[..32].copy_from_slice(&memory.root());
        Captured {
            state_hash: state_hash(&self.witness),
            memory,
        }
    }
}
