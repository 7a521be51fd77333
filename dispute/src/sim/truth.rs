//! The true trace of a toy game.

use super::toy::{State, ToyVm, block_number_proof, output_after};
use crate::provider::{BlockNumberProof, ExecutionSource, ExecutionTrace, OutputSource, StepData};
use crate::upload::OracleData;
use alloy_primitives::B256;
use std::collections::HashMap;
use std::convert::Infallible;

/// The chain: output roots from the starting block on.
#[derive(Debug, Clone)]
pub struct Chain {
    first: u64,
    roots: Vec<B256>,
}

impl Chain {
    /// The chain of a game.
    pub fn new(vm: &ToyVm) -> Self {
        let first = vm.starting.l2_block;
        let mut roots = vec![vm.starting.root];
        for block in first + 1..=vm.safe_head {
            roots.push(output_after(roots[roots.len() - 1], block));
        }
        Self { first, roots }
    }

    /// The output root of a block; that of the last one for those after it.
    pub fn root(&self, block: u64) -> B256 {
        let index = (block - self.first) as usize;
        self.roots[index.min(self.roots.len() - 1)]
    }

    fn last(&self) -> u64 {
        self.first + self.roots.len() as u64 - 1
    }
}

impl OutputSource for Chain {
    type Error = Infallible;

    fn output_at(&mut self, block: u64) -> Result<B256, Infallible> {
        Ok(self.root(block))
    }

    fn safe_head(&mut self) -> Result<u64, Infallible> {
        Ok(self.last())
    }

    fn block_number_proof(&mut self, block: u64) -> Result<BlockNumberProof, Infallible> {
        Ok(block_number_proof(self.root(block - 1), block))
    }
}

/// What is executed, remembered by what it is about.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The machine.
    pub vm: ToyVm,
    runs: HashMap<B256, Vec<State>>,
}

impl Execution {
    /// A machine that has executed nothing.
    pub fn new(vm: ToyVm) -> Self {
        Self {
            vm,
            runs: HashMap::new(),
        }
    }

    /// The states of a trace, made by `make` if it is the first time.
    pub fn states(
        &mut self,
        trace: &ExecutionTrace,
        make: impl FnOnce(&ToyVm, &[u8]) -> Vec<State>,
    ) -> &[State] {
        let preimage = trace.outputs.preimage();
        let context = trace.outputs.local_context();
        let vm = &self.vm;
        self.runs
            .entry(context)
            .or_insert_with(|| make(vm, &preimage))
    }
}

/// The state with an index of a trace; the last one after the end.
pub fn state_at(states: &[State], index: u128) -> State {
    let last = states.len() - 1;
    states[usize::try_from(index).map_or(last, |index| index.min(last))]
}

/// What the step from a state to an index needs. The first step is said to read local data,
/// so that uploads are part of games too; the toy machine does not look at them.
pub fn step_data(trace: &ExecutionTrace, before: &State, index: u128) -> StepData {
    let oracle = (index == 0).then(|| {
        let mut key = B256::ZERO;
        (key[0], key[31]) = (1, 2);
        let length = 32u64.to_be_bytes();
        OracleData {
            key,
            value: [&length[..], trace.outputs.starting.as_slice()].concat(),
            offset: 8,
        }
    });
    StepData {
        state_data: before.data(),
        proof: trace.outputs.preimage(),
        oracle,
    }
}

impl ExecutionSource for Execution {
    type Error = Infallible;

    fn state_hash(&mut self, trace: &ExecutionTrace, index: u128) -> Result<B256, Infallible> {
        let state = state_at(self.states(trace, ToyVm::run), index + 1);
        Ok(self.vm.hash(&state))
    }

    fn step_data(&mut self, trace: &ExecutionTrace, index: u128) -> Result<StepData, Infallible> {
        let before = state_at(self.states(trace, ToyVm::run), index);
        Ok(step_data(trace, &before, index))
    }
}
