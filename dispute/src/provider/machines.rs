//! Execution traces by the project's own machine.

use super::{ExecutionSource, ExecutionTrace, StepData};
use crate::upload::OracleData;
use alloy_primitives::B256;
use carronade_emulator::witness::StepWitness;
use carronade_trace::{Trace, TraceError};
use std::collections::HashMap;

/// The executions of a program. Each is a [`Trace`], opened when it is first asked for, with
/// the local data that the game gives it; a few are kept, since a dispute asks one of them
/// some forty times. One that failed is opened again when it is asked next, and goes on from
/// its last checkpoint.
///
/// Trace index i is the state after step i, so with the step counter i + 1. After the end
/// the last state stays, and a step from it leads to itself without any proof, as the
/// contract has it (op-challenger's trace extension).
pub struct Machines<F> {
    open: F,
    most: usize,
    /// The one asked last is last.
    traces: Vec<(B256, Trace)>,
    /// What was answered, by trace and index: the same is asked at each look at a game, while the
    /// machine would have to run to it again.
    hashes: HashMap<(B256, u128), B256>,
    /// The step that was proven last.
    step: Option<((B256, u128), StepData)>,
}

impl<F: FnMut(&ExecutionTrace) -> Result<Trace, TraceError>> Machines<F> {
    /// Machines that `open` opens, of which `most` are kept, at least one.
    pub fn new(most: usize, open: F) -> Self {
        Self {
            open,
            most: most.max(1),
            traces: Vec::new(),
            hashes: HashMap::new(),
            step: None,
        }
    }

    fn trace(&mut self, trace: &ExecutionTrace) -> Result<&mut Trace, TraceError> {
        let context = trace.outputs.local_context();
        let known = self.traces.iter().position(|(of, _)| *of == context);
        let entry = match known {
            Some(index) => self.traces.remove(index),
            None => (context, (self.open)(trace)?),
        };
        if self.traces.len() >= self.most {
            self.traces.remove(0);
        }
        let last = self.traces.len();
        self.traces.push(entry);
        Ok(&mut self.traces[last].1)
    }

    fn ask<T>(
        &mut self,
        of: &ExecutionTrace,
        question: impl FnOnce(&mut Trace) -> Result<T, TraceError>,
    ) -> Result<T, TraceError> {
        let answer = question(self.trace(of)?);
        if answer.is_err() {
            // An error may leave a trace half-way.
            self.traces.pop();
        }
        answer
    }
}

/// The step counter some steps after the first state; traces are shorter than this fails.
fn counter(trace: &Trace, steps: u128) -> u64 {
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    trace.first_step().saturating_add(steps)
}

impl<F> ExecutionSource for Machines<F>
where
    F: FnMut(&ExecutionTrace) -> Result<Trace, TraceError>,
{
    type Error = TraceError;

    fn state_hash(&mut self, trace: &ExecutionTrace, index: u128) -> Result<B256, TraceError> {
        let asked = (trace.outputs.local_context(), index);
        if let Some(hash) = self.hashes.get(&asked) {
            return Ok(*hash);
        }
        let hash = self.ask(trace, |trace| {
            let step = counter(trace, index.saturating_add(1));
            trace.state_hash(step).map(B256::from)
        })?;
        self.hashes.insert(asked, hash);
        Ok(hash)
    }

    fn step_data(&mut self, trace: &ExecutionTrace, index: u128) -> Result<StepData, TraceError> {
        let asked = (trace.outputs.local_context(), index);
        if let Some((_, data)) = self.step.as_ref().filter(|(step, _)| *step == asked) {
            return Ok(data.clone());
        }
        let data = self.ask(trace, |trace| {
            let step = counter(trace, index);
            match trace.witness(step)? {
                Some(witness) => Ok(of_witness(witness)),
                None => Ok(StepData {
                    state_data: trace.seek(step)?.witness()?.0.to_vec(),
                    proof: Vec::new(),
                    oracle: None,
                }),
            }
        })?;
        self.step = Some((asked, data.clone()));
        Ok(data)
    }

    /// Machines have memory; answers are kept.
    fn rest(&mut self) {
        self.traces.clear();
    }
}

fn of_witness(witness: StepWitness) -> StepData {
    let oracle = witness.oracle.map(|oracle| OracleData {
        key: oracle.key.into(),
        value: oracle.value,
        // The machine reads no pre-image of 4 GiB; the contract could not either.
        offset: u32::try_from(oracle.offset).unwrap_or(u32::MAX),
    });
    StepData {
        state_data: witness.state_data,
        proof: witness.proof_data,
        oracle,
    }
}
