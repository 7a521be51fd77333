//! A game as it is read from a chain.

use super::{Claim, Game, GameStatus};
use crate::error::GameError;
use crate::parameters::{Creation, Parameters};
use crate::position::Position;
use alloy_primitives::Address;

/// What the contract tells of a game, at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `claimData`, by index.
    pub claims: Vec<Claim>,
    /// `resolvedSubgames`, by index.
    pub resolved: Vec<bool>,
    /// `status`.
    pub status: GameStatus,
    /// `resolvedAt`, unless zero.
    pub resolved_at: Option<u64>,
    /// `l2BlockNumberChallenger`, unless zero.
    pub block_number_challenger: Option<Address>,
}

/// Why some claims are no game: whoever told them lies, or told them of two blocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Parameters or creation.
    #[error("the game could not have been created: {0}")]
    Creation(GameError),
    /// The first claim is not the root that the game was created with.
    #[error("the first claim is not the root")]
    Root,
    /// A claim that no move leads to.
    #[error("claim {0} is no move against an earlier claim")]
    Claim(usize),
    /// A clock that the game cannot have.
    #[error("the clock of claim {0} cannot be")]
    Clock(usize),
    /// Not as many answers as claims.
    #[error("{claims} claims, but {resolved} answers whether they are resolved")]
    Resolved {
        /// Claims told.
        claims: usize,
        /// Answers told.
        resolved: usize,
    },
}

impl Game {
    /// The game that a chain tells of. What was won in claims resolved before is counted
    /// again from the claims, which is wrong for a leaf that was stepped against after it
    /// was resolved: the chain's credits are the ones to believe. How far the resolution of
    /// a claim in pages has come is not told, so it is taken not to have begun.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn restore(
        parameters: Parameters,
        creation: Creation,
        snapshot: Snapshot,
    ) -> Result<Self, Broken> {
        let mut game = Self::new(parameters, creation).map_err(Broken::Creation)?;
        let (claims, resolved) = (snapshot.claims.len(), snapshot.resolved.len());
        if claims != resolved {
            return Err(Broken::Resolved { claims, resolved });
        }
        let (root, moves) = snapshot.claims.split_first().ok_or(Broken::Root)?;
        if !game.is_root(root) {
            return Err(Broken::Root);
        }
        game.check_clock(0, root)?;
        game.claims[0] = *root;
        for claim in moves {
            let index = game.claims.len();
            if !game.leads_to(claim) {
                return Err(Broken::Claim(index));
            }
            game.check_clock(index, claim)?;
            game.push(*claim);
        }
        game.resolved = snapshot.resolved;
        game.status = snapshot.status;
        game.resolved_at = snapshot.resolved_at;
        game.block_number_challenger = snapshot.block_number_challenger;
        for index in 0..claims {
            if game.resolved[index] {
                let claim = game.claims[index];
                game.credits
                    .win(claim.countered_by.unwrap_or(claim.claimant), claim.bond);
            }
        }
        Ok(game)
    }

    /// No side uses up more than its clock has, and nothing is older than the game.
    fn check_clock(&self, index: usize, claim: &Claim) -> Result<(), Broken> {
        let is_sound = claim.clock.duration <= self.parameters.max_clock_duration
            && claim.clock.timestamp >= self.creation.created_at
            && claim.clock.timestamp <= u64::MAX - self.parameters.max_clock_duration;
        is_sound.then_some(()).ok_or(Broken::Clock(index))
    }

    fn is_root(&self, claim: &Claim) -> bool {
        let created = &self.claims[0];
        claim.parent.is_none()
            && claim.position == Position::ROOT
            && claim.value == created.value
            && claim.claimant == created.claimant
            && claim.bond == created.bond
    }

    fn leads_to(&self, claim: &Claim) -> bool {
        let Some(parent) = claim.parent.filter(|&parent| parent < self.claims.len()) else {
            return false;
        };
        let above = self.claims[parent].position;
        let is_move = claim.position == above.attack() || claim.position == above.defend();
        let fits = claim.position.depth() <= self.parameters.max_depth;
        is_move && fits && !self.has(parent, claim.position, claim.value)
    }
}
