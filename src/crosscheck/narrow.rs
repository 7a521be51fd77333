//! Looking for the first step at which two machines differ.

use super::journal::Known;
use super::{Difference, Maker, outcome_difference};
use crate::{diff, interrupt};
use anyhow::{Result, bail};
use carronade_emulator::cpu::Width;
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::disassemble::disassemble;
use carronade_emulator::machine::{Machine, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use carronade_emulator::step::NoOutput;

/// Instructions shown before and after one. Before it comes what may be to blame: if native
/// code would have to stop in the middle of a straight run, all of that run is interpreted,
/// so a difference shows at its end only.
const BEFORE: u64 = 16;
const AFTER: u64 = 3;

/// A point at which the machines were equal, and where they stopped since.
pub struct Checkpoint {
    state: State,
    memory: Memory,
    /// Step counters at which both machines stopped.
    pub stops: Vec<u64>,
}

/// Two machines that have repeated the steps since a checkpoint.
struct Repetition {
    machines: [Machine; 2],
    lines: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint of a machine.
    pub fn new(state: &State, memory: &Memory) -> Self {
        Self {
            state: state.clone(),
            memory: copy(memory),
            stops: Vec::new(),
        }
    }

    /// The step counter.
    pub const fn step(&self) -> u64 {
        self.state.step
    }

    /// Repeats the steps up to `to`, at which the machines differ, with ever nearer ends:
    /// one step before which they are equal and after which they are not. Nothing if they
    /// do not differ this time: the second machine's accelerator begins without the native
    /// code that it had.
    pub fn narrow(
        &self,
        to: u64,
        maker: &Maker,
        known: &Known,
        metadata: &Metadata,
    ) -> Result<Option<Difference>> {
        let repeat = |end| self.repeat(end, maker, known, metadata);
        let mut found = repeat(to)?;
        if found.lines.is_empty() {
            return Ok(None);
        }
        let (mut low, mut high) = (self.step(), to);
        let mut before = pc(&self.state);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let tried = repeat(middle)?;
            if tried.lines.is_empty() {
                (low, before) = (middle, pc(tried.machines[0].state()));
            } else {
                (high, found) = (middle, tried);
            }
        }
        Ok(Some(Difference {
            from: low,
            to: high,
            lines: found.lines,
            code: code_around(found.machines[0].memory(), before, metadata),
        }))
    }

    fn repeat(
        &self,
        end: u64,
        maker: &Maker,
        known: &Known,
        metadata: &Metadata,
    ) -> Result<Repetition> {
        if interrupt::requested() {
            bail!("interrupted");
        }
        let machine = |memory| {
            let (oracle, output) = (Box::new(known.clone()), Box::new(NoOutput));
            Machine::new(self.state.clone(), memory, oracle, output)
        };
        let mut memory = copy(&self.memory);
        let accelerator = maker(&mut memory)?;
        let first = machine(copy(&self.memory));
        let second = machine(memory).with_accelerator(accelerator);
        let mut machines = [first, second];
        let failures = machines.each_mut().map(|machine| self.follow(machine, end));
        let mut lines: Vec<_> = outcome_difference(failures.each_ref().map(Option::as_ref))
            .into_iter()
            .collect();
        let sides = machines
            .each_ref()
            .map(|machine| (machine.state(), machine.memory()));
        lines.extend(diff::differences(sides[0], sides[1], metadata));
        Ok(Repetition { machines, lines })
    }

    /// Runs a machine to a step with the stops that were made before it.
    fn follow(&self, machine: &mut Machine, end: u64) -> Option<VmError> {
        let stops = self.stops.iter().copied();
        let mut stops = stops.take_while(|stop| *stop < end).chain([end]);
        stops.find_map(|stop| machine.run(stop, Watch::Nothing).err())
    }
}

fn pc(state: &State) -> u64 {
    state.thread().map_or(0, |thread| thread.pc)
}

/// The same memory once more.
pub fn copy(memory: &Memory) -> Memory {
    let mut copy = Memory::new();
    for index in memory.page_indexes() {
        if let Some(page) = memory.page(index) {
            *copy.page_mut(index) = *page;
        }
    }
    copy
}

/// The instructions around one, which is marked.
pub fn code_around(memory: &Memory, pc: u64, metadata: &Metadata) -> Vec<String> {
    let first = pc.saturating_sub(4 * BEFORE);
    let places = (0..=BEFORE + AFTER).map(|n| first.saturating_add(4 * n));
    let line = |at| {
        let word = memory.load(at, Width::Word) as u32;
        let mark = if at == pc { "=>" } else { "  " };
        let (text, name) = (disassemble(word, at), metadata.lookup(at));
        format!("{mark} {at:x}  {word:08x}  {text}  ({name})")
    };
    places.map(line).collect()
}
