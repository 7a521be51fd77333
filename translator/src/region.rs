//! What is translated at once: a connected group of blocks.
//!
//! A region begins at a leader and grows along direct branches and jumps, over calls to
//! their return points and over system calls to what follows them, but not into callees.
//! Where it ends, and what it leaves out, control goes on through the table of leaders.

use carronade_emulator::isa::{Instruction, Opcode};
use std::collections::{BTreeMap, BTreeSet};

/// A block is cut after this many instructions: what is left of a budget that a block does
/// not fit in is interpreted, so blocks must be short against the quantum.
const MAX_BLOCK: usize = 64;
const MAX_BLOCKS: usize = 1024;
const MAX_INSTRUCTIONS: usize = 8192;

/// Where control goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the block with this index.
    Inside(usize),
    /// Out of the region, to this address.
    Outside(u64),
}

/// How a block ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The next instruction follows.
    Next(Target),
    /// A branch: where it goes if it is taken, and if not.
    Branch(Target, Target),
    /// A jump, or a branch that is always taken.
    Jump(Target),
    /// A jump that links: where to, unless a register says so, and where it returns.
    Call(Option<u64>, Target),
    /// A jump to register 31, which mostly returns from a call.
    Return,
    /// A jump to another register.
    Indirect,
    /// The next instruction is the interpreter's; where control goes on after it.
    Interpret(Option<Target>),
}

/// Straight code, the delay slot of its last instruction included.
#[derive(Debug, Clone)]
pub struct Block {
    /// Address of the first instruction.
    pub pc: u64,
    /// The instructions; none if the first is the interpreter's.
    pub code: Vec<Instruction>,
    /// What follows.
    pub end: End,
}

impl Block {
    /// Address behind the block.
    #[must_use]
    pub fn end_pc(&self) -> u64 {
        self.pc.wrapping_add(4 * self.code.len() as u64)
    }

    /// The blocks of the region that control may reach directly from here, with registers
    /// in values; after a call they are in memory.
    pub fn successors(&self) -> impl Iterator<Item = usize> {
        let (first, second) = match self.end {
            End::Next(target) | End::Jump(target) => (Some(target), None),
            End::Branch(taken, not) => (Some(taken), Some(not)),
            End::Call(..) | End::Return | End::Indirect | End::Interpret(_) => (None, None),
        };
        [first, second].into_iter().flatten().filter_map(inside)
    }

    /// The block of the region that control reaches after a call or an interpreted
    /// instruction.
    #[must_use]
    pub fn resumption(&self) -> Option<usize> {
        match self.end {
            End::Call(_, back) => inside(back),
            End::Interpret(after) => after.and_then(inside),
            _ => None,
        }
    }
}

fn inside(target: Target) -> Option<usize> {
    match target {
        Target::Inside(block) => Some(block),
        Target::Outside(_) => None,
    }
}

/// A connected group of blocks; the first is where it begins.
#[derive(Debug, Clone)]
pub struct Region {
    /// The blocks.
    pub blocks: Vec<Block>,
}

/// What a region may be made of.
pub trait Code {
    /// The instruction at an address.
    fn instruction(&self, pc: u64) -> Instruction;
    /// Whether a leader belongs in a region that reaches it.
    fn wanted(&mut self, pc: u64) -> bool;
}

/// A straight run and how it ends, with addresses in the place of blocks.
struct Run {
    code: Vec<Instruction>,
    end: RawEnd,
}

enum RawEnd {
    Next,
    Branch(u64),
    Jump(u64),
    Call(Option<u64>),
    Return,
    Indirect,
    Interpret,
}

impl Region {
    /// The region that begins at an address.
    #[must_use]
    pub fn discover(code: &mut impl Code, start: u64) -> Self {
        let mut leaders = BTreeSet::from([start]);
        let (mut work, mut size) = (vec![start], 0);
        while let Some(pc) = work.pop() {
            let run = Run::scan(code, pc, &BTreeSet::new());
            size += run.code.len();
            for (next, always) in run.continuations(pc) {
                let room = leaders.len() < MAX_BLOCKS && size < MAX_INSTRUCTIONS;
                if room && (always || code.wanted(next)) && leaders.insert(next) {
                    work.push(next);
                }
            }
        }
        Self::cut(code, start, &leaders)
    }

    /// The blocks that begin at the leaders, each up to the next.
    fn cut(code: &impl Code, start: u64, leaders: &BTreeSet<u64>) -> Self {
        let mut order: Vec<u64> = leaders.iter().copied().collect();
        let first = order.iter().position(|pc| *pc == start).unwrap_or_default();
        order.swap(0, first);
        let index: BTreeMap<u64, usize> = order.iter().copied().zip(0..).collect();
        let blocks = order.iter().map(|pc| {
            let run = Run::scan(code, *pc, leaders);
            run.into_block(*pc, |pc| match index.get(&pc) {
                Some(block) => Target::Inside(*block),
                None => Target::Outside(pc),
            })
        });
        Self {
            blocks: blocks.collect(),
        }
    }

    /// The straight runs of instructions: first address and how many.
    #[must_use]
    pub fn runs(&self) -> Vec<(u64, u32)> {
        let blocks = self.blocks.iter().filter(|block| !block.code.is_empty());
        blocks
            .map(|block| (block.pc, block.code.len() as u32))
            .collect()
    }

    /// The addresses outside that control may go to directly, calls included.
    #[must_use]
    pub fn leads_to(&self) -> Vec<u64> {
        let outside = |target| match target {
            Target::Outside(pc) => Some(pc),
            Target::Inside(_) => None,
        };
        let ways = self.blocks.iter().flat_map(|block| match block.end {
            End::Next(to) | End::Jump(to) => [outside(to), None],
            End::Branch(to, behind) => [outside(to), outside(behind)],
            End::Call(callee, back) => [callee, outside(back)],
            End::Interpret(after) => [after.and_then(outside), None],
            End::Return | End::Indirect => [None, None],
        });
        ways.flatten().collect()
    }

    /// Instructions in all blocks.
    #[must_use]
    pub fn instructions(&self) -> usize {
        self.blocks.iter().map(|block| block.code.len()).sum()
    }
}

impl Run {
    /// The straight run from an address up to the first instruction that ends it, to one
    /// of `leaders`, or to the longest block.
    fn scan(source: &impl Code, start: u64, leaders: &BTreeSet<u64>) -> Self {
        let (mut code, mut pc) = (Vec::new(), start);
        let end = loop {
            let full = leaders.contains(&pc) || code.len() >= MAX_BLOCK;
            if !code.is_empty() && (full || pc == 0) {
                break RawEnd::Next;
            }
            let instruction = source.instruction(pc);
            let opcode = instruction.opcode();
            if opcode.transfers_control() {
                let slot = source.instruction(pc.wrapping_add(4));
                if !fits_in_slot(slot.opcode()) {
                    break RawEnd::Interpret;
                }
                code.extend([instruction, slot]);
                break transfer(instruction, pc);
            }
            if matches!(opcode, Opcode::syscall | Opcode::invalid) {
                break RawEnd::Interpret;
            }
            code.push(instruction);
            pc = pc.wrapping_add(4);
        };
        Self { code, end }
    }

    fn end_pc(&self, pc: u64) -> u64 {
        pc.wrapping_add(4 * self.code.len() as u64)
    }

    /// Where control may go from here within a region, and whether it surely belongs in.
    fn continuations(&self, pc: u64) -> impl Iterator<Item = (u64, bool)> {
        let behind = self.end_pc(pc);
        let (first, second) = match self.end {
            RawEnd::Next => (Some((behind, true)), None),
            RawEnd::Branch(target) => (Some((behind, false)), Some((target, false))),
            RawEnd::Jump(target) => (Some((target, false)), None),
            RawEnd::Call(_) => (Some((behind, false)), None),
            RawEnd::Interpret => (Some((behind.wrapping_add(4), false)), None),
            RawEnd::Return | RawEnd::Indirect => (None, None),
        };
        [first, second].into_iter().flatten()
    }

    fn into_block(self, pc: u64, target: impl Fn(u64) -> Target) -> Block {
        let behind = self.end_pc(pc);
        let end = match self.end {
            RawEnd::Next => End::Next(target(behind)),
            RawEnd::Branch(taken) => End::Branch(target(taken), target(behind)),
            RawEnd::Jump(to) => End::Jump(target(to)),
            RawEnd::Call(callee) => End::Call(callee, target(behind)),
            RawEnd::Return => End::Return,
            RawEnd::Indirect => End::Indirect,
            RawEnd::Interpret => End::Interpret(Some(target(behind.wrapping_add(4)))),
        };
        Block {
            pc,
            code: self.code,
            end,
        }
    }
}

/// Whether native code can execute an instruction in a delay slot.
fn fits_in_slot(opcode: Opcode) -> bool {
    !opcode.transfers_control() && !matches!(opcode, Opcode::syscall | Opcode::invalid)
}

/// How a jump or branch ends its run.
fn transfer(i: Instruction, pc: u64) -> RawEnd {
    use Opcode as O;
    const RA: u8 = 31;
    let always = match i.opcode() {
        O::beq => i.rs() == i.rt(),
        O::bgez | O::blez => i.rs() == 0,
        _ => false,
    };
    match i.opcode() {
        O::j => RawEnd::Jump(i.jump_target(pc)),
        O::jal => RawEnd::Call(Some(i.jump_target(pc))),
        O::jr if i.rs() == RA => RawEnd::Return,
        O::jr => RawEnd::Indirect,
        O::jalr => RawEnd::Call(None),
        O::bgezal if i.rs() == 0 => RawEnd::Call(Some(i.branch_target(pc))),
        O::bnever => RawEnd::Next,
        _ if always => RawEnd::Jump(i.branch_target(pc)),
        _ => RawEnd::Branch(i.branch_target(pc)),
    }
}
