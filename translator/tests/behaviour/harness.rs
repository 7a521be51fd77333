//! Programs, the interpreter's way through them, and machines that must keep to it.

use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::hash::Hash;
use carronade_emulator::image::HEAP_START;
use carronade_emulator::isa::assemble::assemble_with_labels;
use carronade_emulator::isa::register_name;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::state::{State, StateVersion, Thread};
use carronade_emulator::stats::DebugInfo;
use carronade_emulator::step::NoOutput;
use carronade_translator::{Options, Statistics, Translator};
use std::any::Any;

/// Where programs are unless they say otherwise: far from addresses that tests sweep over.
pub const CODE: u64 = 0x5000_0000;

/// The key of the one pre-image that machines here can read, of local type.
pub const KEY: Hash = {
    let mut key = [0; 32];
    (key[0], key[31]) = (1, 4);
    key
};

/// A state and the memory that goes with it, which can be set up again and again.
#[derive(Clone)]
pub struct Start {
    pub state: State,
    writes: Vec<(u64, Vec<u8>)>,
    image: Vec<u8>,
}

impl Start {
    /// A machine about to execute a text at [`CODE`], registers all different.
    pub fn program(text: &str) -> Self {
        Self::at(CODE, text)
    }

    /// A machine about to execute a text at an address.
    pub fn at(base: u64, text: &str) -> Self {
        let mut state = State::new(StateVersion::V8, base, HEAP_START);
        let thread = state.thread_mut().unwrap();
        thread.registers = std::array::from_fn(|n| n as u64 * 0x0101_0101_0101_0101);
        (thread.hi, thread.lo) = (0x4141_4141_4141_4141, 0x4242_4242_4242_4242);
        let (writes, image) = (Vec::new(), Vec::new());
        Self {
            state,
            writes,
            image,
        }
        .code(base, text)
    }

    /// With more code at another place.
    pub fn code(self, base: u64, text: &str) -> Self {
        let (words, _) = assemble_with_labels(text, base).unwrap_or_else(|e| panic!("{e}: {text}"));
        self.bytes(
            base,
            words.iter().flat_map(|word| word.to_be_bytes()).collect(),
        )
    }

    /// With bytes of memory set.
    pub fn bytes(mut self, address: u64, bytes: Vec<u8>) -> Self {
        self.writes.push((address, bytes));
        self
    }

    /// With 8-byte words of memory set.
    pub fn words(self, address: u64, words: &[u64]) -> Self {
        self.bytes(
            address,
            words.iter().flat_map(|word| word.to_be_bytes()).collect(),
        )
    }

    /// With a register of the running thread set.
    pub fn with(mut self, name: &str, value: u64) -> Self {
        self.thread().registers[register(name)] = value;
        self
    }

    /// With a pre-image, of which the next reads give the first bytes.
    pub fn image(mut self, image: Vec<u8>) -> Self {
        (
            self.image,
            self.state.preimage_key,
            self.state.preimage_offset,
        ) = (image, KEY, 8);
        self
    }

    pub fn thread(&mut self) -> &mut Thread {
        self.state.thread_mut().unwrap()
    }

    pub fn memory(&self) -> Memory {
        let mut memory = Memory::new();
        self.writes
            .iter()
            .for_each(|(address, bytes)| memory.write(*address, bytes));
        memory
    }

    /// A machine that goes on from a state; `hot` arrivals make a leader hot, none make
    /// the interpreter run alone.
    pub fn resume(&self, state: State, memory: Memory, hot: Option<u16>) -> Machine {
        let images = [(KEY, self.image.clone())].into();
        let oracle = MapOracle {
            images,
            hints: Vec::new(),
        };
        let pc = state.thread().map(|thread| thread.pc);
        let machine = Machine::new(state, memory, Box::new(oracle), Box::new(NoOutput));
        match (hot, pc) {
            (Some(hot), Ok(pc)) => machine.with_accelerator(Box::new(translator(hot, pc))),
            _ => machine,
        }
    }

    pub fn machine(&self, hot: Option<u16>) -> Machine {
        self.resume(self.state.clone(), self.memory(), hot)
    }
}

/// A translator that takes the first instruction for a hot leader.
pub fn translator(hot: u16, pc: u64) -> Translator {
    let options = Options {
        hot,
        ..Options::default()
    };
    let mut translator = Translator::new(options).expect("tests run on x86-64");
    let leaders = translator.leaders();
    assert!(leaders.cover(pc));
    leaders.heat(pc);
    leaders.arrive(pc);
    translator
}

pub fn statistics(machine: &Machine) -> Statistics {
    let accelerator: &dyn Any = machine.accelerator().expect("the machine has one");
    let translator: &Translator = accelerator.downcast_ref().expect("it is a translator");
    translator.statistics()
}

/// Runs a machine, and says which error came.
pub fn run(machine: &mut Machine, until: u64) -> Option<String> {
    machine
        .run(until, Watch::Nothing)
        .err()
        .map(|error| error.to_string())
}

/// What the interpreter comes to, step by step; the last point may have an error.
pub struct Trace {
    pub start: Start,
    pub points: Vec<(State, Hash, DebugInfo)>,
    pub error: Option<String>,
}

impl Trace {
    /// At most so many steps from the start.
    pub fn new(start: &Start, steps: u64) -> Self {
        let mut machine = start.machine(None);
        let (mut points, mut error) = (Vec::new(), None);
        let first = machine.state().step;
        for step in first.. {
            let (root, info) = (root(&mut machine), machine.debug_info());
            points.push((machine.state().clone(), root, info));
            if step == first + steps || machine.state().exited {
                break;
            }
            error = run(&mut machine, step + 1);
            if error.is_some() {
                break;
            }
        }
        Self {
            start: start.clone(),
            points,
            error,
        }
    }

    pub fn steps(&self) -> u64 {
        self.points.len() as u64 - 1
    }

    /// Where to stop a run that is to come to the end: behind it, if the guest ends there.
    pub fn end(&self) -> u64 {
        self.steps() + u64::from(self.error.is_some() || self.last().exited)
    }

    /// The state at the end.
    pub fn last(&self) -> &State {
        &self.points[self.points.len() - 1].0
    }

    /// A register at the end.
    pub fn register(&self, name: &str) -> u64 {
        self.last().thread().unwrap().registers[register(name)]
    }

    /// Compares a machine with the point of its step; with memory, if `whole`.
    #[track_caller]
    pub fn check(&self, machine: &mut Machine, whole: bool, what: &str) {
        let at = machine.state().step - self.start.state.step;
        let (state, hash, _) = &self.points[at as usize];
        assert_eq!(machine.state(), state, "{what}: the state at step {at}");
        if whole {
            assert_eq!(root(machine), *hash, "{what}: the memory at step {at}");
        }
    }

    /// Runs a machine to a step and compares it.
    #[track_caller]
    pub fn run(&self, machine: &mut Machine, to: u64, whole: bool, what: &str) {
        let error = run(machine, self.start.state.step + to);
        let at = machine.state().step - self.start.state.step;
        if to > self.steps() {
            assert_eq!((at, &error), (self.steps(), &self.error), "{what}: the end");
        } else {
            assert_eq!((at, &error), (to, &None), "{what}: the run to {to}");
        }
        self.check(machine, whole, what);
        let info = &self.points[machine.state().step as usize - self.start.state.step as usize].2;
        assert_eq!(&machine.debug_info(), info, "{what}: the counters");
    }

    /// Runs machines in pieces of all kinds of lengths; says how much ran natively.
    #[track_caller]
    pub fn run_in_pieces(&self, hot: u16) -> u64 {
        let mut native = 0;
        for (length, whole) in [
            (1, true),
            (2, false),
            (3, true),
            (7, true),
            (19, false),
            (64, false),
            (1000, false),
        ] {
            let (mut machine, mut at) = (self.start.machine(Some(hot)), 0);
            while at < self.end() {
                at = self.end().min(at + length);
                self.run(
                    &mut machine,
                    at,
                    whole,
                    &format!("pieces of {length}, hot {hot}"),
                );
            }
            self.check(&mut machine, true, "the end");
            native += statistics(&machine).native_steps;
        }
        let mut machine = self.start.machine(Some(hot));
        self.run(&mut machine, self.end(), true, "in one go");
        native + statistics(&machine).native_steps
    }
}

pub fn root(machine: &mut Machine) -> Hash {
    let (witness, _) = machine.witness().unwrap();
    std::array::from_fn(|at| witness[at])
}

/// The number of a register by its name.
pub fn register(name: &str) -> usize {
    let number = (0..32).find(|number| register_name(*number) == name);
    usize::from(number.unwrap_or_else(|| panic!("`{name}` is not a register")))
}

/// The word of one instruction that names no address.
pub fn word(text: &str) -> u64 {
    let (words, _) = assemble_with_labels(text, CODE).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(words.len(), 1, "{text}");
    u64::from(words[0])
}

/// splitmix64, for repeatable random numbers.
pub fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
