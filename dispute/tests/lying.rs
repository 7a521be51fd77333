//! The dishonest side played by a plan: it never contradicts itself, and loses where it lied.

use alloy_primitives::{Address, B256};
use carronade_dispute::provider::{Lying, Split};
use carronade_dispute::sim::toy::{ToyVm, output_after};
use carronade_dispute::sim::truth::{Chain, Execution};
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::{
    Action, Creation, Game, GameError, GameStatus, Message, Parameters, Proposal, Solver,
    TraceAccessor,
};

const HONEST: Address = Address::repeat_byte(1);
const LIAR: Address = Address::repeat_byte(2);

/// The last claim is of the side that did not make the root, since the depth is odd.
const PARAMETERS: Parameters = Parameters {
    max_depth: 11,
    split_depth: 2,
    ..Parameters::STANDARD
};

/// Steps of the program, of 256 that the game has room for.
const LENGTH: u64 = 100;

const VM: ToyVm = ToyVm {
    starting: Proposal {
        root: B256::repeat_byte(7),
        l2_block: 10,
    },
    claimed_block: 14,
    safe_head: 14,
    split_depth: PARAMETERS.split_depth,
    length: LENGTH,
};

type Truth = Split<Chain, Execution>;

fn truth() -> Truth {
    Split {
        outputs: Chain::new(&VM),
        executions: Execution::new(VM),
    }
}

fn lying(block: u64, instruction: u64) -> Lying<Truth> {
    Lying {
        truth: truth(),
        block,
        instruction,
        salt: 5,
    }
}

/// The last claim is of the side that made the root.
const EVEN: Parameters = Parameters {
    max_depth: 12,
    ..PARAMETERS
};

fn game(parameters: Parameters, creator: Address, root: B256) -> Game {
    let creation = Creation {
        creator,
        claimed: Proposal { root, l2_block: 14 },
        starting: VM.starting,
        l1_head: B256::repeat_byte(8),
        l2_chain_id: 1,
        absolute_prestate: VM.hash(&carronade_dispute::sim::toy::State::FIRST),
        created_at: 0,
        bond: 1,
    };
    Game::new(parameters, creation).expect("a sound game")
}

/// Does what a plan says; the state data of steps that the game takes.
fn act(game: &mut Game, sender: Address, action: &Action) -> Result<Option<Vec<u8>>, GameError> {
    action.perform(game, sender, 5, &VM)?;
    Ok(match action {
        Action::Step { data, .. } => Some(data.state_data.clone()),
        _ => None,
    })
}

/// One turn: whether anything came of it, and the step that was taken, if any.
fn turn<T>(game: &mut Game, sender: Address, solver: &mut Solver<T>) -> (bool, Option<Vec<u8>>)
where
    T: TraceAccessor<Error: std::fmt::Debug>,
{
    let plan = solver.next_actions(game, 5);
    assert!(plan.failure.is_none(), "{:?}", plan.failure);
    let (mut acted, mut stepped) = (false, None);
    for action in plan.actions {
        match act(game, sender, &action) {
            Ok(step) => {
                acted = true;
                stepped = stepped.or(step);
            }
            // What a liar brings at the bottom is refused.
            Err(error) => assert!(
                sender == LIAR && matches!(action, Action::Step { .. }),
                "{error}"
            ),
        }
    }
    (acted, stepped)
}

fn resolve(game: &mut Game) {
    let now = 10 * PARAMETERS.max_clock_duration;
    loop {
        let calls = resolutions(game, now, &[], None);
        if calls.is_empty() {
            return;
        }
        for call in calls {
            let sent = Message {
                sender: HONEST,
                value: 0,
                timestamp: now,
            };
            match call {
                Resolution::ResolveClaim {
                    claim,
                    num_to_resolve,
                } => game.resolve_claim(sent, claim, num_to_resolve),
                _ => game.resolve(sent).map(drop),
            }
            .expect("it can be resolved");
        }
    }
}

/// Plays to the end; the state that the honest step began in, if one was needed.
fn play(game: &mut Game, block: u64, instruction: u64) -> Option<Vec<u8>> {
    let mut honest = Solver::new(truth());
    let mut liar = Solver::new(lying(block, instruction));
    let mut stepped = None;
    loop {
        let (honest_acted, step) = turn(game, HONEST, &mut honest);
        stepped = stepped.or(step);
        let (liar_acted, refused) = turn(game, LIAR, &mut liar);
        assert_eq!(refused, None);
        if !honest_acted && !liar_acted {
            break;
        }
    }
    for (index, claim) in game.claims().iter().enumerate().skip(1) {
        let own = match claim.claimant {
            LIAR => liar.trace().claim_at(game, index, claim.position),
            _ => honest.trace().claim_at(game, index, claim.position),
        };
        assert_eq!(own.expect("a claim"), claim.value, "claim {index}");
    }
    resolve(game);
    stepped
}

/// The step counter of a toy state.
fn counter(state_data: &[u8]) -> u64 {
    u64::from_be_bytes(*state_data[..32].last_chunk().expect("a word"))
}

fn right_root() -> B256 {
    (11..=14).fold(VM.starting.root, output_after)
}

fn instructions() -> [u64; 6] {
    [0, 1, 37, LENGTH - 1, LENGTH, LENGTH + 55]
}

#[test]
fn a_wrong_root_falls_at_the_instruction() {
    for block in 11..=14 {
        for instruction in instructions() {
            let mut game = game(EVEN, LIAR, lying(block, 0).mark(right_root()));
            let state = play(&mut game, block, instruction).expect("a step");
            assert_eq!(counter(&state), instruction.min(LENGTH));
            assert_eq!(game.status(), GameStatus::ChallengerWins, "{block}");
            assert_eq!(game.credit(LIAR), 0);
        }
    }
}

#[test]
fn a_right_root_stands() {
    for block in 11..=14 {
        for instruction in instructions() {
            let mut game = game(PARAMETERS, HONEST, right_root());
            let state = play(&mut game, block, instruction).expect("a step");
            assert_eq!(counter(&state), instruction.min(LENGTH));
            assert_eq!(game.status(), GameStatus::DefenderWins, "{block}");
            assert_eq!(game.credit(LIAR), 0);
        }
    }
}

/// Where the honest side has the last claim, it is the liar's to refute it by a step.
#[test]
fn a_liar_has_no_step() {
    for instruction in instructions() {
        let mut wrong = game(PARAMETERS, LIAR, lying(12, 0).mark(right_root()));
        assert_eq!(play(&mut wrong, 12, instruction), None);
        assert_eq!(wrong.status(), GameStatus::ChallengerWins);
        let mut right = game(EVEN, HONEST, right_root());
        assert_eq!(play(&mut right, 12, instruction), None);
        assert_eq!(right.status(), GameStatus::DefenderWins);
        assert!(right.claims().len() > 12 && wrong.claims().len() > 11);
    }
}

/// Who lies about blocks after the claimed one has nothing to say.
#[test]
fn nothing_to_lie_about() {
    let mut game = game(PARAMETERS, HONEST, right_root());
    assert_eq!(play(&mut game, 15, 3), None);
    assert_eq!(game.claims().len(), 1);
    assert_eq!(game.status(), GameStatus::DefenderWins);
}

#[test]
fn statuses_are_those_of_the_program() {
    let mut game = game(PARAMETERS, LIAR, lying(11, 0).mark(right_root()));
    play(&mut game, 11, 37);
    let below = |claim: &&carronade_dispute::Claim| claim.position.depth() > PARAMETERS.split_depth;
    for claim in game.claims().iter().filter(below) {
        let index = claim
            .position
            .relative_to(PARAMETERS.execution_depth())
            .trace_index(PARAMETERS.execution_levels());
        let ended = index >= u128::from(LENGTH) - 1;
        assert_eq!(claim.value[0] == 3, !ended, "at {index}");
    }
}
