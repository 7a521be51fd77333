//! A region's flow as a function in Cranelift's intermediate code.
//!
//! The function takes the context, the budget and the number of the entry, and returns
//! where a guest return leads and what is left of the budget; or [`EXITED`], with the
//! state in the context. All functions are alike, so guest calls are native calls, and a
//! caller goes on in place when the callee returns to where it should.
//!
//! Inside, registers are values from one block to the next ([`Flow`] says which). Every
//! block writes what it changed back to the context before it ends, so that leaving between
//! blocks needs no more than an address. The budget is looked at by *gates*, blocks that
//! control reaches in several ways, for all blocks behind them up to the next gates, and
//! what was executed is taken from it where the next gate, or the way out, needs to know. What cannot be done natively is left by a *side exit* before the instruction:
//! a cold block that writes back what is pending, never to come back.

mod cpu;
mod exits;
mod memory;

use crate::flow::Flow;
use crate::footprint::{COUNT, Registers, numbers};
use crate::region::{End, Target};
use crate::runtime::{Context, EXITED, Exit};
use crate::value::Val;
use carronade_emulator::isa::{Instruction, execute};
use carronade_emulator::leaders::{FIRST_CODE, Leaders};
use carronade_emulator::stats::CODE_REGION_END;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, AliasRegion, AliasRegionData, Block, BlockArg, Function, InstBuilder, JumpTableData,
    MemFlagsData, SigRef, Signature, Type, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use exits::SideExit;
use memory::Facts;
use std::mem::offset_of;

/// What a translation may assume, or must not.
pub struct Assumptions<'a> {
    /// First address that the table of leaders covers.
    pub entries_base: u64,
    /// Values that registers have now: guesses at which window they point into.
    pub registers: &'a [u64; 32],
    /// Whether bases may point into any window, or mostly keep to the one they are in.
    pub wide: bool,
    /// Whether to check the budget; only a measurement of what that costs may say no.
    pub budget: bool,
}

/// Writes the function of a region.
pub fn emit(
    function: &mut Function,
    scratch: &mut FunctionBuilderContext,
    frontend: TargetFrontendConfig,
    flow: &Flow,
    assumptions: &Assumptions<'_>,
) {
    function.signature = signature(3, 2);
    let mut builder = FunctionBuilder::new(function, scratch);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let blocks: Vec<Block> = flow.nodes.iter().map(|_| builder.create_block()).collect();
    let parameters = builder.block_params(entry).to_vec();
    let mut emitter = Emitter::new(builder, flow, assumptions, blocks, parameters[0]);
    emitter.dispatch(parameters[1], parameters[2]);
    for node in &flow.order {
        emitter.node(*node);
    }
    emitter.side_exits();
    emitter.builder.seal_all_blocks();
    emitter.builder.finalize(frontend);
}

fn signature(parameters: usize, results: usize) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature
        .params
        .resize(parameters, AbiParam::new(types::I64));
    signature.returns.resize(results, AbiParam::new(types::I64));
    signature
}

/// The registers at the end of a node.
type Registry = [Option<Val>; COUNT];

struct Emitter<'a> {
    builder: FunctionBuilder<'a>,
    flow: &'a Flow,
    assumptions: &'a Assumptions<'a>,
    blocks: Vec<Block>,
    ends: Vec<Option<Box<Registry>>>,
    /// What is left of the budget at the start of each gate.
    budgets: Vec<Option<Value>>,
    exits: Vec<SideExit>,
    facts: Facts,
    context: Value,
    /// Where memory, attributes and the table of leaders are.
    memory: Value,
    attributes: Value,
    entries: Value,
    guest_memory: AliasRegion,
    context_memory: AliasRegion,
    attribute_memory: AliasRegion,
    region_signature: SigRef,
    // The place in the flow.
    node: usize,
    code: &'a [Instruction],
    at: usize,
    // What is known there.
    registers: Registry,
    pending: Registers,
    /// What was left of the budget some instructions before the start of the block.
    budget: Value,
    /// How many: all of the block as well once its code is written.
    spent: usize,
    jump: Option<Val>,
    branch: Option<Val>,
}

impl<'a> Emitter<'a> {
    fn new(
        mut builder: FunctionBuilder<'a>,
        flow: &'a Flow,
        assumptions: &'a Assumptions<'a>,
        blocks: Vec<Block>,
        context: Value,
    ) -> Self {
        let regions = &mut builder.func.dfg.alias_regions;
        let mut region = |user_id, description: &'static str| {
            regions.insert(AliasRegionData {
                user_id,
                description: description.into(),
            })
        };
        let guest_memory = region(0, "guest memory");
        let context_memory = region(1, "context");
        let attribute_memory = region(2, "attributes of pages");
        let region_signature = builder.import_signature(signature(2, 2));
        let mut field = |offset| {
            let flags = MemFlagsData::trusted().with_readonly().with_can_move();
            builder
                .ins()
                .load(types::I64, flags, context, offset as i32)
        };
        let memory = field(offset_of!(Context, memory));
        let attributes = field(offset_of!(Context, attributes));
        let entries = field(offset_of!(Context, entries));
        Self {
            facts: Facts::new(flow),
            ends: flow.nodes.iter().map(|_| None).collect(),
            budgets: vec![None; flow.nodes.len()],
            builder,
            flow,
            assumptions,
            blocks,
            exits: Vec::new(),
            context,
            memory,
            attributes,
            entries,
            guest_memory,
            context_memory,
            attribute_memory,
            region_signature,
            node: 0,
            code: &[],
            at: 0,
            registers: [None; COUNT],
            pending: 0,
            budget: context,
            spent: 0,
            jump: None,
            branch: None,
        }
    }

    fn constant(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(types::I64, value as i64)
    }

    fn field(&mut self, offset: usize) -> Value {
        self.load_context(types::I64, offset)
    }

    fn load_context(&mut self, of: Type, offset: usize) -> Value {
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.context_memory));
        let context = self.context;
        self.builder.ins().load(of, flags, context, offset as i32)
    }

    fn store_context(&mut self, offset: usize, value: Value) {
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.context_memory));
        let context = self.context;
        self.builder
            .ins()
            .store(flags, value, context, offset as i32);
    }

    /// The start of the function: on to the entry with this number.
    fn dispatch(&mut self, budget: Value, number: Value) {
        let flow = self.flow;
        let budget_argument = [BlockArg::Value(budget)];
        let entries: Vec<usize> = self.entry_nodes();
        for (at, (node, block)) in flow.nodes.iter().zip(&self.blocks).enumerate() {
            if node.gate == at {
                self.builder.append_block_param(*block, types::I64);
            }
            for _ in numbers(node.parameters) {
                self.builder.append_block_param(*block, types::I64);
            }
        }
        let first = self.blocks[entries[0]];
        if entries.len() == 1 {
            self.builder.ins().jump(first, &budget_argument);
            return;
        }
        let others = self.builder.create_block();
        self.builder.set_cold_block(others);
        self.builder
            .ins()
            .brif(number, others, &[], first, &budget_argument);
        self.builder.switch_to_block(others);
        let index = self.builder.ins().ireduce(types::I32, number);
        let pool = &mut self.builder.func.dfg.value_lists;
        let calls: Vec<_> = entries
            .iter()
            .map(|entry| {
                let arguments = [BlockArg::Value(budget)];
                cranelift_codegen::ir::BlockCall::new(self.blocks[*entry], arguments, pool)
            })
            .collect();
        let table = JumpTableData::new(calls[0], &calls);
        let table = self.builder.create_jump_table(table);
        self.builder.ins().br_table(index, table);
    }

    fn entry_nodes(&self) -> Vec<usize> {
        let nodes = self.flow.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.entry)
            .map(|(at, _)| at)
            .collect()
    }

    /// Writes a node's block, or several where checks split it.
    fn node(&mut self, at: usize) {
        let node = &self.flow.nodes[at];
        self.node = at;
        self.builder.switch_to_block(self.blocks[at]);
        self.enter_node();
        self.look_at_budget();
        self.code = &node.block.code;
        self.facts.enter_node();
        for (index, instruction) in node.block.code.iter().enumerate() {
            self.at = index;
            if execute(self, *instruction).is_err() {
                unreachable!("the emitter's primitives never refuse");
            }
        }
        self.at = node.block.code.len();
        self.spent = node.spent + self.at;
        self.count_missed(self.at);
        self.write_back();
        for register in numbers(node.preload) {
            self.register(register);
        }
        self.ends[at] = Some(Box::new(self.registers));
        self.end(node.block.end);
    }

    /// The registers that come with the block.
    fn enter_node(&mut self) {
        let node = &self.flow.nodes[self.node];
        let inherited = node.dominator.and_then(|from| self.ends[from].as_deref());
        self.registers = [None; COUNT];
        self.pending = 0;
        (self.jump, self.branch) = (None, None);
        for register in numbers(node.available & !node.parameters) {
            self.registers[register] = inherited.and_then(|registers| registers[register]);
        }
        let mut parameters = self.builder.block_params(self.blocks[self.node]).iter();
        if node.gate == self.node {
            self.budgets[self.node] = parameters.next().copied();
        }
        for (register, value) in numbers(node.parameters).zip(parameters) {
            self.registers[register] = Some(Val::from(*value));
        }
        let Some(budget) = self.budgets[node.gate] else {
            unreachable!("a gate comes before the blocks that it looks at the budget for")
        };
        (self.budget, self.spent) = (budget, node.spent);
    }

    /// Leaves a gate if what it lets through does not fit into the budget.
    fn look_at_budget(&mut self) {
        let room = self.flow.nodes[self.node].room as i64;
        if room > 0 && self.assumptions.budget {
            let less = IntCC::SignedLessThan;
            let short = self.builder.ins().icmp_imm_s(less, self.budget, room);
            self.at = 0;
            self.side_exit_if(short, Exit::Budget);
        }
    }

    /// What is left of the budget at the end of the block.
    fn left(&mut self) -> Value {
        match self.spent {
            0 => self.budget,
            spent => self.builder.ins().iadd_imm_s(self.budget, -(spent as i64)),
        }
    }

    /// Takes from the budget here what is left, for all that follows.
    fn settle(&mut self) {
        (self.budget, self.spent) = (self.left(), 0);
    }

    /// The value of a register, loaded if it is not at hand.
    fn register(&mut self, register: usize) -> Val {
        if register == 0 {
            return Val::Imm(0);
        }
        if let Some(value) = self.registers[register] {
            return value;
        }
        let value = Val::from(self.field(offset_of!(Context, registers) + 8 * register));
        self.registers[register] = Some(value);
        value
    }

    fn set_register(&mut self, register: usize, value: Val) {
        if register != 0 {
            self.registers[register] = Some(value);
            self.pending |= 1 << register;
        }
    }

    /// Writes all that is pending to the context.
    fn write_back(&mut self) {
        for register in numbers(std::mem::take(&mut self.pending)) {
            let value = self.register(register);
            // Kept in this form, so that the next block need not make it again.
            let full = self.full(value);
            self.store_context(offset_of!(Context, registers) + 8 * register, full);
        }
    }

    /// The arguments that a block takes from here.
    fn arguments(&mut self, to: usize) -> Vec<BlockArg> {
        let mut arguments = Vec::new();
        if self.flow.nodes[to].gate == to {
            arguments.push(BlockArg::Value(self.left()));
        }
        for register in numbers(self.flow.nodes[to].parameters) {
            let value = self.register(register);
            arguments.push(BlockArg::Value(self.full(value)));
        }
        arguments
    }

    fn end(&mut self, end: End) {
        match end {
            End::Next(to) | End::Jump(to) => self.go(to),
            End::Branch(taken, not) => self.branch_to(taken, not),
            End::Call(Some(callee), back) => self.call(Val::Imm(callee), back),
            End::Call(None, back) => match self.jump {
                Some(callee) => self.call(callee, back),
                None => unreachable!("a jump says where to"),
            },
            End::Return => {
                let target = self.jump_target();
                let left = self.left();
                self.builder.ins().return_(&[target, left]);
            }
            End::Indirect => {
                let target = self.jump_target();
                self.go_outside(Val::from(target));
            }
            End::Interpret(_) => {
                let pc = self.flow.nodes[self.node].block.end_pc();
                self.leave(Val::Imm(pc), Exit::Interpret);
            }
        }
    }

    fn jump_target(&mut self) -> Value {
        match self.jump {
            Some(target) => self.full(target),
            None => unreachable!("a jump says where to"),
        }
    }

    fn go(&mut self, to: Target) {
        match to {
            Target::Inside(node) => {
                let arguments = self.arguments(node);
                let block = self.blocks[node];
                self.builder.ins().jump(block, &arguments);
            }
            Target::Outside(pc) => self.go_outside(Val::Imm(pc)),
        }
    }

    fn branch_to(&mut self, taken: Target, not: Target) {
        let Some(condition) = self.branch else {
            unreachable!("a branch has a condition")
        };
        let condition = self.condition(condition);
        let mut ways = [taken, not].map(|to| match to {
            Target::Inside(node) => (self.blocks[node], Some(node), 0),
            Target::Outside(pc) => (self.builder.create_block(), None, pc),
        });
        let gates = |node: usize| self.flow.nodes[node].gate == node;
        if ways.iter().any(|(_, node, _)| node.is_some_and(gates)) {
            self.settle();
        }
        let arguments = ways.map(|(_, node, _)| node.map(|node| self.arguments(node)));
        let [then, other] = arguments.map(Option::unwrap_or_default);
        let blocks = ways.map(|(block, ..)| block);
        self.builder
            .ins()
            .brif(condition, blocks[0], &then, blocks[1], &other);
        for (block, node, pc) in &mut ways {
            if node.is_none() {
                self.builder.set_cold_block(*block);
                self.builder.switch_to_block(*block);
                self.go_outside(Val::Imm(*pc));
            }
        }
    }

    /// The native code at an address, in a block of its own; where there is none, leaves.
    fn look_up(&mut self, target: Val) -> Value {
        let flags = MemFlagsData::trusted();
        let code = match target {
            Val::Imm(pc) => {
                let index = pc
                    .wrapping_sub(self.assumptions.entries_base)
                    .rotate_right(2);
                if index >= 1 << (Leaders::SPAN_SHIFT - 2) {
                    self.constant(0)
                } else {
                    let entries = self.entries;
                    self.builder
                        .ins()
                        .load(types::I64, flags, entries, 8 * index as i32)
                }
            }
            target => {
                let target = self.full(target);
                let base = self.field(offset_of!(Context, entries_base));
                let distance = self.builder.ins().isub(target, base);
                let two = self.builder.ins().iconst(types::I64, 2);
                let index = self.builder.ins().rotr(distance, two);
                let limit = 1 << (Leaders::SPAN_SHIFT - 2);
                let far = IntCC::UnsignedGreaterThanOrEqual;
                let far = self.builder.ins().icmp_imm_s(far, index, limit);
                self.leave_if(far, Val::from(target), Exit::Untranslated);
                let offset = self.builder.ins().ishl_imm_u(index, 3);
                let entries = self.entries;
                let entry = self.builder.ins().iadd(entries, offset);
                self.builder.ins().load(types::I64, flags, entry, 0)
            }
        };
        let none = IntCC::UnsignedLessThan;
        let none = self.builder.ins().icmp_imm_s(none, code, FIRST_CODE as i64);
        self.leave_if(none, target, Exit::Untranslated);
        code
    }

    /// On to another region, never to come back.
    fn go_outside(&mut self, target: Val) {
        let code = self.look_up(target);
        let (signature, context, left) = (self.region_signature, self.context, self.left());
        let arguments = [context, left];
        self.builder
            .ins()
            .return_call_indirect(signature, code, &arguments);
    }

    fn call(&mut self, callee: Val, back: Target) {
        let code = self.look_up(callee);
        let stack = self.builder.ins().get_stack_pointer(types::I64);
        let limit = self.field(offset_of!(Context, stack_limit));
        let deep = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, stack, limit);
        self.leave_if(deep, callee, Exit::Depth);
        let (signature, context, left) = (self.region_signature, self.context, self.left());
        let call = self
            .builder
            .ins()
            .call_indirect(signature, code, &[context, left]);
        let results = self.builder.inst_results(call);
        let (returned, left) = (results[0], results[1]);
        let expected = self.flow.nodes[self.node].block.end_pc();
        let expected = self.constant(expected);
        let right = self.builder.ins().icmp(IntCC::Equal, returned, expected);
        let (here, elsewhere) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(elsewhere);
        self.builder.ins().brif(right, here, &[], elsewhere, &[]);
        self.builder.switch_to_block(elsewhere);
        self.builder.ins().return_(&[returned, left]);
        self.builder.switch_to_block(here);
        (self.budget, self.spent) = (left, 0);
        self.go(back);
    }

    /// Counts the first instructions of the block where the reference counts them as
    /// misses of its instruction cache.
    fn count_missed(&mut self, executed: usize) {
        let pc = self.flow.nodes[self.node].block.pc;
        let below = CODE_REGION_END.saturating_sub(pc).div_ceil(4);
        let count = (executed as u64).saturating_sub(below);
        if count == 0 {
            return;
        }
        let missed = self.field(offset_of!(Context, missed));
        let missed = self.builder.ins().iadd_imm_s(missed, count as i64);
        self.store_context(offset_of!(Context, missed), missed);
        let last = self.constant(pc.wrapping_add(4 * (executed as u64 - 1)));
        let highest = self.field(offset_of!(Context, highest_missed));
        let highest = self.builder.ins().umax(highest, last);
        self.store_context(offset_of!(Context, highest_missed), highest);
    }

    /// Comes back to the dispatcher at an address, all registers being written back.
    fn leave(&mut self, pc: Val, reason: Exit) {
        let pc = self.full(pc);
        let next = self.builder.ins().iadd_imm_s(pc, 4);
        let left = self.left();
        self.return_exited(pc, next, reason, left);
    }

    fn leave_if(&mut self, condition: Value, pc: Val, reason: Exit) {
        let (cold, on) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(cold);
        self.builder.ins().brif(condition, cold, &[], on, &[]);
        self.builder.switch_to_block(cold);
        self.leave(pc, reason);
        self.builder.switch_to_block(on);
    }

    fn return_exited(&mut self, pc: Value, next: Value, reason: Exit, left: Value) {
        self.store_context(offset_of!(Context, pc), pc);
        self.store_context(offset_of!(Context, next_pc), next);
        let reason = self.constant(reason as u64);
        self.store_context(offset_of!(Context, reason), reason);
        let exited = self.constant(EXITED);
        self.builder.ins().return_(&[exited, left]);
    }
}
