//! What the contracts refuse, and by which name it is told. Nothing of it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, B256, U256};
use carronade_challenger::{Request, SendError};
use carronade_contracts::abi::FaultDisputeGame as Abi;
use carronade_contracts::deployment::Parameters;
use carronade_dispute::game::Disputed;
use carronade_dispute::provider::ExecutionTrace;
use carronade_dispute::{Position, Proposal};
use carronade_emulator::machine::Watch;
use carronade_emulator::witness::StepWitness;

use crate::arena::{Arena, small_chain, verifier};

/// Depths at which a step is four moves away.
fn shallow() -> Parameters {
    Parameters {
        max_depth: 4,
        split_depth: 2,
        prestate: verifier().1.0,
        ..Parameters::default()
    }
}

/// Requests made so far.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

struct Game<'a> {
    arena: &'a Arena,
    address: Address,
}

impl Game<'_> {
    /// A move, with the right bond and the claim that it is against unless told otherwise.
    fn request(&self, parent: usize, claim: B256, is_attack: bool) -> Request {
        let game = self.arena.game(self.address);
        let against = game.claims()[parent];
        let depth = against.position.after_move(is_attack).depth();
        let call = Abi::moveCall {
            disputed: against.value,
            challengeIndex: U256::from(parent),
            claim,
            isAttack: is_attack,
        };
        let bond = U256::from(game.required_bond(depth).expect("a bond"));
        // Each for another purpose: the sender would not even ask about the same again.
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        Request::new(format!("move {number}"), self.address, &call, bond)
    }

    fn attack(&self, parent: usize, claim: B256) {
        let request = self.request(parent, claim, true);
        self.arena.send(request).expect("a sound move");
    }

    /// Attacks down to the bottom, with an execution that is said to end invalid.
    fn attack_to_the_bottom(&self) {
        for depth in 1..=4 {
            let mut claim = B256::repeat_byte(0x10 + depth as u8);
            if depth == 3 {
                claim[0] = 1;
            }
            self.attack(depth - 1, claim);
        }
    }

    fn step(&self, state_data: Vec<u8>, proof: Vec<u8>) -> Request {
        let call = Abi::stepCall {
            claimIndex: U256::from(4),
            isAttack: true,
            stateData: state_data.into(),
            proof: proof.into(),
        };
        Request::new("a step".into(), self.address, &call, U256::ZERO)
    }
}

#[track_caller]
fn refused(arena: &Arena, request: Request, name: &str) {
    let before = arena.chain().latest().expect("a block");
    match arena.send(request) {
        Err(SendError::Reverts { reason, .. }) => {
            assert!(reason.contains(name), "{reason} is not {name}");
        }
        other => panic!("{name}: {other:?}"),
    }
    assert_eq!(arena.chain().latest().expect("a block"), before);
}

#[test]
fn moves_that_break_a_rule() {
    let mut arena = Arena::with(shallow());
    let address = arena.wrong_game();
    let game = Game {
        arena: &arena,
        address,
    };
    let claim = B256::repeat_byte(3);
    for change in [U256::MAX, U256::ONE] {
        let mut request = game.request(0, claim, true);
        request.value = request.value.wrapping_add(change);
        refused(&arena, request, "IncorrectBondAmount");
    }
    // A parent that is not there, one that is another claim, and one that cannot be defended.
    let call = Abi::moveCall {
        disputed: claim,
        challengeIndex: U256::from(7),
        claim,
        isAttack: true,
    };
    let request = game.request(0, claim, true);
    let missing = Request::new("no parent".into(), address, &call, request.value);
    refused(&arena, missing, "Panic(0x32)");
    let call = Abi::moveCall {
        disputed: claim,
        challengeIndex: U256::ZERO,
        claim,
        isAttack: true,
    };
    let other = Request::new("another parent".into(), address, &call, request.value);
    refused(&arena, other, "InvalidDisputedClaimIndex");
    refused(
        &arena,
        game.request(0, claim, false),
        "CannotDefendRootClaim",
    );

    game.attack(0, claim);
    refused(&arena, game.request(0, claim, true), "ClaimAlreadyExists");
    let clock = arena.parameters.clock;
    arena.anvil.increase_time(clock + 1).expect("time passes");
    refused(&arena, game.request(1, claim, true), "ClockTimeExceeded");
}

#[test]
fn executions_with_a_status_that_does_not_fit() {
    let mut arena = Arena::with(shallow());
    let address = arena.wrong_game();
    let game = Game {
        arena: &arena,
        address,
    };
    game.attack(0, B256::repeat_byte(0x11));
    game.attack(1, B256::repeat_byte(0x12));
    let mut valid = B256::repeat_byte(0x13);
    valid[0] = 0;
    refused(&arena, game.request(2, valid, true), "UnexpectedRootClaim");
}

#[test]
fn steps_with_another_state_or_a_wrong_proof() {
    let mut arena = Arena::with(shallow());
    let address = arena.wrong_game();
    let game = Game {
        arena: &arena,
        address,
    };
    let early = Request::new(
        "a step above the bottom".into(),
        address,
        &Abi::stepCall {
            claimIndex: U256::ZERO,
            isAttack: true,
            stateData: vec![0; 188].into(),
            proof: vec![].into(),
        },
        U256::ZERO,
    );
    refused(&arena, early, "InvalidParent");
    game.attack_to_the_bottom();
    let (state, mut memory) = (verifier().0)().expect("a program");
    let data = state.witness(&memory.root()).to_vec();
    let mut other = data.clone();
    other[100] ^= 1;
    refused(&arena, game.step(other, vec![0; 6090]), "InvalidPrestate");
    refused(
        &arena,
        game.step(data.clone(), vec![0; 6090]),
        "InvalidThreadWitness",
    );
    refused(&arena, game.step(data, Vec::new()), "ProofTooShort");
}

/// The step of the verifier that first reads a keccak pre-image, and the state before it.
fn reading_step(arena: &Arena) -> StepWitness {
    let program = arena.program("reading", Arc::new(|words| panic!("{words}")));
    let (agreed, claimed) = (small_chain().output(0), small_chain().output(1));
    let of = ExecutionTrace {
        outputs: Disputed {
            starting: agreed.root,
            starting_position: None,
            disputed: claimed.root,
            disputed_position: Position::ROOT,
        },
        agreed,
        claimed: Proposal {
            root: claimed.root,
            l2_block: 1,
        },
        l1_head: B256::ZERO,
        l2_chain_id: 901,
    };
    let mut trace = program.open(&of).expect("a trace");
    let machine = trace.seek(0).expect("the first state");
    while machine.state().preimage_key[0] != 2 || machine.state().preimage_offset == 0 {
        let ran = machine.run(u64::MAX, Watch::PreimageReads);
        ran.expect("it runs");
        assert!(!machine.state().exited, "nothing is read");
    }
    let step = machine.state().step - 1;
    let witness = trace.witness(step).expect("a witness");
    witness.expect("a step before the end")
}

#[test]
fn a_step_whose_pre_image_is_not_in_the_oracle() {
    // The game's program is taken to begin right before the step.
    let elsewhere = Arena::with(shallow());
    let witness = reading_step(&elsewhere);
    assert_eq!(witness.oracle.as_ref().expect("it reads").key[0], 2);
    let mut arena = Arena::with(Parameters {
        prestate: witness.pre,
        ..shallow()
    });
    let address = arena.wrong_game();
    let game = Game {
        arena: &arena,
        address,
    };
    game.attack_to_the_bottom();
    let step = game.step(witness.state_data, witness.proof_data);
    refused(&arena, step, "PreimageMissing");
}
