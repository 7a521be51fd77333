//! Which claims are answered, and how.

use crate::play::{HONEST, LIAR, Play, lie, moves};
use carronade_dispute::Action;
use carronade_dispute::sim::toy::block_number_proof;
use carronade_dispute::sim::truth::Chain;

#[test]
fn a_right_root_is_left_alone() {
    let mut play = Play::small(|chain| chain.root(14));
    assert_eq!(play.plan(), []);
    play.play(LIAR, 0, true, lie(1));
    assert_eq!(moves(&play.honest()), [(1, true)]);
    assert_eq!(play.plan(), [], "answered");
}

#[test]
fn a_wrong_root_is_attacked_with_the_truth() {
    let mut play = Play::small(|_| lie(0));
    let root = play.truth_after(0, true);
    let expected = Action::Move {
        parent: 0,
        is_attack: true,
        claim: root,
    };
    assert_eq!(play.honest(), [expected]);
    assert_eq!(root, Chain::new(&play.vm).root(12));
}

/// A claim that counters an honest one is attacked if it is wrong, and defended if right.
#[test]
fn counters_of_honest_claims() {
    let mut play = Play::small(|_| lie(0));
    play.honest();
    play.play(LIAR, 1, true, lie(1));
    let right = play.truth_after(1, false);
    play.play(LIAR, 1, false, right);
    assert_eq!(moves(&play.plan()), [(2, true), (3, false)]);
}

/// The freeloader rule: of the claims beside an honest answer, those to the left and those
/// at its place are countered, those to the right are not, nor what is below them.
#[test]
fn freeloaders() {
    let mut play = Play::split_at(5, |_| lie(0));
    play.honest();
    let right = play.truth_after(1, false);
    let disputed = play.play(LIAR, 1, false, right);
    assert_eq!(moves(&play.honest()), [(disputed, false)]);
    let same_place = play.play(LIAR, disputed, false, lie(3));
    let left = play.play(LIAR, disputed, true, lie(4));
    let true_left = play.truth_after(disputed, true);
    let true_left = play.play(LIAR, disputed, true, true_left);
    let expected = [(same_place, true), (left, true), (true_left, false)];
    assert_eq!(moves(&play.plan()), expected);

    let mut play = Play::split_at(5, |_| lie(0));
    play.honest();
    let disputed = play.play(LIAR, 1, true, lie(1));
    assert_eq!(moves(&play.honest()), [(disputed, true)]);
    let right = play.play(LIAR, disputed, false, lie(2));
    play.play(LIAR, right, true, lie(3));
    assert_eq!(play.plan(), [], "to the right of the honest answer");
}

/// An honest claim that somebody else made is not made again, and is stood up for.
#[test]
fn what_others_claimed_honestly() {
    let mut play = Play::small(|_| lie(0));
    let truth = play.truth_after(0, true);
    play.play(LIAR, 0, true, truth);
    assert_eq!(play.plan(), []);
    play.play(LIAR, 1, true, lie(2));
    assert_eq!(moves(&play.plan()), [(2, true)]);
}

#[test]
fn nothing_when_time_is_up() {
    let mut play = Play::small(|_| lie(0));
    play.now += 999;
    assert_eq!(moves(&play.plan()), [(0, true)]);
    play.now += 1;
    assert_eq!(play.plan(), []);
}

#[test]
fn a_right_root_of_another_block() {
    let mut play = Play::small(|chain| chain.root(13));
    play.vm.safe_head = 13;
    let shown = block_number_proof(Chain::new(&play.vm).root(12), 13);
    assert_eq!(play.honest(), [Action::ChallengeL2BlockNumber(shown)]);
    assert_eq!(play.plan(), [], "once");
    // A wrong root of such a block is disputed as any other.
    let mut play = Play::small(|_| lie(0));
    play.vm.safe_head = 13;
    assert_eq!(moves(&play.honest()), [(0, true)]);
}

/// Both ends of a dispute in a trace: the honest actor steps, once.
#[test]
fn steps() {
    for tells_truth in [false, true] {
        let mut play = Play::small(|_| lie(0));
        loop {
            let actions = play.honest();
            if let [Action::Step { is_attack, .. }] = actions[..] {
                assert_eq!(is_attack, !tells_truth);
                break;
            }
            let last = play.game.claims().len() - 1;
            let deep = play.game.claims()[last].position.depth() >= 5;
            let claim = match tells_truth && deep {
                true => play.truth_after(last, true),
                false => lie(100 + last as u64),
            };
            play.play(LIAR, last, true, claim);
        }
        assert_eq!(play.plan(), [], "stepped");
        let leaf = play.game.claims().last().expect("there is one");
        assert_eq!(leaf.countered_by, Some(HONEST));
    }
}
