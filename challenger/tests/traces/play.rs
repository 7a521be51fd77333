//! Games between an honest and a lying trace, with steps executed by the contract in revm.

use std::cell::RefCell;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall as _;
use carronade_challenger::Traces;
use carronade_contracts::abi::PreimageOracle;
use carronade_contracts::stepper::{CALLER, Stepper};
use carronade_dispute::provider::{Lying, StepData};
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::upload::{PreimageSource, Upload, upload};
use carronade_dispute::{
    Action, Creation, Game, GameError, GameStatus, Message, Parameters, Proposal, Solver, Vm,
};
use carronade_emulator::machine::Watch;
use carronade_emulator::state::state_hash;
use carronade_emulator::witness::{OracleData, StepWitness};
use carronade_trace::Trace;

pub const HONEST: Address = Address::repeat_byte(1);
pub const LIAR: Address = Address::repeat_byte(2);

/// The verifier of steps on chain, and its oracle.
pub struct OnChain {
    stepper: RefCell<Stepper>,
    oracle: Option<OracleData>,
}

impl OnChain {
    /// With what a step reads still to be uploaded; blobs are at once.
    pub fn new(data: &StepData, source: &mut impl PreimageSource) -> Self {
        let mut stepper = Stepper::new();
        let mut oracle = None;
        if let Some(read) = &data.oracle {
            match upload(read, source, usize::MAX).expect("it can be uploaded") {
                Upload::Blob {
                    part_offset,
                    z,
                    y,
                    commitment,
                    proof,
                } => {
                    let call = PreimageOracle::loadBlobPreimagePartCall {
                        z: z.into(),
                        y: y.into(),
                        commitment: commitment.into(),
                        proof: proof.into(),
                        partOffset: U256::from(part_offset),
                    };
                    let to = stepper.oracle;
                    let receipt = stepper
                        .chain
                        .call(CALLER, to, call.abi_encode(), U256::ZERO);
                    assert!(receipt.output.is_ok(), "{receipt:?}");
                }
                _ => {
                    oracle = Some(OracleData {
                        key: read.key.0,
                        value: read.value.clone(),
                        offset: read.offset.into(),
                    });
                }
            }
        }
        Self {
            stepper: RefCell::new(stepper),
            oracle,
        }
    }
}

impl Vm for OnChain {
    fn step(&self, state_data: &[u8], proof: &[u8], context: B256) -> Result<B256, String> {
        let state: &[u8; 188] = state_data.try_into().map_err(|_| "no state")?;
        let mut stepper = self.stepper.borrow_mut();
        if let Some(oracle) = &self.oracle {
            assert!(stepper.load(oracle, context.0), "the oracle refuses");
        }
        let witness = StepWitness {
            step: 0,
            pre: state_hash(state),
            post: [0; 32],
            state_data: state_data.to_vec(),
            proof_data: proof.to_vec(),
            oracle: None,
        };
        let post = stepper.step(&witness, context.0).post;
        post.map(B256::from).map_err(|data| data.to_string())
    }
}

/// A game about an output.
pub fn game(
    parameters: Parameters,
    creator: Address,
    claimed: Proposal,
    starting: Proposal,
    (l1_head, l2_chain_id, absolute_prestate): (B256, u64, B256),
) -> Game {
    let creation = Creation {
        creator,
        claimed,
        starting,
        l1_head,
        l2_chain_id,
        absolute_prestate,
        created_at: 0,
        bond: 1,
    };
    Game::new(parameters, creation).expect("a sound game")
}

fn act(
    game: &mut Game,
    sender: Address,
    action: &Action,
    source: &mut impl PreimageSource,
) -> Result<Option<StepData>, GameError> {
    match action {
        Action::Step { data, .. } => {
            action.perform(game, sender, 5, &OnChain::new(data, source))?;
            Ok(Some(data.clone()))
        }
        _ => action.perform(game, sender, 5, &NoSteps).map(|()| None),
    }
}

/// For actions that are no steps.
struct NoSteps;

impl Vm for NoSteps {
    fn step(&self, _: &[u8], _: &[u8], _: B256) -> Result<B256, String> {
        Err("no step was to be made".to_owned())
    }
}

/// Plays a game between two traces until nobody can do anything, and resolves it: what the
/// honest step needed, if there was one.
pub fn play(
    game: &mut Game,
    traces: &impl Traces,
    block: u64,
    instruction: u64,
) -> Option<StepData> {
    let open = || traces.open(game).expect("a trace");
    let (honest, liar) = (open(), lying(open(), block, instruction));
    let mut source = traces.preimages();
    let (mut honest, mut liar) = (Solver::new(honest), Solver::new(liar));
    let mut stepped = None;
    loop {
        let mut acted = false;
        for sender in [HONEST, LIAR] {
            let plan = match sender {
                LIAR => liar.next_actions(game, 5),
                _ => honest.next_actions(game, 5),
            };
            assert_eq!(plan.failure, None);
            for action in plan.actions {
                match act(game, sender, &action, &mut source) {
                    Ok(step) => {
                        acted = true;
                        stepped = stepped.or(step);
                    }
                    // A liar has no step.
                    Err(error) => assert!(
                        sender == LIAR && matches!(action, Action::Step { .. }),
                        "{error}"
                    ),
                }
            }
        }
        if !acted {
            break;
        }
    }
    resolve(game);
    stepped
}

/// Who lies from a block and an instruction on.
pub fn lying<T>(truth: T, block: u64, instruction: u64) -> Lying<T> {
    Lying {
        truth,
        block,
        instruction,
        salt: 1,
    }
}

fn resolve(game: &mut Game) {
    let message = Message {
        sender: HONEST,
        value: 0,
        timestamp: 10 * game.parameters().max_clock_duration,
    };
    while game.status() == GameStatus::InProgress {
        for call in resolutions(game, message.timestamp, &[], None) {
            match call {
                Resolution::ResolveClaim {
                    claim,
                    num_to_resolve,
                } => game.resolve_claim(message, claim, num_to_resolve),
                _ => game.resolve(message).map(drop),
            }
            .expect("it can be resolved");
        }
    }
}

/// The first step of a trace that reads a pre-image of a kind.
pub fn reads(trace: &mut Trace, kind: u8) -> u64 {
    let machine = trace.seek(0).expect("the first state");
    loop {
        let ran = machine.run(u64::MAX, Watch::PreimageReads);
        ran.expect("it runs");
        assert!(!machine.state().exited, "nothing of kind {kind} is read");
        if machine.state().preimage_key[0] == kind {
            return machine.state().step - 1;
        }
    }
}
