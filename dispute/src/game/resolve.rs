//! Who has won, from the bottom up.

use super::{Game, GameStatus, Message};
use crate::error::GameError;
use crate::position::Position;
use alloy_primitives::Address;

/// How far the resolution of a claim has come (`ResolutionCheckpoint`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    begun: bool,
    next_child: usize,
    /// The leftmost child that stands, and who made it.
    leftmost: Option<(Position, Address)>,
}

impl Game {
    /// Resolves a claim, looking at no more than `num_to_resolve` of its children; zero
    /// stands for all of them, in the first call (`resolveClaim`).
    ///
    /// # Errors
    /// By the first rule broken: `GameNotInProgress`, `IndexOutOfBounds`,
    /// `ClockNotExpired`, `ClaimAlreadyResolved`, `OutOfOrderResolution`. Nothing has
    /// changed then.
    pub fn resolve_claim(
        &mut self,
        message: Message,
        index: usize,
        num_to_resolve: usize,
    ) -> Result<(), GameError> {
        let duration = self.challenger_duration(index, message.timestamp)?;
        if duration < self.parameters.max_clock_duration {
            return Err(GameError::ClockNotExpired);
        }
        if self.resolved[index] {
            return Err(GameError::ClaimAlreadyResolved);
        }
        if self.children[index].is_empty() && index != 0 {
            // A leaf may have been countered by a step; what counters the others are claims.
            let claim = self.claims[index];
            self.pay_bond(claim.countered_by.unwrap_or(claim.claimant), index);
            self.resolved[index] = true;
            return Ok(());
        }
        let checkpoint = self.look_at_children(index, num_to_resolve)?;
        self.checkpoints[index] = checkpoint;
        if checkpoint.next_child == self.children[index].len() {
            self.conclude(index, checkpoint.leftmost.map(|(_, claimant)| claimant));
        }
        Ok(())
    }

    fn look_at_children(&self, index: usize, most: usize) -> Result<Checkpoint, GameError> {
        let children = &self.children[index];
        let mut checkpoint = self.checkpoints[index];
        let most = match most {
            0 if !checkpoint.begun => children.len(),
            most => most,
        };
        checkpoint.begun = true;
        let end = checkpoint
            .next_child
            .saturating_add(most)
            .min(children.len());
        for &child in &children[checkpoint.next_child..end] {
            if !self.resolved[child] {
                return Err(GameError::OutOfOrderResolution);
            }
            let claim = &self.claims[child];
            let stands = claim.countered_by.is_none();
            let further_left = checkpoint
                .leftmost
                .is_none_or(|(position, _)| claim.position < position);
            if stands && further_left {
                checkpoint.leftmost = Some((claim.position, claim.claimant));
            }
        }
        checkpoint.next_child = end;
        Ok(checkpoint)
    }

    fn conclude(&mut self, index: usize, countered_by: Option<Address>) {
        let countered_by = match self.block_number_challenger {
            Some(challenger) if index == 0 => Some(challenger),
            _ => countered_by,
        };
        self.resolved[index] = true;
        self.pay_bond(countered_by.unwrap_or(self.claims[index].claimant), index);
        self.claims[index].countered_by = countered_by;
    }

    fn pay_bond(&mut self, recipient: Address, index: usize) {
        self.credits.win(recipient, self.claims[index].bond);
    }

    /// How many children are still to be looked at to resolve a claim (`getNumToResolve`).
    ///
    /// # Panics
    /// When there is no such claim.
    #[must_use]
    pub fn num_to_resolve(&self, index: usize) -> usize {
        self.children[index].len() - self.checkpoints[index].next_child
    }

    /// Ends the game, once its root is resolved (`resolve`).
    ///
    /// # Errors
    /// `GameNotInProgress`, `OutOfOrderResolution`.
    pub fn resolve(&mut self, message: Message) -> Result<GameStatus, GameError> {
        self.in_progress()?;
        if !self.resolved[0] {
            return Err(GameError::OutOfOrderResolution);
        }
        self.status = match self.claims[0].countered_by {
            None => GameStatus::DefenderWins,
            Some(_) => GameStatus::ChallengerWins,
        };
        self.resolved_at = Some(message.timestamp);
        Ok(self.status)
    }
}
