//! The rollup node: what op-node says of outputs, safe heads and its progress.
//!
//! Sources: op-node's `node/api.go` and `node/safedb/safedb.go`; the forms of `op-service/eth`:
//! `output.go`, `sync_status.go`, `id.go`. Numbers are decimal there, and hex in parameters.

use std::sync::Arc;

use alloy_consensus::{Header, Sealed};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U64};
use axum::Router;
use serde_json::{Value, json};

use super::faults::Node;
use super::rpc::{self, Answer, RpcError, read, result};
use super::{Shared, lock};
use crate::l1::L1Block;
use crate::l2::L2Block;

/// An L1 block, as op-node refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct L1Ref {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
    /// The hash of the block before it.
    pub parent_hash: B256,
    /// Its time, in seconds.
    pub timestamp: u64,
}

impl L1Ref {
    fn of(block: &L1Block) -> Self {
        Self {
            hash: block.header.hash(),
            number: block.header.number,
            parent_hash: block.header.parent_hash,
            timestamp: block.header.timestamp,
        }
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    rpc::router(shared, Node::Rollup, methods)
}

fn methods(shared: &Shared, method: &str, params: &[Value]) -> Answer {
    Some(match method {
        "optimism_outputAtBlock" => read(params, 0).and_then(|number| output(shared, number)),
        "optimism_safeHeadAtL1Block" => {
            read(params, 0).and_then(|number: U64| safe_head(shared, number.to()))
        }
        "optimism_syncStatus" => Ok(sync_status(shared)),
        "optimism_rollupConfig" => result(&shared.devnet.config),
        "optimism_version" => result(concat!("v", env!("CARGO_PKG_VERSION"), "-devnet")),
        _ => return None,
    })
}

fn output(shared: &Shared, number: U64) -> Result<Value, RpcError> {
    let block = shared.devnet.l2.get(number.to::<usize>());
    let block =
        block.ok_or_else(|| RpcError::not_found("failed to get L2 block ref with sync status:"))?;
    Ok(json!({
        "version": B256::ZERO,
        "outputRoot": block.output.hash(),
        "blockRef": l2_ref(shared, block),
        "withdrawalStorageRoot": block.output.bridge_storage_root,
        "stateRoot": block.output.state_root,
        "syncStatus": sync_status(shared),
    }))
}

/// The newest L2 block that derivation yields of L1 up to a block, and the L1 block from which on
/// it does. After L1's end nothing is added.
fn safe_head(shared: &Shared, l1_block: u64) -> Result<Value, RpcError> {
    let head = safe_at(shared, l1_block);
    let l1_block = &shared.devnet.l1[head.safe_from as usize];
    Ok(json!({ "l1Block": id(&l1_block.header), "safeHead": id(&head.header) }))
}

/// The newest L2 block that derivation yields of L1 up to a block.
fn safe_at(shared: &Shared, l1_block: u64) -> &L2Block {
    let l1_block = l1_block.min(shared.l1_head());
    let blocks = &shared.devnet.l2;
    let safe = blocks.partition_point(|block| block.safe_from <= l1_block);
    // The genesis block is safe from L1's first block on.
    &blocks[safe - 1]
}

/// A node that has seen all of L1, which to it is final.
fn sync_status(shared: &Shared) -> Value {
    let own = shared.l1_block(BlockNumberOrTag::Latest.into());
    let own = L1Ref::of(own.expect("there is a genesis block"));
    let l1 = lock(&shared.l1_head).unwrap_or(own);
    let safe = l2_ref(shared, safe_at(shared, u64::MAX));
    let newest = shared.devnet.l2.last().expect("there is a genesis block");
    let newest = l2_ref(shared, newest);
    json!({
        "current_l1": l1,
        "current_l1_finalized": l1,
        "head_l1": l1,
        "safe_l1": l1,
        "finalized_l1": l1,
        "unsafe_l2": newest,
        "safe_l2": safe,
        "finalized_l2": safe,
        "pending_safe_l2": safe,
        "cross_unsafe_l2": newest,
        "local_safe_l2": safe,
    })
}

/// A block's id.
fn id(header: &Sealed<Header>) -> Value {
    json!({ "hash": header.hash(), "number": header.number })
}

fn l2_ref(shared: &Shared, block: &L2Block) -> Value {
    let origin = &shared.devnet.l1[block.origin as usize];
    json!({
        "hash": block.header.hash(),
        "number": block.header.number,
        "parentHash": block.header.parent_hash,
        "timestamp": block.header.timestamp,
        "l1origin": id(&origin.header),
        "sequenceNumber": block.sequence_number,
    })
}
