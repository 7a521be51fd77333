//! Those who play by a plan: the honest actor, and liars, who believe in another trace.

use super::arena::Arena;
use super::chance::Chance;
use crate::provider::TraceAccessor;
use crate::script::Call;
use crate::solver::{Action, Resolution, Solver, resolutions};
use crate::upload::{PreimageSource, Upload, upload};
use alloy_primitives::{Address, B256, U128};
use std::collections::HashSet;

/// Somebody who plays.
pub trait Actor {
    /// Under which address.
    fn address(&self) -> Address;

    /// Takes its turn. Gives whether it changed the game, or holds back with something to
    /// do.
    fn act(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool;
}

/// An actor that does what its trace makes right.
pub struct Player<T> {
    address: Address,
    solver: Solver<T>,
    habits: Habits,
    refused: HashSet<Action>,
    held_back: bool,
}

/// How a player plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Whether it resolves what can be resolved.
    pub resolves: bool,
    /// Chances in a hundred that it waits for its next turn; it does so once at a time.
    pub waits: u64,
    /// The number of claims in the game from which on it makes no more.
    pub most_claims: usize,
}

impl<T: TraceAccessor> Player<T> {
    /// A player that takes a trace for true.
    pub fn new(address: Address, trace: T, habits: Habits) -> Self {
        Self {
            address,
            solver: Solver::new(trace),
            habits,
            refused: HashSet::new(),
            held_back: false,
        }
    }

    fn resolve(&self, arena: &mut Arena) -> bool {
        let mut acted = false;
        for resolution in resolutions(&arena.game, arena.now, &[], None) {
            acted |= match resolution {
                Resolution::ResolveClaim {
                    claim,
                    num_to_resolve,
                } => arena.call(Call::ResolveClaim {
                    sender: self.address,
                    claim,
                    num_to_resolve,
                    error: None,
                }),
                Resolution::Resolve => arena.call(Call::Resolve {
                    sender: self.address,
                    error: None,
                }),
                Resolution::ClaimCredit { .. } => false,
            };
        }
        acted
    }
}

impl<T: TraceAccessor> Actor for Player<T> {
    fn address(&self) -> Address {
        self.address
    }

    fn act(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool {
        if arena.game.claims().len() >= self.habits.most_claims {
            return false;
        }
        let mut actions = self.solver.next_actions(&arena.game, arena.now).actions;
        actions.retain(|action| !self.refused.contains(action));
        if !actions.is_empty() && !self.held_back && chance.percent(self.habits.waits) {
            self.held_back = true;
            return true;
        }
        self.held_back = false;
        let mut acted = false;
        for action in actions {
            let done = perform(arena, self.address, &action);
            acted |= done;
            if !done {
                self.refused.insert(action);
            }
        }
        if self.habits.resolves {
            acted |= self.resolve(arena);
        }
        acted
    }
}

/// Makes the calls that an action takes. Gives whether the last one was accepted.
pub fn perform(arena: &mut Arena, sender: Address, action: &Action) -> bool {
    match action {
        Action::Move {
            parent,
            is_attack,
            claim,
        } => make_move(arena, sender, *parent, *is_attack, *claim),
        Action::Step {
            claim,
            is_attack,
            data,
        } => {
            if let Some(oracle) = &data.oracle
                && let Ok(Upload::Local { ident, part_offset }) =
                    upload(oracle, &mut Nothing, usize::MAX)
            {
                arena.call(Call::AddLocalData {
                    sender,
                    ident: ident as u64,
                    claim: *claim,
                    part_offset,
                    loads: None,
                    error: None,
                });
            }
            arena.call(Call::Step {
                sender,
                claim: *claim,
                attack: *is_attack,
                state_data: data.state_data.clone().into(),
                proof: data.proof.clone().into(),
                error: None,
            })
        }
        Action::ChallengeL2BlockNumber(shown) => {
            let proof = &shown.proof;
            arena.call(Call::ChallengeRootL2Block {
                sender,
                proof: [
                    proof.version,
                    proof.state_root,
                    proof.message_passer_storage_root,
                    proof.latest_blockhash,
                ],
                header_rlp: shown.header_rlp.clone().into(),
                error: None,
            })
        }
    }
}

/// Moves against a claim that there is, with the bond that it takes.
pub fn make_move(
    arena: &mut Arena,
    sender: Address,
    parent: usize,
    attack: bool,
    claim: B256,
) -> bool {
    let disputed = &arena.game.claims()[parent];
    let depth = disputed.position.after_move(attack).depth();
    let call = Call::Move {
        sender,
        value: U128::from(arena.game.required_bond(depth).unwrap_or(0)),
        disputed: disputed.value,
        parent,
        claim,
        attack,
        error: None,
    };
    arena.call(call)
}

/// The toy machine reads nothing but local data.
struct Nothing;

impl PreimageSource for Nothing {
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String> {
        Err(format!("no pre-image of {key}"))
    }

    fn prove_blob(&mut self, _: &[u8], z: B256) -> Result<(B256, Vec<u8>), String> {
        Err(format!("no blob at {z}"))
    }
}
