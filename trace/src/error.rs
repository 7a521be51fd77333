//! Why a question about a trace has no answer.

use carronade_checkpoint::Error as StoreError;
use carronade_emulator::codec::StateError;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::{Cause, VmError};
use carronade_emulator::memory::PageError;
use carronade_emulator::oracle::OracleError;
use carronade_emulator::preimage::PreimageError;

/// Why a question about a trace has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The machine cannot go on.
    #[error(transparent)]
    Vm(VmError),
    /// A page or a pre-image that a checkpoint should have is not to be had. That is
    /// neither the guest's fault nor the host's.
    #[error("a checkpoint of this trace cannot be read: {0}")]
    Unread(OracleError),
    /// The first state is needed once more, and is not to be had.
    #[error("cannot begin again from the trace's first state: {0}")]
    Beginning(OracleError),
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
    /// The store has lost what was read on the way here, so that no checkpoint can be whole.
    #[error("what the trace has read is not in its store any more, until it begins again")]
    Gone,
    /// Somebody asked for an end.
    #[error("interrupted")]
    Interrupted,
}

impl From<VmError> for TraceError {
    fn from(error: VmError) -> Self {
        match error.cause {
            Cause::Page(page) => Self::Unread(page),
            Cause::Preimage(cause) if is_of_store(&cause) => Self::Unread(cause),
            cause => Self::Vm(VmError { cause, ..error }),
        }
    }
}

fn is_of_store(error: &PreimageError) -> bool {
    let PreimageError::Oracle { source, .. } = error else {
        return false;
    };
    source.is::<StoreError>()
}

impl TraceError {
    /// Whether what the store has is to blame, which going back to before it may mend.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Unread(error) => error.is::<PageError>(),
            error => matches!(error, Self::Store(StoreError::Damaged { .. })),
        }
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
