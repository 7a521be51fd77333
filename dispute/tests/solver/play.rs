//! A game against a liar, and short ways to play it.

use alloy_primitives::{Address, B256, keccak256};
use carronade_dispute::provider::Split;
use carronade_dispute::sim::toy::{State, ToyVm};
use carronade_dispute::sim::truth::{Chain, Execution};
use carronade_dispute::{
    Action, Creation, Game, GameError, Message, Move, Parameters, Proposal, Solver, TraceAccessor,
};

pub const HONEST: Address = Address::repeat_byte(1);
pub const LIAR: Address = Address::repeat_byte(2);
pub const START: u64 = 1_000_000;

pub fn lie(number: u64) -> B256 {
    let mut word = keccak256(number.to_be_bytes());
    word[0] = 1;
    word
}

pub fn vm(split_depth: u32, blocks: u64, length: u64) -> ToyVm {
    ToyVm {
        starting: Proposal {
            root: lie(77),
            l2_block: 10,
        },
        claimed_block: 10 + blocks,
        safe_head: 10 + blocks,
        split_depth,
        length,
    }
}

pub fn truth(vm: ToyVm) -> Split<Chain, Execution> {
    Split {
        outputs: Chain::new(&vm),
        executions: Execution::new(vm),
    }
}

/// A game and its time.
pub struct Play {
    pub game: Game,
    pub vm: ToyVm,
    pub now: u64,
}

impl Play {
    pub fn new(parameters: Parameters, vm: ToyVm, root: B256) -> Self {
        let creation = Creation {
            creator: LIAR,
            claimed: Proposal {
                root,
                l2_block: vm.claimed_block,
            },
            starting: vm.starting,
            l1_head: lie(88),
            l2_chain_id: 901,
            absolute_prestate: vm.hash(&State::FIRST),
            created_at: START,
            bond: 80,
        };
        Self {
            game: Game::new(parameters, creation).expect("a sound game"),
            vm,
            now: START,
        }
    }

    /// Depth 6, split at 2: 4 blocks, and traces of 8 steps.
    pub fn small(root: impl Fn(&Chain) -> B256) -> Self {
        Self::split_at(2, root)
    }

    /// As many blocks as there is room for above the split, and traces of 8 steps.
    pub fn split_at(split_depth: u32, root: impl Fn(&Chain) -> B256) -> Self {
        let parameters = Parameters {
            max_depth: split_depth + 4,
            split_depth,
            max_clock_duration: 1_000,
            clock_extension: 100,
            challenge_period: 250,
        };
        let vm = vm(split_depth, 1 << split_depth, 8);
        Self::new(parameters, vm, root(&Chain::new(&vm)))
    }

    pub fn solver(&self) -> Solver<Split<Chain, Execution>> {
        Solver::new(truth(self.vm))
    }

    pub fn plan(&self) -> Vec<Action> {
        self.solver().next_actions(&self.game, self.now).actions
    }

    pub fn play(&mut self, who: Address, parent: usize, is_attack: bool, claim: B256) -> usize {
        let made = self.try_play(who, parent, is_attack, claim);
        made.expect("a sound move")
    }

    pub fn try_play(
        &mut self,
        who: Address,
        parent: usize,
        is_attack: bool,
        claim: B256,
    ) -> Result<usize, GameError> {
        let disputed = self.game.claims()[parent];
        let depth = disputed.position.after_move(is_attack).depth();
        let message = Message {
            sender: who,
            value: self.game.required_bond(depth).expect("in the game"),
            timestamp: self.now,
        };
        let move_ = Move {
            parent,
            disputed: disputed.value,
            claim,
            is_attack,
        };
        self.game.move_(message, move_)
    }

    /// Does what an honest actor does, and gives what it did.
    pub fn honest(&mut self) -> Vec<Action> {
        let actions = self.plan();
        for action in &actions {
            self.perform(action);
        }
        actions
    }

    pub fn perform(&mut self, action: &Action) {
        let done = action.perform(&mut self.game, HONEST, self.now, &self.vm);
        done.expect("a sound action");
    }

    pub fn message(&self, sender: Address) -> Message {
        Message {
            sender,
            value: 0,
            timestamp: self.now,
        }
    }

    /// What is true where a move leads to.
    pub fn truth_after(&self, parent: usize, is_attack: bool) -> B256 {
        let position = self.game.claims()[parent].position.after_move(is_attack);
        let said = truth(self.vm).claim_at(&self.game, parent, position);
        said.expect("the truth is known")
    }
}

pub fn moves(actions: &[Action]) -> Vec<(usize, bool)> {
    let moves = actions.iter().map(|action| match action {
        Action::Move {
            parent, is_attack, ..
        } => (*parent, *is_attack),
        other => panic!("not a move: {other:?}"),
    });
    moves.collect()
}
