//! A chain and a machine small enough to be written again in Solidity.
//!
//! **Chain.** The output root of block n follows from that of block n - 1 by
//! [`output_after`]: keccak256 of four words as an output root proof has them: 0;
//! keccak256(output root of n - 1, n as a word); 0; keccak256 of the header. The header of
//! block n is `d1`, eight times `80`, `88`, n as 8 bytes big-endian. Data on L1 lead to block
//! `safe_head`; later blocks have its output root.
//!
//! **Machine.** A state is two words, a counter and an accumulator, so 64 bytes. The first
//! state is all zero. The status is 3 while the counter is below `length`, else the last
//! byte of the accumulator. A step with the counter
//! - at `length` (or above) leads to the same state;
//! - at 0 makes the counter 1, and the accumulator the local context with the verdict as its
//!   last byte;
//! - elsewhere adds 1 to the counter, and makes the accumulator keccak256(accumulator,
//!   counter before as a word), with the accumulator's last byte before as its last byte.
//!
//! State data that are not 64 bytes, or a counter of more than 64 bits, are refused. The
//! step with the counter at 0 is also refused when the proof is not the pre-image of the
//! local context, as [`Disputed::preimage`](crate::game::Disputed::preimage) makes it, 64 or
//! 128 bytes; other steps do not look at the proof.
//!
//! **Verdict.** The block of a position is min(starting block + trace index at the split
//! depth + 1, claimed block, safe head); that of the anchor min(starting block, safe head).
//! If starting and disputed output have the same block, the disputed root must be the
//! starting root, else `output_after(starting root, block of the disputed one)`. The verdict
//! is 0 if it is, else 2 if the disputed root's last byte is odd, else 1.

use crate::game::OutputRootProof;
use crate::parameters::Proposal;
use crate::position::Position;
use crate::provider::BlockNumberProof;
use crate::vm::{Vm, VmStatus};
use alloy_primitives::{B256, U256, keccak256};
use serde::{Deserialize, Serialize};

/// The machine, and the game that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToyVm {
    /// The anchor that the game starts from.
    pub starting: Proposal,
    /// The block that the game claims.
    pub claimed_block: u64,
    /// The last block that the data on L1 lead to.
    pub safe_head: u64,
    /// The depth of the output roots.
    pub split_depth: u32,
    /// Steps to the end of the program, at least 1.
    pub length: u64,
}

/// A state of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Steps done.
    pub counter: u64,
    /// What they made.
    pub accumulator: B256,
}

impl State {
    /// The state before the first step.
    pub const FIRST: Self = Self {
        counter: 0,
        accumulator: B256::ZERO,
    };

    /// The state as bytes.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        [word(self.counter), self.accumulator].concat()
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let (counter, accumulator) = data.split_at_checked(32)?;
        let accumulator = B256::try_from(accumulator).ok()?;
        let counter = U256::from_be_slice(counter).try_into().ok()?;
        Some(Self {
            counter,
            accumulator,
        })
    }
}

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

/// The header of a block.
#[must_use]
pub fn header(block: u64) -> Vec<u8> {
    let mut header = vec![0xd1];
    header.extend([0x80; 8]);
    header.push(0x88);
    header.extend(block.to_be_bytes());
    header
}

/// What the output root of a block is the hash of.
#[must_use]
pub fn output_proof(before: B256, block: u64) -> OutputRootProof {
    OutputRootProof {
        version: B256::ZERO,
        state_root: keccak256([before, word(block)].concat()),
        message_passer_storage_root: B256::ZERO,
        latest_blockhash: keccak256(header(block)),
    }
}

/// The output root of a block, after that of the block before.
#[must_use]
pub fn output_after(before: B256, block: u64) -> B256 {
    output_proof(before, block).hash()
}

/// What shows the number of a block, given the output root of the block before.
#[must_use]
pub fn block_number_proof(before: B256, block: u64) -> BlockNumberProof {
    BlockNumberProof {
        proof: output_proof(before, block),
        header_rlp: header(block),
    }
}

impl ToyVm {
    /// The hash of a state, with its status.
    #[must_use]
    pub fn hash(&self, state: &State) -> B256 {
        let mut hash = keccak256(state.data());
        hash[0] = if state.counter < self.length {
            VmStatus::Unfinished as u8
        } else {
            state.accumulator[31]
        };
        hash
    }

    /// The state after a step.
    ///
    /// # Errors
    /// When the step is refused: why.
    pub fn after(&self, state: &State, proof: &[u8], context: B256) -> Result<State, String> {
        if state.counter >= self.length {
            return Ok(*state);
        }
        let mut accumulator;
        if state.counter == 0 {
            if keccak256(proof) != context {
                return Err("the proof is not the local context's".into());
            }
            accumulator = context;
            accumulator[31] = self.verdict(proof).ok_or("no such local context")?;
        } else {
            accumulator = keccak256([state.accumulator, word(state.counter)].concat());
            accumulator[31] = state.accumulator[31];
        }
        Ok(State {
            counter: state.counter + 1,
            accumulator,
        })
    }

    /// How the program ends, by what it is about.
    fn verdict(&self, preimage: &[u8]) -> Option<u8> {
        let (words, []) = preimage.as_chunks::<32>() else {
            return None;
        };
        let words: Vec<B256> = words.iter().copied().map(B256::from).collect();
        let (starting, from, disputed, at) = match words[..] {
            [disputed, at] => (self.starting.root, self.starting.l2_block, disputed, at),
            [starting, from, disputed, at] => (starting, self.block(from)?, disputed, at),
            _ => return None,
        };
        let from = from.min(self.safe_head);
        let block = self.block(at)?;
        let right = if block == from {
            starting
        } else {
            output_after(starting, block)
        };
        Some(match disputed == right {
            true => 0,
            false => 1 + (disputed[31] & 1),
        })
    }

    fn block(&self, position: B256) -> Option<u64> {
        let gindex = u128::try_from(U256::from_be_bytes(position.0)).ok()?;
        let position = Position::from_gindex(gindex)?;
        let index = u64::try_from(position.trace_index(self.split_depth)).ok()?;
        let block = self.starting.l2_block + index + 1;
        Some(block.min(self.claimed_block).min(self.safe_head))
    }

    /// The states from the first to the last, in a local context given by its pre-image.
    #[must_use]
    pub fn run(&self, preimage: &[u8]) -> Vec<State> {
        let context = keccak256(preimage);
        let mut states = vec![State::FIRST];
        while let Some(state) = states.last().filter(|state| state.counter < self.length) {
            match self.after(state, preimage, context) {
                Ok(next) => states.push(next),
                Err(_) => break,
            }
        }
        states
    }
}

impl Vm for ToyVm {
    fn step(&self, state_data: &[u8], proof: &[u8], context: B256) -> Result<B256, String> {
        let state = State::parse(state_data).ok_or("the state is not two words")?;
        Ok(self.hash(&self.after(&state, proof, context)?))
    }
}
