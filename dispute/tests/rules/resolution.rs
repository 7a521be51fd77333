//! Who wins, and what.

use crate::table::{ALICE, BOB, PROPOSER, Table, creation, output, with_status, word};
use carronade_dispute::sim::toy::{block_number_proof, header};
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::{Game, GameError, GameStatus};

#[test]
fn nobody_disputes() {
    let mut table = Table::new();
    let message = table.message(BOB, 0);
    assert_eq!(
        table.game.resolve(message),
        Err(GameError::OutOfOrderResolution)
    );
    table.after(1_000);
    assert_eq!(table.resolve(), GameStatus::DefenderWins);
    assert_eq!(table.game.resolved_at(), Some(table.now));
    assert_eq!(table.game.credit(PROPOSER), 80);
    assert_eq!(
        table.try_move(ALICE, 0, true, word(1)),
        Err(GameError::GameNotInProgress)
    );
    assert_eq!(table.resolve_claim(0), Err(GameError::GameNotInProgress));
}

#[test]
fn a_claim_that_stands_counters() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let bond = table.game.claims()[first].bond;
    assert_eq!(table.after(2_000).resolve(), GameStatus::ChallengerWins);
    assert_eq!(table.game.credit(ALICE), 80 + bond);
    assert_eq!(table.game.credit(PROPOSER), 0);
    assert_eq!(table.game.claims()[0].countered_by, Some(ALICE));
}

#[test]
fn a_claim_that_is_countered_does_not() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    table.attack(PROPOSER, first, word(2));
    assert_eq!(table.after(2_000).resolve(), GameStatus::DefenderWins);
    assert_eq!(table.game.credit(ALICE), 0);
    assert_eq!(table.game.claims()[first].countered_by, Some(PROPOSER));
}

/// Of several claims that stand, the leftmost wins; of those at one place, the first.
#[test]
fn the_leftmost_wins() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let right = table.defend(PROPOSER, first, word(2));
    let left = table.attack(BOB, first, word(3));
    table.attack(PROPOSER, first, word(4));
    table.after(2_000).resolve();
    let claims = table.game.claims();
    assert_eq!(claims[first].countered_by, Some(BOB));
    assert_eq!(
        table.game.credit(BOB),
        claims[first].bond + claims[left].bond
    );
    assert_eq!(claims[right].countered_by, None, "its own bond comes back");
}

#[test]
fn from_the_bottom_up() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let second = table.attack(PROPOSER, first, word(2));
    table.after(5_000);
    assert_eq!(table.resolve_claim(0), Err(GameError::OutOfOrderResolution));
    assert_eq!(
        table.resolve_claim(first),
        Err(GameError::OutOfOrderResolution)
    );
    assert_eq!(table.resolve_claim(second), Ok(()));
    assert_eq!(table.resolve_claim(first), Ok(()));
}

/// Many children are looked at in pages, and the leftmost is kept between them.
#[test]
fn in_pages() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    for number in 0..4 {
        table.defend(PROPOSER, first, word(10 + number));
    }
    table.attack(BOB, first, word(20));
    table.after(5_000);
    for child in 2..=6 {
        assert_eq!(table.resolve_claim(child), Ok(()));
    }
    let message = table.message(ALICE, 0);
    let page = |table: &mut Table, most| {
        let done = table.game.resolve_claim(message, first, most);
        assert_eq!(done, Ok(()));
        (
            table.game.num_to_resolve(first),
            table.game.is_resolved(first),
        )
    };
    assert_eq!(table.game.num_to_resolve(first), 5);
    assert_eq!(page(&mut table, 2), (3, false));
    assert_eq!(
        page(&mut table, 0),
        (3, false),
        "zero is all in the first call only"
    );
    assert_eq!(page(&mut table, 2), (1, false));
    assert_eq!(page(&mut table, 9), (0, true));
    assert_eq!(table.game.claims()[first].countered_by, Some(BOB));
}

/// A page with a claim that is not resolved leaves everything as it was.
#[test]
fn a_page_fails_whole() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    table.attack(PROPOSER, first, word(2));
    table.attack(PROPOSER, first, word(3));
    table.after(5_000);
    assert_eq!(table.resolve_claim(2), Ok(()));
    let before = table.game.clone();
    let message = table.message(ALICE, 0);
    let refused = table.game.resolve_claim(message, first, 2);
    assert_eq!(refused, Err(GameError::OutOfOrderResolution));
    assert_eq!(table.game, before);
}

/// A game whose root is right, but of block 13, while 14 is claimed.
fn of_another_block() -> Table {
    let mut creation = creation();
    creation.claimed.root = output(13);
    let mut table = Table::new();
    table.game = Game::new(crate::table::PARAMETERS, creation).expect("a sound game");
    table
}

#[test]
fn another_block_loses() {
    let mut table = of_another_block();
    let shown = block_number_proof(output(12), 13);
    let first = table.attack(ALICE, 0, word(1));
    table.attack(PROPOSER, first, word(2));
    let message = table.message(BOB, 0);
    let mut challenge =
        |proof, header: &[u8]| table.game.challenge_root_l2_block(message, proof, header);
    let other = block_number_proof(output(11), 12);
    let refused = challenge(&other.proof, &other.header_rlp);
    assert_eq!(refused, Err(GameError::InvalidOutputRootProof));
    let refused = challenge(&shown.proof, &header(12));
    assert_eq!(refused, Err(GameError::InvalidHeaderRLP));
    assert_eq!(challenge(&shown.proof, &shown.header_rlp), Ok(()));
    let refused = challenge(&shown.proof, &shown.header_rlp);
    assert_eq!(refused, Err(GameError::L2BlockNumberChallenged));

    let refused = table.try_move(ALICE, 0, true, word(7));
    assert_eq!(refused, Err(GameError::L2BlockNumberChallenged));
    table.attack(ALICE, 2, with_status(1, 30));
    assert_eq!(table.after(9_000).resolve(), GameStatus::ChallengerWins);
    assert_eq!(table.game.claims()[0].countered_by, Some(BOB));
    assert_eq!(table.game.credit(BOB), 80);
}

#[test]
fn the_claimed_block_does_not_lose() {
    let mut creation = creation();
    creation.claimed.root = output(14);
    let mut table = Table::new();
    table.game = Game::new(crate::table::PARAMETERS, creation).expect("a sound game");
    let shown = block_number_proof(output(13), 14);
    let message = table.message(BOB, 0);
    let refused = table
        .game
        .challenge_root_l2_block(message, &shown.proof, &shown.header_rlp);
    assert_eq!(refused, Err(GameError::BlockNumberMatches));
}

/// What there is to resolve, at each time; all of it is accepted in that order.
#[test]
fn plans_of_resolution() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    table.after(600).attack(PROPOSER, first, word(2));
    assert_eq!(resolutions(&table.game, table.now + 399, &[], None), []);
    // Above a claim that can be countered still, nothing can be resolved.
    assert_eq!(resolutions(&table.game, table.now + 400, &[], None), []);
    table.after(1_000);
    let claims = [(2, 0), (1, 1), (0, 1)].map(|(claim, num_to_resolve)| Resolution::ResolveClaim {
        claim,
        num_to_resolve,
    });
    let plan = resolutions(&table.game, table.now, &[], None);
    assert_eq!(plan, [&claims[..], &[Resolution::Resolve]].concat());
    table.resolve();
    assert_eq!(resolutions(&table.game, table.now, &[ALICE], None), []);
}
