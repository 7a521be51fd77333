//! The native code at hand: which regions there are, where they lie, and how leaders lead
//! to them.

use crate::arena::Arena;
use crate::record::Record;
use carronade_emulator::leaders::Leaders;
use carronade_emulator::memory::{Memory, PAGE_SHIFT};
use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;

/// How often native code of a page may be lost to stores before its code is left to the
/// interpreter for good: translating costs more than thousands of executions.
const REWRITES: u32 = 16;

/// How often a base may leave the window that its code was made for before the code is
/// made anew for all windows.
const WANDERINGS: u32 = 16;

/// How often native code may lead to the middle of other native code before that is made
/// anew from there.
const MISSES: u32 = 4000;

/// A region in executable memory.
struct Unit {
    record: Rc<Record>,
    /// Leaders and the addresses of their code.
    entries: Vec<(u64, u64)>,
    /// How often a base was not in the window that the code was made for.
    wanderings: u32,
}

/// All regions at hand.
pub struct Library {
    /// The table that native code and interpreter look leaders up in.
    pub leaders: Leaders,
    arena: Arena,
    units: Vec<Option<Unit>>,
    /// Which units hold instructions of a page.
    by_page: HashMap<u64, Vec<usize>>,
    /// How often code of a page was lost to stores.
    rewrites: HashMap<u64, u32>,
    /// How often native code led to leaders in the middle of other native code.
    misses: HashMap<u64, u32>,
    perf_map: bool,
    /// Regions given up because their code was stored to, or guessed wrong.
    pub dropped: u64,
    /// How often all code was given up because there was too much of it.
    pub evictions: u64,
}

impl Library {
    /// An empty one: leaders are hot after so many arrivals, and native code takes at most
    /// so many bytes.
    pub fn new(hot: u16, arena: usize, perf_map: bool) -> Self {
        Self {
            leaders: Leaders::new(hot),
            arena: Arena::new(arena),
            units: Vec::new(),
            by_page: HashMap::new(),
            rewrites: HashMap::new(),
            misses: HashMap::new(),
            perf_map,
            dropped: 0,
            evictions: 0,
        }
    }

    /// Bytes of native code.
    pub fn bytes(&self) -> usize {
        self.arena.used()
    }

    /// The regions at hand.
    pub fn records(&self) -> impl Iterator<Item = &Rc<Record>> {
        self.units.iter().flatten().map(|unit| &unit.record)
    }

    /// Makes a region's code executable and lets its leaders lead there.
    ///
    /// # Errors
    /// When the system refuses executable memory. All native code is given up then, for
    /// what lay beside it may be lost with it.
    pub fn install(&mut self, memory: &mut Memory, record: Rc<Record>) -> io::Result<()> {
        let base = match self.place(&record.code) {
            Ok(Some(base)) => base,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.forget_all();
                return Err(error);
            }
        };
        for page in record.pages() {
            memory.mark_code(page);
            self.by_page.entry(page).or_default().push(self.units.len());
        }
        let entries = self.enter(&record, base);
        for (pc, _) in &record.runs {
            let heads_loop = record.loops.iter().any(|(head, _)| head == pc);
            self.leaders.set_inner(*pc, heads_loop);
        }
        if self.perf_map {
            write_perf_map(base, &record);
        }
        self.units.push(Some(Unit {
            // Code for all windows has nothing to gain from being made anew.
            wanderings: if record.wide { WANDERINGS } else { 0 },
            record,
            entries,
        }));
        Ok(())
    }

    /// Copies code into executable memory, emptied first if it is full: the address, or
    /// `None` for code that never fits.
    fn place(&mut self, code: &[u8]) -> io::Result<Option<u64>> {
        if let Some(base) = self.arena.add(code)? {
            return Ok(Some(base));
        }
        self.forget_all();
        self.evictions += 1;
        self.arena.add(code)
    }

    fn enter(&mut self, record: &Record, base: u64) -> Vec<(u64, u64)> {
        let mut entries = Vec::new();
        for (number, (pc, offset)) in record.entries.iter().enumerate() {
            // A region that begins at a leader knows more there than one that has it inside.
            if number == 0 || self.leaders.code(*pc).is_none() {
                let address = base + u64::from(*offset);
                self.leaders.set_code(*pc, address);
                entries.push((*pc, address));
            }
        }
        entries
    }

    /// Gives up a unit; its leaders count anew.
    fn give_up(&mut self, unit: usize) -> Option<Rc<Record>> {
        let unit = self.units[unit].take()?;
        for (pc, address) in &unit.entries {
            if self.leaders.code(*pc) == Some(*address) {
                self.leaders.clear(*pc);
            }
        }
        for (pc, _) in &unit.record.runs {
            if self.leaders.code(*pc).is_none() {
                self.leaders.clear(*pc);
            }
        }
        self.dropped += 1;
        Some(unit.record)
    }

    fn units_with(&self, pc: u64) -> Vec<usize> {
        let Some(units) = self.by_page.get(&(pc >> PAGE_SHIFT)) else {
            return Vec::new();
        };
        let units = units.iter().copied();
        let holds = |unit: &Unit| unit.record.holds(pc);
        units
            .filter(|unit| self.units[*unit].as_ref().is_some_and(holds))
            .collect()
    }

    /// The blocks of the loop that begins at a leader.
    pub fn loop_at(&self, pc: u64) -> Option<HashSet<u64>> {
        let units = self.units_with(pc);
        let mut records = units
            .into_iter()
            .filter_map(|unit| self.units[unit].as_ref());
        records.find_map(|unit| {
            let (_, blocks) = unit.record.loops.iter().find(|(head, _)| *head == pc)?;
            Some(blocks.iter().copied().collect())
        })
    }

    /// Counts that a base was not in the window that the code at `pc` was made for. Gives
    /// up the regions, and names them, for which that has happened often enough.
    pub fn wandered(&mut self, pc: u64) -> Vec<Rc<Record>> {
        let mut widened = Vec::new();
        for at in self.units_with(pc) {
            if let Some(unit) = &mut self.units[at] {
                unit.wanderings = unit.wanderings.saturating_add(1);
                if unit.wanderings == WANDERINGS {
                    widened.extend(self.give_up(at));
                }
            }
        }
        widened
    }

    /// Counts an arrival at a leader from native code: says whether there is native code
    /// to go on with, or it is time to make some.
    pub fn arrive(&mut self, pc: u64) -> bool {
        if self.leaders.is_inner(pc) {
            let misses = self.misses.entry(pc).or_default();
            *misses += 1;
            if *misses < MISSES {
                return false;
            }
            self.misses.remove(&pc);
            self.leaders.heat(pc);
        }
        self.leaders.arrive(pc)
    }

    /// Whether the code of a page changes too often.
    pub fn is_restless(&self, pc: u64) -> bool {
        let times = self.rewrites.get(&(pc >> PAGE_SHIFT));
        times.is_some_and(|times| *times >= REWRITES)
    }

    /// Drops what was made from any of the 8-byte words at these addresses.
    pub fn forget(&mut self, addresses: &[u64]) {
        for address in addresses {
            for pc in [address & !7, address & !7 | 4] {
                for unit in self.units_with(pc) {
                    self.give_up(unit);
                    *self.rewrites.entry(pc >> PAGE_SHIFT).or_default() += 1;
                }
                if self.leaders.code(pc).is_none() {
                    self.leaders.clear(pc);
                }
            }
        }
    }

    /// Drops everything.
    pub fn forget_all(&mut self) {
        for unit in 0..self.units.len() {
            self.give_up(unit);
        }
        self.units.clear();
        self.by_page.clear();
        self.rewrites.clear();
        self.misses.clear();
        self.arena.clear();
    }
}

/// Tells `perf` the name of a piece of code, in the file that it looks for.
fn write_perf_map(address: u64, record: &Record) {
    let path = format!("/tmp/perf-{}.map", std::process::id());
    let mut options = std::fs::OpenOptions::new();
    // Whoever profiles sees that names are missing; the run is not to fail for it.
    let _ = options
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| {
            let (length, start) = (record.code.len(), record.start);
            let line = format!("{address:x} {length:x} guest_{start:x}\n");
            io::Write::write_all(&mut file, line.as_bytes())
        });
}
