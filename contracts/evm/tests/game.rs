//! A game on chain whose last step the real machine executes.

use alloy_sol_types::{SolCall, SolError};
use carronade_contracts::abi::{FaultDisputeGame as Game, PreimageOracle};
use carronade_contracts::stepper::CALLER;
use carronade_contracts::system::{Parameters, System};
use carronade_emulator::cpu::Width;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::state::{State, StateVersion, state_hash};
use carronade_emulator::step::NoOutput;
use carronade_emulator::witness::StepWitness;
use revm::primitives::{Address, U256};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
const CLAIMED_BLOCK: u64 = 1_000;
/// The key of the claimed block's number.
const BLOCK_NUMBER: u64 = 4;

/// A machine that reads 8 bytes of a local pre-image in its first step.
fn first_step() -> StepWitness {
    let (mut state, mut memory) = (State::new(StateVersion::V8, 0x1000, 0), Memory::new());
    state.preimage_key[0] = 1;
    state.preimage_key[31] = BLOCK_NUMBER as u8;
    state.preimage_offset = 8;
    let registers = &mut state.thread_mut().unwrap().registers;
    // read(5, 0x2000, 8)
    (registers[2], registers[4], registers[5], registers[6]) = (5000, 5, 0x2000, 8);
    let _ = memory.store(0x1000, Width::Word, 0x0c);
    let disputed_block: u64 = 1;
    let images = [(state.preimage_key, disputed_block.to_be_bytes().to_vec())];
    let oracle = MapOracle {
        images: images.into(),
        hints: Vec::new(),
    };
    let mut machine = Machine::new(state, memory, Box::new(oracle), Box::new(NoOutput));
    machine.prove().unwrap()
}

/// A game in which all moves are attacks, so that it ends at the first step of a trace.
struct Played {
    system: System,
    game: Address,
    leaf: u64,
    gas_of_moves: Vec<u64>,
}

fn play(parameters: &Parameters, leaf_claim: Hash) -> Played {
    let mut system = System::new(parameters);
    for player in [ALICE, BOB] {
        system
            .chain
            .fund(player, U256::from(10).pow(U256::from(21)));
    }
    let mut claim = [1; 32];
    let game = system.create_game(ALICE, claim, CLAIMED_BLOCK);
    let mut gas_of_moves = Vec::new();
    for depth in 1..=parameters.max_depth {
        let bond = Game::getRequiredBondCall {
            position: 1 << depth,
        };
        let bond = system.ask(game, &bond);
        let next = if depth == parameters.max_depth {
            leaf_claim
        } else {
            claim
        };
        let call = Game::attackCall {
            disputed: claim.into(),
            parentIndex: U256::from(depth - 1),
            claim: next.into(),
        };
        let player = if depth % 2 == 0 { ALICE } else { BOB };
        gas_of_moves.push(system.expect(player, game, &call, bond).gas);
        claim = next;
    }
    let leaf = parameters.max_depth;
    Played {
        system,
        game,
        leaf,
        gas_of_moves,
    }
}

fn step_call(leaf: u64, witness: &StepWitness) -> Game::stepCall {
    Game::stepCall {
        claimIndex: U256::from(leaf),
        isAttack: true,
        stateData: witness.state_data.clone().into(),
        proof: witness.proof_data.clone().into(),
    }
}

fn local_data(leaf: u64, offset: u64) -> Game::addLocalDataCall {
    Game::addLocalDataCall {
        ident: U256::from(BLOCK_NUMBER),
        execLeafIdx: U256::from(leaf),
        partOffset: U256::from(offset),
    }
}

fn parameters(witness: &StepWitness) -> Parameters {
    let state_data: &[u8; 188] = witness.state_data.as_slice().try_into().unwrap();
    Parameters {
        prestate: state_hash(state_data),
        ..Parameters::default()
    }
}

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

/// Whole transactions, without the refunds of EIP-3529 taken into account by the reference's
/// figures, which are of execution alone.
#[test]
fn moves_cost_no_more_than_the_references() {
    let witness = first_step();
    let mut played = play(&parameters(&witness), [9; 32]);
    let intrinsic = 21_000;
    println!("{:?}", played.gas_of_moves);
    let most = played.gas_of_moves.iter().max().unwrap() - intrinsic;
    assert!(most <= 224_000, "attack: {most}");
    let (game, leaf, system) = (played.game, played.leaf, &mut played.system);
    let data = system.expect(CALLER, game, &local_data(leaf, 8), U256::ZERO);
    assert!(data.gas - intrinsic <= 90_000, "addLocalData: {}", data.gas);
    let step = step_call(leaf, &witness);
    let sent = carronade_contracts::chain::intrinsic_gas(&step.abi_encode());
    let gas = system.expect(CALLER, game, &step, U256::ZERO).gas - sent;
    println!(
        "attack {most}, addLocalData {}, step {gas}",
        data.gas - intrinsic
    );
}
