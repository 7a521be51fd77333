//! Executing the one instruction that is left.

use super::{Claim, Game, Message};
use crate::error::GameError;
use crate::vm::Vm;
use alloy_primitives::{B256, keccak256};

/// A step against a claim at the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// The index of the claim.
    pub claim: usize,
    /// Whether the step ends at the claim; else it starts there.
    pub is_attack: bool,
    /// The state before the step.
    pub state_data: &'a [u8],
    /// What proves the parts of the state that the step touches.
    pub proof: &'a [u8],
}

impl Game {
    /// Counters a claim at the bottom by executing a step (`step`). A clock does not matter:
    /// steps are possible until the game is resolved.
    ///
    /// # Errors
    /// By the first rule broken: `GameNotInProgress`, `IndexOutOfBounds`, `InvalidParent`,
    /// `InvalidPrestate`, `VmReverted`, `ValidStep`, `DuplicateStep`. Nothing has changed
    /// then.
    pub fn step(
        &mut self,
        message: Message,
        step: Step<'_>,
        vm: &(impl Vm + ?Sized),
    ) -> Result<(), GameError> {
        self.in_progress()?;
        let claim = *self.claim_or_panic(step.claim)?;
        let position = claim.position.after_move(step.is_attack);
        if position.depth() != self.parameters.max_depth + 1 {
            return Err(GameError::InvalidParent);
        }
        let (pre, post) = self.step_ends(step.claim, step.is_attack)?;
        // The first byte of a claim is the status, not the hash's.
        if keccak256(step.state_data)[1..] != pre[1..] {
            return Err(GameError::InvalidPrestate);
        }
        let context = self.disputed_outputs(step.claim)?.local_context();
        let result = vm
            .step(step.state_data, step.proof, context)
            .map_err(GameError::VmReverted)?;
        // If the claim and the claimed result are of one side, the step must refute the
        // result; if they are not, the step must confirm it.
        let one_side = (claim.position.depth() - post.position.depth()).is_multiple_of(2);
        if one_side == (result == post.value) {
            return Err(GameError::ValidStep);
        }
        if claim.countered_by.is_some() {
            return Err(GameError::DuplicateStep);
        }
        self.claims[step.claim].countered_by = Some(message.sender);
        Ok(())
    }

    /// The state hash that a step against a claim starts from, and the claim of where it
    /// leads.
    ///
    /// # Errors
    /// `IndexOutOfBounds`, `ClaimAboveSplit`.
    pub fn step_ends(&self, index: usize, is_attack: bool) -> Result<(B256, Claim), GameError> {
        let claim = *self.claim_or_panic(index)?;
        let from = claim.parent.unwrap_or(index);
        let ancestor = |position: crate::position::Position| {
            let highest = position
                .trace_ancestor_below(self.parameters.split_depth)
                .ok_or(GameError::ClaimAboveSplit)?;
            Ok(self.claims[self.trace_ancestor(highest, from)?])
        };
        if !is_attack {
            return Ok((claim.value, ancestor(claim.position.next())?));
        }
        let steps = 1u128 << self.parameters.execution_levels();
        let first = claim.position.index_at_depth().is_multiple_of(steps);
        match claim.position.previous() {
            Some(before) if !first => Ok((ancestor(before)?.value, claim)),
            _ => Ok((self.creation.absolute_prestate, claim)),
        }
    }
}
