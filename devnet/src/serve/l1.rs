//! The L1 execution node.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use alloy_consensus::Transaction as _;
use alloy_consensus::transaction::{Recovered, SignerRecoverable as _};
use alloy_eips::eip4895::Withdrawals;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, Bytes, U64};
use alloy_rpc_types_eth::{
    Block, BlockTransactions, Header, Log, Transaction, TransactionInfo, TransactionReceipt,
};
use axum::Router;
use serde_json::Value;

use super::Shared;
use super::faults::Node;
use super::l1_state;
use super::rpc::{self, Answer, RpcError, hash, read, result};
use crate::l1::L1Block;
use crate::spec::L1_CHAIN_ID;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    rpc::router(shared, Node::L1, methods)
}

fn methods(shared: &Shared, method: &str, params: &[Value]) -> Answer {
    Some(match method {
        "eth_chainId" => result(U64::from(L1_CHAIN_ID)),
        "eth_blockNumber" => result(U64::from(shared.l1_head())),
        "debug_getRawHeader" => block(shared, params)
            .and_then(|block| result(Bytes::from(alloy_rlp::encode(block.header.inner())))),
        "debug_getRawReceipts" => {
            block(shared, params).and_then(|block| result(block.raw_receipts()))
        }
        "eth_getBlockReceipts" => block(shared, params).and_then(|block| result(receipts(block))),
        "eth_getBlockByHash" => hash(params, 0).and_then(|hash| {
            let full = read(params, 1)?;
            let block = shared.l1_block(BlockId::from(hash));
            result(block.map(|block| json(block, full)))
        }),
        "eth_getBlockByNumber" => read::<BlockNumberOrTag>(params, 0).and_then(|number| {
            let full = read(params, 1)?;
            let block = shared.l1_block(BlockId::from(number));
            result(block.map(|block| json(block, full)))
        }),
        _ => return l1_state::methods(shared, method, params),
    })
}

impl Shared {
    /// The number of the newest L1 block that is still there.
    pub(super) fn l1_head(&self) -> u64 {
        let last = self.devnet.l1.len() as u64 - 1;
        last.min(self.reorg.load(Ordering::Relaxed))
    }

    pub(super) fn l1_block(&self, id: BlockId) -> Option<&L1Block> {
        let blocks = &self.devnet.l1[..=self.l1_head() as usize];
        match id {
            BlockId::Hash(hash) => blocks
                .iter()
                .find(|block| block.header.hash() == hash.block_hash),
            BlockId::Number(BlockNumberOrTag::Number(number)) => blocks.get(number as usize),
            BlockId::Number(BlockNumberOrTag::Earliest) => blocks.first(),
            BlockId::Number(_) => blocks.last(),
        }
    }
}

/// The block of the first parameter: a hash, a number or a tag.
fn block<'a>(shared: &'a Shared, params: &[Value]) -> Result<&'a L1Block, RpcError> {
    let id: BlockId = read(params, 0)?;
    shared
        .l1_block(id)
        .ok_or_else(|| RpcError::not_found("block"))
}

pub(super) fn sender(transaction: &alloy_consensus::TxEnvelope) -> Address {
    transaction
        .recover_signer()
        .expect("the devnet signs its transactions")
}

fn info(block: &L1Block, index: usize) -> TransactionInfo {
    TransactionInfo {
        hash: Some(*block.transactions[index].hash()),
        index: Some(index as u64),
        block_hash: Some(block.header.hash()),
        block_number: Some(block.header.number),
        base_fee: block.header.base_fee_per_gas,
    }
}

/// The block with its transactions in full or their hashes alone.
fn json(block: &L1Block, full: bool) -> Block {
    let transactions = if full {
        BlockTransactions::Full(transactions(block))
    } else {
        BlockTransactions::Hashes(block.transactions.iter().map(|tx| *tx.hash()).collect())
    };
    Block::new(Header::from_sealed(block.header.clone()), transactions)
        .with_withdrawals(Some(Withdrawals::default()))
}

/// The transactions in full.
pub(super) fn transactions(block: &L1Block) -> Vec<Transaction> {
    let transactions = block.transactions.iter().enumerate();
    transactions
        .map(|(index, tx)| {
            let tx = Recovered::new_unchecked(tx.clone(), sender(tx));
            Transaction::from_transaction(tx, info(block, index))
        })
        .collect()
}

/// The receipts with what the block and its transactions add.
pub(super) fn receipts(block: &L1Block) -> Vec<TransactionReceipt> {
    let mut log_index = 0;
    let mut gas_before = 0;
    let receipts = block.transactions.iter().zip(&block.receipts).enumerate();
    receipts
        .map(|(index, (transaction, receipt))| {
            let gas_used = receipt.cumulative_gas_used() - gas_before;
            gas_before += gas_used;
            let inner = receipt.clone().map_logs(|log| {
                log_index += 1;
                Log {
                    inner: log,
                    block_hash: Some(block.header.hash()),
                    block_number: Some(block.header.number),
                    block_timestamp: Some(block.header.timestamp),
                    transaction_hash: Some(*transaction.hash()),
                    transaction_index: Some(index as u64),
                    log_index: Some(log_index - 1),
                    removed: false,
                }
            });
            TransactionReceipt {
                inner,
                transaction_hash: *transaction.hash(),
                transaction_index: Some(index as u64),
                block_hash: Some(block.header.hash()),
                block_number: Some(block.header.number),
                gas_used,
                effective_gas_price: transaction.effective_gas_price(block.header.base_fee_per_gas),
                blob_gas_used: transaction.blob_gas_used(),
                blob_gas_price: None,
                from: sender(transaction),
                to: transaction.to(),
                contract_address: None,
            }
        })
        .collect()
}
