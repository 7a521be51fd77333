//! `step`: which states, and who must be proven wrong.

use crate::table::{ALICE, BOB, PROPOSER, Table, output, vm, with_status, word};
use alloy_primitives::B256;
use carronade_dispute::sim::toy::State;
use carronade_dispute::{GameError, Step};

/// A wrong root, challenged down to the trace between blocks 12 and 13. The claims there
/// are given; gives them, and the states of the true trace.
struct Duel {
    table: Table,
    root: usize,
    proof: Vec<u8>,
    states: Vec<State>,
}

impl Duel {
    fn new() -> Self {
        let mut table = Table::new();
        let first = table.attack(ALICE, 0, output(12));
        let wrong = table.defend(PROPOSER, first, word(5));
        let root = table.attack(ALICE, wrong, with_status(1, 0));
        let proof = table
            .game
            .disputed_outputs(root)
            .expect("in a trace")
            .preimage();
        let states = vm().run(&proof);
        Self {
            table,
            root,
            proof,
            states,
        }
    }

    fn truth(&self, counter: usize) -> B256 {
        vm().hash(&self.states[counter])
    }

    fn step(&mut self, claim: usize, is_attack: bool, counter: usize) -> Result<(), GameError> {
        let data = self.states[counter].data();
        self.table
            .step(BOB, claim, is_attack, &data, &self.proof.clone())
    }
}

#[test]
fn the_first_step_starts_from_the_program() {
    let mut duel = Duel::new();
    let mut claim = duel.root;
    for number in 0..3 {
        claim = duel.table.attack(PROPOSER, claim, word(10 + number));
    }
    assert_eq!(duel.step(claim, true, 1), Err(GameError::InvalidPrestate));
    assert_eq!(duel.step(claim, true, 0), Ok(()));
    assert_eq!(duel.table.game.claims()[claim].countered_by, Some(BOB));
    assert_eq!(duel.step(claim, true, 0), Err(GameError::DuplicateStep));
}

#[test]
fn right_claims_are_not_countered() {
    let mut duel = Duel::new();
    let a = duel.table.attack(PROPOSER, duel.root, word(10));
    let b = duel.table.attack(ALICE, a, word(11));
    let right = duel.truth(1);
    let c = duel.table.attack(PROPOSER, b, right);
    assert_eq!(duel.step(c, true, 0), Err(GameError::ValidStep));
}

/// A defence: the claim is the state before, and the state after is claimed above, by the
/// same side, which the step has to refute, or by the other, which it has to confirm.
#[test]
fn defences_look_at_the_side() {
    let mut duel = Duel::new();
    // After step 3, by the proposer; after step 1, by the challenger.
    let (wrong, right) = (word(10), duel.truth(2));
    let a = duel.table.attack(PROPOSER, duel.root, wrong);
    let b = duel.table.attack(ALICE, a, right);
    // After step 2, by the proposer: right, but then after step 3 it is wrong.
    let c = duel.table.defend(PROPOSER, b, duel.truth(3));
    assert_eq!(duel.step(c, true, 2), Err(GameError::ValidStep));
    assert_eq!(duel.step(c, false, 3), Ok(()));

    // After step 0, by the proposer: right. The challenger's claim after step 1 is right
    // too, and a step that confirms it counters the one who is of the other side.
    let d = duel.table.attack(PROPOSER, b, duel.truth(1));
    assert_eq!(duel.step(d, false, 1), Ok(()));

    // The same with a wrong claim of the challenger: nothing to be had.
    let e = duel.table.attack(ALICE, a, word(11));
    let f = duel.table.attack(PROPOSER, e, duel.truth(1));
    assert_eq!(duel.step(f, false, 1), Err(GameError::ValidStep));
}

#[test]
fn attacks_start_from_the_claim_before() {
    let mut duel = Duel::new();
    let a = duel.table.attack(PROPOSER, duel.root, word(10));
    let b = duel.table.attack(ALICE, a, duel.truth(2));
    let c = duel.table.defend(PROPOSER, b, word(12));
    for counter in [0, 1, 3] {
        assert_eq!(duel.step(c, true, counter), Err(GameError::InvalidPrestate));
    }
    assert_eq!(duel.step(c, true, 2), Ok(()));
}

#[test]
fn the_status_is_not_hashed() {
    let mut duel = Duel::new();
    let a = duel.table.attack(PROPOSER, duel.root, word(10));
    let mut claim = duel.truth(2);
    claim[0] = 0xee;
    let b = duel.table.attack(ALICE, a, claim);
    let c = duel.table.defend(PROPOSER, b, word(12));
    assert_eq!(duel.step(c, true, 2), Ok(()));
}

#[test]
fn only_at_the_bottom() {
    let mut duel = Duel::new();
    for claim in 0..=duel.root {
        assert_eq!(duel.step(claim, true, 0), Err(GameError::InvalidParent));
        assert_eq!(duel.step(claim, false, 0), Err(GameError::InvalidParent));
    }
    assert_eq!(duel.step(99, true, 0), Err(GameError::IndexOutOfBounds));
}

#[test]
fn the_machine_may_refuse() {
    let mut duel = Duel::new();
    let mut claim = duel.root;
    for number in 0..3 {
        claim = duel.table.attack(PROPOSER, claim, word(10 + number));
    }
    let message = duel.table.message(BOB, 0);
    let state_data = State::FIRST.data();
    let step = Step {
        claim,
        is_attack: true,
        state_data: &state_data,
        proof: &[],
    };
    let refused = duel.table.game.step(message, step, &vm());
    assert!(matches!(refused, Err(GameError::VmReverted(_))));
    assert_eq!(
        refused.map_err(|error| error.name()),
        Err("VmReverted".into())
    );
}

#[test]
fn a_step_wins_the_bond() {
    let mut duel = Duel::new();
    let mut claim = duel.root;
    for number in 0..3 {
        claim = duel.table.attack(PROPOSER, claim, word(10 + number));
    }
    assert_eq!(duel.step(claim, true, 0), Ok(()));
    assert_eq!(duel.table.after(5_000).resolve_claim(claim), Ok(()));
    let bond = duel.table.game.claims()[claim].bond;
    assert_eq!(duel.table.game.credit(BOB), bond);
    assert_eq!(duel.table.game.credit(PROPOSER), 0);
}

/// A clock does not matter to a step, the end of the game does.
#[test]
fn late_steps() {
    let mut duel = Duel::new();
    let mut claim = duel.root;
    for number in 0..3 {
        claim = duel.table.attack(PROPOSER, claim, word(10 + number));
    }
    duel.table.after(5_000);
    assert_eq!(duel.table.resolve_claim(claim), Ok(()));
    assert_eq!(duel.step(claim, true, 0), Ok(()));
    duel.table.resolve();
    assert_eq!(duel.step(claim, true, 0), Err(GameError::GameNotInProgress));
}
