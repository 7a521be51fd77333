//! Random games hold what a dispute game promises, and scripts say what happened.
//!
//! `CARRONADE_GAMES=100000` plays as many, from the seed `CARRONADE_SEED` on.

use carronade_dispute::Game;
use carronade_dispute::script::{Call, Divergence, Script};
use carronade_dispute::sim::judge::{Violation, judge};
use carronade_dispute::sim::{ERRORS, play};

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    }
}

#[test]
fn honest_actors_win_and_pay_nothing() {
    let first = number("CARRONADE_SEED", 1_000_000);
    for seed in first..first + number("CARRONADE_GAMES", 3_000) {
        if let Err(violation) = judge(&play(seed)) {
            panic!("seed {seed}: {violation}");
        }
    }
}

/// What happens in the games that are played, lest the property above holds of nothing.
#[test]
fn games_are_varied() {
    let mut errors = std::collections::BTreeSet::new();
    let (mut steps, mut shown_blocks, mut payments) = (0, 0, 0);
    let mut outcomes = std::collections::HashSet::new();
    for seed in 0..400 {
        let played = play(seed);
        outcomes.insert(played.game.status());
        let script = &played.script;
        for call in script.calls.iter().chain(&script.payouts) {
            errors.extend(call.error().map(str::to_string));
            let accepted = call.error().is_none();
            steps += usize::from(accepted && matches!(call, Call::Step { .. }));
            let shown = matches!(call, Call::ChallengeRootL2Block { .. });
            shown_blocks += usize::from(accepted && shown);
            let pays = matches!(call, Call::ClaimCredit { paid, .. } if !paid.is_zero());
            payments += usize::from(pays);
        }
    }
    assert_eq!(outcomes.len(), 2);
    assert!(steps > 400, "{steps} steps");
    assert!(
        shown_blocks > 10,
        "{shown_blocks} blocks shown to be others"
    );
    assert!(payments > 400, "{payments} payments");
    for error in ERRORS {
        assert!(errors.contains(error), "{error} never happens");
    }
}

#[test]
fn the_same_seed_is_the_same_game() {
    for seed in 0..20 {
        let text = serde_json::to_string(&play(seed).script).expect("can be written");
        assert_eq!(
            text,
            serde_json::to_string(&play(seed).script).expect("can be written")
        );
    }
}

#[test]
fn scripts_can_be_played_again() {
    for seed in 0..200 {
        let played = play(seed);
        let text = serde_json::to_string(&played.script).expect("can be written");
        let script: Script = serde_json::from_str(&text).expect("can be read");
        assert_eq!(script, played.script);
        assert_eq!(script.replay().as_ref(), Ok(&played.game));
    }
}

/// A script that says otherwise is not accepted.
#[test]
fn scripts_are_compared() {
    let script = play(7).script;
    let mut wrong = script.clone();
    let index = wrong
        .calls
        .iter()
        .position(|call| matches!(call, Call::Move { .. }));
    let index = index.expect("there is a move");
    if let Call::Move { error, .. } = &mut wrong.calls[index] {
        *error = Some("ClaimAlreadyExists".into());
    }
    let found = wrong.replay();
    assert!(matches!(found, Err(Divergence::Call { index: at, .. }) if at == index));

    let mut wrong = script.clone();
    wrong.end.claims[0].clock += alloy_primitives::U128::from(1);
    assert_eq!(wrong.replay(), Err(Divergence::End));

    let mut wrong = script.clone();
    for call in &mut wrong.payouts {
        if let Call::ClaimCredit { paid, .. } = call {
            *paid += alloy_primitives::U128::from(1);
        }
    }
    assert!(matches!(wrong.replay(), Err(Divergence::Call { .. })));

    let wrong = Script {
        version: 1,
        ..script
    };
    assert_eq!(wrong.replay(), Err(Divergence::Version(1)));
}

/// The judge condemns: each property, broken in a game that held it.
#[test]
fn the_judge_is_strict() {
    let fair = (0..).map(play).find(|played| {
        let honest = |game: &Game| {
            let claims = game.claims().iter().skip(1);
            claims
                .filter(|claim| played.honest.contains(&claim.claimant))
                .count()
        };
        judge(played).is_ok() && honest(&played.game) > 2
    });
    let fair = fair.expect("there is one");

    let mut unfinished = fair.clone();
    unfinished.game =
        Game::new(*fair.game.parameters(), fair.game.creation().clone()).expect("as before");
    assert_eq!(judge(&unfinished), Err(Violation::Endless));

    let mut unpaid = fair.clone();
    unpaid.script.payouts.clear();
    assert!(matches!(judge(&unpaid), Err(Violation::Unpaid { .. })));

    // Seen as if somebody else had been the honest one.
    let mut others = fair.clone();
    let all = fair.game.participants();
    others.honest = all
        .into_iter()
        .filter(|who| !fair.honest.contains(who))
        .collect();
    let found = judge(&others);
    assert!(
        matches!(
            found,
            Err(Violation::Lost { .. } | Violation::Robbed { .. })
        ),
        "{found:?}"
    );
}
