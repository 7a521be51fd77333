//! Side exits: leaving in the middle of a block, before an instruction has done anything.

use super::Emitter;
use crate::footprint::numbers;
use crate::runtime::{Context, Exit};
use crate::value::Val;
use cranelift_codegen::ir::{Block, InstBuilder, Value};
use std::mem::offset_of;

/// A cold block to be written once the warm ones are.
pub(super) struct SideExit {
    block: Block,
    node: usize,
    /// How many instructions of the node have been executed.
    executed: usize,
    pending: Vec<(usize, Val)>,
    /// What was left of the budget so many instructions before.
    budget: Value,
    spent: usize,
    /// Where control goes after a delay slot.
    slot: Slot,
    reason: Exit,
}

/// Whether the instruction is in a delay slot, and of what.
#[derive(Clone, Copy)]
enum Slot {
    No,
    Jump(Val),
    Branch(Val),
}

impl Emitter<'_> {
    /// Leaves before the instruction at hand if a condition holds.
    pub(super) fn side_exit_if(&mut self, condition: Value, reason: Exit) {
        let on = self.builder.create_block();
        let cold = self.side_exit(self.at, reason);
        self.builder.ins().brif(condition, cold, &[], on, &[]);
        self.builder.switch_to_block(on);
    }

    fn side_exit(&mut self, executed: usize, reason: Exit) -> Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        let pending = numbers(self.pending)
            .filter_map(|register| Some((register, self.registers[register]?)))
            .collect();
        let in_slot = executed > 0 && self.code[executed - 1].opcode().transfers_control();
        let slot = match (self.jump, self.branch) {
            (Some(target), _) if in_slot => Slot::Jump(target),
            (_, Some(condition)) if in_slot => Slot::Branch(condition),
            _ => Slot::No,
        };
        self.exits.push(SideExit {
            block,
            node: self.node,
            executed,
            pending,
            budget: self.budget,
            spent: self.flow.nodes[self.node].spent + executed,
            slot,
            reason,
        });
        block
    }

    /// Writes all side exits.
    pub(super) fn side_exits(&mut self) {
        for exit in std::mem::take(&mut self.exits) {
            self.builder.switch_to_block(exit.block);
            self.node = exit.node;
            for (register, value) in exit.pending {
                let full = self.full(value);
                self.store_context(offset_of!(Context, registers) + 8 * register, full);
            }
            self.count_missed(exit.executed);
            let block = &self.flow.nodes[exit.node].block;
            let pc = block.pc.wrapping_add(4 * exit.executed as u64);
            let next = match exit.slot {
                Slot::No => Val::Imm(pc.wrapping_add(4)),
                Slot::Jump(target) => target,
                Slot::Branch(condition) => {
                    let branch = block.code[exit.executed - 1];
                    let taken = self.constant(branch.branch_target(pc.wrapping_sub(4)));
                    let not = self.constant(pc.wrapping_add(4));
                    let condition = self.condition(condition);
                    Val::from(self.builder.ins().select(condition, taken, not))
                }
            };
            let (pc, next) = (self.constant(pc), self.full(next));
            let spent = exit.spent as i64;
            let left = self.builder.ins().iadd_imm_s(exit.budget, -spent);
            self.return_exited(pc, next, exit.reason, left);
        }
    }
}
