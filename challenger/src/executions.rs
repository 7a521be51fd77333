//! The program of games: its executions, over a checkpoint store.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, Keccak256};
use carronade_dispute::provider::ExecutionTrace;
use carronade_emulator::image::{ImageError, load_elf};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::OracleError;
use carronade_emulator::state::{State, StateVersion, state_hash};
use carronade_emulator::step::NoOutput;
use carronade_online::Locals;
use carronade_program::key::PreimageKey;
use carronade_trace::{Engine, Options, Trace, TraceError};

use crate::host::Host;

/// How long checkpoints are kept after the last one: as op-challenger's window of games, longer
/// than clocks of games run.
const KEPT: Duration = Duration::from_secs(28 * 86_400);

/// Makes a program's first state, as often as it is needed.
pub type Start = Arc<dyn Fn() -> Result<(State, Memory), OracleError> + Send + Sync>;

/// How a program begins that is an ELF file, and the hash of that state, its games' absolute
/// prestate. States are of version 8, which the contract takes.
///
/// # Errors
/// When the file is no program for the machine.
pub fn start_of_elf(elf: Vec<u8>) -> Result<(Start, B256), ImageError> {
    let (state, mut memory) = load_elf(StateVersion::V8, &elf)?;
    let prestate = state_hash(&state.witness(&memory.root())).into();
    let start = move || Ok(load_elf(StateVersion::V8, &elf)?);
    Ok((Arc::new(start), prestate))
}

/// The nodes that the host of the program asks.
#[derive(Debug, Clone)]
pub struct HostNodes {
    /// The address of an L1 execution node.
    pub l1: String,
    /// That of an L1 beacon node.
    pub beacon: String,
    /// That of an L2 execution node.
    pub l2: String,
    /// The L1 chain's id, if it is known.
    pub l1_chain_id: Option<u64>,
}

/// The program of games, and all that its executions have in common.
#[derive(Clone)]
pub struct Program {
    /// The program before its first step.
    pub start: Start,
    /// The hash of that state.
    pub prestate: B256,
    /// What runs it.
    pub engine: Engine,
    /// How its traces are run.
    pub options: Options,
    /// Where checkpoints are.
    pub checkpoints: carronade_checkpoint::Store,
    /// Where pre-images are, for all games.
    pub preimages: Arc<dyn carronade_host::Store + Send + Sync>,
    /// Who is asked for those that are not there; nobody if there are none.
    pub nodes: Option<HostNodes>,
    /// The rollup configuration in JSON, for chains that the program does not know.
    pub rollup_config: Option<Vec<u8>>,
    /// The L1 chain's configuration in JSON, where it is needed.
    pub l1_config: Option<Vec<u8>>,
    /// Whether to give up what is being executed or waited for.
    pub interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Who is told what the host has to say.
    pub notice: carronade_online::Notice,
}

impl Program {
    /// Opens the trace of an execution. Its host is not made before something is asked for that
    /// no checkpoint has, and whatever is wrong with it is an error of the question that needed
    /// it.
    ///
    /// # Errors
    /// When the program cannot be loaded, or the checkpoint store not be read.
    pub fn open(&self, of: &ExecutionTrace) -> Result<Trace, TraceError> {
        let locals = self.locals(of);
        let store = self.checkpoints.trace(self.prestate.0, inputs(&locals));
        let start = (self.start)().map_err(TraceError::Beginning)?;
        let host = Host::new(self.clone(), locals, of.agreed.l2_block);
        let mut trace = Trace::open(
            start,
            Box::new(host),
            Box::new(NoOutput),
            store,
            Arc::clone(&self.engine),
            self.options,
        )?;
        let interrupted = Arc::clone(&self.interrupted);
        trace.interrupt_when(move || interrupted());
        let start = Arc::clone(&self.start);
        trace.begin_again_with(move || start());
        let notice = Arc::clone(&self.notice);
        trace.forgive_writing(move |error| {
            notice(&format!(
                "checkpoints cannot be written, going on without: {error}"
            ));
        });
        Ok(trace)
    }

    /// Removes the checkpoints of executions that have got no new ones for so long that their
    /// games must be over: how many executions.
    ///
    /// # Errors
    /// When the checkpoint store cannot be read, or some cannot be removed; the others are.
    pub fn prune(&self) -> carronade_checkpoint::Result<usize> {
        let (mut count, mut failure) = (0, self.checkpoints.finish_pruning());
        for trace in self.checkpoints.traces()? {
            if (self.interrupted)() {
                break;
            }
            match self.checkpoints.prune(trace, KEPT) {
                Ok(pruned) => count += usize::from(pruned.is_some()),
                Err(error) => failure = Err(error),
            }
        }
        failure.map(|()| count)
    }

    fn locals(&self, of: &ExecutionTrace) -> Locals {
        Locals {
            l1_head: of.l1_head,
            agreed_l2_output_root: of.agreed.root,
            claimed_l2_output_root: of.claimed.root,
            claimed_l2_block_number: of.claimed.l2_block,
            l2_chain_id: of.l2_chain_id,
            rollup_config: self.rollup_config.clone(),
            l1_config: self.l1_config.clone(),
        }
    }
}

/// The name of the inputs: a hash over all local data. Traces with the same are the same,
/// whichever game they are of.
fn inputs(locals: &Locals) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for number in 1..=7 {
        let value = locals.get(&PreimageKey::local(number));
        // What is not there is something else than what is empty.
        let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
        hasher.update(length.to_be_bytes());
        hasher.update(value.unwrap_or_default());
    }
    hasher.finalize().0
}
