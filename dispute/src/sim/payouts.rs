//! What follows a game: it is closed, and everybody gets what they have won.

use super::arena::Arena;
use super::chance::Chance;
use crate::game::GameStatus;
use crate::script::{Call, FINALITY_DELAY, WITHDRAWAL_DELAY};
use alloy_primitives::{Address, U128};

/// Closes a game and pays it out, by calls of anybody for anybody, some of them a second too
/// early and some once more than it takes. A game that was not resolved is left alone.
pub fn pay_out(arena: &mut Arena, chance: &mut Chance) {
    let mut who: Vec<Address> = arena.game.participants().into_iter().collect();
    let resolved_at = match arena.game.resolved_at() {
        Some(at) if arena.game.status() != GameStatus::InProgress => at,
        _ => return,
    };
    some(arena, &who, chance);
    warp(arena, resolved_at + FINALITY_DELAY);
    some(arena, &who, chance);
    warp(arena, resolved_at + FINALITY_DELAY + chance.within(1, 100));
    if chance.percent(50) {
        arena.call(Call::CloseGame {
            sender: who[chance.index(who.len())],
            error: None,
        });
    }
    chance.shuffle(&mut who);
    all(arena, &who, chance);
    let unlocked_at = arena.now;
    some(arena, &who, chance);
    warp(arena, unlocked_at + WITHDRAWAL_DELAY - 1);
    some(arena, &who, chance);
    warp(arena, unlocked_at + WITHDRAWAL_DELAY);
    chance.shuffle(&mut who);
    all(arena, &who, chance);
    some(arena, &who, chance);
}

/// A claim of somebody's credit by somebody.
pub(super) fn claim_credit(sender: Address, recipient: Address) -> Call {
    Call::ClaimCredit {
        sender,
        recipient,
        paid: U128::ZERO,
        error: None,
    }
}

fn all(arena: &mut Arena, who: &[Address], chance: &mut Chance) {
    for &recipient in who {
        arena.call(claim_credit(who[chance.index(who.len())], recipient));
    }
}

fn some(arena: &mut Arena, who: &[Address], chance: &mut Chance) {
    for _ in 0..chance.below(3) {
        let [sender, recipient] = [(); 2].map(|()| who[chance.index(who.len())]);
        arena.call(claim_credit(sender, recipient));
    }
}

fn warp(arena: &mut Arena, timestamp: u64) {
    arena.call(Call::Warp { timestamp });
}
