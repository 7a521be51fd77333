//! A game on chain whose last step the real machine executes.

mod support;

use alloy_sol_types::SolError;
use carronade_contracts::abi::{FaultDisputeGame as Game, PreimageOracle};
use carronade_contracts::stepper::CALLER;
use revm::primitives::U256;
use support::game::{first_step, local_data, parameters, play, step_call};

#[test]
fn a_false_last_claim_is_countered_by_the_machine() {
    let witness = first_step();
    let parameters = parameters(&witness);
    let mut played = play(&parameters, [9; 32]);
    let (game, leaf, system) = (played.game, played.leaf, &mut played.system);
    let step = step_call(leaf, &witness);

    let refused = system.send(CALLER, game, &step, U256::ZERO);
    let missing = PreimageOracle::PreimageMissing::SELECTOR;
    assert_eq!(
        refused.output.unwrap_err()[..],
        missing,
        "before the data is there"
    );

    system.expect(CALLER, game, &local_data(leaf, 8), U256::ZERO);
    let mut wrong = step.clone();
    let mut proof = wrong.proof.to_vec();
    proof[400] ^= 1;
    wrong.proof = proof.into();
    let refused = system.send(CALLER, game, &wrong, U256::ZERO);
    assert!(refused.output.is_err(), "with a wrong proof");

    system.expect(CALLER, game, &step, U256::ZERO);
    let claim = system.ask(
        game,
        &Game::claimDataCall {
            index: U256::from(leaf),
        },
    );
    assert_eq!(claim.counteredBy, CALLER);

    system.chain.pass(parameters.clock);
    for index in (0..=leaf).rev() {
        let call = Game::resolveClaimCall {
            claimIndex: U256::from(index),
            numToResolve: U256::ZERO,
        };
        system.expect(CALLER, game, &call, U256::ZERO);
    }
    system.expect(CALLER, game, &Game::resolveCall {}, U256::ZERO);
    // Depth 73 falls, so 72 stands, and with it all claims of even depth, the root among them.
    assert_eq!(
        system.ask(game, &Game::statusCall {}),
        2,
        "the defender wins"
    );
    let credit = system.ask(game, &Game::creditCall { recipient: CALLER });
    assert_eq!(credit, U256::from(claim.bond));
}

#[test]
fn a_true_last_claim_cannot_be_countered() {
    let witness = first_step();
    let mut played = play(&parameters(&witness), witness.post);
    let (game, leaf, system) = (played.game, played.leaf, &mut played.system);
    system.expect(CALLER, game, &local_data(leaf, 8), U256::ZERO);
    let refused = system.send(CALLER, game, &step_call(leaf, &witness), U256::ZERO);
    assert_eq!(refused.output.unwrap_err()[..], Game::ValidStep::SELECTOR);
}
