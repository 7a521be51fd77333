//! A trace that is wrong at one place, and right in itself from there on.

use super::toy::{State, ToyVm, output_after};
use super::truth::{Chain, Execution, state_at, step_data};
use crate::provider::{BlockNumberProof, ExecutionSource, ExecutionTrace, OutputSource, StepData};
use alloy_primitives::{B256, keccak256};
use std::convert::Infallible;

/// Where a trace is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Lie {
    /// The first block with another output root; none if outputs are true.
    pub block: Option<u64>,
    /// The step that leads to another state, of at most as many as the program has.
    pub instruction: u64,
    /// What makes it differ from the lies of others.
    pub salt: u64,
}

impl Lie {
    fn mark(&self, of: B256) -> B256 {
        keccak256([of.as_slice(), &self.salt.to_be_bytes()].concat())
    }

    /// The output root of a block.
    pub fn output(&self, chain: &Chain, block: u64) -> B256 {
        match self.block {
            Some(first) if block >= first => {
                let wrong = self.mark(chain.root(first));
                (first + 1..=block).fold(wrong, output_after)
            }
            _ => chain.root(block),
        }
    }
}

/// The chain of a liar.
#[derive(Debug, Clone)]
pub struct LyingChain {
    /// The true chain.
    pub chain: Chain,
    /// What is wrong.
    pub lie: Lie,
    /// Where the liar says that data end.
    pub end: u64,
}

impl OutputSource for LyingChain {
    type Error = Infallible;

    fn output_at(&mut self, block: u64) -> Result<B256, Infallible> {
        Ok(self.lie.output(&self.chain, block))
    }

    fn safe_head(&mut self) -> Result<u64, Infallible> {
        Ok(self.end)
    }

    fn block_number_proof(&mut self, block: u64) -> Result<BlockNumberProof, Infallible> {
        self.chain.block_number_proof(block)
    }
}

/// The machine of a liar: it goes wrong at one instruction, where it also takes the verdict
/// that the liar's outputs call for, and executes rightly from there on.
#[derive(Debug, Clone)]
pub struct LyingExecution {
    /// The true machine.
    pub execution: Execution,
    /// The true chain.
    pub chain: Chain,
    /// What is wrong.
    pub lie: Lie,
}

impl LyingExecution {
    fn states(&mut self, trace: &ExecutionTrace) -> &[State] {
        let claimed = trace.claimed;
        let agrees = self.lie.output(&self.chain, claimed.l2_block) == claimed.root;
        let lie = self.lie;
        self.execution
            .states(trace, |vm, preimage| lie.states(vm, preimage, agrees))
    }
}

impl Lie {
    fn states(&self, vm: &ToyVm, preimage: &[u8], agrees: bool) -> Vec<State> {
        let mut states = vm.run(preimage);
        let wrong = (self.instruction.min(vm.length - 1) + 1) as usize;
        let Some(state) = states.get_mut(wrong) else {
            return states;
        };
        state.accumulator = self.mark(state.accumulator);
        state.accumulator[31] = u8::from(!agrees);
        let context = keccak256(preimage);
        for at in wrong + 1..states.len() {
            if let Ok(next) = vm.after(&states[at - 1], preimage, context) {
                states[at] = next;
            }
        }
        states
    }
}

impl ExecutionSource for LyingExecution {
    type Error = Infallible;

    fn state_hash(&mut self, trace: &ExecutionTrace, index: u128) -> Result<B256, Infallible> {
        let state = state_at(self.states(trace), index + 1);
        Ok(self.execution.vm.hash(&state))
    }

    fn step_data(&mut self, trace: &ExecutionTrace, index: u128) -> Result<StepData, Infallible> {
        let before = state_at(self.states(trace), index);
        Ok(step_data(trace, &before, index))
    }
}
