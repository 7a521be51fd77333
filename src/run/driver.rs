//! What executes the steps of `run`: a machine, two that are compared, or a trace over a
//! checkpoint store.

use super::served::Served;
use crate::crosscheck::{Crosscheck, Ended};
use crate::failure::Failure;
use crate::trace::failure;
use carronade_emulator::machine::{Machine, Stop, Watch};
use carronade_emulator::stats::DebugInfo;
use carronade_emulator::witness::StepWitness;
use carronade_trace::{Trace, TraceError};

/// What executes steps.
pub enum Driver {
    /// A machine.
    Plain(Machine),
    /// A machine, and one that it is compared with.
    Checked(Machine, Box<Crosscheck>),
    /// A trace, which may come to a step without executing all before it, and its server.
    Traced(Box<Trace>, Served),
}

/// Why there are no more steps.
pub enum Cause {
    /// What a machine or two machines had to say.
    Ended(Ended),
    /// What else went wrong.
    Failed(Failure),
}

impl From<Ended> for Cause {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<TraceError> for Cause {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::Vm(error) => Self::Ended(Ended::Vm(error)),
            error => Self::Failed(failure(error)),
        }
    }
}

impl Driver {
    /// The machine.
    pub fn machine(&self) -> &Machine {
        match self {
            Self::Plain(machine) | Self::Checked(machine, _) => machine,
            Self::Traced(trace, _) => trace.machine(),
        }
    }

    /// The machine that has the engine in question.
    pub fn measured(&self) -> &Machine {
        match self {
            Self::Checked(_, crosscheck) => crosscheck.machine(),
            _ => self.machine(),
        }
    }

    /// How many steps were executed since the run began at a step.
    pub fn executed(&self, first: u64) -> u64 {
        match self {
            Self::Traced(trace, _) => trace.executed(),
            _ => self.machine().state().step - first,
        }
    }

    /// How many of these the machine has executed that there is now.
    pub fn executed_by_machine(&self, first: u64) -> u64 {
        match self {
            Self::Traced(trace, _) => trace.executed_by_machine(),
            _ => self.executed(first),
        }
    }

    /// Runs towards a step, at most to `pause`.
    pub fn run(&mut self, step: u64, pause: u64, watch: Watch) -> Result<Stop, Cause> {
        let until = step.min(pause);
        match self {
            Self::Plain(machine) => Ok(machine.run(until, watch).map_err(Ended::Vm)?),
            Self::Checked(machine, crosscheck) => Ok(crosscheck.run(machine, until, watch)?),
            Self::Traced(trace, served) => {
                served.prepare(trace, step)?;
                trace.approach(step, pause)?;
                Ok(Stop::Step)
            }
        }
    }

    /// Executes the next step, and proves it.
    pub fn prove(&mut self) -> Result<StepWitness, Cause> {
        match self {
            Self::Plain(machine) => Ok(machine.prove().map_err(Ended::Vm)?),
            Self::Checked(machine, crosscheck) => Ok(crosscheck.prove(machine)?),
            Self::Traced(trace, _) => Ok(trace.prove()?),
        }
    }

    /// Somebody has asked for the state here: others may again.
    pub fn keep(&mut self) -> Result<(), Cause> {
        match self {
            Self::Traced(trace, _) => Ok(trace.keep()?),
            _ => Ok(()),
        }
    }

    /// The state here is written to a file: somebody will go on from there.
    pub fn publish(&mut self) -> Result<(), Cause> {
        match self {
            Self::Traced(trace, _) => Ok(trace.publish()?),
            _ => Ok(()),
        }
    }

    /// All of memory is about to be written to a file.
    pub fn load(&mut self) -> Result<(), Cause> {
        match self {
            Self::Traced(trace, _) => Ok(trace.whole().map(drop)?),
            _ => Ok(()),
        }
    }

    /// The counters of the run.
    pub fn debug_info(&self) -> DebugInfo {
        match self {
            Self::Traced(trace, _) => trace.debug_info(),
            _ => self.machine().debug_info(),
        }
    }

    /// The last comparison, if there is any; all checkpoints are in the store.
    pub fn finish(&mut self) -> Result<(), Cause> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Checked(machine, crosscheck) => Ok(crosscheck.finish(machine)?),
            Self::Traced(trace, _) => {
                trace.keep()?;
                Ok(trace.flush()?)
            }
        }
    }
}
