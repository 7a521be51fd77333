//! What there is to resolve and to be claimed.

use crate::game::{Closing, Game, GameStatus};
use alloy_primitives::Address;

/// A call that brings a game to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// `resolveClaim`, with as many children as are to be looked at.
    ResolveClaim {
        /// The claim.
        claim: usize,
        /// `_numToResolve`.
        num_to_resolve: usize,
    },
    /// `resolve`.
    Resolve,
    /// `claimCredit`.
    ClaimCredit {
        /// Whose.
        recipient: Address,
    },
}

/// The children that one call looks at: so many fit well into the gas of a block.
const CHILDREN_PER_CALL: usize = 512;

/// What can be resolved at a time, in seconds, each call possible once those before it are
/// done; at last the credits of those that `whose` names, if the game is final.
///
/// Claims are resolved from the latest to the first, so that the ones below come before
/// the ones above.
#[must_use]
pub fn resolutions(
    game: &Game,
    now: u64,
    whose: &[Address],
    closing: Option<Closing>,
) -> Vec<Resolution> {
    if game.status() == GameStatus::InProgress {
        return claims_to_resolve(game, now);
    }
    let is_final = closing.is_some_and(|closing| closing.finalized && !closing.paused);
    whose
        .iter()
        .filter(|&&address| is_final && game.credit(address) > 0)
        .map(|&recipient| Resolution::ClaimCredit { recipient })
        .collect()
}

fn claims_to_resolve(game: &Game, now: u64) -> Vec<Resolution> {
    let mut calls = Vec::new();
    let mut done: Vec<bool> = (0..game.claims().len())
        .map(|index| game.is_resolved(index))
        .collect();
    for claim in (0..done.len()).rev() {
        let below_done = game.children(claim).iter().all(|&child| done[child]);
        if done[claim] || !below_done || game.deadline(claim) > now {
            continue;
        }
        let mut left = game.num_to_resolve(claim);
        loop {
            let num_to_resolve = left.min(CHILDREN_PER_CALL);
            calls.push(Resolution::ResolveClaim {
                claim,
                num_to_resolve,
            });
            left -= num_to_resolve;
            if left == 0 {
                break;
            }
        }
        done[claim] = true;
    }
    if done[0] {
        calls.push(Resolution::Resolve);
    }
    calls
}
