//! Chess clocks and their extensions.

use crate::table::{ALICE, BOB, PARAMETERS, PROPOSER, START, Table, with_status, word};
use carronade_dispute::GameError;

#[test]
fn a_side_inherits_its_clock() {
    let mut table = Table::new();
    let first = table.after(100).attack(ALICE, 0, word(1));
    assert_eq!(table.game.claims()[first].clock.duration, 100);
    let second = table.after(30).attack(PROPOSER, first, word(2));
    assert_eq!(table.game.claims()[second].clock.duration, 30);
    let third = table.after(7).attack(BOB, second, with_status(1, 3));
    assert_eq!(table.game.claims()[third].clock.duration, 107);
    assert_eq!(table.game.claims()[third].clock.timestamp, START + 137);
    assert_eq!(table.game.challenger_duration(third, table.now + 5), Ok(35));
    assert_eq!(table.game.challenger_duration(third, u64::MAX), Ok(1_000));
    assert_eq!(table.game.deadline(third), table.now + 970);
}

#[test]
fn no_move_when_time_is_up() {
    let mut table = Table::new();
    table.after(999).attack(ALICE, 0, word(1));
    let refused = table.after(1).try_move(ALICE, 0, true, word(2));
    assert_eq!(refused, Err(GameError::ClockTimeExceeded));
}

/// A claim at each depth, made at the last second: what its side has left then.
#[test]
fn extensions() {
    let at_depth = |depth: u32| {
        let mut table = Table::new();
        let mut claim = 0;
        for number in 1..depth {
            claim = table.attack(ALICE, claim, with_status(1, u64::from(number)));
        }
        let last = table.after(999).attack(BOB, claim, with_status(1, 99));
        1_000 - table.game.claims()[last].clock.duration
    };
    let before_trace = PARAMETERS.split_depth - 1;
    let before_steps = PARAMETERS.max_depth - 1;
    for depth in 1..=PARAMETERS.max_depth {
        let expected = match depth {
            depth if depth == before_trace => 200,
            depth if depth == before_steps => 350,
            _ => 100,
        };
        assert_eq!(at_depth(depth), expected, "depth {depth}");
    }
}

/// The extension takes nothing from a side that has more time left.
#[test]
fn no_extension_with_time_left() {
    let mut table = Table::new();
    let claim = table.after(800).attack(ALICE, 0, word(1));
    assert_eq!(table.game.claims()[claim].clock.duration, 800);
    let claim = table.attack(PROPOSER, claim, word(2));
    assert_eq!(table.game.claims()[claim].clock.duration, 0);
}

#[test]
fn claims_are_resolved_when_time_is_up() {
    let mut table = Table::new();
    let claim = table.after(400).attack(ALICE, 0, word(1));
    let refused = table.after(999).resolve_claim(claim);
    assert_eq!(refused, Err(GameError::ClockNotExpired));
    assert_eq!(table.after(1).resolve_claim(claim), Ok(()));
    assert_eq!(
        table.resolve_claim(claim),
        Err(GameError::ClaimAlreadyResolved)
    );
    assert_eq!(table.resolve_claim(9), Err(GameError::IndexOutOfBounds));
}
