//! A dispute over a real program: the steps that the honest actor brings are executed by
//! the verifier of single steps.

use alloy_primitives::{Address, B256};
use carronade_checkpoint::Store;
use carronade_dispute::provider::{ExecutionSource, ExecutionTrace, Machines, Split, StepData};
use carronade_dispute::sim::toy::{ToyVm, output_after};
use carronade_dispute::sim::truth::Chain;
use carronade_dispute::{
    Action, Creation, Game, Message, Move, Parameters, Position, Proposal, Solver, Step,
    TraceAccessor, Vm,
};
use carronade_emulator::image::load_elf;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::{State, StateVersion, state_hash};
use carronade_emulator::step::NoOutput;
use carronade_emulator::witness::{PROOF_DATA_BYTES, Refusal, StepWitness, verify};
use carronade_trace::{Options, Trace, TraceError};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

const HONEST: Address = Address::repeat_byte(1);
const LIAR: Address = Address::repeat_byte(2);

/// The first state of a Go program that greets and ends well.
fn start() -> (State, Memory) {
    let packed = include_bytes!("../../tests/vectors/guests/hello.elf.gz");
    let (mut reader, mut elf) = (flate2::read::MultiGzDecoder::new(&packed[..]), Vec::new());
    reader.read_to_end(&mut elf).expect("a guest");
    load_elf(StateVersion::V8, &elf).expect("a guest")
}

fn prestate() -> [u8; 32] {
    let (state, mut memory) = start();
    state_hash(&state.witness(&memory.root()))
}

fn open(folder: &Path) -> Result<Trace, TraceError> {
    let path = folder.to_str().expect("a path");
    let store = Store::open(path, &Default::default()).expect("a store");
    let store = store.trace(prestate(), [0; 32]);
    let options = Options {
        interval_shift: 18,
        paced: false,
        ..Options::default()
    };
    let (host, output) = (Box::new(NoOracle), Box::new(NoOutput));
    Trace::open(
        start(),
        host,
        output,
        store,
        Arc::new(|_| Ok(None)),
        options,
    )
}

/// The verifier of single steps in the contract's place.
struct Verifier;

impl Vm for Verifier {
    fn step(&self, state_data: &[u8], proof: &[u8], _: B256) -> Result<B256, String> {
        let state: &[u8; 188] = state_data.try_into().map_err(|_| "no state")?;
        let mut step = [0; 8];
        step.copy_from_slice(&state[99..107]);
        let mut proof_data = proof.to_vec();
        // After the end the contract looks at no proof.
        proof_data.resize(PROOF_DATA_BYTES, 0);
        let witness = StepWitness {
            step: u64::from_be_bytes(step),
            pre: state_hash(state),
            post: [0; 32],
            state_data: state.to_vec(),
            proof_data,
            oracle: None,
        };
        // It is not said what comes of the step: the verifier says what does.
        match verify(StateVersion::V8, &witness) {
            Ok(post) | Err(Refusal::PostState(post)) => Ok(post.into()),
            Err(refusal) => Err(format!("{refusal:?}")),
        }
    }
}

fn claim(byte: u8, number: u64) -> B256 {
    let mut word = B256::repeat_byte(0x55);
    word[0] = byte;
    word[24..].copy_from_slice(&number.to_be_bytes());
    word
}

const PARAMETERS: Parameters = Parameters {
    max_depth: 27,
    split_depth: 2,
    ..Parameters::STANDARD
};

fn creation() -> Creation {
    let starting = Proposal {
        root: claim(7, 0),
        l2_block: 10,
    };
    Creation {
        creator: HONEST,
        claimed: Proposal {
            root: (11..=14).fold(starting.root, output_after),
            l2_block: 14,
        },
        starting,
        l1_head: claim(8, 0),
        l2_chain_id: 1,
        absolute_prestate: prestate().into(),
        created_at: 0,
        bond: 1,
    }
}

type Honest<F> = Split<Chain, Machines<F>>;

fn make_move(game: &mut Game, sender: Address, parent: usize, is_attack: bool, claim: B256) {
    let disputed = game.claims()[parent];
    let depth = disputed.position.after_move(is_attack).depth();
    let message = Message {
        sender,
        value: game.required_bond(depth).expect("in the game"),
        timestamp: 5,
    };
    let move_ = Move {
        parent,
        disputed: disputed.value,
        claim,
        is_attack,
    };
    game.move_(message, move_).expect("a sound move");
}

/// The liar says that the last output is another one, and states from an index on.
fn deceive<F>(game: &mut Game, truth: &mut Honest<F>, wrong_at: u128)
where
    F: FnMut(&ExecutionTrace) -> Result<Trace, TraceError>,
{
    let last = game.claims().len() - 1;
    let is_wrong = |game: &Game, position: Position| {
        if position.depth() <= PARAMETERS.split_depth {
            return game.claimed_block(position) >= 14;
        }
        let below = position.relative_to(PARAMETERS.execution_depth());
        below.trace_index(PARAMETERS.execution_levels()) >= wrong_at
    };
    let is_attack = is_wrong(game, game.claims()[last].position);
    let position = game.claims()[last].position.after_move(is_attack);
    let value = match is_wrong(game, position) {
        true => claim(1, last as u64),
        false => truth.claim_at(game, last, position).expect("a claim"),
    };
    make_move(game, LIAR, last, is_attack, value);
}

/// Plays down to the step, and gives what it needs.
fn dispute(folder: &Path, wrong_at: u128) -> StepData {
    let creation = creation();
    let chain = Chain::new(&ToyVm {
        starting: creation.starting,
        claimed_block: 14,
        safe_head: 14,
        split_depth: PARAMETERS.split_depth,
        length: 1,
    });
    let mut game = Game::new(PARAMETERS, creation).expect("a sound game");
    let executions = || Machines::new(1, |_: &ExecutionTrace| open(folder));
    let mut truth = Split {
        outputs: chain.clone(),
        executions: executions(),
    };
    let mut solver = Solver::new(Split {
        outputs: chain,
        executions: executions(),
    });
    loop {
        deceive(&mut game, &mut truth, wrong_at);
        let plan = solver.next_actions(&game, 5);
        assert!(plan.failure.is_none(), "{:?}", plan.failure);
        match &plan.actions[..] {
            [
                Action::Move {
                    parent,
                    is_attack,
                    claim,
                },
            ] => make_move(&mut game, HONEST, *parent, *is_attack, *claim),
            [
                Action::Step {
                    claim,
                    is_attack,
                    data,
                },
            ] => {
                let step = Step {
                    claim: *claim,
                    is_attack: *is_attack,
                    state_data: &data.state_data,
                    proof: &data.proof,
                };
                let message = Message {
                    sender: HONEST,
                    value: 0,
                    timestamp: 5,
                };
                let done = game.step(message, step, &Verifier);
                assert_eq!(done, Ok(()), "wrong at {wrong_at}");
                return data.clone();
            }
            other => panic!("not one action: {other:?}"),
        }
    }
}

#[test]
fn a_lie_about_a_real_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let length = u128::from(
        open(folder.path())
            .expect("a trace")
            .end()
            .expect("an end")
            .step,
    );
    assert!(length < 1 << PARAMETERS.execution_levels());
    for wrong_at in [0, 1, length / 2, length - 1, length, length + 12_345] {
        let data = dispute(folder.path(), wrong_at);
        assert_eq!(data.state_data.len(), 188);
        let past_end = data.proof.is_empty();
        assert_eq!(
            past_end,
            wrong_at >= length,
            "wrong at {wrong_at} of {length}"
        );
    }
}

fn some_trace(block: u64) -> ExecutionTrace {
    let disputed = claim(0, block);
    let of = Proposal {
        root: disputed,
        l2_block: block,
    };
    ExecutionTrace {
        outputs: carronade_dispute::game::Disputed {
            starting: B256::ZERO,
            starting_position: None,
            disputed,
            disputed_position: Position::ROOT,
        },
        agreed: of,
        claimed: of,
        l1_head: B256::ZERO,
        l2_chain_id: 1,
    }
}

#[test]
fn a_trace_that_failed_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut opened = 0;
    let mut machines = Machines::new(2, |_: &ExecutionTrace| {
        opened += 1;
        let fails = opened == 1;
        let mut trace = open(folder.path())?;
        trace.interrupt_when(move || fails);
        Ok(trace)
    });
    let of = some_trace(1);
    let failed = machines.state_hash(&of, 3);
    assert!(matches!(failed, Err(TraceError::Interrupted)), "{failed:?}");
    let hash = machines.state_hash(&of, 3).expect("a state");
    assert_eq!(machines.state_hash(&of, 3).expect("a state"), hash);
    assert_eq!(opened, 2);
}

/// Of as many traces as are kept, none is opened twice.
#[test]
fn machines_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut opened = Vec::new();
    let mut machines = Machines::new(2, |trace: &ExecutionTrace| {
        opened.push(trace.claimed.l2_block);
        open(folder.path())
    });
    // The same again is remembered; another index is asked of the machine.
    for (block, index) in [(1, 3), (2, 3), (1, 4), (3, 3), (1, 5), (2, 3), (2, 4)] {
        machines
            .state_hash(&some_trace(block), index)
            .expect("a state");
    }
    assert_eq!(opened, [1, 2, 3, 2]);
}
