//! A small game and short ways to play it.

use alloy_primitives::{Address, B256, keccak256};
use carronade_dispute::sim::toy::{State, ToyVm, output_after};
use carronade_dispute::{
    Creation, Game, GameError, GameStatus, Message, Move, Parameters, Proposal, Step,
};

/// The proposer, and two who challenge.
pub const PROPOSER: Address = Address::repeat_byte(1);
pub const ALICE: Address = Address::repeat_byte(2);
pub const BOB: Address = Address::repeat_byte(3);

/// When games begin.
pub const START: u64 = 1_000_000;

/// A claim of no meaning, told apart by a number.
pub fn word(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// The same with a status.
pub fn with_status(status: u8, number: u64) -> B256 {
    let mut word = word(number);
    word[0] = status;
    word
}

/// Depth 6, split at 2: 4 blocks, and traces of 8 steps.
pub const PARAMETERS: Parameters = Parameters {
    max_depth: 6,
    split_depth: 2,
    max_clock_duration: 1_000,
    clock_extension: 100,
    challenge_period: 250,
};

pub fn vm() -> ToyVm {
    ToyVm {
        starting: Proposal {
            root: word(77),
            l2_block: 10,
        },
        claimed_block: 14,
        safe_head: 14,
        split_depth: PARAMETERS.split_depth,
        length: 8,
    }
}

/// The true output root of a block.
pub fn output(block: u64) -> B256 {
    (11..=block).fold(vm().starting.root, output_after)
}

pub fn creation() -> Creation {
    let vm = vm();
    Creation {
        creator: PROPOSER,
        claimed: Proposal {
            root: word(0),
            l2_block: 14,
        },
        starting: vm.starting,
        l1_head: word(88),
        l2_chain_id: 901,
        absolute_prestate: vm.hash(&State::FIRST),
        created_at: START,
        bond: 80,
    }
}

pub struct Table {
    pub game: Game,
    pub now: u64,
}

impl Table {
    pub fn new() -> Self {
        Self {
            game: Game::new(PARAMETERS, creation()).expect("a sound game"),
            now: START,
        }
    }

    pub fn message(&self, sender: Address, value: u128) -> Message {
        Message {
            sender,
            value,
            timestamp: self.now,
        }
    }

    pub fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds;
        self
    }

    pub fn bond(&self, parent: usize) -> u128 {
        let position = self.game.claims()[parent].position;
        let depth = position.depth() + 1;
        self.game.required_bond(depth).unwrap_or(0)
    }

    pub fn try_move(
        &mut self,
        sender: Address,
        parent: usize,
        is_attack: bool,
        claim: B256,
    ) -> Result<usize, GameError> {
        let message = self.message(sender, self.bond(parent));
        let disputed = self.game.claims()[parent].value;
        self.game.move_(
            message,
            Move {
                parent,
                disputed,
                claim,
                is_attack,
            },
        )
    }

    pub fn attack(&mut self, sender: Address, parent: usize, claim: B256) -> usize {
        self.try_move(sender, parent, true, claim).expect("a move")
    }

    pub fn defend(&mut self, sender: Address, parent: usize, claim: B256) -> usize {
        self.try_move(sender, parent, false, claim).expect("a move")
    }

    pub fn step(
        &mut self,
        sender: Address,
        claim: usize,
        is_attack: bool,
        state_data: &[u8],
        proof: &[u8],
    ) -> Result<(), GameError> {
        let step = Step {
            claim,
            is_attack,
            state_data,
            proof,
        };
        let message = self.message(sender, 0);
        self.game.step(message, step, &vm())
    }

    pub fn resolve_claim(&mut self, claim: usize) -> Result<(), GameError> {
        let message = self.message(BOB, 0);
        self.game.resolve_claim(message, claim, 0)
    }

    /// Resolves everything.
    pub fn resolve(&mut self) -> GameStatus {
        for claim in (0..self.game.claims().len()).rev() {
            if !self.game.is_resolved(claim) {
                self.resolve_claim(claim).expect("can be resolved");
            }
        }
        self.game
            .resolve(self.message(BOB, 0))
            .expect("can be resolved")
    }
}
