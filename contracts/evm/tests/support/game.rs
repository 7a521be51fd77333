//! A game that is attacked down to its last depth.

use alloy_sol_types::SolCall;
use carronade_contracts::abi::FaultDisputeGame as Game;
use carronade_contracts::chain::intrinsic_gas;
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

/// Who claims the root, and what is on its side.
pub const ALICE: Address = Address::repeat_byte(0xa1);
/// Who claims the opposite.
pub const BOB: Address = Address::repeat_byte(0xb0);
/// More than a game takes, in wei.
pub const WEALTH: U256 = U256::from_limbs([0, 1_000, 0, 0]);
const CLAIMED_BLOCK: u64 = 1_000;
/// The key of the disputed block's number.
const BLOCK_NUMBER: u64 = 4;

/// A machine that reads 8 bytes of a local pre-image in its first step.
pub fn first_step() -> StepWitness {
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

/// A game down to its last depth.
pub struct Played {
    /// All contracts.
    pub system: System,
    /// The game.
    pub game: Address,
    /// Index of the last claim.
    pub leaf: u64,
    /// Gas of each move: execution, and the whole transaction.
    pub moves: Vec<(u64, u64)>,
}

/// All moves are attacks, so that the game ends at the first step of a trace. Only the last claim
/// matters, and says what is given.
pub fn play(parameters: &Parameters, leaf_claim: Hash) -> Played {
    play_by(parameters, leaf_claim, |_| true)
}

/// Moves by turns, attacks where it is said by depth and defences elsewhere.
pub fn play_by(parameters: &Parameters, leaf_claim: Hash, attacks: impl Fn(u64) -> bool) -> Played {
    let mut system = System::new(parameters);
    for player in [ALICE, BOB] {
        system.chain.fund(player, WEALTH);
    }
    let mut claim = [1; 32];
    let game = system.create_game(ALICE, claim, CLAIMED_BLOCK);
    let mut moves = Vec::new();
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
        let (disputed, parent) = (claim.into(), U256::from(depth - 1));
        let data = if attacks(depth) {
            Game::attackCall {
                disputed,
                parentIndex: parent,
                claim: next.into(),
            }
            .abi_encode()
        } else {
            Game::defendCall {
                disputed,
                parentIndex: parent,
                claim: next.into(),
            }
            .abi_encode()
        };
        let player = if depth % 2 == 0 { ALICE } else { BOB };
        let sent = intrinsic_gas(&data);
        let receipt = system.chain.call(player, game, data, bond);
        assert!(receipt.output.is_ok(), "depth {depth}: {receipt:?}");
        moves.push((receipt.gas - sent, receipt.gas));
        claim = next;
    }
    let leaf = parameters.max_depth;
    Played {
        system,
        game,
        leaf,
        moves,
    }
}

/// The step against the last claim.
pub fn step_call(leaf: u64, witness: &StepWitness) -> Game::stepCall {
    Game::stepCall {
        claimIndex: U256::from(leaf),
        isAttack: true,
        stateData: witness.state_data.clone().into(),
        proof: witness.proof_data.clone().into(),
    }
}

/// Gives the disputed block's number to the oracle.
pub fn local_data(leaf: u64, offset: u64) -> Game::addLocalDataCall {
    Game::addLocalDataCall {
        ident: U256::from(BLOCK_NUMBER),
        execLeafIdx: U256::from(leaf),
        partOffset: U256::from(offset),
    }
}

/// Those of the standard configuration, for a program that begins with a step.
pub fn parameters(witness: &StepWitness) -> Parameters {
    let state_data: &[u8; 188] = witness.state_data.as_slice().try_into().unwrap();
    Parameters {
        prestate: state_hash(state_data),
        ..Parameters::default()
    }
}
