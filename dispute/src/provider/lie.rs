//! A trace that is not true: for those who play the dishonest side of a real program's game.

use super::split::{execution_index, outputs_of};
use super::{BlockNumberProof, StepData, TraceAccessor};
use crate::game::Game;
use crate::position::Position;
use crate::vm::VmStatus;
use alloy_primitives::{B256, keccak256};

/// A trace with other output roots from a block on, and with the executions that bear them out:
/// where the truth about a disputed root is not what the liar holds it for, states are others
/// from an instruction on, and the last one has the verdict that the liar needs.
///
/// Whoever plays for it never contradicts itself. As a proposer it claims a wrong root and
/// defends it; where a right root is claimed it is the dishonest challenger.
#[derive(Debug, Clone)]
pub struct Lying<T> {
    /// The true trace.
    pub truth: T,
    /// The first L2 block whose output root is another.
    pub block: u64,
    /// The trace index of the first state that is another: the instruction that is said to
    /// lead elsewhere. After the program's end it is one that leads nowhere.
    pub instruction: u64,
    /// What makes the lie differ from the lies of others.
    pub salt: u64,
}

impl<T> Lying<T> {
    /// What the liar says in place of an output root or a state hash.
    #[must_use]
    pub fn mark(&self, of: B256) -> B256 {
        keccak256([of.as_slice(), &self.salt.to_be_bytes()].concat())
    }

    /// The output root that the liar claims of a block, given the true one.
    #[must_use]
    pub fn output(&self, block: u64, truth: B256) -> B256 {
        match block >= self.block {
            true => self.mark(truth),
            false => truth,
        }
    }

    /// A state hash in place of the true one. The program ends where it really does, with the
    /// verdict that is called for.
    fn state(&self, truth: B256, is_valid: bool) -> B256 {
        let mut state = self.mark(truth);
        state[0] = if truth[0] == VmStatus::Unfinished as u8 {
            truth[0]
        } else if is_valid {
            VmStatus::Valid as u8
        } else {
            VmStatus::Invalid as u8
        };
        state
    }
}

impl<T: TraceAccessor> TraceAccessor for Lying<T> {
    type Error = T::Error;

    fn claim_at(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<B256, T::Error> {
        let truth = self.truth.claim_at(game, reference, position)?;
        if position.depth() <= game.parameters().split_depth {
            return Ok(self.output(game.claimed_block(position), truth));
        }
        if execution_index(game, position) < self.instruction.into() {
            return Ok(truth);
        }
        // There are none for claims that the truth has no answer to, which was asked before.
        let Ok(outputs) = outputs_of(game, reference, position) else {
            return Ok(truth);
        };
        let at = outputs.disputed_position;
        let right = self.truth.claim_at(game, reference, at)?;
        let held = self.output(game.claimed_block(at), right);
        let (is_right, is_held) = (outputs.disputed == right, outputs.disputed == held);
        Ok(match is_right == is_held {
            true => truth,
            false => self.state(truth, is_held),
        })
    }

    /// The true one: there is none that would bear out a lie.
    fn step_data(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<StepData, T::Error> {
        self.truth.step_data(game, reference, position)
    }

    fn rest(&mut self) {
        self.truth.rest();
    }

    /// None: the liar would show itself to be wrong.
    fn block_number_challenge(&mut self, _: &Game) -> Result<Option<BlockNumberProof>, T::Error> {
        Ok(None)
    }
}
