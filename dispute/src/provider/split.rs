//! Output roots above, execution traces below (`trace/split`, `trace/outputs`).

use super::{BlockNumberProof, OutputSource, StepData, TraceAccessor};
use crate::error::GameError;
use crate::game::{Disputed, Game};
use crate::parameters::Proposal;
use crate::position::Position;
use alloy_primitives::B256;

/// Which execution trace: the program's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExecutionTrace {
    /// The outputs that it leads from and to, as the game claims them.
    pub outputs: Disputed,
    /// The output root to start from, and its block.
    pub agreed: Proposal,
    /// The output root to check, and its block.
    pub claimed: Proposal,
    /// The L1 block that bounds the data.
    pub l1_head: B256,
    /// The chain.
    pub l2_chain_id: u64,
}

/// The states of a program that checks an output root. Index i is the state after step i,
/// so that the state before the first step has none; after the program's end, states stay
/// what they are, and a step from the last one leads to itself.
pub trait ExecutionSource {
    /// Why there is no answer.
    type Error;

    /// The state hash at a trace index, with its status byte.
    ///
    /// # Errors
    /// When the machine cannot be asked now.
    fn state_hash(&mut self, trace: &ExecutionTrace, index: u128) -> Result<B256, Self::Error>;

    /// What the step that leads to a trace index needs.
    ///
    /// # Errors
    /// When the machine cannot be asked now.
    fn step_data(&mut self, trace: &ExecutionTrace, index: u128) -> Result<StepData, Self::Error>;

    /// See [`TraceAccessor::rest`].
    fn rest(&mut self) {}
}

/// Why a split trace has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError<O, X> {
    /// The source of output roots has none.
    #[error("no output root: {0}")]
    Output(#[source] O),
    /// The source of executions has none.
    #[error("no execution trace: {0}")]
    Execution(#[source] X),
    /// The game has no claims that say which execution trace it is.
    #[error("no execution trace is in dispute there: {0}")]
    Game(GameError),
    /// Output roots are not stepped to.
    #[error("there are no steps between output roots")]
    StepAboveSplit,
}

/// The trace of a game: output roots down to the split depth, below it the execution of the
/// program between two of them.
#[derive(Debug, Clone)]
pub struct Split<O, X> {
    /// The source of output roots.
    pub outputs: O,
    /// The source of executions.
    pub executions: X,
}

impl<O: OutputSource, X: ExecutionSource> Split<O, X> {
    /// The block that an honest claim of an output root is of: not after what the data on
    /// L1 lead to, whatever the game claims (`HonestBlockNumber`).
    fn honest_block(
        &mut self,
        game: &Game,
        position: Position,
    ) -> Result<u64, SplitError<O::Error, X::Error>> {
        let safe_head = self.outputs.safe_head().map_err(SplitError::Output)?;
        Ok(game.claimed_block(position).min(safe_head))
    }

    /// The execution trace that a position is in, in the light of a claim above it.
    fn execution(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<ExecutionTrace, SplitError<O::Error, X::Error>> {
        let outputs = outputs_of(game, reference, position).map_err(SplitError::Game)?;
        let creation = game.creation();
        let agreed_block = match outputs.starting_position {
            None => creation.starting.l2_block,
            Some(at) => self.honest_block(game, at)?,
        };
        Ok(ExecutionTrace {
            outputs,
            agreed: Proposal {
                root: outputs.starting,
                l2_block: agreed_block,
            },
            claimed: Proposal {
                root: outputs.disputed,
                l2_block: game.claimed_block(outputs.disputed_position),
            },
            l1_head: creation.l1_head,
            l2_chain_id: creation.l2_chain_id,
        })
    }
}

/// The index in its execution trace of a position below the split depth.
pub(super) fn execution_index(game: &Game, position: Position) -> u128 {
    let parameters = game.parameters();
    position
        .relative_to(parameters.execution_depth())
        .trace_index(parameters.execution_levels())
}

/// The outputs around the execution trace that a position below the split depth is in, in the
/// light of a claim.
pub(super) fn outputs_of(
    game: &Game,
    reference: usize,
    position: Position,
) -> Result<Disputed, GameError> {
    let leaf = leaf_above(game, reference)?;
    let root = position.ancestor_at(game.parameters().execution_depth());
    let is_attack = root.parent() == Some(game.claims()[leaf].position);
    game.outputs_around(leaf, is_attack)
}

/// The claim at the split depth on the way from a claim up to the root.
fn leaf_above(game: &Game, reference: usize) -> Result<usize, GameError> {
    let split_depth = game.parameters().split_depth;
    let mut index = reference;
    loop {
        let claim = game
            .claims()
            .get(index)
            .ok_or(GameError::IndexOutOfBounds)?;
        if claim.position.depth() == split_depth {
            return Ok(index);
        }
        index = claim.parent.ok_or(GameError::IndexOutOfBounds)?;
    }
}

impl<O: OutputSource, X: ExecutionSource> TraceAccessor for Split<O, X> {
    type Error = SplitError<O::Error, X::Error>;

    fn claim_at(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<B256, Self::Error> {
        if position.depth() <= game.parameters().split_depth {
            let block = self.honest_block(game, position)?;
            return self.outputs.output_at(block).map_err(SplitError::Output);
        }
        let trace = self.execution(game, reference, position)?;
        self.executions
            .state_hash(&trace, execution_index(game, position))
            .map_err(SplitError::Execution)
    }

    fn step_data(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<StepData, Self::Error> {
        if position.depth() <= game.parameters().split_depth {
            return Err(SplitError::StepAboveSplit);
        }
        let trace = self.execution(game, reference, position)?;
        self.executions
            .step_data(&trace, execution_index(game, position))
            .map_err(SplitError::Execution)
    }

    fn rest(&mut self) {
        self.outputs.rest();
        self.executions.rest();
    }

    fn block_number_challenge(
        &mut self,
        game: &Game,
    ) -> Result<Option<BlockNumberProof>, Self::Error> {
        let block = self.honest_block(game, Position::ROOT)?;
        if block == game.creation().claimed.l2_block {
            return Ok(None);
        }
        self.outputs
            .block_number_proof(block)
            .map(Some)
            .map_err(SplitError::Output)
    }
}
