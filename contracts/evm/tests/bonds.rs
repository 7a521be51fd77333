//! The contract's bonds are the model's, which are the reference's to the wei.

use alloy_sol_types::{SolCall, SolValue};
use carronade_contracts::abi::{FaultDisputeGame as Game, GameConstructorParams};
use carronade_contracts::artifact;
use carronade_contracts::chain::Chain;
use carronade_contracts::stepper::CALLER;
use carronade_dispute::bond::Bonds;
use revm::primitives::U256;

#[test]
fn bonds_of_all_depths_are_the_models() {
    let code = artifact::fault_dispute_game().bytecode;
    for max_depth in 4..=125 {
        let rules = GameConstructorParams {
            maxGameDepth: U256::from(max_depth),
            splitDepth: U256::from(2),
            clockExtension: 1,
            maxClockDuration: 2,
        };
        let mut chain = Chain::new();
        let game = chain.deploy(CALLER, &code, &rules.abi_encode());
        let bonds = Bonds::new(max_depth);
        for depth in 0..=max_depth {
            let position = 1 << depth;
            let call = Game::getRequiredBondCall { position };
            let answer = chain.view(CALLER, game, call.abi_encode()).output.unwrap();
            let found = Game::getRequiredBondCall::abi_decode_returns(&answer).unwrap();
            let told = U256::from(bonds.at(depth).unwrap());
            assert_eq!(found, told, "depth {depth} of {max_depth}");
        }
    }
}
