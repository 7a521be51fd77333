//! The L2 execution node.

use std::sync::Arc;

use alloy_consensus::transaction::{Recovered, SignerRecoverable as _};
use alloy_eips::eip4895::Withdrawals;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256, keccak256};
use alloy_rlp::Decodable as _;
use alloy_rpc_types_eth::{
    Block, BlockTransactions, EIP1186AccountProofResponse, EIP1186StorageProof, Header,
    TransactionInfo,
};
use alloy_serde::JsonStorageKey;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use axum::Router;
use op_alloy_consensus::OpReceiptEnvelope;
use op_alloy_consensus::transaction::{OpDepositInfo, OpTransactionInfo};
use op_alloy_rpc_types::Transaction;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use serde_json::{Value, json};

use super::Shared;
use super::faults::Node;
use super::rpc::{self, Answer, RpcError, hash, read, result};
use crate::devnet::Devnet;
use crate::l2::L2Block;
use crate::spec::L2_CHAIN_ID;
use crate::walk;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    rpc::router(shared, Node::L2, methods)
}

fn methods(shared: &Shared, method: &str, params: &[Value]) -> Answer {
    let devnet = &*shared.devnet;
    Some(match method {
        "eth_chainId" => result(U64::from(L2_CHAIN_ID)),
        "eth_blockNumber" => result(U64::from(devnet.l2_head())),
        "debug_getRawHeader" => block(devnet, params, 0)
            .and_then(|block| result(Bytes::from(alloy_rlp::encode(block.header.inner())))),
        "debug_getRawReceipts" => {
            block(devnet, params, 0).and_then(|block| result(&block.encoded_receipts))
        }
        "eth_getBlockByHash" => hash(params, 0).and_then(|hash| {
            let full = read(params, 1)?;
            let block = devnet.find_l2(BlockId::from(hash));
            result(block.map(|block| as_json(block, full)))
        }),
        "eth_getBlockByNumber" => read::<BlockNumberOrTag>(params, 0).and_then(|number| {
            let full = read(params, 1)?;
            let block = devnet.find_l2(BlockId::from(number));
            result(block.map(|block| as_json(block, full)))
        }),
        "debug_dbGet" => db_get(shared, params),
        "eth_getProof" => proof(devnet, params),
        "eth_getCode" => code(devnet, params),
        "debug_executePayload" => execute_payload(devnet, params),
        "debug_executionWitness" => block(devnet, params, 0).and_then(|block| {
            let parent = block.header.number.checked_sub(1);
            let parent =
                parent.ok_or_else(|| RpcError::not_found("parent of the genesis block"))?;
            Ok(witness(devnet, &devnet.l2[parent as usize]))
        }),
        _ => return None,
    })
}

impl Devnet {
    fn find_l2(&self, id: BlockId) -> Option<&L2Block> {
        match id {
            BlockId::Hash(hash) => self
                .l2
                .iter()
                .find(|block| block.header.hash() == hash.block_hash),
            BlockId::Number(BlockNumberOrTag::Number(number)) => self.l2.get(number as usize),
            BlockId::Number(BlockNumberOrTag::Earliest) => self.l2.first(),
            BlockId::Number(_) => self.l2.last(),
        }
    }
}

/// The block that a parameter names: a hash, a number or a tag.
fn block<'a>(devnet: &'a Devnet, params: &[Value], place: usize) -> Result<&'a L2Block, RpcError> {
    let id: BlockId = read(params, place)?;
    devnet
        .find_l2(id)
        .ok_or_else(|| RpcError::not_found("block"))
}

/// The block with its transactions in full or their hashes alone; deposits in OP's form.
fn as_json(block: &L2Block, full: bool) -> Block<Transaction> {
    let transactions = if full {
        let count = block.transactions.len();
        BlockTransactions::Full((0..count).map(|index| transaction(block, index)).collect())
    } else {
        let hashes = block.transactions.iter().map(|tx| tx.tx_hash());
        BlockTransactions::Hashes(hashes.collect())
    };
    let withdrawals = block
        .header
        .withdrawals_root
        .map(|_| Withdrawals::default());
    Block::new(Header::from_sealed(block.header.clone()), transactions)
        .with_withdrawals(withdrawals)
}

fn transaction(block: &L2Block, index: usize) -> Transaction {
    let transaction = &block.transactions[index];
    let signer = transaction
        .recover_signer()
        .expect("the devnet signs its transactions");
    let inner = TransactionInfo {
        hash: Some(transaction.tx_hash()),
        index: Some(index as u64),
        block_hash: Some(block.header.hash()),
        block_number: Some(block.header.number),
        base_fee: block.header.base_fee_per_gas,
    };
    let deposit_meta = match &block.receipts[index] {
        OpReceiptEnvelope::Deposit(deposit) => OpDepositInfo {
            deposit_nonce: deposit.receipt.deposit_nonce,
            deposit_receipt_version: deposit.receipt.deposit_receipt_version,
        },
        _ => OpDepositInfo::default(),
    };
    Transaction::from_transaction(
        Recovered::new_unchecked(transaction.clone(), signer),
        OpTransactionInfo {
            inner,
            deposit_meta,
        },
    )
}

/// A value of the node's database: a code under `c` and its hash, a code or a trie node under
/// its hash.
fn db_get(shared: &Shared, params: &[Value]) -> Result<Value, RpcError> {
    let devnet = &*shared.devnet;
    let key: Bytes = read(params, 0)?;
    let (hash, nodes) = match key.split_first() {
        Some((b'c', hash)) if hash.len() == 32 => (hash, None),
        _ if key.len() == 32 => (&key[..], Some(&devnet.nodes)),
        _ => return Err(RpcError::not_found("leveldb: key")),
    };
    let hash = B256::from_slice(hash);
    if shared.is_missing(&hash.to_string()) {
        return Err(RpcError::not_found("leveldb: key"));
    }
    nodes
        .and_then(|nodes| nodes.get(&hash))
        .or_else(|| devnet.codes.get(&hash))
        .ok_or_else(|| RpcError::not_found("leveldb: key"))
        .and_then(result)
}

fn account(devnet: &Devnet, root: B256, address: Address) -> (Vec<Bytes>, Option<TrieAccount>) {
    let (proof, value) = walk::proof(&devnet.nodes, root, keccak256(address));
    let account = value.and_then(|value| TrieAccount::decode(&mut value.as_ref()).ok());
    (proof, account)
}

fn proof(devnet: &Devnet, params: &[Value]) -> Result<Value, RpcError> {
    let address: Address = read(params, 0)?;
    let keys: Vec<JsonStorageKey> = read(params, 1)?;
    let root = block(devnet, params, 2)?.header.state_root;
    let (account_proof, found) = account(devnet, root, address);
    let found = found.unwrap_or(TrieAccount {
        nonce: 0,
        balance: U256::ZERO,
        storage_root: EMPTY_ROOT_HASH,
        code_hash: KECCAK256_EMPTY,
    });
    let storage_proof = keys
        .into_iter()
        .map(|key| {
            let slot = keccak256(key.as_b256());
            let (proof, value) = walk::proof(&devnet.nodes, found.storage_root, slot);
            let value = value.and_then(|value| U256::decode(&mut value.as_ref()).ok());
            EIP1186StorageProof {
                key,
                value: value.unwrap_or_default(),
                proof,
            }
        })
        .collect();
    result(EIP1186AccountProofResponse {
        address,
        balance: found.balance,
        code_hash: found.code_hash,
        nonce: found.nonce,
        storage_hash: found.storage_root,
        account_proof,
        storage_proof,
    })
}

fn code(devnet: &Devnet, params: &[Value]) -> Result<Value, RpcError> {
    let root = block(devnet, params, 1)?.header.state_root;
    let (_, found) = account(devnet, root, read(params, 0)?);
    let code = found.and_then(|account| devnet.codes.get(&account.code_hash).cloned());
    result(code.unwrap_or_default())
}

/// The witness of any payload on a parent: the parent's whole state, which is small.
fn execute_payload(devnet: &Devnet, params: &[Value]) -> Result<Value, RpcError> {
    let parent = block(devnet, params, 0)?;
    let attributes: OpPayloadAttributes = read(params, 1)?;
    let time = parent.header.timestamp + devnet.config.block_time;
    if attributes.payload_attributes.timestamp != time {
        return Err(RpcError::params(
            "the timestamp does not follow the parent's",
        ));
    }
    Ok(witness(devnet, parent))
}

fn witness(devnet: &Devnet, parent: &L2Block) -> Value {
    let state = walk::state(&devnet.nodes, parent.header.state_root);
    let codes: Vec<_> = devnet.codes.values().collect();
    let mut keys: Vec<Bytes> = Vec::new();
    for (address, slots) in &devnet.keys {
        keys.push(Bytes::copy_from_slice(address.as_slice()));
        keys.extend(
            slots
                .iter()
                .map(|slot| Bytes::copy_from_slice(slot.as_slice())),
        );
    }
    // As far back as BLOCKHASH reaches.
    let first = parent.header.number.saturating_sub(255) as usize;
    let headers: Vec<_> = devnet.l2[first..=parent.header.number as usize]
        .iter()
        .map(|block| Bytes::from(alloy_rlp::encode(block.header.inner())))
        .collect();
    json!({ "state": state, "codes": codes, "keys": keys, "headers": headers })
}
