//! Why a question about a trace has no answer.

use carronade_checkpoint::Error as StoreError;
use carronade_emulator::codec::StateError;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::VmError;
use carronade_emulator::oracle::OracleError;

/// Why a question about a trace has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The machine cannot go on.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// The checkpoint store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a checkpoint keeps is not what a machine left there.
    #[error("a checkpoint of this trace is not readable: {0}")]
    Checkpoint(#[from] postcard::Error),
    /// As above, for a machine's state.
    #[error("a checkpoint of this trace is not readable: {0}")]
    State(#[from] StateError),
    /// There can be no accelerator.
    #[error("no engine for the trace: {0}")]
    Engine(OracleError),
    /// A machine has come to a state that an earlier one has not.
    #[error(
        "step {step} has state hash 0x{} now, and 0x{} in the store: one of the two runs \
         is wrong, or the host's data have changed", hex(.now), hex(.stored)
    )]
    Differs {
        /// The step.
        step: u64,
        /// What this run found.
        now: Hash,
        /// What the store has.
        stored: Hash,
    },
    /// The bytes of a stored page are not those that its root stands for.
    #[error("page {page:#x} at step {step} is not the one that its root in the store stands for")]
    Page {
        /// The step.
        step: u64,
        /// Address divided by the size of a page.
        page: u64,
    },
    /// The store says wrongly where the trace ends.
    #[error("the trace does not end at step {end}, as the store says")]
    End {
        /// The step that the store tells.
        end: u64,
    },
    /// The host answers a question about the dispute's own data otherwise than it did.
    #[error(
        "the stored trace was made for other inputs: local key {} has another value now; \
         use another store", .0[31]
    )]
    Inputs(Hash),
    /// The step lies before the trace's first state.
    #[error("step {0} lies before the trace's first state")]
    Before(u64),
    /// The program has made as many steps as can be counted and has not ended.
    #[error("the trace has no end")]
    Endless,
    /// Somebody asked for an end.
    #[error("interrupted")]
    Interrupted,
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
