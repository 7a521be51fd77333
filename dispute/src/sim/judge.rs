//! What must hold once a game has been played with an honest actor.

use super::arena::Played;
use crate::game::{Game, GameStatus};
use crate::script::Call;
use alloy_primitives::Address;

/// A property that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The game was not resolved.
    #[error("the game does not end")]
    Endless,
    /// A wrong root stands, or a right one does not.
    #[error("{expected:?} is right, but it is {found:?}")]
    Outcome {
        /// What is right.
        expected: GameStatus,
        /// What the game says.
        found: GameStatus,
    },
    /// Bonds that were paid are not the bonds that were won.
    #[error("{paid} wei were paid, but {won} won")]
    Unbalanced {
        /// In wei.
        paid: u128,
        /// In wei.
        won: u128,
    },
    /// What was won was not paid out.
    #[error("{who} won {won} wei, but was paid {paid}")]
    Unpaid {
        /// Who.
        who: Address,
        /// In wei.
        won: u128,
        /// In wei.
        paid: u128,
    },
    /// A claim of an honest actor is countered.
    #[error("claim {claim} is honest, but countered")]
    Lost {
        /// The claim.
        claim: usize,
    },
    /// Somebody else has the bond of what an honest claim counters.
    #[error("claim {claim} is honest, but the bond that it should win is another's")]
    Robbed {
        /// The claim.
        claim: usize,
    },
    /// An honest actor gets less than it paid.
    #[error("{who} is honest and paid {paid} wei, but won {won}")]
    Cost {
        /// The actor.
        who: Address,
        /// In wei.
        paid: u128,
        /// In wei.
        won: u128,
    },
    /// An honest actor made a call in vain.
    #[error("an honest call was refused: {0:?}")]
    Refused(Box<Call>),
}

/// Looks at a game that has been played.
///
/// # Errors
/// The first property that does not hold.
pub fn judge(played: &Played) -> Result<(), Violation> {
    let game = &played.game;
    let found = game.status();
    if found == GameStatus::InProgress {
        return Err(Violation::Endless);
    }
    let expected = played.expected;
    if found != expected {
        return Err(Violation::Outcome { expected, found });
    }
    balanced(game)?;
    paid_out(played)?;
    let is_honest = |who: &Address| played.honest.contains(who);
    for (claim, data) in game.claims().iter().enumerate() {
        // A right root of another block than claimed is no honest claim.
        let right = claim != 0 || expected == GameStatus::DefenderWins;
        if right && is_honest(&data.claimant) && data.countered_by.is_some() {
            return Err(Violation::Lost { claim });
        }
        let countered = data.parent.map(|parent| game.claims()[parent].countered_by);
        if is_honest(&data.claimant) && countered.is_some_and(|by| by != Some(data.claimant)) {
            return Err(Violation::Robbed { claim });
        }
    }
    for &who in &played.honest {
        no_cost(game, who, expected)?;
    }
    let mut calls = played.script.calls.iter();
    match calls.find(|call| call.error().is_some() && call.sender().is_some_and(|s| is_honest(&s)))
    {
        Some(call) => Err(Violation::Refused(Box::new(call.clone()))),
        None => Ok(()),
    }
}

fn balanced(game: &Game) -> Result<(), Violation> {
    let participants = game.participants();
    let paid = participants.iter().map(|&who| game.bonds_paid(who)).sum();
    let won = participants.iter().map(|&who| game.credit(who)).sum();
    let claims: u128 = game.claims().iter().map(|claim| claim.bond).sum();
    if paid == won && paid == claims {
        Ok(())
    } else {
        Err(Violation::Unbalanced { paid, won })
    }
}

fn paid_out(played: &Played) -> Result<(), Violation> {
    for who in played.game.participants() {
        let payments = played.script.payouts.iter().map(|call| match call {
            Call::ClaimCredit {
                recipient, paid, ..
            } if *recipient == who => paid.to::<u128>(),
            _ => 0,
        });
        let (won, paid) = (played.game.credit(who), payments.sum());
        if won != paid {
            return Err(Violation::Unpaid { who, won, paid });
        }
    }
    Ok(())
}

fn no_cost(game: &Game, who: Address, expected: GameStatus) -> Result<(), Violation> {
    let mut paid = game.bonds_paid(who);
    let root = &game.claims()[0];
    if expected == GameStatus::ChallengerWins && root.claimant == who {
        paid -= root.bond;
    }
    let won = game.credit(who);
    if won < paid {
        return Err(Violation::Cost { who, paid, won });
    }
    Ok(())
}
