//! The accelerator: decides what to translate, and runs it.

use crate::cache::Cache;
use crate::compiler::{CompileError, Compiler};
use crate::emit::Assumptions;
use crate::flow::Flow;
use crate::footprint::{COUNT, HI, LO};
use crate::library::Library;
use crate::record::{Record, guest_hash};
use crate::region::{Code, Region};
use crate::runtime::{Context, Exit};
use crate::statistics::Statistics;
use carronade_emulator::accelerator::{Accelerator, Running};
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::Instruction;
use carronade_emulator::leaders::{Heat, Leaders};
use carronade_emulator::memory::{Memory, PAGE_SHIFT};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// How the translator works.
#[derive(Debug, Clone)]
pub struct Options {
    /// After how many arrivals at a leader a region is made there; 1 for at once.
    pub hot: u16,
    /// Most bytes of native code in memory.
    pub arena: usize,
    /// Folder where native code is kept from run to run; none if it is not.
    pub cache: Option<PathBuf>,
    /// Most bytes in that folder.
    pub cache_limit: u64,
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
            cache: None,
            cache_limit: 1 << 30,
            exact: true,
            perf_map: false,
        }
    }
}

/// After how many native steps memory is arranged anew.
const SETTLE: u64 = 50_000_000;

/// What to translate, and how.
struct Request {
    start: u64,
    /// If not all, the leaders that belong in the region.
    only: Option<HashSet<u64>>,
    /// Whether bases may point into any window.
    wide: bool,
}

/// The accelerator that translates regions to native code.
pub struct Translator {
    options: Options,
    compiler: Compiler,
    library: Library,
    cache: Option<Cache>,
    cache_error: Option<std::io::Error>,
    /// Whether the cache has been asked for what it has.
    loaded: bool,
    /// Whether there is something that the cache does not have.
    unsaved: bool,
    /// Whether the system has refused executable memory: it is not asked again.
    refused: bool,
    context: Box<Context>,
    statistics: Statistics,
}

// SAFETY: the pointers of the context are set before each run and not used after it, and
// the counted references of the library never leave it.
#[expect(unsafe_code, reason = "the context holds pointers between runs")]
unsafe impl Send for Translator {}

impl Translator {
    /// A translator for the processor that this runs on. A cache folder that cannot be
    /// used is not used.
    ///
    /// # Errors
    /// When there can be none.
    pub fn new(options: Options) -> Result<Self, CompileError> {
        let compiler = Compiler::new()?;
        let fingerprint = format!("{} exact {}", compiler.fingerprint(), options.exact);
        let open = |root: &PathBuf| Cache::open(root, &fingerprint, options.cache_limit);
        let (cache, cache_error) = match options.cache.as_ref().map(open) {
            Some(Ok(cache)) => (Some(cache), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        Ok(Self {
            compiler,
            library: Library::new(options.hot, options.arena, options.perf_map),
            cache,
            cache_error,
            loaded: false,
            unsaved: false,
            refused: false,
            context: Box::new(Context::new()),
            statistics: Statistics::default(),
            options,
        })
    }

    /// Why the cache folder is not used, if it cannot be.
    #[must_use]
    pub fn cache_error(&self) -> Option<&std::io::Error> {
        self.cache_error.as_ref()
    }

    /// What has been done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            arena_bytes: self.library.bytes() as u64,
            dropped: self.library.dropped,
            evictions: self.library.evictions,
            ..self.statistics.clone()
        }
    }

    /// Translates what can be reached from some addresses by direct branches, jumps and
    /// calls, and keeps it in the cache: says how many regions that made.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn compile_ahead(&mut self, memory: &mut Memory, roots: &[u64]) -> std::io::Result<u64> {
        let (mut work, before) = (roots.to_vec(), self.statistics.regions);
        let mut seen = HashSet::new();
        while let Some(pc) = work.pop() {
            if !seen.insert(pc) || pc & 3 != 0 || !self.library.leaders.cover(pc) {
                continue;
            }
            self.load_cache(memory);
            if !self.library.leaders.covers(pc) || memory.page(pc >> PAGE_SHIFT).is_none() {
                continue;
            }
            work.extend(self.translate_ahead(memory, pc));
        }
        self.save_cache()?;
        Ok(self.statistics.regions - before)
    }

    /// Translates the region at an address, if there is none: where control goes from there.
    fn translate_ahead(&mut self, memory: &mut Memory, pc: u64) -> Vec<u64> {
        let mut source = Source {
            only: None,
            all: true,
            library: &mut self.library,
            memory,
        };
        let region = Region::discover(&mut source, pc);
        let next = region.leads_to();
        if self.library.leaders.code(pc).is_none() {
            let request = Request {
                start: pc,
                only: None,
                wide: true,
            };
            self.make(memory, &[0; 32], request, region);
        }
        next
    }

    /// Writes what the cache does not have.
    ///
    /// # Errors
    /// When that fails.
    pub fn save_cache(&mut self) -> std::io::Result<()> {
        // Where code was given up that the cache has, it is not to lose it as well.
        let partial = self.refused || self.library.evictions > 0;
        match &mut self.cache {
            Some(cache) if partial && cache.would_replace() => Ok(()),
            Some(cache) if std::mem::take(&mut self.unsaved) => cache.save(self.library.records()),
            _ => Ok(()),
        }
    }

    fn load_cache(&mut self, memory: &mut Memory) {
        let Some(cache) = self.cache.as_mut().filter(|_| !self.loaded) else {
            return;
        };
        self.loaded = true;
        let began = cpu_time();
        for record in cache.load(memory) {
            if self.library.leaders.covers(record.start) && self.install(memory, record) {
                self.statistics.cached += 1;
            }
        }
        self.statistics.cache_time += cpu_time().saturating_sub(began);
    }

    /// Makes a region's code executable, if the system lets us; if not, the interpreter
    /// goes on.
    fn install(&mut self, memory: &mut Memory, record: Record) -> bool {
        self.refused = self.refused || self.library.install(memory, Rc::new(record)).is_err();
        !self.refused
    }

    /// The native code for a leader, made now if it is due.
    fn code(&mut self, memory: &mut Memory, registers: &[u64; 32], pc: u64) -> Option<u64> {
        if let Some(code) = self.library.leaders.code(pc) {
            return Some(code);
        }
        let only = match self.library.leaders.heat_of(pc) {
            Heat::Cold => return None,
            _ if self.refused || self.library.is_restless(pc) => {
                self.library.leaders.give_up(pc);
                return None;
            }
            Heat::Hot => None,
            Heat::HotLoop => self.library.loop_at(pc),
        };
        let request = Request {
            start: pc,
            only,
            wide: false,
        };
        self.translate(memory, registers, request);
        let code = self.library.leaders.code(pc);
        if code.is_none() {
            self.library.leaders.give_up(pc);
        }
        code
    }

    fn translate(&mut self, memory: &mut Memory, registers: &[u64; 32], request: Request) {
        let mut source = Source {
            only: request.only.as_ref(),
            all: false,
            library: &mut self.library,
            memory,
        };
        let region = Region::discover(&mut source, request.start);
        self.make(memory, registers, request, region);
    }

    /// Makes native code of a region.
    fn make(
        &mut self,
        memory: &mut Memory,
        registers: &[u64; 32],
        request: Request,
        region: Region,
    ) {
        if region.blocks[0].code.is_empty() {
            return;
        }
        let began = cpu_time();
        let runs = region.runs();
        let instructions = region.instructions() as u64;
        let assumptions = Assumptions {
            entries_base: self.library.leaders.base(),
            registers,
            wide: request.wide,
            budget: self.options.exact,
        };
        let flow = Flow::new(region);
        let compiled = self.compiler.compile(&flow, &assumptions);
        self.statistics.regions += 1;
        self.statistics.instructions += instructions;
        match compiled {
            Ok(native) => {
                self.statistics.native_bytes += native.bytes.len() as u64;
                let record = Record {
                    start: request.start,
                    only: request.only.map(|only| only.into_iter().collect()),
                    wide: request.wide,
                    guest: guest_hash(memory, &runs),
                    runs,
                    loops: flow.loops(),
                    entries: native.entries,
                    code: native.bytes,
                };
                self.unsaved |= self.install(memory, record);
            }
            Err(_) => self.statistics.refused += 1,
        }
        self.statistics.compile_time += cpu_time().saturating_sub(began);
    }

    /// A base was not in the window that the code at `pc` was made for.
    fn wandered(&mut self, memory: &mut Memory, pc: u64) {
        for record in self.library.wandered(pc) {
            // What has been part of it may be so again.
            for (pc, _) in &record.runs {
                self.library.leaders.arrive(*pc);
            }
            let request = Request {
                start: record.start,
                only: record
                    .only
                    .as_ref()
                    .map(|only| only.iter().copied().collect()),
                wide: true,
            };
            let registers = first_registers(&self.context);
            self.translate(memory, &registers, request);
        }
    }

    /// Runs native code from a leader on until it cannot go on.
    fn execute(&mut self, running: &mut Running<'_>, code: u64, budget: u64) -> u64 {
        let (mut code, mut left) = (code, budget);
        loop {
            self.context.reason = Exit::Returned as u64;
            // SAFETY: the code is that of a region at hand, made for this context; `run` has
            // set its pointers from `running`, which nobody else uses meanwhile.
            #[expect(unsafe_code, reason = "native code is entered here and only here")]
            let (result, rest) = unsafe { self.context.enter(code, left) };
            left = rest;
            let reason = Exit::ALL[self.context.reason as usize % Exit::ALL.len()];
            self.statistics.exits[reason as usize] += 1;
            if reason == Exit::Returned {
                self.context.pc = result;
                self.context.next_pc = result.wrapping_add(4);
            }
            match self.go_on(running, reason) {
                Some(next) => code = next,
                None => return budget - left,
            }
        }
    }

    /// Where native code goes on after an exit, if it does.
    fn go_on(&mut self, running: &mut Running<'_>, reason: Exit) -> Option<u64> {
        let pc = self.context.pc;
        match reason {
            Exit::Returned | Exit::Untranslated if !self.library.arrive(pc) => None,
            Exit::Returned | Exit::Untranslated | Exit::Depth => {
                let registers = first_registers(&self.context);
                self.code(running.memory, &registers, pc)
            }
            Exit::Window => {
                self.wandered(running.memory, pc);
                None
            }
            _ => None,
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
        context.entries = self.library.leaders.entries();
        context.entries_base = self.library.leaders.base();
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
            running
                .stats
                .missed_icache(context.missed, context.highest_missed);
        }
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        // A cache that cannot be written is a cache that is not there.
        let _ = self.save_cache();
    }
}

/// CPU time of this thread, which says more than the clock on a busy machine.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

fn first_registers(context: &Context) -> [u64; 32] {
    const { assert!(COUNT > 32) };
    std::array::from_fn(|register| context.registers[register])
}

impl Accelerator for Translator {
    fn leaders(&mut self) -> &mut Leaders {
        &mut self.library.leaders
    }

    fn run(&mut self, running: &mut Running<'_>, budget: u64) -> u64 {
        let pc = running.thread.pc;
        if running.thread.next_pc != pc.wrapping_add(4) || !self.library.leaders.cover(pc) {
            return 0;
        }
        if !self.loaded {
            self.load_cache(running.memory);
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
        let before = self.statistics.native_steps;
        self.statistics.native_steps += executed;
        if before / SETTLE != self.statistics.native_steps / SETTLE {
            running.memory.settle();
        }
        executed
    }

    fn forget(&mut self, addresses: &[u64]) {
        self.library.forget(addresses);
    }

    fn forget_all(&mut self) {
        self.library.forget_all();
    }
}

/// The guest's code, and which of it belongs in a region.
struct Source<'a> {
    /// If not all, the leaders that belong in the region.
    only: Option<&'a HashSet<u64>>,
    /// Whether leaders belong in where control has never arrived.
    all: bool,
    library: &'a mut Library,
    memory: &'a Memory,
}

impl Code for Source<'_> {
    fn instruction(&self, pc: u64) -> Instruction {
        Instruction::decode(self.memory.load(pc, Width::Word) as u32)
    }

    fn wanted(&mut self, pc: u64) -> bool {
        if self.library.is_restless(pc) {
            return false;
        }
        let leaders = &mut self.library.leaders;
        match self.only {
            Some(only) => only.contains(&pc),
            None => {
                leaders.covers(pc)
                    && leaders.code(pc).is_none()
                    && (self.all || leaders.visited(pc))
            }
        }
    }
}
