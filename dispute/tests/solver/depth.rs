//! The standard game, to the bottom.

use crate::play::{HONEST, LIAR, Play, lie, vm};
use alloy_primitives::B256;
use carronade_dispute::sim::truth::Chain;
use carronade_dispute::{Action, GameStatus, Parameters, Position};

/// The standard game, 73 deep and split at 30, to the bottom and to the end. The trace has
/// more than four million million steps, and the program ends after a thousand. At the
/// bottom are, by parity, the claims of whoever disputes the root.
#[test]
fn full_depth() {
    for wrong_at in [0, 700, 999, 5_000] {
        let (play, steps) = to_the_bottom(|_| lie(0), wrong_at);
        assert_eq!(play.game.status(), GameStatus::ChallengerWins);
        assert_eq!(steps, [], "the last claim is honest");

        let (play, steps) = to_the_bottom(|chain| chain.root(60), wrong_at);
        assert_eq!(play.game.status(), GameStatus::DefenderWins);
        let [Action::Step { data, .. }] = &steps[..] else {
            panic!("not one step: {steps:?}");
        };
        assert_eq!(data.oracle.is_some(), wrong_at == 0, "the first step reads");
    }
}

/// Plays the standard game against a liar who says that the last output is another one, and
/// states from a step on. Gives the game at its end, and the steps of the honest.
fn to_the_bottom(root: impl Fn(&Chain) -> B256, wrong_at: u128) -> (Play, Vec<Action>) {
    let vm = vm(30, 50, 1_000);
    let mut play = Play::new(Parameters::STANDARD, vm, root(&Chain::new(&vm)));
    let mut steps = Vec::new();
    let bottom = play.game.parameters().max_depth as usize;
    loop {
        steps.extend(play.honest());
        steps.retain(|action| matches!(action, Action::Step { .. }));
        if play.game.claims().len() > bottom {
            break;
        }
        play.now += 60;
        deceive(&mut play, wrong_at);
    }
    assert_eq!(play.game.claims().len(), bottom + 1);
    steps.extend(play.honest());
    play.now += 400_000;
    for claim in (0..=bottom).rev() {
        let message = play.message(HONEST);
        let done = play.game.resolve_claim(message, claim, 0);
        done.expect("from the bottom up");
    }
    let message = play.message(HONEST);
    play.game.resolve(message).expect("all is resolved");
    assert!(play.game.credit(HONEST) > play.game.bonds_paid(HONEST));
    (play, steps)
}

/// The liar's answer to the last claim.
fn deceive(play: &mut Play, wrong_at: u128) {
    let last = play.game.claims().len() - 1;
    let parameters = *play.game.parameters();
    let is_wrong = |play: &Play, position: Position| {
        if position.depth() <= parameters.split_depth {
            return play.game.claimed_block(position) >= play.vm.claimed_block;
        }
        let below = position.relative_to(parameters.execution_depth());
        below.trace_index(parameters.execution_levels()) >= wrong_at
    };
    let claim = play.game.claims()[last];
    // A liar takes its own claims for true.
    let is_attack = is_wrong(play, claim.position);
    let position = claim.position.after_move(is_attack);
    if !is_wrong(play, position) {
        let truth = play.truth_after(last, is_attack);
        play.play(LIAR, last, is_attack, truth);
        return;
    }
    // The root of a trace has to end as the side calls for.
    let mut value = lie(1_000 + last as u64);
    let at_root = position.depth() == parameters.execution_depth();
    if at_root && play.try_play(LIAR, last, is_attack, value).is_err() {
        value[0] = 0;
    } else if at_root {
        return;
    }
    play.play(LIAR, last, is_attack, value);
}
