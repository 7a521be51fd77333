//! What the L1 node says of accounts, single transactions and logs: enough for anvil to fork it,
//! which asks for accounts at the block of the fork, and passes on what it is asked of the past.
//!
//! There is no EVM behind this L1: its accounts have sent transactions and nothing else.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use serde_json::Value;

use super::Shared;
use super::l1::{receipts, sender, transactions};
use super::rpc::{Answer, RpcError, hash, read, result};
use crate::l1::L1Block;

pub(super) fn methods(shared: &Shared, method: &str, params: &[Value]) -> Answer {
    Some(match method {
        "eth_gasPrice" => {
            let head = shared.l1_block(BlockNumberOrTag::Latest.into());
            let fee = head.and_then(|head| head.header.base_fee_per_gas);
            result(U64::from(fee.unwrap_or_default()))
        }
        "eth_getBalance" => at(shared, params, 1).and_then(|_| result(U256::ZERO)),
        "eth_getCode" => at(shared, params, 1).and_then(|_| result(Bytes::new())),
        "eth_getStorageAt" => at(shared, params, 2).and_then(|_| result(B256::ZERO)),
        "eth_getTransactionCount" => nonce(shared, params),
        "eth_getTransactionByHash" => find(shared, params, |block, index| {
            transactions(block).swap_remove(index)
        }),
        "eth_getTransactionReceipt" => find(shared, params, |block, index| {
            receipts(block).swap_remove(index)
        }),
        "eth_getLogs" => read(params, 0).and_then(|filter| result(logs(shared, &filter)?)),
        _ => return None,
    })
}

/// The block that a parameter names, by default the newest.
fn at<'a>(shared: &'a Shared, params: &[Value], place: usize) -> Result<&'a L1Block, RpcError> {
    let id = match params.get(place) {
        None | Some(Value::Null) => BlockNumberOrTag::Latest.into(),
        Some(_) => read::<BlockId>(params, place)?,
    };
    shared
        .l1_block(id)
        .ok_or_else(|| RpcError::not_found("header"))
}

/// How many transactions an account has sent up to a block.
fn nonce(shared: &Shared, params: &[Value]) -> Result<Value, RpcError> {
    let account: Address = read(params, 0)?;
    let last = at(shared, params, 1)?.header.number;
    let blocks = &shared.devnet.l1[..=last as usize];
    let sent = blocks.iter().flat_map(|block| &block.transactions);
    result(U64::from(sent.filter(|tx| sender(tx) == account).count()))
}

/// What there is of the transaction of the first parameter, in its block at its index; `null` if
/// there is no such transaction.
fn find<T: serde::Serialize>(
    shared: &Shared,
    params: &[Value],
    show: impl Fn(&L1Block, usize) -> T,
) -> Result<Value, RpcError> {
    let wanted = hash(params, 0)?;
    let blocks = &shared.devnet.l1[..=shared.l1_head() as usize];
    let found = blocks.iter().find_map(|block| {
        let mut transactions = block.transactions.iter();
        let index = transactions.position(|tx| *tx.hash() == wanted)?;
        Some(show(block, index))
    });
    result(found)
}

/// The logs that a filter lets through, in their order.
fn logs(shared: &Shared, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let all = logs_of_blocks(shared, filter)?;
    let logs = all.into_iter().filter(|log| filter.rpc_matches(log));
    Ok(logs.collect())
}

/// All logs of the blocks that a filter names.
fn logs_of_blocks(shared: &Shared, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let number = |tag: Option<BlockNumberOrTag>| match tag {
        Some(BlockNumberOrTag::Number(number)) => number,
        Some(BlockNumberOrTag::Earliest) => 0,
        _ => shared.l1_head(),
    };
    let (first, last) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = shared.l1_block(BlockId::from(hash));
            let number = block
                .ok_or_else(|| RpcError::not_found("block"))?
                .header
                .number;
            (number, number)
        }
        FilterBlockOption::Range {
            from_block,
            to_block,
        } => (number(from_block), number(to_block).min(shared.l1_head())),
    };
    let blocks = (first..=last).map(|number| &shared.devnet.l1[number as usize]);
    let receipts = blocks.flat_map(receipts);
    Ok(receipts
        .flat_map(|receipt| receipt.inner.logs().to_vec())
        .collect())
}
