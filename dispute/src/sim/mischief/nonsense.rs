//! Calls that break one rule or another.

use super::{Troublemaker, random_word};
use crate::script::Call;
use crate::sim::actor::perform;
use crate::sim::arena::Arena;
use crate::sim::chance::Chance;
use crate::sim::payouts::claim_credit;
use crate::sim::toy::{State, block_number_proof};
use crate::solver::Action;
use alloy_primitives::{Address, Bytes, U128};

impl Troublemaker {
    pub(super) fn nonsense(
        &mut self,
        arena: &mut Arena,
        index: usize,
        chance: &mut Chance,
    ) -> bool {
        let claim = arena.game.claims()[index];
        let sender = self.address;
        let depth = claim.position.attack().depth();
        let bond = arena.game.required_bond(depth).unwrap_or(0);
        let (parent, disputed, value) = match chance.below(7) {
            0 => (arena.game.claims().len() + 3, claim.value, bond),
            1 => (index, random_word(chance), bond),
            2 => (index, claim.value, bond + 1),
            3 => return self.local_data(arena, index, chance),
            4 => return self.too_early(arena, claim.claimant, chance),
            5 => return self.misplaced(arena, index, chance),
            _ => return self.block_number(arena, chance),
        };
        let mut claim = random_word(chance);
        claim[0] = 1;
        arena.call(Call::Move {
            sender,
            value: U128::from(value),
            disputed,
            parent,
            claim,
            attack: true,
            error: None,
        })
    }

    fn local_data(&mut self, arena: &mut Arena, claim: usize, chance: &mut Chance) -> bool {
        arena.call(Call::AddLocalData {
            sender: self.address,
            ident: chance.below(7),
            claim,
            part_offset: 8 * chance.below(2) as u32,
            loads: None,
            error: None,
        });
        false
    }

    /// Steps against any claim, or calls for one that there is not.
    fn misplaced(&mut self, arena: &mut Arena, index: usize, chance: &mut Chance) -> bool {
        let sender = self.address;
        let (missing, error) = (arena.game.claims().len() + chance.index(3), None);
        let step = |claim| Call::Step {
            sender,
            claim,
            attack: true,
            state_data: State::FIRST.data().into(),
            proof: Bytes::new(),
            error: None,
        };
        arena.call(match chance.below(4) {
            0 => step(index),
            1 => step(missing),
            2 => Call::ResolveClaim {
                sender,
                claim: missing,
                num_to_resolve: 0,
                error,
            },
            _ => Call::AddLocalData {
                sender,
                ident: chance.below(7),
                claim: missing,
                part_offset: 0,
                loads: None,
                error,
            },
        })
    }

    /// Wants money out of a game that is not over.
    fn too_early(&mut self, arena: &mut Arena, recipient: Address, chance: &mut Chance) -> bool {
        let sender = self.address;
        arena.call(if chance.percent(50) {
            Call::CloseGame {
                sender,
                error: None,
            }
        } else {
            claim_credit(sender, recipient)
        })
    }

    /// Shows a block that may be the claimed one, another one, or none.
    fn block_number(&mut self, arena: &mut Arena, chance: &mut Chance) -> bool {
        let vm = &arena.vm;
        let block = chance.within(vm.starting.l2_block + 1, vm.safe_head);
        let before = self.truth.outputs.root(block - 1);
        let mut shown = block_number_proof(before, block);
        if chance.percent(20) {
            shown.header_rlp.push(0);
        }
        perform(arena, self.address, &Action::ChallengeL2BlockNumber(shown))
    }
}
