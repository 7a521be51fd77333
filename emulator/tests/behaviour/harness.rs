//! Runs a machine from one start on every way, which must agree on all there is to see.

use carronade_emulator::cpu::{Fault, Width};
use carronade_emulator::hash::{Hash, keccak256};
use carronade_emulator::image::HEAP_START;
use carronade_emulator::isa::assemble::assemble_with_labels;
use carronade_emulator::isa::register_name;
use carronade_emulator::machine::{Cause, Machine, VmError, Watch};
use carronade_emulator::memory::{Memory, Page, PageError, PageSource};
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::preimage::PreimageReader;
use carronade_emulator::state::{State, StateVersion, Thread};
use carronade_emulator::step::NoOutput;
use carronade_emulator::witness::{Recorder, Refusal, verify};
use std::sync::Arc;

/// Where programs are assembled unless they say otherwise.
pub const CODE: u64 = 0x1_0000;

/// A state and the memory that goes with it, which can be set up again and again.
#[derive(Clone)]
pub struct Start {
    pub state: State,
    /// Writes, in order.
    pub writes: Vec<(u64, Vec<u8>)>,
}

impl Start {
    /// A machine about to execute a text at [`CODE`], registers all different.
    pub fn program(text: &str) -> Self {
        Self::at(CODE, text)
    }

    /// A machine about to execute a text at an address.
    pub fn at(base: u64, text: &str) -> Self {
        let mut state = State::new(StateVersion::V8, base, HEAP_START);
        if let Ok(thread) = state.thread_mut() {
            let distinct = |n| n as u64 * 0x0101_0101_0101_0101;
            thread.registers = std::array::from_fn(distinct);
            (thread.hi, thread.lo) = (0x4141_4141_4141_4141, 0x4242_4242_4242_4242);
        }
        Self {
            state,
            writes: Vec::new(),
        }
        .code(base, text)
    }

    /// With more code at another place.
    pub fn code(mut self, base: u64, text: &str) -> Self {
        let (words, _) = assemble_with_labels(text, base).unwrap_or_else(|e| panic!("{e}: {text}"));
        let bytes = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.writes.push((base, bytes));
        self
    }

    /// With a register of the running thread set.
    pub fn with(mut self, name: &str, value: u64) -> Self {
        self.thread().registers[register(name)] = value;
        self
    }

    /// With an 8-byte word of memory set.
    pub fn word(mut self, address: u64, value: u64) -> Self {
        self.writes.push((address, value.to_be_bytes().to_vec()));
        self
    }

    /// The running thread.
    pub fn thread(&mut self) -> &mut Thread {
        self.state
            .thread_mut()
            .expect("a start has a running thread")
    }

    /// A machine at the start, over an empty memory that is given.
    pub fn machine(&self, mut memory: Memory) -> Machine {
        self.writes
            .iter()
            .for_each(|(address, bytes)| memory.write(*address, bytes));
        Machine::new(
            self.state.clone(),
            memory,
            Box::new(oracle()),
            Box::new(NoOutput),
        )
    }

    /// Runs until the step counter is `until` on every way; their common end.
    #[track_caller]
    pub fn run(&self, until: u64) -> End {
        let end = self.run_unproven(until);
        let (machine, error) = proven(self.machine(Memory::new()), until);
        end.same_as(&End::of(machine, error), "proofs");
        end.check_refusal();
        end
    }

    /// Like [`Start::run`], without the proofs, for long runs.
    #[track_caller]
    pub fn run_unproven(&self, until: u64) -> End {
        let (machine, error) = whole(self.machine(Memory::new()), until);
        let end = End::of(machine, error);
        let (machine, error) = whole(self.machine(Memory::without_reservation()), until);
        end.same_as(&End::of(machine, error), "a run without a reservation");
        let (machine, error) = whole(
            lazily(self.machine(Memory::new()), Memory::new(), None),
            until,
        );
        end.same_as(
            &End::of(machine, error),
            "a run over pages loaded when touched",
        );
        let (machine, error) = stepped(self.machine(Memory::new()), until);
        end.same_as(&End::of(machine, error), "single steps");
        end
    }

    /// Runs until `until`, and each time that `choose` is asked goes on either by a run of
    /// some steps, or with 0 by a proof.
    #[track_caller]
    pub fn run_mixed(&self, until: u64, mut choose: impl FnMut() -> u64) -> End {
        let (mut machine, mut error) = (self.machine(Memory::new()), None);
        while error.is_none() && !machine.state().exited && machine.state().step < until {
            let next = machine.state().step + 1;
            (machine, error) = match choose() {
                0 => proven(machine, next),
                steps => whole(machine, until.min(next.saturating_add(steps - 1))),
            };
        }
        End::of(machine, error)
    }
}

/// The machine with its pages fetched into another memory when they are first touched,
/// but for one that is lost, if any.
pub fn lazily(machine: Machine, mut lazy: Memory, lost: Option<u64>) -> Machine {
    let (state, mut memory) = machine.into_parts();
    let pages = memory.page_indexes().into_iter();
    let roots = pages.map(|page| (page, memory.page_root(page))).collect();
    lazy.restore_lazily(roots, Arc::new(Pages { memory, lost }));
    Machine::new(state, lazy, Box::new(oracle()), Box::new(NoOutput))
}

/// The pages of a memory as a source for another.
struct Pages {
    memory: Memory,
    lost: Option<u64>,
}

impl PageSource for Pages {
    fn load(&self, page: u64, into: &mut Page) -> Result<(), PageError> {
        let reason = "it is lost".into();
        let bytes = self.memory.page(page).filter(|_| self.lost != Some(page));
        *into = *bytes.ok_or(PageError { page, reason })?;
        Ok(())
    }
}

fn whole(mut machine: Machine, until: u64) -> (Machine, Option<VmError>) {
    let error = machine.run(until, Watch::Nothing).err();
    (machine, error)
}

fn stepped(mut machine: Machine, until: u64) -> (Machine, Option<VmError>) {
    while !machine.state().exited && machine.state().step < until {
        let next = machine.state().step + 1;
        if let Err(error) = machine.run(next, Watch::Nothing) {
            return (machine, Some(error));
        }
        assert_eq!(
            machine.state().step,
            next,
            "a run to the next step is one step"
        );
    }
    (machine, None)
}

#[track_caller]
fn proven(mut machine: Machine, until: u64) -> (Machine, Option<VmError>) {
    let mut post = machine.witness().expect("pages load").1;
    while !machine.state().exited && machine.state().step < until {
        let (step, version) = (machine.state().step, machine.state().version);
        let proof = match machine.prove() {
            Ok(proof) => proof,
            Err(error) => return (machine, Some(error)),
        };
        assert_eq!(
            (proof.step, proof.pre),
            (step, post),
            "a step begins where the last ended"
        );
        assert_eq!(verify(version, &proof), Ok(proof.post), "step {step}");
        post = proof.post;
    }
    assert_eq!(
        machine.witness().expect("pages load").1,
        post,
        "the last proof leads to the state"
    );
    (machine, None)
}

/// Where a machine ended.
pub struct End {
    pub state: State,
    pub memory: Memory,
    pub root: Hash,
    pub error: Option<VmError>,
}

impl End {
    fn of(machine: Machine, error: Option<VmError>) -> Self {
        let (state, mut memory) = machine.into_parts();
        Self {
            state,
            root: memory.root(),
            memory,
            error,
        }
    }

    /// A register of the running thread.
    pub fn register(&self, name: &str) -> u64 {
        self.state
            .thread()
            .expect("there is a running thread")
            .registers[register(name)]
    }

    /// An 8-byte word of memory.
    pub fn word(&self, address: u64) -> u64 {
        self.memory.load(address, Width::Double)
    }

    /// The words of the error, without where it happened; empty if there is none.
    pub fn fault(&self) -> String {
        match self.error.as_ref().map(|error| &error.cause) {
            Some(Cause::Fault(fault)) => fault.to_string(),
            Some(Cause::Preimage(error)) => error.to_string(),
            Some(Cause::Page(error)) => error.to_string(),
            None => String::new(),
        }
    }

    #[track_caller]
    pub fn same_as(&self, other: &Self, what: &str) {
        let text = |end: &Self| end.error.as_ref().map(ToString::to_string);
        assert_eq!(text(self), text(other), "the error of {what}");
        assert_eq!(self.state, other.state, "the state of {what}");
        assert_eq!(self.root, other.root, "the memory of {what}");
        let pages = |end: &Self| end.memory.page_indexes();
        assert_eq!(pages(self), pages(other), "the pages of {what}");
    }

    /// A step that the machine refuses has no proof: what would be one, but for the end
    /// that it cannot have, is refused for the same fault.
    #[track_caller]
    fn check_refusal(&self) {
        let Some(Cause::Fault(fault)) = self.error.as_ref().map(|error| &error.cause) else {
            return;
        };
        if let Fault::PreimageOffset { .. } = fault {
            // The step looks at memory before it faults, and the forgery has no branch.
            return;
        }
        let mut memory = Memory::new();
        for page in self.memory.page_indexes() {
            *memory.page_mut(page) = *self.memory.page(page).expect("listed pages exist");
        }
        let Ok(recorder) = Recorder::begin(&self.state, &mut memory) else {
            assert_eq!(*fault, Fault::NoActiveThread);
            return;
        };
        let proof = recorder.finish(&self.state, &PreimageReader::default());
        let refusal = verify(self.state.version, &proof);
        assert_eq!(
            refusal,
            Err(Refusal::Fault(*fault)),
            "a proof of a refused step"
        );
    }
}

/// Pre-images of two hashes, one of them empty, and of one local key.
fn oracle() -> MapOracle {
    let [text, empty, local] = preimage_keys();
    let image = b"a text of more than thirty-two bytes, so it is read in parts".to_vec();
    let images = [(text, image), (empty, Vec::new()), (local, vec![7; 9])];
    MapOracle {
        images: images.into(),
        hints: Vec::new(),
    }
}

/// The keys of the pre-images that every machine here can read.
pub fn preimage_keys() -> [Hash; 3] {
    let text = keccak256(b"a text of more than thirty-two bytes, so it is read in parts");
    let mut keys = [text, keccak256(b""), [0; 32]];
    (keys[0][0], keys[1][0], keys[2][0], keys[2][31]) = (2, 2, 1, 4);
    keys
}

/// The number of a register by its name.
pub fn register(name: &str) -> usize {
    let number = (0..32).find(|number| register_name(*number) == name);
    usize::from(number.unwrap_or_else(|| panic!("`{name}` is not a register")))
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

/// The word of one instruction that names no address.
pub fn word(text: &str) -> u64 {
    let (words, _) = assemble_with_labels(text, CODE).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(words.len(), 1, "{text}");
    u64::from(words[0])
}

/// Two instructions as one 8-byte word.
pub fn words(first: &str, second: &str) -> u64 {
    word(first) << 32 | word(second)
}
