//! Credits, and the anchor.

use crate::table::{ALICE, BOB, PROPOSER, Table, word};
use carronade_dispute::anchor::Anchor;
use carronade_dispute::game::{BondDistributionMode, Closing, Payout};
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::{GameError, Proposal};

const CLOSING: Closing = Closing {
    paused: false,
    finalized: true,
    proper: true,
    withdrawal_delay: 500,
};

fn won_by_alice() -> Table {
    let mut table = Table::new();
    table.attack(ALICE, 0, word(1));
    table.after(2_000).resolve();
    table
}

#[test]
fn credits_are_paid_after_a_delay() {
    let mut table = won_by_alice();
    let won = table.game.credit(ALICE);
    let claim = Resolution::ClaimCredit { recipient: ALICE };
    let plan = resolutions(&table.game, table.now, &[PROPOSER, ALICE], Some(CLOSING));
    assert_eq!(plan, [claim], "the proposer has nothing to get");
    let mut pay = |who, now| table.game.claim_credit(who, now, CLOSING);
    assert_eq!(pay(ALICE, 1_000), Ok(Payout::Unlocked(won)));
    assert_eq!(pay(ALICE, 1_499), Err(GameError::WithdrawalDelayNotMet));
    assert_eq!(pay(ALICE, 1_500), Ok(Payout::Paid(won)));
    assert_eq!(pay(ALICE, 1_501), Err(GameError::NoCreditToClaim));
    assert_eq!(pay(PROPOSER, 1_000), Ok(Payout::Unlocked(0)));
    assert_eq!(pay(PROPOSER, 2_000), Err(GameError::NoCreditToClaim));
    assert_eq!(table.game.credit(ALICE), 0);
    assert_eq!(resolutions(&table.game, 9_999, &[ALICE], Some(CLOSING)), []);
}

#[test]
fn games_are_closed_when_they_are_final() {
    let mut table = Table::new();
    let close = |table: &mut Table, closing| table.game.close(closing);
    assert_eq!(close(&mut table, CLOSING), Err(GameError::GameNotResolved));
    let mut table = won_by_alice();
    let paused = Closing {
        paused: true,
        ..CLOSING
    };
    let early = Closing {
        finalized: false,
        ..CLOSING
    };
    assert_eq!(close(&mut table, paused), Err(GameError::GamePaused));
    assert_eq!(close(&mut table, early), Err(GameError::GameNotFinalized));
    let refused = table.game.claim_credit(ALICE, 0, early);
    assert_eq!(refused, Err(GameError::GameNotFinalized));
    assert_eq!(close(&mut table, CLOSING), Ok(BondDistributionMode::Normal));
    assert_eq!(
        close(&mut table, paused),
        Ok(BondDistributionMode::Normal),
        "once"
    );
}

#[test]
fn games_that_do_not_count_are_refunded() {
    let mut table = won_by_alice();
    let improper = Closing {
        proper: false,
        ..CLOSING
    };
    assert_eq!(table.game.close(improper), Ok(BondDistributionMode::Refund));
    assert_eq!(table.game.credit(PROPOSER), 80);
    assert_eq!(table.game.credit(ALICE), table.game.bonds_paid(ALICE));
    assert_eq!(table.game.credit(BOB), 0);
}

#[test]
fn anchors_move_on() {
    let earlier = Proposal {
        root: word(1),
        l2_block: 13,
    };
    let mut anchor = Anchor(earlier);
    assert!(
        !anchor.advance(&won_by_alice().game, true),
        "the root was wrong"
    );
    let mut table = Table::new();
    assert!(!anchor.advance(&table.game, true), "not resolved");
    table.after(1_000).resolve();
    assert!(!anchor.advance(&table.game, false), "does not count");
    assert!(anchor.advance(&table.game, true));
    assert_eq!(anchor.0, table.game.creation().claimed);
    assert!(!anchor.advance(&table.game, true), "not later");
}
