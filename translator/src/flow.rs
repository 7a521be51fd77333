//! Which registers live in values across the blocks of a region.
//!
//! At the start of every block all registers are in memory: each block writes through what
//! it changed. So a value is never needed, only cheaper; a block may carry a register in a
//! value from its predecessors, or load it. Carried are those that all predecessors have
//! at hand and, around loops, those that the loop uses. Where several values meet, the
//! block has a parameter (the classical iterated dominance frontier).

use crate::footprint::{Footprint, Registers};
use crate::region::{Block, End, Region, Target};

/// A block and what it does with registers.
#[derive(Debug)]
pub struct Node {
    /// The block; an entry is an empty block before the one that it enters.
    pub block: Block,
    /// Whether control may come from outside, or from a call: all registers in memory.
    pub entry: bool,
    /// Registers that come as block parameters.
    pub parameters: Registers,
    /// Registers whose values are at hand at the start of the block: its parameters, and
    /// others as its dominator left them.
    pub available: Registers,
    /// Registers to load at the end of the block, if they are not at hand, for the loop
    /// that follows.
    pub preload: Registers,
    /// The block that every path here leads through; an entry has none.
    pub dominator: Option<usize>,
    /// Number in a depth-first walk over the dominator tree, and the last of its subtree.
    span: (usize, usize),
    /// The loop that the block heads: its blocks.
    pub body: Vec<usize>,
    /// The blocks that lead here directly.
    pub predecessors: Vec<usize>,
    /// The block that looks at the budget for this one: itself, or one that every path here
    /// leads through, with no other way in between.
    pub gate: usize,
    /// How many instructions are executed from the start of the gate to that of the block.
    pub spent: usize,
    /// For a gate: the most instructions that it lets through.
    pub room: usize,
    footprint: Footprint,
    live: Registers,
}

/// How many instructions may be executed between entries without a loop.
const FAR: usize = 384;

/// How many instructions one look at the budget may let through. What is left of a budget
/// that they do not fit in is interpreted.
const ROOM: usize = 64;

/// The flow of a region.
#[derive(Debug)]
pub struct Flow {
    /// Blocks and entries; the first is where the region begins.
    pub nodes: Vec<Node>,
    /// The nodes in an order in which dominators come first.
    pub order: Vec<usize>,
}

impl Flow {
    /// Analyses a region.
    #[must_use]
    pub fn new(region: Region) -> Self {
        let mut entered = resumptions(&region.blocks);
        let mut flow = Self::ordered(region.blocks.clone(), &entered);
        if flow.add_entries(&mut entered) {
            flow = Self::ordered(region.blocks, &entered);
        }
        flow.place_gates();
        flow.find_dominators();
        flow.number_dominators();
        flow.find_liveness();
        flow.find_loops();
        flow.find_available();
        flow.place_parameters();
        flow
    }

    /// Instructions in the block of an instruction, on average over the instructions.
    #[must_use]
    pub fn block_length(&self) -> usize {
        let lengths = self.nodes.iter().map(|node| node.block.code.len());
        let (sum, squares) = lengths.fold((0, 0), |(sum, squares), length| {
            (sum + length, squares + length * length)
        });
        squares / sum.max(1)
    }

    fn ordered(blocks: Vec<Block>, entered: &[bool]) -> Self {
        let mut flow = Self {
            nodes: with_entries(blocks, entered),
            order: Vec::new(),
        };
        flow.order_nodes();
        flow
    }

    /// Marks blocks that are far from the last entry before them, and says whether there
    /// are any. Where native code was left, the interpreter goes on to the next entry.
    fn add_entries(&self, entered: &mut [bool]) -> bool {
        let shift = self.nodes.len() - entered.len();
        let mut distance = vec![0; self.nodes.len()];
        let mut added = false;
        for &node in &self.order {
            if self.nodes[node].entry {
                continue;
            }
            let from = self.nodes[node].predecessors.iter();
            let far = from
                .map(|from| distance[*from] + self.nodes[*from].block.code.len())
                .max();
            distance[node] = far.unwrap_or_default();
            if distance[node] > FAR {
                entered[node - shift] = true;
                distance[node] = 0;
                added = true;
            }
        }
        added
    }

    /// Whether every path to `b` leads through `a`.
    #[must_use]
    pub fn dominates(&self, a: usize, b: usize) -> bool {
        let (outer, inner) = (self.nodes[a].span, self.nodes[b].span);
        outer.0 <= inner.0 && inner.1 <= outer.1
    }

    fn successors(&self, node: usize) -> Vec<usize> {
        self.nodes[node].block.successors().collect()
    }

    /// Reverse postorder over the edges that carry values, from all entries.
    fn order_nodes(&mut self) {
        let (mut seen, mut postorder) = (vec![false; self.nodes.len()], Vec::new());
        // The first entry comes first in the end, so it is walked last.
        for entry in (0..self.nodes.len()).rev() {
            if self.nodes[entry].entry {
                self.walk(entry, &mut seen, &mut postorder);
            }
        }
        postorder.reverse();
        self.order = postorder;
        for node in self.order.clone() {
            for next in self.successors(node) {
                self.nodes[next].predecessors.push(node);
            }
        }
    }

    fn walk(&self, start: usize, seen: &mut [bool], postorder: &mut Vec<usize>) {
        let mut stack = vec![(start, false)];
        while let Some((node, done)) = stack.pop() {
            if done {
                postorder.push(node);
            } else if !std::mem::replace(&mut seen[node], true) {
                stack.push((node, true));
                for next in self.successors(node) {
                    if !seen[next] {
                        stack.push((next, false));
                    }
                }
            }
        }
    }

    /// Decides which blocks look at the budget: those that control reaches in several ways,
    /// and those that are too far behind the last one that does.
    fn place_gates(&mut self) {
        for node in self.order.clone() {
            let length = self.nodes[node].block.code.len();
            let (gate, spent) = match self.nodes[node].predecessors[..] {
                [from] if !self.nodes[node].entry => self.behind(from),
                _ => (node, 0),
            };
            let fits = spent + length <= ROOM;
            let (gate, spent) = if fits { (gate, spent) } else { (node, 0) };
            (self.nodes[node].gate, self.nodes[node].spent) = (gate, spent);
            let room = &mut self.nodes[gate].room;
            *room = (*room).max(spent + length);
        }
    }

    /// The gate of a block, and how far its end is behind it.
    fn behind(&self, node: usize) -> (usize, usize) {
        let Node {
            gate, spent, block, ..
        } = &self.nodes[node];
        (*gate, spent + block.code.len())
    }

    /// Cooper, Harvey and Kennedy's algorithm; the root above all entries is `None`.
    fn find_dominators(&mut self) {
        let mut position = vec![0; self.nodes.len()];
        for (at, node) in self.order.iter().enumerate() {
            position[*node] = at;
        }
        let mut settled = vec![false; self.nodes.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for node in self.order.clone() {
                let mut dominator = None;
                let mut first = true;
                for &from in &self.nodes[node].predecessors {
                    if !settled[from] {
                        continue;
                    }
                    dominator = if std::mem::take(&mut first) {
                        Some(from)
                    } else {
                        self.meet(dominator, Some(from), &position)
                    };
                }
                if self.nodes[node].entry {
                    dominator = None;
                }
                changed |= !settled[node] || self.nodes[node].dominator != dominator;
                settled[node] = true;
                self.nodes[node].dominator = dominator;
            }
        }
    }

    fn meet(&self, a: Option<usize>, b: Option<usize>, position: &[usize]) -> Option<usize> {
        let (mut a, mut b) = (a?, b?);
        while a != b {
            if position[a] > position[b] {
                a = self.nodes[a].dominator?;
            } else {
                b = self.nodes[b].dominator?;
            }
        }
        Some(a)
    }

    fn number_dominators(&mut self) {
        let mut children = vec![Vec::new(); self.nodes.len()];
        let mut stack = Vec::new();
        for &node in self.order.iter().rev() {
            match self.nodes[node].dominator {
                Some(parent) => children[parent].push(node),
                None => stack.push((node, false)),
            }
        }
        let mut next = 1;
        while let Some((node, done)) = stack.pop() {
            if done {
                self.nodes[node].span.1 = next;
                continue;
            }
            self.nodes[node].span.0 = next;
            next += 1;
            stack.push((node, true));
            stack.extend(children[node].iter().map(|child| (*child, false)));
        }
    }

    fn find_liveness(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for at in (0..self.order.len()).rev() {
                let node = self.order[at];
                let after = self.successors(node);
                let after = after
                    .iter()
                    .fold(0, |live, next| live | self.nodes[*next].live);
                let Footprint { reads, writes } = self.nodes[node].footprint;
                let live = reads | after & !writes;
                changed |= live != self.nodes[node].live;
                self.nodes[node].live = live;
            }
        }
    }

    /// Finds the natural loops: a branch back to a block that dominates it.
    fn find_loops(&mut self) {
        for head in self.order.clone() {
            let latches = self.nodes[head].predecessors.iter().copied();
            let latches: Vec<usize> = latches.filter(|from| self.dominates(head, *from)).collect();
            if !latches.is_empty() {
                self.nodes[head].body = self.loop_body(head, latches);
                let wanted = self.wanted(head);
                for from in self.nodes[head].predecessors.clone() {
                    self.nodes[from].preload |= wanted;
                }
            }
        }
    }

    fn loop_body(&self, head: usize, latches: Vec<usize>) -> Vec<usize> {
        let (mut body, mut work) = (vec![head], latches);
        let mut seen = vec![false; self.nodes.len()];
        seen[head] = true;
        while let Some(node) = work.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                body.push(node);
                work.extend(&self.nodes[node].predecessors);
            }
        }
        body
    }

    /// The registers that a loop uses.
    fn wanted(&self, head: usize) -> Registers {
        let footprints = self.nodes[head]
            .body
            .iter()
            .map(|node| self.nodes[*node].footprint);
        let used = footprints.fold(0, |used, each| used | each.reads | each.writes);
        used & self.nodes[head].live
    }

    /// The loops without calls: addresses of the first block and of all blocks.
    #[must_use]
    pub fn loops(&self) -> Vec<(u64, Vec<u64>)> {
        let heads = self.nodes.iter().filter(|node| !node.body.is_empty());
        let pc = |node: &usize| self.nodes[*node].block.pc;
        heads
            .map(|head| (head.block.pc, head.body.iter().map(pc).collect()))
            .collect()
    }

    fn leaves_available(&self, node: usize) -> Registers {
        let Node {
            available,
            preload,
            footprint,
            ..
        } = &self.nodes[node];
        available | preload | footprint.reads | footprint.writes
    }

    fn find_available(&mut self) {
        for node in &mut self.nodes {
            node.available = if node.entry { 0 } else { node.live };
        }
        let mut changed = true;
        while changed {
            changed = false;
            for node in self.order.clone() {
                let from = self.nodes[node].predecessors.iter();
                let available = from.fold(self.nodes[node].available, |available, from| {
                    available & self.leaves_available(*from)
                });
                changed |= available != self.nodes[node].available;
                self.nodes[node].available = available;
            }
        }
    }

    /// Registers for which a block makes a value: by writing, or by loading.
    fn makes(&self, node: usize) -> Registers {
        let Node {
            available,
            preload,
            footprint,
            parameters,
            ..
        } = &self.nodes[node];
        footprint.writes | parameters | (footprint.reads | preload) & !available
    }

    fn place_parameters(&mut self) {
        let frontiers = self.frontiers();
        let mut work = self.order.clone();
        while let Some(node) = work.pop() {
            let made = self.makes(node);
            for &at in &frontiers[node] {
                let more = made & self.nodes[at].available & !self.nodes[at].parameters;
                if more != 0 {
                    self.nodes[at].parameters |= more;
                    work.push(at);
                }
            }
        }
    }

    /// For each block, the blocks that it does not dominate but a predecessor of which it
    /// does.
    fn frontiers(&self) -> Vec<Vec<usize>> {
        let mut frontiers = vec![Vec::new(); self.nodes.len()];
        for &node in &self.order {
            let stop = self.nodes[node].dominator;
            for &from in &self.nodes[node].predecessors {
                let mut runner = Some(from);
                while runner != stop
                    && let Some(at) = runner
                {
                    if !frontiers[at].contains(&node) {
                        frontiers[at].push(node);
                    }
                    runner = self.nodes[at].dominator;
                }
            }
        }
        frontiers
    }
}

/// Which blocks must be entries: the first, and those that follow a call or an interpreted
/// instruction.
fn resumptions(blocks: &[Block]) -> Vec<bool> {
    let mut entered = vec![false; blocks.len()];
    entered[0] = true;
    for resumption in blocks.iter().filter_map(Block::resumption) {
        entered[resumption] = true;
    }
    entered
}

/// Puts entries before blocks, and makes calls and interpreted instructions lead there.
fn with_entries(blocks: Vec<Block>, entered: &[bool]) -> Vec<Node> {
    // Entries come first, so that the first of them is node 0.
    let entries: Vec<usize> = (0..blocks.len()).filter(|block| entered[*block]).collect();
    let shift = entries.len();
    let mut nodes: Vec<Node> = entries
        .iter()
        .map(|block| Node::entry(blocks[*block].pc, block + shift))
        .collect();
    let entry_of = |block: usize| entries.iter().position(|entry| *entry == block);
    let inner = |target| match target {
        Target::Inside(block) => Target::Inside(block + shift),
        outside => outside,
    };
    let resume = |target| match target {
        Target::Inside(block) => Target::Inside(entry_of(block).unwrap_or(block + shift)),
        outside => outside,
    };
    for mut block in blocks {
        block.end = match block.end {
            End::Next(to) => End::Next(inner(to)),
            End::Jump(to) => End::Jump(inner(to)),
            End::Branch(to, behind) => End::Branch(inner(to), inner(behind)),
            End::Call(callee, back) => End::Call(callee, resume(back)),
            End::Interpret(after) => End::Interpret(after.map(resume)),
            end @ (End::Return | End::Indirect) => end,
        };
        nodes.push(Node::new(block, false));
    }
    nodes
}

impl Node {
    fn new(block: Block, entry: bool) -> Self {
        let footprint = Footprint::of(&block.code);
        Self {
            block,
            entry,
            footprint,
            parameters: 0,
            available: 0,
            preload: 0,
            dominator: None,
            span: (0, 0),
            body: Vec::new(),
            predecessors: Vec::new(),
            gate: 0,
            spent: 0,
            room: 0,
            live: 0,
        }
    }

    fn entry(pc: u64, block: usize) -> Self {
        let end = End::Next(Target::Inside(block));
        let code = Vec::new();
        Self::new(Block { pc, code, end }, true)
    }
}
