//! What a checkpoint keeps of a machine besides its pages.

use crate::error::TraceError;
use carronade_checkpoint::Output;
use carronade_emulator::codec::{decode_scalars, encode_scalars};
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Machine;
use carronade_emulator::state::State;
use carronade_emulator::stats::Stats;
use carronade_emulator::step::Stream;
use serde::{Deserialize, Serialize};

/// A machine's state without its memory, and what makes it go on as if it had never
/// stopped.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    scalars: Vec<u8>,
    /// The last complete hint, which a new host has not heard.
    replay_hint: Vec<u8>,
    /// Key of the pre-image that was read last: reading on in it is no new request.
    pub held: Option<Hash>,
}

impl Saved {
    /// What is to be kept of a machine.
    #[must_use]
    pub fn of(machine: &Machine) -> Self {
        let state = machine.state();
        Self {
            scalars: encode_scalars(state),
            replay_hint: state.replay_hint.clone(),
            held: machine.preimages().key().copied(),
        }
    }

    /// The state.
    ///
    /// # Errors
    /// When the bytes are not those of a state.
    pub fn state(&self) -> Result<State, TraceError> {
        let mut state = decode_scalars(&self.scalars)?;
        state.replay_hint.clone_from(&self.replay_hint);
        Ok(state)
    }

    /// Bytes for the store.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn encode(&self) -> Result<Vec<u8>, TraceError> {
        Ok(postcard::to_stdvec(self)?)
    }

    /// From bytes of the store.
    ///
    /// # Errors
    /// When they are not such bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, TraceError> {
        Ok(postcard::from_bytes(bytes)?)
    }
}

/// What was counted between two checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The counters of the machine.
    pub stats: Stats,
    /// How many pre-images were asked for, and their bytes.
    pub requests: (u64, u64),
}

/// The file descriptor under which the store keeps counters among the guest's output: both
/// are told for ranges of steps.
const COUNTERS: u64 = u64::MAX;

impl Counted {
    /// Adds what was counted right after.
    pub fn join(&mut self, later: &Self) {
        self.stats.join(&later.stats);
        self.requests.0 += later.requests.0;
        self.requests.1 += later.requests.1;
    }

    /// As the store keeps it.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn encode(&self, step: u64) -> Result<Output, TraceError> {
        Ok(Output {
            step,
            fd: COUNTERS,
            bytes: postcard::to_stdvec(self)?,
        })
    }
}

/// A piece of output as the store keeps it.
pub fn encode_output(step: u64, stream: Stream, bytes: Vec<u8>) -> Output {
    let fd = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    Output { step, fd, bytes }
}

/// What the store keeps of some steps, in their order.
#[derive(Debug)]
pub enum Happened {
    /// The guest wrote.
    Wrote(Stream, Vec<u8>),
    /// An interval of steps ended.
    Counted(Counted),
}

impl Happened {
    /// From the store.
    ///
    /// # Errors
    /// When it is not what a trace has put there.
    pub fn decode(output: Output) -> Result<Self, TraceError> {
        Ok(match output.fd {
            COUNTERS => Self::Counted(postcard::from_bytes(&output.bytes)?),
            2 => Self::Wrote(Stream::Stderr, output.bytes),
            _ => Self::Wrote(Stream::Stdout, output.bytes),
        })
    }
}
