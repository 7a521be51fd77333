//! Runs a program on two engines and compares them at every stop.

use crate::coverage::Coverage;
use crate::dice::Dice;
use crate::engines::Engine;
use crate::program::Program;
use carronade_emulator::codec::{Packing, read_state, write_state};
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::disassemble::disassemble;
use carronade_emulator::isa::register_name;
use carronade_emulator::machine::{Machine, Stop, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{State, Thread};
use carronade_emulator::step::{GuestOutput, SCHED_QUANTUM, Stream};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// When a comparison ends, unless the program does before.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Stops of one program.
    pub stops: u64,
    /// Steps of one program: no run begins after so many.
    pub steps: u64,
    /// No run goes past this value of the step counter. All before is as without it, so
    /// that a difference can be narrowed down.
    pub until: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stops: 400,
            steps: 2_000_000,
            until: u64::MAX,
        }
    }
}

/// What has been compared.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Programs.
    pub programs: u64,
    /// Stops at which all was equal.
    pub stops: u64,
    /// Steps that each engine executed.
    pub steps: u64,
    /// Of these, steps in native code, if the engine under test tells.
    pub native_steps: Option<u64>,
    /// Programs that ended in a fault.
    pub faults: u64,
    /// Programs that ended in a fault before their hundredth step.
    pub early_faults: u64,
    /// Programs that exited.
    pub exits: u64,
    /// Programs that lost their way among zeros.
    pub lost: u64,
    /// Programs that ended before their thousandth step, for whatever reason.
    pub short: u64,
    /// Which instructions were next at stops.
    pub coverage: Coverage,
}

impl Summary {
    /// Adds what another comparison has done.
    pub fn add(&mut self, other: &Self) {
        self.programs += other.programs;
        self.stops += other.stops;
        self.steps += other.steps;
        self.faults += other.faults;
        self.early_faults += other.early_faults;
        self.exits += other.exits;
        self.lost += other.lost;
        self.short += other.short;
        self.native_steps = match (self.native_steps, other.native_steps) {
            (None, native) | (native, None) => native,
            (Some(a), Some(b)) => Some(a + b),
        };
        self.coverage.add(&other.coverage);
    }
}

/// Where two engines did not do the same; its text tells all that is needed to see why.
#[derive(Debug)]
pub struct Difference {
    /// What differs.
    pub what: Vec<String>,
    /// The step counter when all was equal, and when it was no more.
    pub steps: Range<u64>,
    /// What was done until then, the last thing last.
    pub history: Vec<Event>,
    /// The code around the places where the engines were and are.
    pub code: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the engines differ (reference | under test):")?;
        for line in &self.what {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "after these, the last one first:")?;
        for line in self.history.iter().rev().take(12) {
            writeln!(f, "  {line:x?}")?;
        }
        write!(f, "{}", self.code)
    }
}

impl std::error::Error for Difference {}

/// What the guest wrote since it was last asked for, in short: programs may write much.
#[derive(Debug, Clone, Default)]
struct Output(Arc<Mutex<DefaultHasher>>);

impl Output {
    fn digest(&self) -> u64 {
        let hasher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hasher.finish()
    }
}

impl GuestOutput for Output {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut hasher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (stream as u8, bytes).hash(&mut *hasher);
    }
}

/// One engine with its machine.
struct Side<'e> {
    engine: &'e dyn Engine,
    machine: Machine,
    output: Output,
    /// Native steps of machines that are gone.
    native_steps: u64,
}

impl<'e> Side<'e> {
    fn new(engine: &'e dyn Engine, state: State, memory: Memory) -> Self {
        let output = Output::default();
        Self {
            engine,
            machine: engine.machine(state, memory, Box::new(output.clone())),
            output,
            native_steps: 0,
        }
    }

    /// A new machine in place of the old one, with nothing decoded or translated yet.
    fn replace(&mut self, state: State, memory: Memory) {
        self.native_steps += self.engine.native_steps(&self.machine).unwrap_or(0);
        let output = Box::new(self.output.clone());
        self.machine = self.engine.machine(state, memory, output);
    }

    /// Takes state and memory away for good; the machine left behind has neither.
    fn take(&mut self) -> (State, Memory) {
        let state = self.machine.state().clone();
        let (empty, output) = (Memory::without_reservation(), Box::new(self.output.clone()));
        let machine = self.engine.machine(state, empty, output);
        self.native_steps += self.engine.native_steps(&self.machine).unwrap_or(0);
        std::mem::replace(&mut self.machine, machine).into_parts()
    }

    fn native_steps(&self) -> Option<u64> {
        let now = self.engine.native_steps(&self.machine)?;
        Some(self.native_steps + now)
    }

    fn act(&mut self, act: Act) -> Outcome {
        let result = match act {
            Act::Run(until, watch) => self.engine.run(&mut self.machine, until, watch),
            Act::Prove => self.machine.prove().map(|_| self.stop()),
        };
        result.map_err(|error| error.to_string())
    }

    /// What a run would have said after the step that a proof was made of.
    fn stop(&self) -> Stop {
        if self.machine.state().exited {
            Stop::Exited
        } else {
            Stop::Step
        }
    }
}

/// Something that the comparison did with the two engines.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Both went on.
    Acts {
        /// What each of them did.
        acts: [Act; 2],
        /// The step counter before.
        step: u64,
        /// The program counter before.
        pc: u64,
    },
    /// One was asked for the root of its memory, which clears marks there.
    RootOf(usize),
    /// Both were asked for it.
    Roots,
    /// Each went on with what the other one had made.
    Exchange,
    /// Both went on with what they would have read from a file.
    Reload,
}

/// What one engine does between two stops.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Runs until a step.
    Run(u64, Watch),
    /// Proves one step.
    Prove,
}

type Outcome = Result<Stop, String>;

/// Runs a random program on both engines, with random stops.
///
/// # Errors
/// The first difference.
pub fn run_differential(
    dice: &mut Dice<'_>,
    reference: &dyn Engine,
    under_test: &dyn Engine,
    limits: Limits,
) -> Result<Summary, Box<Difference>> {
    let program = Program::random(dice);
    let sides = [reference, under_test]
        .map(|engine| Side::new(engine, program.state.clone(), program.memory()));
    let mut comparison = Comparison {
        sides,
        summary: Summary::default(),
        history: Vec::new(),
        wandering: 0,
        program,
    };
    comparison.run(dice, limits)?;
    Ok(comparison.finish())
}

struct Comparison<'e> {
    program: Program,
    sides: [Side<'e>; 2],
    summary: Summary,
    history: Vec<Event>,
    /// For how many stops in a row nothing but zeros has been next.
    wandering: u64,
}

/// A program that has been among zeros for so many stops will not come back.
const LOST: u64 = 12;

impl Comparison<'_> {
    fn run(&mut self, dice: &mut Dice<'_>, limits: Limits) -> Result<(), Box<Difference>> {
        let first = self.state().step;
        while self.summary.stops < limits.stops && self.wandering < LOST {
            let step = self.state().step;
            if step - first >= limits.steps || step >= limits.until {
                break;
            }
            let before = self.state().clone();
            let outcome = self.advance(dice, &before, limits.until)?;
            self.note();
            if outcome.is_err() {
                self.failed(first);
                break;
            }
            if self.state().exited {
                self.summary.exits += 1;
                break;
            }
            self.disturb(dice);
        }
        let before = self.state().clone();
        self.compare_roots(&before)?;
        self.summary.steps = self.state().step - first;
        self.summary.lost = u64::from(self.wandering >= LOST);
        self.summary.short = u64::from(self.summary.steps < 1000);
        Ok(())
    }

    fn state(&self) -> &State {
        self.sides[0].machine.state()
    }

    fn finish(mut self) -> Summary {
        self.summary.programs = 1;
        self.summary.native_steps = self.sides[1].native_steps();
        self.summary
    }

    /// Counts the instructions at hand, and notices programs that are lost among zeros.
    fn note(&mut self) {
        self.summary.stops += 1;
        let Ok(thread) = self.sides[0].machine.state().thread() else {
            return;
        };
        let memory = self.sides[0].machine.memory();
        let [word, next] = [thread.pc, thread.next_pc].map(|pc| memory.load(pc, Width::Word));
        self.summary.coverage.note(word as u32);
        if word | next == 0 {
            self.wandering += 1;
        } else {
            self.wandering = 0;
        }
    }

    fn failed(&mut self, first: u64) {
        self.summary.faults += 1;
        if self.state().step - first < 100 {
            self.summary.early_faults += 1;
        }
    }

    /// One stop further on both sides, and everything compared.
    fn advance(
        &mut self,
        dice: &mut Dice<'_>,
        before: &State,
        until: u64,
    ) -> Result<Outcome, Box<Difference>> {
        let acts = acts(dice, before, until);
        self.history.push(Event::Acts {
            acts,
            step: before.step,
            pc: before.thread().map_or(0, |thread| thread.pc),
        });
        let [a, b] = &mut self.sides;
        let outcomes = [a.act(acts[0]), b.act(acts[1])];
        let mut what = Vec::new();
        if outcomes[0] != outcomes[1] {
            what.push(format!("outcome {:?} | {:?}", outcomes[0], outcomes[1]));
        }
        self.compare(&mut what);
        self.settle(what, before)?;
        if dice.one_in(24) {
            self.compare_roots(before)?;
        }
        let [outcome, _] = outcomes;
        Ok(outcome)
    }

    fn compare(&self, what: &mut Vec<String>) {
        let [a, b] = &self.sides;
        states(a.machine.state(), b.machine.state(), what);
        memories(a.machine.memory(), b.machine.memory(), what);
        let infos = [a, b].map(|side| side.machine.debug_info());
        if infos[0] != infos[1] {
            what.push(format!("counters {:?} | {:?}", infos[0], infos[1]));
        }
        if a.output.digest() != b.output.digest() {
            what.push("what the guest wrote".into());
        }
    }

    fn compare_roots(&mut self, before: &State) -> Result<(), Box<Difference>> {
        self.history.push(Event::Roots);
        let [a, b] = &mut self.sides;
        let [a, b] = [a, b].map(|side| side.machine.witness().expect("pages load"));
        let mut what = Vec::new();
        if a != b {
            what.push(format!("witness {:02x?} | {:02x?}", a.0, b.0));
        }
        self.settle(what, before)
    }

    fn settle(&self, what: Vec<String>, before: &State) -> Result<(), Box<Difference>> {
        if what.is_empty() {
            return Ok(());
        }
        let mut places = vec![before];
        places.extend(self.sides.iter().map(|side| side.machine.state()));
        Err(Box::new(Difference {
            what,
            steps: before.step..self.state().step,
            history: self.history.clone(),
            code: self.listing(&places),
        }))
    }

    /// What happens to machines between runs: roots clear dirty marks; state and memory
    /// pass through files, or to the other engine.
    fn disturb(&mut self, dice: &mut Dice<'_>) {
        match dice.below(256) {
            0..8 => {
                let side = dice.below(2) as usize;
                self.history.push(Event::RootOf(side));
                self.sides[side].machine.witness().expect("pages load");
            }
            8..11 => self.exchange(),
            11 => self.reload(),
            _ => {}
        }
    }

    /// Each engine goes on with what the other one has made.
    fn exchange(&mut self) {
        self.history.push(Event::Exchange);
        let [a, b] = &mut self.sides;
        let (from_a, from_b) = (a.take(), b.take());
        a.replace(from_b.0, from_b.1);
        b.replace(from_a.0, from_a.1);
    }

    /// Both go on with what they would have read from a file.
    fn reload(&mut self) {
        self.history.push(Event::Reload);
        for side in &mut self.sides {
            let mut file = Vec::new();
            let (state, memory) = side.take();
            let written = write_state(&mut file, Packing::Plain, &state, &memory);
            assert!(written.is_ok(), "writing to a vector does not fail");
            match read_state(&file[..], Packing::Plain) {
                Ok((state, memory)) => side.replace(state, memory),
                Err(error) => panic!("a state that was just written: {error}"),
            }
        }
    }

    /// The code around some states' program counters, as it is on both sides.
    fn listing(&self, states: &[&State]) -> String {
        let mut text = String::new();
        let mut places: Vec<u64> = states
            .iter()
            .filter_map(|state| state.thread().ok())
            .flat_map(|thread| [thread.pc, thread.next_pc])
            .map(|pc| pc & !3)
            .collect();
        places.sort_unstable();
        places.dedup_by(|next, place| next.wrapping_sub(*place) < 32);
        let code = &self.program.code;
        text += &format!("the code is at 0x{:x} to 0x{:x}:\n", code.start, code.end);
        for place in places {
            text += &format!("around 0x{place:x}:\n");
            for distance in 0..24 {
                let pc = place.wrapping_sub(48).wrapping_add(4 * distance);
                text += &self.line(pc, states[0]);
            }
        }
        text
    }

    fn line(&self, pc: u64, before: &State) -> String {
        let words = self.sides.each_ref().map(|side| {
            let memory = side.machine.memory();
            memory.load(pc, Width::Word) as u32
        });
        let mark = match before.thread() {
            Ok(thread) if thread.pc == pc => '>',
            _ => ' ',
        };
        let text = disassemble(words[0], pc);
        let other = if words[0] == words[1] {
            String::new()
        } else {
            format!("  | {}", disassemble(words[1], pc))
        };
        format!(" {mark} {pc:x}: {text}{other}\n")
    }
}

/// What both sides do next. A proof of one step is the same as a run of one step.
fn acts(dice: &mut Dice<'_>, state: &State, until: u64) -> [Act; 2] {
    let budget = budget(dice, state).min(until - state.step);
    if budget == 1 && dice.one_in(64) {
        let other = dice.pick(&[Act::Prove, Act::Run(state.step + 1, Watch::Nothing)]);
        return if dice.one_in(2) {
            [Act::Prove, other]
        } else {
            [other, Act::Prove]
        };
    }
    let watch = if dice.one_in(8) {
        Watch::PreimageReads
    } else {
        Watch::Nothing
    };
    [Act::Run(state.step + budget, watch); 2]
}

/// How far to run: a step, a few, about as many as a block has, to where the thread is
/// preempted, or anything.
fn budget(dice: &mut Dice<'_>, state: &State) -> u64 {
    match dice.below(64) {
        0..14 => 1,
        14..28 => dice.between(2, 12),
        28..42 => dice.between(40, 90),
        42..60 => dice.up_to(4096),
        60 => {
            let left = SCHED_QUANTUM.saturating_sub(state.steps_since_context_switch);
            (left + dice.below(4)).saturating_sub(2).max(1)
        }
        61 => dice.up_to(300_000),
        _ => dice.up_to(30_000),
    }
}

/// Says in what two states differ, thread by thread and register by register.
fn states(a: &State, b: &State, what: &mut Vec<String>) {
    if a == b {
        return;
    }
    let stacks = [("left", &a.left, &b.left), ("right", &a.right, &b.right)];
    for (name, a, b) in stacks {
        if a.threads.len() != b.threads.len() {
            let counts = (a.threads.len(), b.threads.len());
            what.push(format!("{name} stack: {} | {} threads", counts.0, counts.1));
        }
        for (n, (a, b)) in a.threads.iter().zip(&b.threads).enumerate() {
            threads(&format!("{name} stack, thread {n}"), a, b, what);
        }
    }
    for ((name, a), (_, b)) in scalars(a).into_iter().zip(scalars(b)) {
        if a != b {
            what.push(format!("{name} {a} | {b}"));
        }
    }
}

/// All of a state but its threads, as text.
fn scalars(state: &State) -> [(&'static str, String); 12] {
    fn text(value: &dyn fmt::Debug) -> String {
        format!("{value:x?}")
    }
    [
        ("preimage key", text(&state.preimage_key)),
        ("preimage offset", text(&state.preimage_offset)),
        ("heap", text(&state.heap)),
        ("reservation", text(&state.reservation)),
        ("exit code", text(&state.exit_code)),
        ("exited", text(&state.exited)),
        ("step", text(&state.step)),
        (
            "steps since switch",
            text(&state.steps_since_context_switch),
        ),
        ("traverse right", text(&state.traverse_right)),
        ("next thread id", text(&state.next_thread_id)),
        ("last hint", text(&state.last_hint)),
        ("replay hint", text(&state.replay_hint)),
    ]
}

fn threads(name: &str, a: &Thread, b: &Thread, what: &mut Vec<String>) {
    let mut fields = vec![
        ("id".to_string(), a.id, b.id),
        ("pc".into(), a.pc, b.pc),
        ("next_pc".into(), a.next_pc, b.next_pc),
        ("hi".into(), a.hi, b.hi),
        ("lo".into(), a.lo, b.lo),
        ("exited".into(), a.exited.0.into(), b.exited.0.into()),
        ("exit code".into(), a.exit_code.into(), b.exit_code.into()),
    ];
    let registers = (0..).zip(a.registers.iter().zip(&b.registers));
    fields.extend(registers.map(|(n, (a, b))| (format!("${}", register_name(n)), *a, *b)));
    for (field, a, b) in fields {
        if a != b {
            what.push(format!("{name}: {field} 0x{a:x} | 0x{b:x}"));
        }
    }
}

/// Says in which pages and where two memories differ.
fn memories(a: &Memory, b: &Memory, what: &mut Vec<String>) {
    let (pages, others) = (a.page_indexes(), b.page_indexes());
    if pages != others {
        what.push(format!("pages {pages:x?} | {others:x?}"));
    }
    for page in pages {
        let (Some(a), Some(b)) = (a.page(page), b.page(page)) else {
            continue;
        };
        if a == b {
            continue;
        }
        let words = a.chunks_exact(8).zip(b.chunks_exact(8)).enumerate();
        for (n, (a, b)) in words.filter(|(_, (a, b))| a != b).take(4) {
            let address = (page << 12) + 8 * n as u64;
            what.push(format!("memory at 0x{address:x}: {a:02x?} | {b:02x?}"));
        }
    }
}
