//! Those who play without a plan, or with a bad one.

mod nonsense;

use super::actor::{Actor, make_move, perform};
use super::arena::{Arena, LyingTrace, TrueTrace};
use super::chance::Chance;
use crate::position::Position;
use crate::provider::TraceAccessor;
use crate::script::Call;
use crate::solver::{Action, Solver};
use alloy_primitives::{Address, B256};

/// What a troublemaker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Moves anywhere with any value.
    Random,
    /// Attacks and defends claim after claim, with true values and with lies.
    Exhaust,
    /// Makes claims again that there are, against the same claim or another.
    Duplicate,
    /// Does what the honest actor is about to do, or the same in the other direction.
    Freeload,
    /// Moves against claims whose clocks are about to run out.
    Late,
    /// Steps, with true states and with lies, whether they fit or not.
    Step,
    /// Resolves claims, whether they can be or not.
    Resolve,
    /// Makes calls that break one rule or another.
    Nonsense,
}

/// All of them.
pub const TRICKS: [Trick; 8] = [
    Trick::Random,
    Trick::Exhaust,
    Trick::Duplicate,
    Trick::Freeload,
    Trick::Late,
    Trick::Step,
    Trick::Resolve,
    Trick::Nonsense,
];

/// How close to its end a clock is for [`Trick::Late`], in seconds.
const LATE: u64 = 3;

/// A troublemaker.
pub struct Troublemaker {
    /// Under which address.
    pub address: Address,
    /// What it does, by chance.
    pub tricks: Vec<Trick>,
    /// Moves that it makes at most.
    pub budget: usize,
    /// The number of claims in the game from which on it makes no more.
    pub most_claims: usize,
    /// What is true.
    pub truth: TrueTrace,
    /// What is not.
    pub lie: LyingTrace,
    /// The claim that [`Trick::Exhaust`] is at.
    pub next_claim: usize,
}

impl Actor for Troublemaker {
    fn address(&self) -> Address {
        self.address
    }

    fn act(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool {
        let mut acted = false;
        for _ in 0..chance.within(1, 3) {
            let trick = self.tricks[chance.index(self.tricks.len())];
            let before = arena.game.claims().len();
            let spent = self.budget == 0 || before >= self.most_claims;
            if !spent || matches!(trick, Trick::Step | Trick::Resolve) {
                acted |= self.play(trick, arena, chance);
            }
            let made = arena.game.claims().len() - before;
            self.budget = self.budget.saturating_sub(made);
        }
        acted
    }
}

impl Troublemaker {
    fn play(&mut self, trick: Trick, arena: &mut Arena, chance: &mut Chance) -> bool {
        let any = chance.index(arena.game.claims().len());
        match trick {
            Trick::Random => self.any_move(arena, any, chance),
            Trick::Exhaust => self.exhaust(arena),
            Trick::Duplicate => self.duplicate(arena, any, chance),
            Trick::Freeload => self.freeload(arena, any, chance),
            Trick::Late => self.late(arena, chance),
            Trick::Step => self.step(arena, chance),
            Trick::Resolve => self.resolve(arena, any, chance),
            Trick::Nonsense => self.nonsense(arena, any, chance),
        }
    }

    fn any_move(&mut self, arena: &mut Arena, parent: usize, chance: &mut Chance) -> bool {
        let attack = chance.percent(50);
        let mut value = match chance.below(4) {
            0 => self.value(arena, parent, attack, true),
            1 => self.value(arena, parent, attack, false),
            2 => arena.game.claims()[chance.index(arena.game.claims().len())].value,
            _ => random_word(chance),
        };
        if chance.percent(40) {
            value[0] = chance.below(4) as u8;
        }
        make_move(arena, self.address, parent, attack, value)
    }

    /// What the truth or the lie says where a move leads to.
    fn value(&mut self, arena: &Arena, parent: usize, attack: bool, truth: bool) -> B256 {
        let position = arena.game.claims()[parent].position.after_move(attack);
        if position.depth() > arena.game.parameters().max_depth {
            return B256::ZERO;
        }
        let said = if truth {
            self.truth.claim_at(&arena.game, parent, position)
        } else {
            self.lie.claim_at(&arena.game, parent, position)
        };
        said.unwrap_or_default()
    }

    fn exhaust(&mut self, arena: &mut Arena) -> bool {
        let parent = self.next_claim % arena.game.claims().len();
        self.next_claim = parent + 1;
        let mut acted = false;
        for (attack, truth) in [(true, true), (true, false), (false, true), (false, false)] {
            let value = self.value(arena, parent, attack, truth);
            acted |= make_move(arena, self.address, parent, attack, value);
        }
        acted
    }

    fn duplicate(&mut self, arena: &mut Arena, index: usize, chance: &mut Chance) -> bool {
        let claim = arena.game.claims()[index];
        let parent = match claim.parent {
            Some(parent) if chance.percent(60) => parent,
            _ => chance.index(arena.game.claims().len()),
        };
        let attacks = Some(arena.game.claims()[parent].position) == claim.position.parent();
        let attack = attacks != chance.percent(30);
        make_move(arena, self.address, parent, attack, claim.value)
    }

    fn freeload(&mut self, arena: &mut Arena, index: usize, chance: &mut Chance) -> bool {
        let mut solver = Solver::new(self.truth.clone());
        let actions = solver.next_actions(&arena.game, arena.now).actions;
        if actions.is_empty() || chance.percent(30) {
            let attack = chance.percent(70);
            let value = self.value(arena, index, attack, true);
            return make_move(arena, self.address, index, attack, value);
        }
        let action = &actions[chance.index(actions.len())];
        match action {
            Action::Move {
                parent, is_attack, ..
            } if chance.percent(60) => {
                let attack = !is_attack;
                let value = self.value(arena, *parent, attack, chance.percent(60));
                make_move(arena, self.address, *parent, attack, value)
            }
            _ => perform(arena, self.address, action),
        }
    }

    fn late(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool {
        let now = arena.now;
        let game = &arena.game;
        let late: Vec<usize> = (0..game.claims().len())
            .filter(|&index| (now..=now + LATE).contains(&game.deadline(index)))
            .collect();
        if late.is_empty() {
            return false;
        }
        self.any_move(arena, late[chance.index(late.len())], chance)
    }

    fn step(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool {
        let bottom = arena.game.parameters().max_depth;
        let claims = arena.game.claims().iter().enumerate();
        let leaves: Vec<(usize, Position)> = claims
            .map(|(index, claim)| (index, claim.position))
            .filter(|(_, position)| position.depth() == bottom)
            .collect();
        if leaves.is_empty() {
            return false;
        }
        let (claim, position) = leaves[chance.index(leaves.len())];
        let is_attack = chance.percent(50);
        let to = if is_attack { position } else { position.next() };
        let data = if chance.percent(50) {
            self.truth.step_data(&arena.game, claim, to)
        } else {
            self.lie.step_data(&arena.game, claim, to)
        };
        let Ok(mut data) = data else { return false };
        if chance.percent(10) {
            data.state_data.push(0);
        }
        if chance.percent(10) {
            data.proof.push(0);
        }
        let action = Action::Step {
            claim,
            is_attack,
            data,
        };
        perform(arena, self.address, &action)
    }

    fn resolve(&mut self, arena: &mut Arena, claim: usize, chance: &mut Chance) -> bool {
        let sender = self.address;
        if chance.percent(10) {
            return arena.call(Call::Resolve {
                sender,
                error: None,
            });
        }
        arena.call(Call::ResolveClaim {
            sender,
            claim,
            num_to_resolve: chance.index(4),
            error: None,
        })
    }
}

fn random_word(chance: &mut Chance) -> B256 {
    let words = [(); 4].map(|()| chance.bits().to_be_bytes());
    B256::from_slice(words.as_flattened())
}
