//! A game as a list of calls, each with what comes of it.
//!
//! A script is JSON. It says what a game is created with, what machine and chain it is
//! played over (see [`crate::sim::toy`] for their rules, and `contracts/test/ToyVm.sol`
//! for the machine as a contract), then the calls in order, time set in between; each call has the sender, the
//! arguments and the outcome: `null`, or the name of the error that the contract reverts
//! with. Then stand the claims, the status and the credits that the game has at its end, and the
//! calls by which it is closed and paid out.
//! Numbers that can be larger than 53 bits are hexadecimal strings.

mod call;

pub use call::Call;

use crate::error::GameError;
use crate::game::{Game, GameStatus};
use crate::parameters::{Creation, Parameters};
use crate::sim::toy::ToyVm;
use alloy_primitives::{Address, B256, U128};
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 2;

/// `AnchorStateRegistry.disputeGameFinalityDelaySeconds` in all scripts.
pub const FINALITY_DELAY: u64 = 302_400;
/// `DelayedWETH.delay` in all scripts, in seconds.
pub const WITHDRAWAL_DELAY: u64 = 604_800;

/// A game, call by call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The version of the format.
    pub version: u32,
    /// What the game is played with.
    pub parameters: Parameters,
    /// What it is created with.
    pub creation: Creation,
    /// The machine.
    pub vm: ToyVm,
    /// What happens.
    pub calls: Vec<Call>,
    /// What it comes to.
    pub end: End,
    /// What happens after the end, when the game is closed and paid out.
    pub payouts: Vec<Call>,
}

/// What a game has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// `status`.
    pub status: GameStatus,
    /// `claimData`, by index.
    pub claims: Vec<ClaimData>,
    /// `normalModeCredit` of everybody who paid or won something, in order of addresses.
    pub credits: Vec<(Address, U128)>,
}

/// A claim as the contract gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimData {
    /// `parentIndex`; the root's is 2^32 - 1.
    pub parent_index: u32,
    /// `counteredBy`; zero for nobody.
    pub countered_by: Address,
    /// `claimant`.
    pub claimant: Address,
    /// `bond`.
    pub bond: U128,
    /// `claim`.
    pub claim: B256,
    /// `position`.
    pub position: U128,
    /// `clock`: duration shifted left by 64 bits, and the timestamp.
    pub clock: U128,
}

impl End {
    /// What a game has come to.
    #[must_use]
    pub fn of(game: &Game) -> Self {
        let claims = game.claims().iter().map(|claim| ClaimData {
            parent_index: claim.parent.map_or(u32::MAX, |parent| parent as u32),
            countered_by: claim.countered_by.unwrap_or_default(),
            claimant: claim.claimant,
            bond: U128::from(claim.bond),
            claim: claim.value,
            position: U128::from(claim.position.gindex()),
            clock: U128::from(
                u128::from(claim.clock.duration) << 64 | u128::from(claim.clock.timestamp),
            ),
        });
        let credits = game.participants().into_iter();
        Self {
            status: game.status(),
            claims: claims.collect(),
            credits: credits
                .map(|who| (who, U128::from(game.credit(who))))
                .collect(),
        }
    }
}

/// Where a script and the model part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// The format is another.
    #[error("version {0} of the format is unknown")]
    Version(u32),
    /// The game cannot be created.
    #[error("the game cannot be created: {0}")]
    Creation(GameError),
    /// A call has another outcome.
    #[error("call {index}: {told:?} is told, {found:?} is found")]
    Call {
        /// Which call, those after the end counted on.
        index: usize,
        /// What the script says.
        told: Box<Call>,
        /// What the model says.
        found: Box<Call>,
    },
    /// The end is another one.
    #[error("the game ends differently")]
    End,
}

impl Script {
    /// Plays the script on the model. Gives the game at its end, before it is paid out.
    ///
    /// # Errors
    /// The first difference.
    pub fn replay(&self) -> Result<Game, Divergence> {
        if self.version != VERSION {
            return Err(Divergence::Version(self.version));
        }
        let creation = self.creation.clone();
        let mut now = creation.created_at;
        let mut game = Game::new(self.parameters, creation).map_err(Divergence::Creation)?;
        self.perform(&self.calls, 0, &mut game, &mut now)?;
        if End::of(&game) != self.end {
            return Err(Divergence::End);
        }
        let end = game.clone();
        self.perform(&self.payouts, self.calls.len(), &mut game, &mut now)?;
        Ok(end)
    }

    fn perform(
        &self,
        calls: &[Call],
        first: usize,
        game: &mut Game,
        now: &mut u64,
    ) -> Result<(), Divergence> {
        for (index, told) in calls.iter().enumerate() {
            let found = told.clone().perform(game, &self.vm, now);
            if &found != told {
                return Err(Divergence::Call {
                    index: first + index,
                    told: Box::new(told.clone()),
                    found: Box::new(found),
                });
            }
        }
        Ok(())
    }
}
