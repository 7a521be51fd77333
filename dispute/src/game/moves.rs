//! Attacking and defending.

use super::{Claim, Clock, Game, Message};
use crate::error::GameError;
use crate::position::Position;
use crate::vm::VmStatus;
use alloy_primitives::B256;

/// A move against a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The index of the claim.
    pub parent: usize,
    /// What that claim must say, lest a reorganisation puts another one in its place.
    pub disputed: B256,
    /// What is claimed in turn.
    pub claim: B256,
    /// Whether it attacks the claim; else it defends it.
    pub is_attack: bool,
}

impl Game {
    /// Moves against a claim (`move`, `attack`, `defend`). Gives the index of the new claim.
    ///
    /// # Errors
    /// By the first rule broken: `GameNotInProgress`, `IndexOutOfBounds`,
    /// `InvalidDisputedClaimIndex`, `CannotDefendRootClaim`, `L2BlockNumberChallenged`,
    /// `GameDepthExceeded`, `UnexpectedRootClaim`, `IncorrectBondAmount`,
    /// `ClockTimeExceeded`, `ClaimAlreadyExists`. Nothing has changed then.
    pub fn move_(&mut self, message: Message, move_: Move) -> Result<usize, GameError> {
        self.in_progress()?;
        let parent = *self.claim_or_panic(move_.parent)?;
        if parent.value != move_.disputed {
            return Err(GameError::InvalidDisputedClaimIndex);
        }
        let position = parent.position.after_move(move_.is_attack);
        self.check_place(&move_, position)?;
        if position.depth() == self.parameters.execution_depth() {
            self.check_execution_root(&move_, parent.position)?;
        }
        if self.required_bond(position.depth())? != message.value {
            return Err(GameError::IncorrectBondAmount);
        }
        let clock = self.clock_after(move_.parent, position.depth(), message.timestamp)?;
        if self.has(move_.parent, position, move_.claim) {
            return Err(GameError::ClaimAlreadyExists);
        }
        Ok(self.push(Claim {
            parent: Some(move_.parent),
            countered_by: None,
            claimant: message.sender,
            bond: message.value,
            value: move_.claim,
            position,
            clock,
        }))
    }

    fn check_place(&self, move_: &Move, position: Position) -> Result<(), GameError> {
        let is_root = move_.parent == 0;
        let depth = position.depth();
        let of_execution_root = depth == self.parameters.execution_depth() + 1;
        if !move_.is_attack && (is_root || of_execution_root) {
            return Err(GameError::CannotDefendRootClaim);
        }
        if is_root && self.block_number_challenger.is_some() {
            return Err(GameError::L2BlockNumberChallenged);
        }
        if depth > self.parameters.max_depth {
            return Err(GameError::GameDepthExceeded);
        }
        Ok(())
    }

    /// The root of an execution trace says how the program ends: badly, if the output root
    /// that it checks is the other side's, well if it is the same side's
    /// (`_verifyExecBisectionRoot`). The search for the output comes first in the contract,
    /// and finds it always, since the positions of claims are even.
    fn check_execution_root(&self, move_: &Move, parent: Position) -> Result<(), GameError> {
        let disputed = self.trace_ancestor(parent.next().trace_ancestor(), move_.parent)?;
        let depth = self.claims[disputed].position.depth();
        let other_side = move_.is_attack || depth % 2 == self.parameters.split_depth % 2;
        let ends_badly = match VmStatus::of(&move_.claim) {
            Some(VmStatus::Invalid | VmStatus::Panic) => true,
            Some(VmStatus::Valid) => false,
            _ => return Err(GameError::UnexpectedRootClaim(move_.claim)),
        };
        if ends_badly == other_side {
            Ok(())
        } else {
            Err(GameError::UnexpectedRootClaim(move_.claim))
        }
    }

    /// The clock of the side that moves, topped up so that the other side cannot leave it
    /// without time by making it inherit a clock that ran down.
    fn clock_after(&self, parent: usize, depth: u32, now: u64) -> Result<Clock, GameError> {
        let most = self.parameters.max_clock_duration;
        let duration = self.challenger_duration(parent, now)?;
        if duration == most {
            return Err(GameError::ClockTimeExceeded);
        }
        Ok(Clock {
            duration: duration.min(most - self.parameters.extension(depth)),
            timestamp: now,
        })
    }
}
