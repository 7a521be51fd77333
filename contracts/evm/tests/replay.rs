//! Random games of the simulator come to the same on the contracts, call by call.
//!
//! `CARRONADE_GAMES=100000` plays as many, from the seed `CARRONADE_SEED` on.

use carronade_contracts::replay::{Difference, play_again, replay};
use carronade_dispute::game::GameStatus;
use carronade_dispute::script::{Call, Script};
use carronade_dispute::sim::{ERRORS, play};
use revm::primitives::{Address, B256, U128};
use std::collections::BTreeSet;

/// The calls of a game.
const CALLS: [&str; 9] = [
    "addLocalData",
    "challengeRootL2Block",
    "claimCredit",
    "closeGame",
    "move",
    "resolve",
    "resolveClaim",
    "step",
    "warp",
];

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    }
}

#[test]
fn a_thousand_games_come_to_the_same_on_chain() {
    let (first, games) = (
        number("CARRONADE_SEED", 0),
        number("CARRONADE_GAMES", 1_000),
    );
    let tally = match play_again(first..first + games) {
        Ok(tally) => tally,
        Err((seed, difference)) => panic!("game {seed}: {difference}"),
    };
    assert_eq!(tally.games, games);
    assert!(tally.depths.into_keys().eq(4..=12));
    let accepted: BTreeSet<&str> = tally.accepted.into_keys().collect();
    assert!(accepted.iter().eq(&CALLS), "{accepted:?}");
    let refused: BTreeSet<&str> = tally.refused.keys().map(String::as_str).collect();
    assert!(refused.iter().eq(&ERRORS), "{refused:?}");
}

/// A game in which much happens, with a change to it.
fn altered(change: impl FnOnce(&mut Script)) -> Result<(), Difference> {
    let rich = |script: &Script| {
        let paid = |call: &Call| matches!(call, Call::ClaimCredit { paid, .. } if !paid.is_zero());
        let loads = |call: &Call| matches!(call, Call::AddLocalData { loads: Some(_), .. });
        let steps = |call: &Call| matches!(call, Call::Step { error: None, .. });
        let calls = &script.calls;
        let [loads, steps] = [calls.iter().any(loads), calls.iter().any(steps)];
        loads && steps && script.payouts.iter().any(paid)
    };
    let mut script = (0..).map(|seed| play(seed).script).find(rich);
    let script = script.as_mut().expect("there is one");
    change(script);
    replay(script)
}

fn what(result: Result<(), Difference>) -> String {
    match result {
        Err(Difference::Value { what, .. }) => what,
        other => panic!("no value differs: {other:?}"),
    }
}

#[test]
fn an_unaltered_game_is_the_same() {
    assert_eq!(altered(|_| ()), Ok(()));
}

#[test]
fn outcomes_of_calls_are_compared() {
    for refuse in [true, false] {
        let mut altered_at = None;
        let result = altered(|script| {
            let mut calls = script.calls.iter_mut().enumerate();
            altered_at = calls.find_map(|(index, call)| match call {
                Call::Move { error, .. } if error.is_none() == refuse => {
                    *error = refuse.then(|| "ClockTimeExceeded".into());
                    Some(index)
                }
                _ => None,
            });
        });
        let found = match result {
            Err(Difference::Call { index, .. }) => Some(index),
            other => panic!("no call differs: {other:?}"),
        };
        assert_eq!(found, altered_at);
    }
}

#[test]
fn local_data_are_compared() {
    let result = altered(|script| {
        for call in &mut script.calls {
            if let Call::AddLocalData {
                loads: Some((_, word, _)),
                ..
            } = call
            {
                word.0[0] ^= 1;
            }
        }
    });
    assert!(what(result).starts_with("local data"));
}

#[test]
fn what_a_game_comes_to_is_compared() {
    let result = altered(|script| {
        script.end.status = match script.end.status {
            GameStatus::DefenderWins => GameStatus::ChallengerWins,
            _ => GameStatus::DefenderWins,
        };
    });
    assert_eq!(what(result), "status");
    let result = altered(|script| script.end.credits[0].1 += U128::from(1));
    assert!(what(result).starts_with("credit"));
    let result = altered(|script| script.end.claims.truncate(1));
    assert_eq!(what(result), "number of claims");
    let changes: [fn(&mut Script); 7] = [
        |script| script.end.claims[1].parent_index += 1,
        |script| script.end.claims[1].countered_by = Address::repeat_byte(9),
        |script| script.end.claims[1].claimant = Address::repeat_byte(9),
        |script| script.end.claims[1].bond += U128::from(1),
        |script| script.end.claims[1].claim = B256::repeat_byte(9),
        |script| script.end.claims[1].position += U128::from(1),
        |script| script.end.claims[1].clock += U128::from(1),
    ];
    for change in changes {
        assert_eq!(what(altered(change)), "claim 1");
    }
}

#[test]
fn payouts_are_compared() {
    let result = altered(|script| {
        for call in &mut script.payouts {
            if let Call::ClaimCredit { paid, .. } = call {
                *paid += U128::from(1);
            }
        }
    });
    assert!(what(result).starts_with("pay of call"));
    let result = altered(|script| script.payouts.clear());
    assert_eq!(what(result), "ether of the bonds' holder");
}
