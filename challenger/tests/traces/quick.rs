//! The verifier as the program of games.

use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use carronade_challenger::{Program, QuickChain, QuickTraces, Traces as _, start_of_elf};
use carronade_checkpoint::Store;
use carronade_dispute::game::Disputed;
use carronade_dispute::provider::{ExecutionTrace, StepData};
use carronade_dispute::{Game, GameStatus, Parameters, Position, Proposal};
use carronade_program::chain::ChainSpec;
use carronade_trace::Options;

use crate::play::{HONEST, LIAR, game, lying, play, reads};

/// The last claim is of the side that did not make the root.
const ODD: Parameters = Parameters {
    max_depth: 33,
    split_depth: 4,
    ..Parameters::STANDARD
};

/// The last claim is of the side that made it.
const EVEN: Parameters = Parameters {
    max_depth: 34,
    ..ODD
};

/// No block of it is asked for.
const L1_HEAD: B256 = B256::repeat_byte(8);
const CHAIN_ID: u64 = 901;

pub fn chain() -> QuickChain {
    QuickChain::new(ChainSpec {
        seed: 3,
        blocks: 16,
        leaves_per_block: 4,
    })
}

/// The verifier, with checkpoints in a folder.
pub fn program(folder: &Path) -> Program {
    let elf = include_bytes!("../../../program/elf/verifier.elf");
    let (start, prestate) = start_of_elf(elf.to_vec()).expect("a program");
    let place = folder.to_str().expect("a path");
    Program {
        start,
        prestate,
        engine: Arc::new(|_| Ok(None)),
        options: Options::default(),
        checkpoints: Store::open(place, &Default::default()).expect("a folder"),
        preimages: chain().preimages(),
        nodes: None,
        rollup_config: None,
        l1_config: None,
        interrupted: Arc::new(|| false),
        notice: Arc::new(|words| panic!("{words}")),
    }
}

/// The execution that leads from a block to the next one, and to a root.
pub fn execution(agreed: u64, root: B256) -> ExecutionTrace {
    let agreed = chain().output(agreed);
    ExecutionTrace {
        outputs: Disputed {
            starting: agreed.root,
            starting_position: None,
            disputed: root,
            disputed_position: Position::ROOT,
        },
        agreed,
        claimed: Proposal {
            root,
            l2_block: agreed.l2_block + 1,
        },
        l1_head: L1_HEAD,
        l2_chain_id: CHAIN_ID,
    }
}

fn about(parameters: Parameters, creator: Address, root: B256, prestate: B256) -> Game {
    let claimed = Proposal { root, l2_block: 16 };
    let rest = (L1_HEAD, CHAIN_ID, prestate);
    game(parameters, creator, claimed, chain().output(0), rest)
}

/// Plays about a lie from a block and an instruction on: the honest step's data.
fn dispute(folder: &Path, is_right: bool, block: u64, instruction: u64) -> StepData {
    let program = program(folder);
    let right = chain().output(16).root;
    let (parameters, creator, root, end) = match is_right {
        true => (ODD, HONEST, right, GameStatus::DefenderWins),
        false => {
            let wrong = lying((), block, instruction).mark(right);
            (EVEN, LIAR, wrong, GameStatus::ChallengerWins)
        }
    };
    let mut game = about(parameters, creator, root, program.prestate);
    let traces = QuickTraces::new(chain(), program);
    let data = play(&mut game, &traces, block, instruction).expect("a step");
    assert_eq!(
        game.status(),
        end,
        "block {block}, instruction {instruction}"
    );
    let step = data.state_data[99..107].first_chunk().expect("8 bytes");
    assert_eq!(u64::from_be_bytes(*step), instruction);
    data
}

#[test]
fn a_wrong_root_falls_at_the_instruction() {
    let folder = tempfile::tempdir().expect("a folder");
    for (block, instruction) in [(7, 0), (7, 12_345), (16, 1)] {
        dispute(folder.path(), false, block, instruction);
    }
}

#[test]
fn a_right_root_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    for (block, instruction) in [(1, 0), (7, 12_345)] {
        dispute(folder.path(), true, block, instruction);
    }
}

/// The step reads local data as the game gives them, or what was agreed on, which is uploaded.
#[test]
fn the_disputed_step_reads_a_pre_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let disputed = execution(6, chain().output(7).root);
    for kind in [1, 2] {
        let at = reads(
            &mut program(folder.path()).open(&disputed).expect("a trace"),
            kind,
        );
        for is_right in [true, false] {
            let data = dispute(folder.path(), is_right, 7, at);
            assert_eq!(data.oracle.expect("it reads").key[0], kind);
        }
    }
}

#[test]
fn games_of_other_programs_are_not_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let right = chain().output(16).root;
    let game = about(ODD, HONEST, right, B256::repeat_byte(3));
    let traces = QuickTraces::new(chain(), program(folder.path()));
    let error = traces.open(&game).err().expect("another program");
    assert!(error.contains("0x0303"), "{error}");
}
