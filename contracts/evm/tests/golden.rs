//! The reference's steps on our contract: each leads to the reference's state, and no longer
//! does once a byte of it is changed.

mod support;

use carronade_contracts::cases::{Case, compare};
use carronade_contracts::dice::Dice;
use carronade_contracts::stepper::Stepper;
use carronade_emulator::preimage::key_type;
use support::Vector;

const CONTEXT: [u8; 32] = [7; 32];

fn check(vectors: &[Vector]) {
    let mut stepper = Stepper::new();
    for Vector {
        name,
        witness,
        post,
    } in vectors
    {
        if let Some(data) = &witness.oracle {
            // Local data of more than a word has no loader, and blobs need a proof.
            let loaded = stepper.load(data, CONTEXT);
            let is_hashed = matches!(data.key[0], key_type::KECCAK256 | key_type::SHA256);
            assert!(
                loaded || !is_hashed,
                "{name}: the oracle refuses the pre-image"
            );
            if !loaded {
                stepper.put(data, CONTEXT);
            }
        }
        assert_eq!(stepper.step(witness, CONTEXT).post, Ok(*post), "{name}");
    }
}

#[test]
fn proofs_along_guests_lead_to_the_state_of_the_reference() {
    check(&support::proofs_of_guests());
}

#[test]
fn system_calls_lead_to_the_state_of_the_reference() {
    let vectors = support::system_calls();
    assert!(vectors.len() > 5_000, "only {} vectors", vectors.len());
    check(&vectors);
}

#[test]
fn instructions_lead_to_the_state_of_the_reference() {
    let vectors = support::instructions();
    assert!(vectors.len() > 30_000, "only {} vectors", vectors.len());
    check(&vectors);
}

/// Bytes of branches that a step does not use are looked at by neither.
#[test]
fn a_changed_byte_means_the_same_to_emulator_and_contract() {
    let (mut stepper, mut dice, mut refused) = (Stepper::new(), Dice::new(3), 0);
    for vector in support::proofs_of_guests() {
        for _ in 0..8 {
            let mut witness = vector.witness.clone();
            let bit = 1 << dice.below(8);
            let proof = dice.below(witness.proof_data.len() as u64) as usize;
            let state = dice.below(witness.state_data.len() as u64) as usize;
            if dice.one_in(2) {
                witness.proof_data[proof] ^= bit;
            } else {
                witness.state_data[state] ^= bit;
            }
            let case = Case {
                witness,
                local_context: CONTEXT,
            };
            let executed = compare(&mut stepper, &case).unwrap_or_else(|d| panic!("{d}"));
            refused += usize::from(!executed);
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}
