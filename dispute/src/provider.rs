//! Who answers for the trace.

mod lie;
#[cfg(feature = "machine")]
mod machines;
mod outputs;
mod split;

pub use lie::Lying;
#[cfg(feature = "machine")]
pub use machines::Machines;
pub use outputs::{BlockNumberProof, OutputSource};
pub use split::{ExecutionSource, ExecutionTrace, Split, SplitError};

use crate::game::Game;
use crate::position::Position;
use crate::upload::OracleData;
use alloy_primitives::B256;

/// What a step needs on chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct StepData {
    /// The state before the step; its hash, but for the first byte, is what is claimed.
    pub state_data: Vec<u8>,
    /// What proves the parts of the state that the step touches.
    pub proof: Vec<u8>,
    /// The pre-image that the step reads, if it does.
    pub oracle: Option<OracleData>,
}

/// The trace that an actor takes for true. What it says below the split depth depends on
/// the claims above, so it is asked in the light of a claim of the game (`TraceAccessor`).
pub trait TraceAccessor {
    /// Why there is no answer.
    type Error;

    /// What to claim at a position, as an answer to the claim with an index, or in its place.
    ///
    /// # Errors
    /// When the trace cannot be asked now.
    fn claim_at(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<B256, Self::Error>;

    /// What the step that leads to a position at the bottom needs.
    ///
    /// # Errors
    /// When the trace cannot be asked now.
    fn step_data(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<StepData, Self::Error>;

    /// What shows that the root, being right, is of another block than claimed; nothing if
    /// it is of the claimed one.
    ///
    /// # Errors
    /// When the trace cannot be asked now.
    fn block_number_challenge(
        &mut self,
        game: &Game,
    ) -> Result<Option<BlockNumberProof>, Self::Error>;

    /// Lets go of what takes room, and of what others may have changed their minds about: nothing
    /// is asked for some time.
    fn rest(&mut self) {}
}

impl<T: TraceAccessor + ?Sized> TraceAccessor for Box<T> {
    type Error = T::Error;

    fn claim_at(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<B256, Self::Error> {
        (**self).claim_at(game, reference, position)
    }

    fn step_data(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<StepData, Self::Error> {
        (**self).step_data(game, reference, position)
    }

    fn block_number_challenge(
        &mut self,
        game: &Game,
    ) -> Result<Option<BlockNumberProof>, Self::Error> {
        (**self).block_number_challenge(game)
    }

    fn rest(&mut self) {
        (**self).rest();
    }
}
