//! Output roots: the trace above the split depth.

use crate::game::OutputRootProof;
use alloy_primitives::B256;

/// What shows the number of an output root's block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlockNumberProof {
    /// What the output root is the hash of.
    pub proof: OutputRootProof,
    /// The block's header.
    pub header_rlp: Vec<u8>,
}

/// A rollup node, as it sees the chain up to the game's L1 head.
pub trait OutputSource {
    /// Why there is no answer.
    type Error;

    /// The output root of an L2 block.
    ///
    /// # Errors
    /// When the node cannot be asked now.
    fn output_at(&mut self, block: u64) -> Result<B256, Self::Error>;

    /// The last L2 block that the data up to the game's L1 head lead to. It is asked for with
    /// every output root, and does not change while the game lasts.
    ///
    /// # Errors
    /// When the node cannot be asked now.
    fn safe_head(&mut self) -> Result<u64, Self::Error>;

    /// What shows the number of a block.
    ///
    /// # Errors
    /// When the node cannot be asked now.
    fn block_number_proof(&mut self, block: u64) -> Result<BlockNumberProof, Self::Error>;

    /// See [`TraceAccessor::rest`](super::TraceAccessor::rest).
    fn rest(&mut self) {}
}
