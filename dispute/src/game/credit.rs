//! Bonds in, credits out.

use super::{Game, GameStatus};
use crate::error::GameError;
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How bonds are distributed (`BondDistributionMode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BondDistributionMode {
    /// The game is not closed.
    #[default]
    Undecided,
    /// To those who won them.
    Normal,
    /// To those who paid them, since the game does not count.
    Refund,
}

/// What the anchor registry says of a game when it is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// `paused`.
    pub paused: bool,
    /// `isGameFinalized`: resolved, and the air gap is over.
    pub finalized: bool,
    /// `isGameProper`: registered, not blacklisted, not retired.
    pub proper: bool,
    /// `DelayedWETH.delay`, in seconds.
    pub withdrawal_delay: u64,
}

/// What `claimCredit` did; amounts in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payout {
    /// The first call starts the delay.
    Unlocked(u128),
    /// The second one, after it, pays.
    Paid(u128),
}

/// The accounts of a game; amounts in wei.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credits {
    normal: BTreeMap<Address, u128>,
    refund: BTreeMap<Address, u128>,
    unlocked_at: BTreeMap<Address, u64>,
    paid: BTreeSet<Address>,
    mode: BondDistributionMode,
}

impl Credits {
    pub(super) fn deposit(&mut self, from: Address, amount: u128) {
        let paid = self.refund.entry(from).or_default();
        // A node may tell of more wei than there are.
        *paid = paid.saturating_add(amount);
    }

    pub(super) fn win(&mut self, to: Address, amount: u128) {
        let won = self.normal.entry(to).or_default();
        *won = won.saturating_add(amount);
    }
}

impl Game {
    /// What an address has won, or, in refund mode, paid, in wei (`credit`).
    #[must_use]
    pub fn credit(&self, of: Address) -> u128 {
        if self.credits.paid.contains(&of) {
            return 0;
        }
        let accounts = match self.credits.mode {
            BondDistributionMode::Refund => &self.credits.refund,
            _ => &self.credits.normal,
        };
        accounts.get(&of).copied().unwrap_or(0)
    }

    /// What an address has paid in bonds, in wei.
    #[must_use]
    pub fn bonds_paid(&self, by: Address) -> u128 {
        self.credits.refund.get(&by).copied().unwrap_or(0)
    }

    /// Everybody who paid a bond or won one.
    #[must_use]
    pub fn participants(&self) -> BTreeSet<Address> {
        let accounts = [&self.credits.normal, &self.credits.refund];
        accounts
            .into_iter()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect()
    }

    /// How bonds are distributed.
    #[must_use]
    pub fn bond_distribution_mode(&self) -> BondDistributionMode {
        self.credits.mode
    }

    /// Decides how bonds are distributed, once (`closeGame`).
    ///
    /// # Errors
    /// `GamePaused`, `GameNotResolved`, `GameNotFinalized`.
    pub fn close(&mut self, closing: Closing) -> Result<BondDistributionMode, GameError> {
        if self.credits.mode != BondDistributionMode::Undecided {
            return Ok(self.credits.mode);
        }
        if closing.paused {
            return Err(GameError::GamePaused);
        }
        if self.status == GameStatus::InProgress {
            return Err(GameError::GameNotResolved);
        }
        if !closing.finalized {
            return Err(GameError::GameNotFinalized);
        }
        self.credits.mode = if closing.proper {
            BondDistributionMode::Normal
        } else {
            BondDistributionMode::Refund
        };
        Ok(self.credits.mode)
    }

    /// Claims what an address has to get: the first call unlocks it, the second one, after
    /// the delay, pays it (`claimCredit`, `DelayedWETH`).
    ///
    /// # Errors
    /// [`Game::close`]'s; `NoCreditToClaim`, `WithdrawalDelayNotMet`.
    pub fn claim_credit(
        &mut self,
        recipient: Address,
        now: u64,
        closing: Closing,
    ) -> Result<Payout, GameError> {
        self.close(closing)?;
        let credit = self.credit(recipient);
        let Some(&unlocked_at) = self.credits.unlocked_at.get(&recipient) else {
            self.credits.unlocked_at.insert(recipient, now);
            return Ok(Payout::Unlocked(credit));
        };
        if credit == 0 {
            return Err(GameError::NoCreditToClaim);
        }
        if unlocked_at.saturating_add(closing.withdrawal_delay) > now {
            return Err(GameError::WithdrawalDelayNotMet);
        }
        self.credits.paid.insert(recipient);
        Ok(Payout::Paid(credit))
    }
}
