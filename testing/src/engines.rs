//! What is compared with what.

use crate::dice::Dice;
use crate::program::oracle;
use carronade_emulator::machine::{Machine, Stop, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use carronade_emulator::step::GuestOutput;
use carronade_translator::{Options, Translator};
use std::any::Any;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A way to run programs.
pub trait Engine {
    /// A machine of this engine that goes on from a state.
    fn machine(&self, state: State, memory: Memory, output: Box<dyn GuestOutput + Send>)
    -> Machine;

    /// Runs as [`Machine::run`] does.
    ///
    /// # Errors
    /// As [`Machine::run`].
    fn run(&self, machine: &mut Machine, until: u64, watch: Watch) -> Result<Stop, VmError> {
        machine.run(until, watch)
    }

    /// How many steps of a machine's life so far ran as native code, if that is known.
    fn native_steps(&self, _machine: &Machine) -> Option<u64> {
        None
    }
}

/// The interpreter, as it is.
#[derive(Debug, Clone, Copy)]
pub struct Interpreter;

impl Engine for Interpreter {
    fn machine(
        &self,
        state: State,
        memory: Memory,
        output: Box<dyn GuestOutput + Send>,
    ) -> Machine {
        Machine::new(state, memory, Box::new(oracle()), output)
    }
}

/// The interpreter over memory without a flat reservation, mostly cut into small pieces.
#[derive(Debug, Clone, Copy)]
pub struct InPieces {
    /// Steps of a piece.
    pub steps: u64,
}

impl Engine for InPieces {
    fn machine(
        &self,
        state: State,
        memory: Memory,
        output: Box<dyn GuestOutput + Send>,
    ) -> Machine {
        let mut far = Memory::without_reservation();
        for page in memory.page_indexes() {
            if let Some(bytes) = memory.page(page) {
                *far.page_mut(page) = *bytes;
            }
        }
        Interpreter.machine(state, far, output)
    }

    fn run(&self, machine: &mut Machine, until: u64, watch: Watch) -> Result<Stop, VmError> {
        loop {
            let step = machine.state().step;
            let piece = step.saturating_add(self.steps).min(until);
            let stop = machine.run(piece, watch)?;
            if stop != Stop::Step || piece >= until {
                return Ok(stop);
            }
        }
    }
}

/// Native code, made after so many arrivals at a leader.
#[derive(Debug, Clone, Copy)]
pub struct Translated {
    /// [`Options::hot`].
    pub hot: u16,
    /// [`Options::arena`].
    pub arena: usize,
    /// Whether native code is kept in a folder that all programs of this process share.
    pub cached: bool,
}

/// The folder of [`Translated::cached`].
static CACHE: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new().expect("there is room for temporary files"));

impl Engine for Translated {
    fn machine(
        &self,
        state: State,
        memory: Memory,
        output: Box<dyn GuestOutput + Send>,
    ) -> Machine {
        let options = Options {
            hot: self.hot,
            arena: self.arena,
            cache: self.cached.then(|| CACHE.path().to_owned()),
            // Little, so that opening it does not take longer than the programs.
            cache_limit: 1 << 20,
            ..Options::default()
        };
        let translator = Translator::new(options).expect("tests run on x86-64");
        Interpreter
            .machine(state, memory, output)
            .with_accelerator(Box::new(translator))
    }

    fn native_steps(&self, machine: &Machine) -> Option<u64> {
        let accelerator: &dyn Any = machine.accelerator()?;
        let translator: &Translator = accelerator.downcast_ref()?;
        Some(translator.statistics().native_steps)
    }
}

/// The engine that is taken to be right.
#[must_use]
pub fn reference() -> Box<dyn Engine> {
    Box::new(Interpreter)
}

/// The engine that is compared with it, with options that differ from program to program.
/// This is the one place to change for another.
#[must_use]
pub fn under_test(dice: &mut Dice<'_>) -> Box<dyn Engine> {
    Box::new(Translated {
        hot: dice.pick(&[1, 2, 5, 20]),
        // Seldom so little that code is evicted all the time, which is slow.
        arena: if dice.one_in(16) {
            dice.pick(&[4 << 10, 16 << 10, 64 << 10])
        } else {
            Options::default().arena
        },
        cached: dice.one_in(4),
    })
}
