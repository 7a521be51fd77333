//! The accelerator: decides what to translate, keeps it, and runs it.

use crate::arena::Arena;
use crate::compiler::{CompileError, Compiler, NativeCode};
use crate::emit::Assumptions;
use crate::flow::Flow;
use crate::footprint::{COUNT, HI, LO};
use crate::region::{Code, Region};
use crate::runtime::{Context, Exit};
use crate::statistics::Statistics;
use carronade_emulator::accelerator::{Accelerator, Running};
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::Instruction;
use carronade_emulator::leaders::{Heat, Leaders};
use carronade_emulator::memory::{Memory, PAGE_SHIFT};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// How the translator works.
#[derive(Debug, Clone)]
pub struct Options {
    /// After how many arrivals at a leader a region is made there; 1 for at once.
    pub hot: u16,
    /// Most bytes of native code in memory.
    pub arena: usize,
    /// Whether runs stop exactly. Only for measuring what that costs.
    pub exact: bool,
    /// Whether to write `/tmp/perf-<pid>.map`, for `perf report` to name native code.
    pub perf_map: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hot: 2000,
            arena: 256 << 20,
            exact: true,
            perf_map: false,
        }
    }
}

/// How often native code of a page may be lost to stores before its code is left to the
/// interpreter for good: translating costs more than thousands of executions.
const REWRITES: u32 = 16;

/// How often a base may leave the window that its code was made for before the code is
/// made anew for all windows.
const WANDERINGS: u32 = 16;

/// A region in native code.
struct Unit {
    /// Leaders and the addresses of their code.
    entries: Vec<(u64, u64)>,
    /// The guest's instructions: first address and how many.
    runs: Vec<(u64, usize)>,
    /// Loops without calls: first block and all blocks.
    loops: Vec<(u64, Vec<u64>)>,
    /// Where the region begins, and which leaders it was limited to.
    start: u64,
    only: Option<HashSet<u64>>,
    /// How often a base was not in the window that the code was made for.
    wanderings: u32,
}

/// What to translate, and how.
struct Request {
    start: u64,
    /// If not all, the leaders that belong in the region.
    only: Option<HashSet<u64>>,
    /// Whether bases may point into any window.
    wandering: bool,
}

/// The accelerator that translates regions to native code.
pub struct Translator {
    options: Options,
    compiler: Compiler,
    arena: Arena,
    leaders: Leaders,
    units: Vec<Option<Unit>>,
    /// Which units hold instructions of a page.
    by_page: HashMap<u64, Vec<usize>>,
    /// How often code of a page was lost to stores.
    rewrites: HashMap<u64, u32>,
    context: Box<Context>,
    statistics: Statistics,
}

// SAFETY: the pointers of the context are set before each run and not used after it.
#[expect(unsafe_code, reason = "the context holds pointers between runs")]
unsafe impl Send for Translator {}

impl Translator {
    /// A translator for the processor that this runs on.
    ///
    /// # Errors
    /// When there can be none.
    pub fn new(options: Options) -> Result<Self, CompileError> {
        Ok(Self {
            compiler: Compiler::new()?,
            arena: Arena::new(options.arena),
            leaders: Leaders::new(options.hot),
            units: Vec::new(),
            by_page: HashMap::new(),
            rewrites: HashMap::new(),
            context: Box::new(Context::new()),
            statistics: Statistics::default(),
            options,
        })
    }

    /// What has been done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.statistics.clone();
        statistics.arena_bytes = self.arena.used() as u64;
        statistics
    }

    /// The native code for a leader, made now if it is due.
    fn code(&mut self, memory: &mut Memory, registers: &[u64; 32], pc: u64) -> Option<u64> {
        if let Some(code) = self.leaders.code(pc) {
            return Some(code);
        }
        let only = match self.leaders.heat_of(pc) {
            Heat::Cold => return None,
            _ if is_restless(&self.rewrites, pc) => {
                self.leaders.give_up(pc);
                return None;
            }
            Heat::Hot => None,
            Heat::HotLoop => self.loop_at(pc),
        };
        let request = Request {
            start: pc,
            only,
            wandering: false,
        };
        self.translate(memory, registers, request);
        let code = self.leaders.code(pc);
        if code.is_none() {
            self.leaders.give_up(pc);
        }
        code
    }

    /// The blocks of the loop that begins at a leader.
    fn loop_at(&self, pc: u64) -> Option<HashSet<u64>> {
        let mut units = self.units_with(pc).into_iter().filter_map(|unit| self.units[unit].as_ref());
        units.find_map(|unit| {
            let (_, blocks) = unit.loops.iter().find(|(head, _)| *head == pc)?;
            Some(blocks.iter().copied().collect())
        })
    }

    fn translate(
        &mut self,
        memory: &mut Memory,
        registers: &[u64; 32],
        request: Request,
    ) {
        let (began, pc) = (Instant::now(), request.start);
        let mut source = Source {
            only: request.only.as_ref(),
            rewrites: &self.rewrites,
            memory,
            leaders: &mut self.leaders,
        };
        let region = Region::discover(&mut source, pc);
        if region.blocks[0].code.is_empty() {
            return;
        }
        let runs = region.blocks.iter().filter(|block| !block.code.is_empty());
        let runs: Vec<(u64, usize)> = runs.map(|block| (block.pc, block.code.len())).collect();
        let instructions = region.instructions();
        let assumptions = Assumptions {
            entries_base: self.leaders.base(),
            registers,
            wandering: request.wandering,
            budget: self.options.exact,
        };
        let flow = Flow::new(region);
        let compiled = self.compiler.compile(&flow, &assumptions);
        match compiled {
            Ok(native) => {
                let unit = Unit {
                    entries: Vec::new(),
                    runs,
                    loops: flow.loops(),
                    start: pc,
                    only: request.only,
                    // Code for all windows has nothing to gain from being made anew.
                    wanderings: if request.wandering { WANDERINGS } else { 0 },
                };
                self.install(memory, unit, &native);
            }
            Err(_) => self.statistics.refused += 1,
        }
        self.statistics.regions += 1;
        self.statistics.instructions += instructions as u64;
        self.statistics.compile_time += began.elapsed();
    }

    fn install(&mut self, memory: &mut Memory, mut unit: Unit, native: &NativeCode) {
        let base = match self.arena.add(&native.bytes) {
            Ok(Some(base)) => base,
            Ok(None) => {
                self.forget_all();
                self.statistics.evictions += 1;
                return;
            }
            Err(_) => return,
        };
        for page in pages(&unit.runs) {
            memory.mark_code(page);
            self.by_page.entry(page).or_default().push(self.units.len());
        }
        for (number, (pc, offset)) in native.entries.iter().enumerate() {
            // A region that begins at a leader knows more there than one that has it inside.
            if number == 0 || self.leaders.code(*pc).is_none() {
                let address = base + u64::from(*offset);
                self.leaders.set_code(*pc, address);
                unit.entries.push((*pc, address));
            }
        }
        for (pc, _) in &unit.runs {
            let heads_loop = unit.loops.iter().any(|(head, _)| head == pc);
            self.leaders.set_inner(*pc, heads_loop);
        }
        self.statistics.native_bytes += native.bytes.len() as u64;
        if self.options.perf_map {
            self.perf_map(base, native.bytes.len(), unit.start);
        }
        self.units.push(Some(unit));
    }

    /// Tells `perf` the name of a piece of code, in the file that it looks for.
    fn perf_map(&self, address: u64, length: usize, start: u64) {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        // Whoever profiles sees that names are missing; the run is not to fail for it.
        let _ = file.and_then(|mut file| {
            std::io::Write::write_all(&mut file, format!("{address:x} {length:x} guest_{start:x}\n").as_bytes())
        });
    }

    /// Gives up a unit; its leaders count anew.
    fn drop_unit(&mut self, unit: usize) -> Option<Unit> {
        let unit = self.units[unit].take()?;
        for (pc, address) in &unit.entries {
            if self.leaders.code(*pc) == Some(*address) {
                self.leaders.clear(*pc);
            }
        }
        for (pc, _) in &unit.runs {
            if self.leaders.code(*pc).is_none() {
                self.leaders.clear(*pc);
            }
        }
        self.statistics.dropped += 1;
        Some(unit)
    }

    fn units_with(&self, pc: u64) -> Vec<usize> {
        let Some(units) = self.by_page.get(&(pc >> PAGE_SHIFT)) else {
            return Vec::new();
        };
        let holds = |unit: &Unit| {
            let mut runs = unit.runs.iter();
            runs.any(|(first, count)| pc.wrapping_sub(*first) < 4 * *count as u64)
        };
        let units = units.iter().copied();
        units.filter(|unit| self.units[*unit].as_ref().is_some_and(holds)).collect()
    }

    /// A base was not in the window that the code at `pc` was made for.
    fn wandered(&mut self, memory: &mut Memory, pc: u64) {
        for at in self.units_with(pc) {
            let Some(unit) = &mut self.units[at] else {
                continue;
            };
            unit.wanderings = unit.wanderings.saturating_add(1);
            if unit.wanderings == WANDERINGS {
                self.widen(memory, at);
            }
        }
    }

    /// Makes a unit anew for bases that may point into any window.
    fn widen(&mut self, memory: &mut Memory, unit: usize) {
        let Some(unit) = self.drop_unit(unit) else {
            return;
        };
        // What has been part of it may be so again.
        for (pc, _) in &unit.runs {
            self.leaders.arrive(*pc);
        }
        let request = Request {
            start: unit.start,
            only: unit.only,
            wandering: true,
        };
        let registers = first_registers(&self.context);
        self.translate(memory, &registers, request);
    }

    /// Runs native code from a leader on until it cannot go on.
    fn execute(&mut self, running: &mut Running<'_>, code: u64, budget: u64) -> u64 {
        let (mut code, mut left) = (code, budget);
        loop {
            self.context.reason = Exit::Returned as u64;
            // SAFETY: the code is that of a unit, made for this context; `run` has set its
            // pointers from `running`, which nobody else uses meanwhile.
            #[expect(unsafe_code, reason = "native code is entered here and only here")]
            let (result, rest) = unsafe { self.context.enter(code, left) };
            left = rest;
            let reason = Exit::ALL[self.context.reason as usize % Exit::ALL.len()];
            self.statistics.exits[reason as usize] += 1;
            if reason == Exit::Returned {
                self.context.pc = result;
                self.context.next_pc = result.wrapping_add(4);
            }
            let pc = self.context.pc;
            match reason {
                Exit::Returned | Exit::Untranslated | Exit::Depth => {
                    if reason != Exit::Depth && !self.leaders.arrive(pc) {
                        return budget - left;
                    }
                    let registers = first_registers(&self.context);
                    match self.code(running.memory, &registers, pc) {
                        Some(next) => code = next,
                        None => return budget - left,
                    }
                }
                Exit::Window => {
                    self.wandered(running.memory, pc);
                    return budget - left;
                }
                _ => return budget - left,
            }
        }
    }

    /// Lets the context know of the machine. Says whether it can be run natively.
    fn prepare(&mut self, running: &mut Running<'_>, budget: u64) -> bool {
        let Some((memory, attributes)) = running.memory.flat() else {
            return false;
        };
        let context = &mut *self.context;
        context.memory = memory;
        context.attributes = (attributes as usize).wrapping_sub(memory as usize >> PAGE_SHIFT);
        context.entries = self.leaders.entries();
        context.entries_base = self.leaders.base();
        (context.missed, context.highest_missed) = (0, 0);
        context.registers[..32].copy_from_slice(&running.thread.registers);
        context.registers[HI] = running.thread.hi;
        context.registers[LO] = running.thread.lo;
        context.link(running, budget);
        true
    }

    fn finish(&mut self, running: &mut Running<'_>, budget: u64) {
        let context = &self.context;
        context.unlink(running, budget);
        running.thread.registers = first_registers(context);
        running.thread.hi = context.registers[HI];
        running.thread.lo = context.registers[LO];
        running.thread.pc = context.pc;
        running.thread.next_pc = context.next_pc;
        if context.missed > 0 {
            running.stats.missed_icache(context.missed, context.highest_missed);
        }
    }
}

fn first_registers(context: &Context) -> [u64; 32] {
    const { assert!(COUNT > 32) };
    std::array::from_fn(|register| context.registers[register])
}

impl Accelerator for Translator {
    fn leaders(&mut self) -> &mut Leaders {
        &mut self.leaders
    }

    fn run(&mut self, running: &mut Running<'_>, budget: u64) -> u64 {
        let pc = running.thread.pc;
        if running.thread.next_pc != pc.wrapping_add(4) || !self.leaders.cover(pc) {
            return 0;
        }
        let registers = &running.thread.registers;
        let Some(code) = self.code(running.memory, registers, pc) else {
            return 0;
        };
        if budget > i64::MAX as u64 || !self.prepare(running, budget) {
            return 0;
        }
        let executed = self.execute(running, code, budget);
        self.finish(running, budget);
        self.statistics.native_steps += executed;
        executed
    }

    fn forget(&mut self, addresses: &[u64]) {
        for address in addresses {
            for pc in [address & !7, address & !7 | 4] {
                for unit in self.units_with(pc) {
                    self.drop_unit(unit);
                    *self.rewrites.entry(pc >> PAGE_SHIFT).or_default() += 1;
                }
                if self.leaders.code(pc).is_none() {
                    self.leaders.clear(pc);
                }
            }
        }
    }

    fn forget_all(&mut self) {
        for unit in 0..self.units.len() {
            self.drop_unit(unit);
        }
        self.units.clear();
        self.by_page.clear();
        self.rewrites.clear();
        self.arena.clear();
    }
}

/// The pages that hold instructions.
fn pages(runs: &[(u64, usize)]) -> HashSet<u64> {
    let mut pages = HashSet::new();
    for (first, count) in runs {
        let last = first.wrapping_add(4 * (*count as u64 - 1));
        pages.extend([first >> PAGE_SHIFT, last >> PAGE_SHIFT]);
    }
    pages
}

/// Whether the code of a page changes too often.
fn is_restless(rewrites: &HashMap<u64, u32>, pc: u64) -> bool {
    rewrites.get(&(pc >> PAGE_SHIFT)).is_some_and(|times| *times >= REWRITES)
}

struct Source<'a> {
    /// If not all, the leaders that belong in the region.
    only: Option<&'a HashSet<u64>>,
    rewrites: &'a HashMap<u64, u32>,
    memory: &'a Memory,
    leaders: &'a mut Leaders,
}

impl Code for Source<'_> {
    fn instruction(&self, pc: u64) -> Instruction {
        Instruction::decode(self.memory.load(pc, Width::Word) as u32)
    }

    fn wanted(&mut self, pc: u64) -> bool {
        if is_restless(self.rewrites, pc) {
            return false;
        }
        match self.only {
            Some(only) => only.contains(&pc),
            None => {
                self.leaders.covers(pc)
                    && self.leaders.visited(pc)
                    && self.leaders.code(pc).is_none()
            }
        }
    }
}
