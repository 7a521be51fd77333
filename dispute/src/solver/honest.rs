//! Which claims an honest actor makes.

use crate::game::Game;
use crate::position::Position;
use alloy_primitives::B256;
use std::collections::HashSet;

/// Honest claims, made or about to be, and where the honest answer to each claim is.
pub struct HonestClaims {
    claims: HashSet<(usize, Position, B256)>,
    answers: Vec<Option<Position>>,
    root: bool,
}

impl HonestClaims {
    pub fn new(game: &Game, root: bool) -> Self {
        Self {
            claims: HashSet::new(),
            answers: vec![None; game.claims().len()],
            root,
        }
    }

    /// Notes the honest answer to a claim.
    pub fn add(&mut self, parent: usize, position: Position, value: B256) {
        self.claims.insert((parent, position, value));
        self.answers[parent] = Some(position);
    }

    fn is_honest(&self, game: &Game, index: usize) -> bool {
        let claim = &game.claims()[index];
        match claim.parent {
            None => self.root,
            Some(parent) => self.claims.contains(&(parent, claim.position, claim.value)),
        }
    }

    /// Whether an honest actor answers a claim.
    pub fn calls_for_answer(&self, game: &Game, index: usize) -> bool {
        if self.is_honest(game, index) {
            return false;
        }
        let claim = &game.claims()[index];
        let Some(parent) = claim.parent else {
            return true;
        };
        if self.is_honest(game, parent) {
            return true;
        }
        // Children of a claim that the honest actor ignores can be ignored too; so can those
        // right of the honest answer, which never win over it.
        let depth = game.parameters().max_depth;
        self.answers[parent]
            .is_some_and(|answer| claim.position.trace_index(depth) <= answer.trace_index(depth))
    }
}
