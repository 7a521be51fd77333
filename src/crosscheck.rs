//! `--engine crosscheck`: two machines run the same steps, one interprets them and one
//! has an accelerator, and they are compared all the time.
//!
//! They run in slices of random lengths, the same in every run. After each slice their
//! states must be equal; every some ten million steps, and at the end, their memories and
//! counters, too. At such a point both are copied, so that when they differ the steps
//! since then can be repeated again and again to find the first step that differs.

mod journal;
mod narrow;

pub use narrow::{code_around, copy};

use crate::diff;
use crate::log::{Level, Logger};
use anyhow::{Context, Result};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::image::Metadata;
use carronade_emulator::machine::{Cause, Machine, Stop, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::PreimageOracle;
use carronade_emulator::state::State;
use carronade_emulator::step::GuestOutput;
use carronade_emulator::witness::StepWitness;
use journal::{Journal, Recording, Repeating};
use narrow::Checkpoint;

/// Steps between comparisons of memory, and how many more for each page: comparing and
/// copying a page takes about as long as interpreting a hundred steps.
const MEMORY_STEPS: u64 = 10_000_000;
const STEPS_PER_PAGE: u64 = 100;

/// Slices are up to two to this many steps long.
const SLICE_BITS: u64 = 17;

/// Makes the second machine's accelerator, and those of repetitions.
pub type Maker = Box<dyn Fn(&mut Memory) -> Result<Box<dyn Accelerator>>>;

/// Why the machines do not go on.
#[derive(Debug)]
pub enum Ended {
    /// The machine cannot execute a step; both agree.
    Vm(VmError),
    /// The machines do not agree.
    Differ(Difference),
}

/// Where and how machines differ.
#[derive(Debug)]
pub struct Difference {
    /// The last step counter known to be the same with all that belongs to it.
    pub from: u64,
    /// The step counter at which they differ.
    pub to: u64,
    /// How, the first machine's side first.
    pub lines: Vec<String>,
    /// The instructions around the one at `from`, or around the last one of a long range.
    pub code: Vec<String>,
}

/// The second machine, and what is known of the first.
pub struct Crosscheck {
    machine: Machine,
    journal: Journal,
    maker: Maker,
    metadata: Metadata,
    logger: Logger,
    checkpoint: Checkpoint,
    dice: u64,
}

impl Crosscheck {
    /// Two machines in the same state: the first, which alone deals with the world, and the
    /// second, with what compares it.
    ///
    /// # Errors
    /// When the second cannot have an accelerator.
    pub fn begin(
        (state, memory): (State, Memory),
        oracle: Box<dyn PreimageOracle + Send>,
        output: Box<dyn GuestOutput + Send>,
        maker: Maker,
        (metadata, logger): (Metadata, Logger),
    ) -> Result<(Machine, Self)> {
        let journal = Journal::default();
        let repeating = || Box::new(Repeating(journal.clone()));
        let mut copy = narrow::copy(&memory);
        let accelerator = maker(&mut copy).context("crosscheck needs native code")?;
        let second = Machine::new(state.clone(), copy, repeating(), repeating());
        let crosscheck = Self {
            machine: second.with_accelerator(accelerator),
            maker,
            metadata,
            logger,
            checkpoint: Checkpoint::new(&state, &memory),
            dice: 0,
            journal: journal.clone(),
        };
        let output = Recording {
            journal: journal.clone(),
            world: output,
        };
        let oracle = Recording {
            journal,
            world: oracle,
        };
        let first = Machine::new(state, memory, Box::new(oracle), Box::new(output));
        Ok((first, crosscheck))
    }

    /// The second machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Runs both machines as [`Machine::run`] does.
    ///
    /// # Errors
    /// As [`Machine::run`], and when they differ.
    pub fn run(&mut self, first: &mut Machine, until: u64, watch: Watch) -> Result<Stop, Ended> {
        loop {
            let end = first.state().step.saturating_add(self.roll()).min(until);
            let stop = self.both(first, end, watch, |first| first.run(end, watch))?;
            if stop != Stop::Step || end >= until {
                return Ok(stop);
            }
        }
    }

    /// Proves a step with the first machine, and runs the second across it.
    ///
    /// # Errors
    /// As [`Machine::prove`], and when they differ.
    pub fn prove(&mut self, first: &mut Machine) -> Result<StepWitness, Ended> {
        let end = first.state().step.saturating_add(1);
        self.both(first, end, Watch::Nothing, Machine::prove)
    }

    /// Compares all there is to compare.
    ///
    /// # Errors
    /// When the machines differ.
    pub fn finish(&mut self, first: &Machine) -> Result<(), Ended> {
        let sides = [first, &self.machine].map(|machine| (machine.state(), machine.memory()));
        let mut lines = diff::differences(sides[0], sides[1], &self.metadata);
        let counters = [first, &self.machine].map(|machine| format!("{:?}", machine.debug_info()));
        if counters[0] != counters[1] {
            lines.push(format!("counters: {} against {}", counters[0], counters[1]));
        }
        if lines.is_empty() {
            return Ok(());
        }
        Err(self.differ(first, self.checkpoint.step(), lines))
    }

    /// A random length, as often below a power of two as between it and the next.
    fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let least = 1 << (mixed % SLICE_BITS);
        least + (mixed >> 32) % least
    }

    /// Lets the first machine act and the second follow, and compares them.
    fn both<T>(
        &mut self,
        first: &mut Machine,
        end: u64,
        watch: Watch,
        act: impl FnOnce(&mut Machine) -> Result<T, VmError>,
    ) -> Result<T, Ended> {
        let from = first.state().step;
        let result = act(first);
        if let Err(error) = &result
            && matches!(error.cause, Cause::Page(_))
        {
            // What the first machine is in is no state to compare with.
            return result.map_err(Ended::Vm);
        }
        // Nobody answers the second machine where nobody answered the first.
        let unanswered = |error: &VmError| matches!(error.cause, Cause::Preimage(_));
        let alone = result.as_ref().is_err_and(unanswered);
        let end = if alone { first.state().step } else { end };
        let followed = self.machine.run(end, watch);
        let failures = [
            result.as_ref().err().filter(|_| !alone),
            followed.as_ref().err(),
        ];
        let mut lines: Vec<_> = outcome_difference(failures).into_iter().collect();
        lines.extend(self.journal.difference().filter(|_| !alone));
        if !lines.is_empty() || first.state() != self.machine.state() {
            let sides = [first, &self.machine].map(|machine| (machine.state(), machine.memory()));
            lines.extend(diff::differences(sides[0], sides[1], &self.metadata));
            return Err(self.differ(first, from, lines));
        }
        self.checkpoint.stops.push(first.state().step);
        self.check_at_times(first, result.is_err())?;
        result.map_err(Ended::Vm)
    }

    /// Compares memories if it is time to.
    fn check_at_times(&mut self, first: &Machine, now: bool) -> Result<(), Ended> {
        let between = MEMORY_STEPS + STEPS_PER_PAGE * first.memory().page_count() as u64;
        if !now && first.state().step - self.checkpoint.step() < between {
            return Ok(());
        }
        self.finish(first)?;
        self.checkpoint = Checkpoint::new(first.state(), first.memory());
        self.journal.begin();
        Ok(())
    }

    /// Reports a difference, looks for its first step, and reports that.
    fn differ(&self, first: &Machine, from: u64, lines: Vec<String>) -> Ended {
        let to = first.state().step.max(self.machine.state().step);
        let pc = first.state().thread().map_or(0, |thread| thread.pc);
        let found = Difference {
            from,
            to,
            lines,
            code: narrow::code_around(first.memory(), pc, &self.metadata),
        };
        self.report("The engines differ", &found);
        let fields = [
            ("module", "vm".into()),
            ("from", self.checkpoint.step().into()),
        ];
        let message = "Looking for the first step that differs";
        self.logger.log(Level::Warn, message, &fields);
        let known = self.journal.known();
        let narrow = self
            .checkpoint
            .narrow(to, &self.maker, &known, &self.metadata);
        match narrow {
            Ok(Some(narrow)) => {
                self.report("The first step that differs", &narrow);
                Ended::Differ(narrow)
            }
            Ok(None) => {
                let message = "The difference did not come again";
                self.logger.log(Level::Warn, message, &fields[..1]);
                Ended::Differ(found)
            }
            Err(error) => {
                let fields = [("module", "vm".into()), ("err", error.to_string().into())];
                let message = "Cannot repeat the steps";
                self.logger.log(Level::Warn, message, &fields);
                Ended::Differ(found)
            }
        }
    }

    fn report(&self, message: &str, difference: &Difference) {
        let fields = [
            ("module", "vm".into()),
            ("from", difference.from.into()),
            ("to", difference.to.into()),
        ];
        self.logger.log(Level::Error, message, &fields);
        let each = |key, lines: &[String]| {
            for line in lines {
                let fields = [("module", "vm".into()), (key, line.as_str().into())];
                self.logger.log(Level::Error, message, &fields);
            }
        };
        each("difference", &difference.lines);
        each("code", &difference.code);
    }
}

/// How the ends of two machines differ, if they do.
fn outcome_difference(failures: [Option<&VmError>; 2]) -> Option<String> {
    let [left, right] = failures.map(|failure| failure.map_or("none".into(), ToString::to_string));
    (left != right).then(|| format!("failure: {left} against {right}"))
}

#[cfg(test)]
mod tests;
