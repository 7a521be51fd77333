//! The honest actor: what to do in a game, given the true trace.
//!
//! After op-challenger's `game/fault/solver` and the specification's
//! `honest-challenger-fdg.md`. Claims are looked at in the order they were made, and for
//! each it is known which answer an honest actor gives to it, whether given already or not,
//! by this actor or another. An honest claim is never countered. Others are, if they are
//! the root, or counter an honest claim, or are left of the honest answer to the same
//! claim, or as far left: those could take the bond from the honest answer (the freeloader
//! rule).

mod honest;
mod resolution;

pub use resolution::{Resolution, resolutions};

use crate::error::GameError;
use crate::game::{Claim, Game, GameStatus, Message, Move, Step};
use crate::provider::{BlockNumberProof, StepData, TraceAccessor};
use crate::vm::Vm;
use alloy_primitives::{Address, B256};
use honest::HonestClaims;

/// What the honest actor does next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Makes a claim, with the bond of its depth.
    Move {
        /// The claim that it moves against.
        parent: usize,
        /// Whether it attacks; else it defends.
        is_attack: bool,
        /// What is claimed.
        claim: B256,
    },
    /// Counters a claim at the bottom.
    Step {
        /// The claim.
        claim: usize,
        /// Whether the step ends at the claim; else it starts there.
        is_attack: bool,
        /// What the step needs; its pre-image must be in the oracle before.
        data: StepData,
    },
    /// Shows that the root is of another block.
    ChallengeL2BlockNumber(BlockNumberProof),
}

impl Action {
    /// Does it in a game of the model, as an account at a time in seconds, with the bond that it
    /// takes.
    ///
    /// # Errors
    /// The contract's, for this kind of call.
    pub fn perform(
        &self,
        game: &mut Game,
        sender: Address,
        timestamp: u64,
        vm: &impl Vm,
    ) -> Result<(), GameError> {
        let message = |value| Message {
            sender,
            value,
            timestamp,
        };
        match self {
            Self::Move {
                parent,
                is_attack,
                claim,
            } => {
                let disputed = game
                    .claims()
                    .get(*parent)
                    .ok_or(GameError::IndexOutOfBounds)?;
                let depth = disputed.position.after_move(*is_attack).depth();
                let move_ = Move {
                    parent: *parent,
                    disputed: disputed.value,
                    claim: *claim,
                    is_attack: *is_attack,
                };
                let bond = game.required_bond(depth)?;
                game.move_(message(bond), move_).map(drop)
            }
            Self::Step {
                claim,
                is_attack,
                data,
            } => {
                let step = Step {
                    claim: *claim,
                    is_attack: *is_attack,
                    state_data: &data.state_data,
                    proof: &data.proof,
                };
                game.step(message(0), step, vm)
            }
            Self::ChallengeL2BlockNumber(shown) => {
                game.challenge_root_l2_block(message(0), &shown.proof, &shown.header_rlp)
            }
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<E> {
    /// What is known to be right, in this order.
    pub actions: Vec<Action>,
    /// Why claims from some on could not be judged; what comes before is right all the same.
    pub failure: Option<E>,
}

impl<E> Plan<E> {
    fn of(actions: Vec<Action>) -> Self {
        Self {
            actions,
            failure: None,
        }
    }

    fn failed(actions: Vec<Action>, failure: E) -> Self {
        Self {
            actions,
            failure: Some(failure),
        }
    }
}

/// The honest actor. With another trace than the true one it plays for that.
#[derive(Debug, Clone)]
pub struct Solver<T> {
    trace: T,
}

impl<T: TraceAccessor> Solver<T> {
    /// An actor that takes a trace for true.
    pub fn new(trace: T) -> Self {
        Self { trace }
    }

    /// The trace.
    pub fn trace(&mut self) -> &mut T {
        &mut self.trace
    }

    /// Whether the root claims the right output root; it may be of another block still.
    ///
    /// # Errors
    /// When the trace has no answer.
    pub fn agrees_with_root(&mut self, game: &Game) -> Result<bool, T::Error> {
        self.agrees(game, 0)
    }

    fn agrees(&mut self, game: &Game, index: usize) -> Result<bool, T::Error> {
        let claim = &game.claims()[index];
        Ok(self.trace.claim_at(game, index, claim.position)? == claim.value)
    }

    /// What to do at a time, in seconds. Answers whose clock has run out are left out, since
    /// the contract would refuse them (op-challenger finds out by trying).
    pub fn next_actions(&mut self, game: &Game, now: u64) -> Plan<T::Error> {
        if game.status() != GameStatus::InProgress || game.block_number_challenger().is_some() {
            return Plan::of(Vec::new());
        }
        let agrees = match self.agrees_with_root(game) {
            Ok(agrees) => agrees,
            Err(failure) => return Plan::failed(Vec::new(), failure),
        };
        if agrees {
            match self.trace.block_number_challenge(game) {
                Ok(None) => {}
                Ok(Some(proof)) => return Plan::of(vec![Action::ChallengeL2BlockNumber(proof)]),
                Err(failure) => return Plan::failed(Vec::new(), failure),
            }
        }
        let mut honest = HonestClaims::new(game, agrees);
        let mut actions = Vec::new();
        for index in 0..game.claims().len() {
            // Without an answer to this claim it is not known which ones below are honest.
            match self.answer(game, index, now, &mut honest) {
                Ok(action) => actions.extend(action),
                Err(failure) => return Plan::failed(actions, failure),
            }
        }
        Plan::of(actions)
    }

    fn answer(
        &mut self,
        game: &Game,
        index: usize,
        now: u64,
        honest: &mut HonestClaims,
    ) -> Result<Option<Action>, T::Error> {
        let claim = game.claims()[index];
        if !honest.calls_for_answer(game, index) {
            return Ok(None);
        }
        if claim.position.depth() == game.parameters().max_depth {
            return self.step(game, index, &claim);
        }
        let is_attack = !self.agrees(game, index)?;
        if index == 0 && !is_attack {
            return Ok(None);
        }
        let position = claim.position.after_move(is_attack);
        let value = self.trace.claim_at(game, index, position)?;
        honest.add(index, position, value);
        let possible = game.deadline(index) > now && !game.has(index, position, value);
        Ok(possible.then_some(Action::Move {
            parent: index,
            is_attack,
            claim: value,
        }))
    }

    fn step(
        &mut self,
        game: &Game,
        index: usize,
        claim: &Claim,
    ) -> Result<Option<Action>, T::Error> {
        if claim.countered_by.is_some() {
            return Ok(None);
        }
        let is_attack = !self.agrees(game, index)?;
        let leads_to = if is_attack {
            claim.position
        } else {
            claim.position.next()
        };
        Ok(Some(Action::Step {
            claim: index,
            is_attack,
            data: self.trace.step_data(game, index, leads_to)?,
        }))
    }
}
