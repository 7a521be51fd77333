//! `move`, in the order of the contract's checks.

use crate::table::{ALICE, BOB, PROPOSER, Table, creation, with_status, word};
use carronade_dispute::game::LocalIdent;
use carronade_dispute::{Game, GameError, Move, Position};

#[test]
fn games_that_are_not_created() {
    let mut late = creation();
    late.claimed.l2_block = late.starting.l2_block;
    let refused = Game::new(crate::table::PARAMETERS, late.clone());
    let root = late.claimed.root;
    assert_eq!(refused, Err(GameError::UnexpectedRootClaim(root)));
    late.starting.root = Default::default();
    let refused = Game::new(crate::table::PARAMETERS, late);
    assert_eq!(refused, Err(GameError::AnchorRootNotFound));
}

#[test]
fn moves_that_are_made() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let second = table.defend(PROPOSER, first, word(2));
    let claims = table.game.claims();
    assert_eq!(claims[first].position, Position::ROOT.attack());
    assert_eq!(claims[second].position, Position::ROOT.attack().defend());
    assert_eq!(claims[second].parent, Some(first));
    assert_eq!(claims[second].claimant, PROPOSER);
    assert_eq!(table.game.children(0), [first]);
    assert_eq!(table.game.bonds_paid(ALICE), claims[first].bond);
}

#[test]
fn wrong_parent() {
    let mut table = Table::new();
    let mut move_ = Move {
        parent: 1,
        disputed: word(0),
        claim: word(1),
        is_attack: true,
    };
    let message = table.message(ALICE, 0);
    let refused = table.game.move_(message, move_);
    assert_eq!(refused, Err(GameError::IndexOutOfBounds));
    (move_.parent, move_.disputed) = (0, word(9));
    let refused = table.game.move_(message, move_);
    assert_eq!(refused, Err(GameError::InvalidDisputedClaimIndex));
}

#[test]
fn roots_are_not_defended() {
    let mut table = Table::new();
    let refused = table.try_move(ALICE, 0, false, word(1));
    assert_eq!(refused, Err(GameError::CannotDefendRootClaim));
    let execution_root = execution_root(&mut table);
    let refused = table.try_move(BOB, execution_root, false, word(4));
    assert_eq!(refused, Err(GameError::CannotDefendRootClaim));
}

/// A root, an attack, an attack, and the root of a trace below.
fn execution_root(table: &mut Table) -> usize {
    let first = table.attack(ALICE, 0, word(1));
    let leaf = table.attack(PROPOSER, first, word(2));
    table.attack(ALICE, leaf, with_status(1, 3))
}

#[test]
fn the_bottom() {
    let mut table = Table::new();
    let mut claim = execution_root(&mut table);
    for number in 0..3 {
        claim = table.attack(BOB, claim, word(10 + number));
    }
    let refused = table.try_move(BOB, claim, true, word(20));
    assert_eq!(refused, Err(GameError::GameDepthExceeded));
}

/// All six cases: attack; defence where the output after it is of the other side, or of the
/// same one.
#[test]
fn status_bytes() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    // The output after this leaf is claimed at depth 1, by the other side than the leaf's.
    let left = table.attack(PROPOSER, first, word(2));
    // The one after this leaf is the root's, of the leaf's side.
    let right = table.defend(PROPOSER, first, word(3));
    for (leaf, is_attack, ends_badly) in [
        (left, true, true),
        (right, true, true),
        (left, false, false),
        (right, false, true),
    ] {
        for status in 0..=4 {
            let claim = with_status(status, 50);
            let result = table.try_move(ALICE, leaf, is_attack, claim);
            let fits = if ends_badly { 1..=2 } else { 0..=0 };
            if fits.contains(&status) {
                assert!(result.is_ok(), "{leaf} {is_attack} {status}");
            } else {
                assert_eq!(result, Err(GameError::UnexpectedRootClaim(claim)));
            }
        }
    }
}

#[test]
fn bonds_are_exact() {
    let mut table = Table::new();
    let move_ = Move {
        parent: 0,
        disputed: word(0),
        claim: word(1),
        is_attack: true,
    };
    let bond = table.bond(0);
    for wrong in [0, bond - 1, bond + 1] {
        let message = table.message(ALICE, wrong);
        let refused = table.game.move_(message, move_);
        assert_eq!(refused, Err(GameError::IncorrectBondAmount));
    }
    let message = table.message(ALICE, bond);
    assert_eq!(table.game.move_(message, move_), Ok(1));
}

#[test]
fn duplicates() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let again = table.try_move(BOB, 0, true, word(1));
    assert_eq!(again, Err(GameError::ClaimAlreadyExists));
    // Another value, another parent or another direction is another claim.
    let other = table.attack(BOB, 0, word(2));
    table.attack(BOB, first, word(3));
    table.attack(BOB, other, word(3));
    table.defend(BOB, other, word(3));
}

#[test]
fn local_data() {
    let mut table = Table::new();
    let root = execution_root(&mut table);
    let data = |ident| table.game.local_data(ident, root).expect("there are data");
    let leaf = &table.game.claims()[2];
    assert_eq!(data(LocalIdent::L1Head).word, creation().l1_head);
    // The first block's trace starts from the anchor.
    assert_eq!(
        data(LocalIdent::StartingOutputRoot).word,
        creation().starting.root
    );
    assert_eq!(data(LocalIdent::DisputedOutputRoot).word, leaf.value);
    assert_eq!(
        data(LocalIdent::DisputedL2BlockNumber).word[..8],
        11u64.to_be_bytes()
    );
    assert_eq!(data(LocalIdent::ChainId).word[..8], 901u64.to_be_bytes());
    assert_eq!(data(LocalIdent::ChainId).size, 8);
    let preimage = [leaf.value.as_slice(), &[0; 31], &[4]].concat();
    assert_eq!(
        data(LocalIdent::ChainId).local_context,
        alloy_primitives::keccak256(preimage)
    );
    let above = table.game.local_data(LocalIdent::ChainId, 2);
    assert_eq!(above, Err(GameError::ClaimAboveSplit));
    assert_eq!(
        LocalIdent::from_number(6),
        Err(GameError::InvalidLocalIdent)
    );
}

/// A defence of a leaf starts from it; the output that it leads to is above.
#[test]
fn context_of_a_defence() {
    let mut table = Table::new();
    let first = table.attack(ALICE, 0, word(1));
    let leaf = table.defend(PROPOSER, first, word(2));
    let root = table.defend(ALICE, leaf, with_status(1, 3));
    let outputs = table.game.disputed_outputs(root).expect("in a trace");
    assert_eq!(outputs.starting, word(2));
    assert_eq!(outputs.starting_position, Position::new(2, 2));
    assert_eq!(outputs.disputed, word(0));
    assert_eq!(outputs.disputed_position, Position::ROOT);
    assert_eq!(outputs.preimage().len(), 128);
    let attack = table.attack(BOB, leaf, with_status(1, 4));
    let outputs = table.game.disputed_outputs(attack).expect("in a trace");
    assert_eq!((outputs.starting, outputs.disputed), (word(1), word(2)));
}
