//! The output roots of a game, from a rollup node and an L2 node.

use std::collections::HashMap;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable as _;
use carronade_dispute::game::OutputRootProof;
use carronade_dispute::provider::{BlockNumberProof, OutputSource};
use serde::Deserialize;

use crate::rpc::{Rpc, RpcError};

/// What is asked of nodes, for what goes wrong.
const OUTPUT: &str = "optimism_outputAtBlock";
const SAFE_HEAD: &str = "optimism_safeHeadAtL1Block";
const SYNC_STATUS: &str = "optimism_syncStatus";
const RAW_HEADER: &str = "debug_getRawHeader";
const BLOCK: &str = "eth_getBlockByHash";

/// The place of the number among a header's fields.
const NUMBER: usize = 8;

/// Why there is no output root now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// A node has no answer, or one that cannot be true.
    #[error(transparent)]
    Node(#[from] RpcError),
    /// The L1 node has no such block: it is behind, or the block is of a chain that is gone.
    #[error("{node} does not have the game's L1 head {head}")]
    NoHead {
        /// Which node.
        node: String,
        /// The block's hash.
        head: B256,
    },
    /// What the rollup node says of later blocks is not final.
    #[error("{node} has not derived all of L1 up to the game's head {head}: it is at block {at}")]
    Behind {
        /// Which node.
        node: String,
        /// The number of the game's L1 head.
        head: u64,
        /// The number of the L1 block that it is deriving from.
        at: u64,
    },
}

/// The nodes that know a chain's outputs.
#[derive(Clone)]
pub struct OutputNodes {
    /// A rollup node with the database of safe heads (op-node's `--safedb.path`).
    pub rollup: Rpc,
    /// An execution node of L1.
    pub l1: Rpc,
    /// An execution node of L2.
    pub l2: Rpc,
    /// Whether the rollup node must have gone past a game's L1 head before it is believed to
    /// have derived everything from it (op-challenger's `SyncStatusValidator`). Only where L1
    /// stands still is that too much to ask.
    pub must_be_past_head: bool,
}

/// The output roots of one game, as its nodes see the chain from the game's L1 head. What they
/// answer is kept: neither outputs of safe blocks nor the safe head at an L1 block change.
pub struct RollupNode {
    nodes: OutputNodes,
    l1_head: B256,
    safe_head: Option<u64>,
    outputs: HashMap<u64, OutputRootProof>,
}

/// `eth.OutputResponse` (`op-service/eth/output.go`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputResponse {
    version: B256,
    output_root: B256,
    block_ref: BlockId,
    withdrawal_storage_root: B256,
    state_root: B256,
}

/// `eth.BlockID`, and the beginning of references to blocks.
#[derive(Debug, Deserialize)]
struct BlockId {
    hash: B256,
    number: u64,
}

/// `eth.SafeHeadResponse`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SafeHeadResponse {
    l1_block: BlockId,
    safe_head: BlockId,
}

/// What matters of `eth.SyncStatus`.
#[derive(Debug, Deserialize)]
struct SyncStatus {
    current_l1: BlockId,
}

impl RollupNode {
    /// The outputs of a game with an L1 head. Nothing is asked yet.
    #[must_use]
    pub fn new(nodes: OutputNodes, l1_head: B256) -> Self {
        Self {
            nodes,
            l1_head,
            safe_head: None,
            outputs: HashMap::new(),
        }
    }

    /// What the output root of a block is the hash of.
    ///
    /// # Errors
    /// When the rollup node cannot be asked, or lies.
    pub fn output(&mut self, block: u64) -> Result<OutputRootProof, OutputError> {
        if let Some(output) = self.outputs.get(&block) {
            return Ok(*output);
        }
        let rollup = &self.nodes.rollup;
        let answer: OutputResponse = rollup.ask(OUTPUT, [quantity(block)])?;
        let output = OutputRootProof {
            version: answer.version,
            state_root: answer.state_root,
            message_passer_storage_root: answer.withdrawal_storage_root,
            latest_blockhash: answer.block_ref.hash,
        };
        let number = answer.block_ref.number;
        if number != block {
            let reason = format!("it is asked for block {block} and tells of block {number}");
            return Err(rollup.wrong(OUTPUT, reason).into());
        }
        if output.hash() != answer.output_root {
            let (found, told) = (output.hash(), answer.output_root);
            let reason = format!("the output root of block {block} is {found}, not {told}");
            return Err(rollup.wrong(OUTPUT, reason).into());
        }
        self.outputs.insert(block, output);
        Ok(output)
    }

    /// The number of the game's L1 head.
    fn l1_number(&self) -> Result<u64, OutputError> {
        let header = raw_header(&self.nodes.l1, self.l1_head)?;
        let header = header.ok_or_else(|| OutputError::NoHead {
            node: self.nodes.l1.name().to_owned(),
            head: self.l1_head,
        })?;
        number_of(&self.nodes.l1, &header).map_err(Into::into)
    }

    fn check_progress(&self, head: u64) -> Result<(), OutputError> {
        let rollup = &self.nodes.rollup;
        let status: SyncStatus = rollup.ask(SYNC_STATUS, ())?;
        let at = status.current_l1.number;
        // What it is deriving from it may not have derived everything from.
        if at > head {
            return Ok(());
        }
        Err(OutputError::Behind {
            node: rollup.name().to_owned(),
            head,
            at,
        })
    }

    fn ask_safe_head(&self) -> Result<u64, OutputError> {
        let head = self.l1_number()?;
        if self.nodes.must_be_past_head {
            self.check_progress(head)?;
        }
        let rollup = &self.nodes.rollup;
        let answer: SafeHeadResponse = rollup.ask(SAFE_HEAD, [quantity(head)])?;
        let at = answer.l1_block;
        if at.number > head || at.number == head && at.hash != self.l1_head {
            let reason = format!(
                "it is asked for L1 block {head} {}, and tells of {} {}",
                self.l1_head, at.number, at.hash
            );
            return Err(rollup.wrong(SAFE_HEAD, reason).into());
        }
        Ok(answer.safe_head.number)
    }
}

impl OutputSource for RollupNode {
    type Error = OutputError;

    fn output_at(&mut self, block: u64) -> Result<B256, OutputError> {
        self.output(block).map(|output| output.hash())
    }

    fn safe_head(&mut self) -> Result<u64, OutputError> {
        match self.safe_head {
            Some(block) => Ok(block),
            None => Ok(*self.safe_head.insert(self.ask_safe_head()?)),
        }
    }

    /// The rollup node may have followed another L1 chain, and be right now.
    fn rest(&mut self) {
        self.safe_head = None;
        self.outputs.clear();
    }

    fn block_number_proof(&mut self, block: u64) -> Result<BlockNumberProof, OutputError> {
        let proof = self.output(block)?;
        let l2 = &self.nodes.l2;
        let hash = proof.latest_blockhash;
        let header = raw_header(l2, hash)?;
        let header = header.ok_or_else(|| l2.wrong(BLOCK, format!("it has no block {hash}")))?;
        let number = number_of(l2, &header)?;
        if number != block {
            // The hash is right: it is the rollup node that told of another block.
            let reason = format!("its block {block} {hash} has the number {number}");
            return Err(self.nodes.rollup.wrong(OUTPUT, reason).into());
        }
        Ok(BlockNumberProof {
            proof,
            header_rlp: header,
        })
    }
}

/// A number as JSON-RPC has it.
fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// The header with a hash, as it is hashed; nothing if the node does not have it. Nodes without
/// the debug API are asked for the block.
pub(crate) fn raw_header(node: &Rpc, hash: B256) -> Result<Option<Vec<u8>>, RpcError> {
    let (method, header) = match node.ask::<Bytes>(RAW_HEADER, [hash]) {
        Ok(header) => (RAW_HEADER, header.to_vec()),
        Err(RpcError::Refused { .. }) => {
            let block: Option<alloy_rpc_types_eth::Header> = node.ask(BLOCK, (hash, false))?;
            let Some(block) = block else { return Ok(None) };
            (BLOCK, alloy_rlp::encode(&block.inner))
        }
        Err(error) => return Err(error),
    };
    let found = keccak256(&header);
    if found != hash {
        let reason = format!("the header of {hash} that it gives has the hash {found}");
        return Err(node.wrong(method, reason));
    }
    Ok(Some(header))
}

/// The number in a header, whatever fields come after it.
fn number_of(node: &Rpc, header: &[u8]) -> Result<u64, RpcError> {
    let number = || {
        let mut fields = alloy_rlp::Header::decode_bytes(&mut &*header, true)?;
        for _ in 0..NUMBER {
            let field = alloy_rlp::Header::decode(&mut fields)?;
            fields = fields
                .get(field.payload_length..)
                .ok_or(alloy_rlp::Error::InputTooShort)?;
        }
        u64::decode(&mut fields)
    };
    number().map_err(|error| node.wrong(RAW_HEADER, format!("that is no header: {error}")))
}
