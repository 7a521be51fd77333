//! The game: what `FaultDisputeGame.sol` 2.4.2 keeps, and what it lets happen.
//!
//! The rules are in the modules below: [`moves`], [`step`], [`context`], [`resolve`],
//! [`credit`] and [`block_number`]. They check in the contract's order, so that a call that
//! breaks several rules is refused for the same one.

mod block_number;
mod context;
mod credit;
mod moves;
mod resolve;
mod restore;
mod step;

pub use block_number::OutputRootProof;
pub use context::{Disputed, LocalData, LocalIdent};
pub use credit::{BondDistributionMode, Closing, Payout};
pub use moves::Move;
pub use restore::{Broken, Snapshot};
pub use step::Step;

use crate::bond::Bonds;
use crate::error::GameError;
use crate::parameters::{Creation, Parameters};
use crate::position::Position;
use alloy_primitives::{Address, B256};
use credit::Credits;
use resolve::Checkpoint;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Who calls, with how much, when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// The caller.
    pub sender: Address,
    /// Wei sent along.
    pub value: u128,
    /// The time of the block, in seconds.
    pub timestamp: u64,
}

/// A chess clock at the time that its side made a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Seconds that the side has used up.
    pub duration: u64,
    /// When the claim was made, in seconds.
    pub timestamp: u64,
}

/// A claim (`ClaimData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The claim that it moves against; the root's is none.
    pub parent: Option<usize>,
    /// Who has countered it: by a step, or, once resolved, by the claim that won.
    pub countered_by: Option<Address>,
    /// Who made it.
    pub claimant: Address,
    /// Its bond in wei.
    pub bond: u128,
    /// What it claims: an output root, or a state hash with its status byte.
    pub value: B256,
    /// Where.
    pub position: Position,
    /// The clock of its side.
    pub clock: Clock,
}

/// Where a game stands (`GameStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GameStatus {
    /// Not resolved.
    InProgress,
    /// The root claim was countered.
    ChallengerWins,
    /// The root claim stands.
    DefenderWins,
}

/// A dispute game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Game {
    parameters: Parameters,
    creation: Creation,
    bonds: Bonds,
    claims: Vec<Claim>,
    /// Claims by parent, position and value: none is made twice.
    known: HashSet<(usize, Position, B256)>,
    children: Vec<Vec<usize>>,
    resolved: Vec<bool>,
    checkpoints: Vec<Checkpoint>,
    status: GameStatus,
    resolved_at: Option<u64>,
    block_number_challenger: Option<Address>,
    credits: Credits,
}

impl Game {
    /// A new game with its root claim (`initialize`).
    ///
    /// # Errors
    /// [`Parameters::check`]'s; `AnchorRootNotFound`; `UnexpectedRootClaim` for a block
    /// that is not after the anchor's.
    pub fn new(parameters: Parameters, creation: Creation) -> Result<Self, GameError> {
        parameters.check()?;
        if creation.starting.root.is_zero() {
            return Err(GameError::AnchorRootNotFound);
        }
        if creation.claimed.l2_block <= creation.starting.l2_block {
            return Err(GameError::UnexpectedRootClaim(creation.claimed.root));
        }
        let root = Claim {
            parent: None,
            countered_by: None,
            claimant: creation.creator,
            bond: creation.bond,
            value: creation.claimed.root,
            position: Position::ROOT,
            clock: Clock {
                duration: 0,
                timestamp: creation.created_at,
            },
        };
        let mut game = Self {
            bonds: Bonds::new(parameters.max_depth),
            parameters,
            creation,
            claims: Vec::new(),
            known: HashSet::new(),
            children: Vec::new(),
            resolved: Vec::new(),
            checkpoints: Vec::new(),
            status: GameStatus::InProgress,
            resolved_at: None,
            block_number_challenger: None,
            credits: Credits::default(),
        };
        game.push(root);
        Ok(game)
    }

    fn push(&mut self, claim: Claim) -> usize {
        let index = self.claims.len();
        if let Some(parent) = claim.parent {
            self.children[parent].push(index);
            self.known.insert((parent, claim.position, claim.value));
        }
        self.credits.deposit(claim.claimant, claim.bond);
        self.claims.push(claim);
        self.children.push(Vec::new());
        self.resolved.push(false);
        self.checkpoints.push(Checkpoint::default());
        index
    }

    fn in_progress(&self) -> Result<(), GameError> {
        match self.status {
            GameStatus::InProgress => Ok(()),
            _ => Err(GameError::GameNotInProgress),
        }
    }

    fn claim_or_panic(&self, index: usize) -> Result<&Claim, GameError> {
        self.claims.get(index).ok_or(GameError::IndexOutOfBounds)
    }

    /// What it is played with.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What it was created with.
    #[must_use]
    pub fn creation(&self) -> &Creation {
        &self.creation
    }

    /// All claims by index; the root is the first.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The claims that move against a claim, in the order they were made.
    ///
    /// # Panics
    /// When there is no such claim.
    #[must_use]
    pub fn children(&self, index: usize) -> &[usize] {
        &self.children[index]
    }

    /// Whether a claim has been made: against which one, where, and what.
    #[must_use]
    pub fn has(&self, parent: usize, position: Position, value: B256) -> bool {
        self.known.contains(&(parent, position, value))
    }

    /// The bond of a claim at a depth, in wei (`getRequiredBond`).
    ///
    /// # Errors
    /// `GameDepthExceeded`.
    pub fn required_bond(&self, depth: u32) -> Result<u128, GameError> {
        self.bonds.at(depth).ok_or(GameError::GameDepthExceeded)
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> GameStatus {
        self.status
    }

    /// When it was resolved, in seconds.
    #[must_use]
    pub fn resolved_at(&self) -> Option<u64> {
        self.resolved_at
    }

    /// Whether a claim's subgame has been resolved.
    #[must_use]
    pub fn is_resolved(&self, index: usize) -> bool {
        self.resolved.get(index).copied().unwrap_or(false)
    }

    /// Who has shown that the root's block has another number.
    #[must_use]
    pub fn block_number_challenger(&self) -> Option<Address> {
        self.block_number_challenger
    }

    /// What the side that would counter a claim has used up of its clock, in seconds, at
    /// most a whole clock (`getChallengerDuration`). Time before the claim counts as none.
    ///
    /// # Errors
    /// `GameNotInProgress`, `IndexOutOfBounds`.
    pub fn challenger_duration(&self, index: usize, now: u64) -> Result<u64, GameError> {
        self.in_progress()?;
        let claim = self.claim_or_panic(index)?;
        let before = claim.parent.map_or(0, |at| self.claims[at].clock.duration);
        let since = now.saturating_sub(claim.clock.timestamp);
        Ok(before
            .saturating_add(since)
            .min(self.parameters.max_clock_duration))
    }

    /// When nobody can counter a claim any more, in seconds.
    ///
    /// # Panics
    /// When there is no such claim.
    #[must_use]
    pub fn deadline(&self, index: usize) -> u64 {
        let claim = &self.claims[index];
        let before = claim.parent.map_or(0, |at| self.claims[at].clock.duration);
        claim.clock.timestamp + (self.parameters.max_clock_duration - before)
    }
}
