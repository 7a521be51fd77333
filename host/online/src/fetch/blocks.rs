//! Headers, transactions and receipts.

use alloy_consensus::{Header, ReceiptEnvelope, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable as _;
use alloy_rpc_types_eth::{Log, TransactionReceipt};
use carronade_program::key::PreimageKey;
use op_alloy_consensus::OpTxEnvelope;
use serde_json::Value;

use super::Fetcher;
use crate::Pair;
use crate::fault::Fault;
use crate::hint::Layer;
use crate::node::Node;
use crate::trie::ordered_trie;

pub(super) const RAW_HEADER: &str = "debug_getRawHeader";
const RAW_BLOCK: &str = "debug_getRawBlock";
const RAW_RECEIPTS: &str = "debug_getRawReceipts";
const BLOCK: &str = "eth_getBlockByHash";
const RECEIPTS: &str = "eth_getBlockReceipts";

/// A keccak pre-image.
pub(super) fn image(value: &[u8]) -> Pair {
    let key = PreimageKey::keccak256(keccak256(value).0);
    (key.into(), value.to_vec())
}

impl Fetcher {
    /// A header that is in the store.
    pub(super) fn known_header(&self, hash: B256) -> Result<Option<Header>, Fault> {
        let found = self.stored(&PreimageKey::keccak256(hash.0))?;
        Ok(found.and_then(|rlp| Header::decode(&mut &rlp[..]).ok()))
    }

    /// The header of a block, from the store or else from the node.
    pub(super) async fn header(&self, layer: Layer, hash: B256) -> Result<Header, Fault> {
        if let Some(header) = self.known_header(hash)? {
            self.follows(header.parent_hash, hash);
            return Ok(header);
        }
        let node = self.node(layer);
        let rlp = match raw_header(node, hash).await {
            Err(fault) if fault.is_answer() => {
                let second = header_of_block(node, hash).await;
                second.map_err(|second| fault.or(second))?
            }
            other => other?,
        };
        let header = Header::decode(&mut &rlp[..])
            .map_err(|error| Fault::Hint(format!("what hashes to {hash} is no header: {error}")))?;
        self.save([image(&rlp)])?;
        self.follows(header.parent_hash, hash);
        Ok(header)
    }

    /// The transactions of a block, as the trie that its header has the root of.
    pub(super) async fn transactions(&self, layer: Layer, hash: B256) -> Result<(), Fault> {
        let node = self.node(layer);
        let (header, first) = futures::join!(
            self.header(layer, hash),
            transactions_of_block(node, layer, hash)
        );
        let root = header?.transactions_root;
        let first = first.and_then(|list| list_with_root(node, BLOCK, "transactions", &list, root));
        let nodes = match first {
            Err(fault) if fault.is_answer() => {
                let second = raw_transactions(node, hash).await;
                second
                    .and_then(|list| list_with_root(node, RAW_BLOCK, "transactions", &list, root))
                    .map_err(|second| fault.or(second))?
            }
            other => other?,
        };
        self.save(nodes)
    }

    /// The receipts of a block, as the trie that its header has the root of.
    pub(super) async fn receipts(&self, layer: Layer, hash: B256) -> Result<(), Fault> {
        let node = self.node(layer);
        let (header, first) = futures::join!(
            self.header(layer, hash),
            node.find::<Vec<Bytes>>(RAW_RECEIPTS, [hash]),
        );
        let root = header?.receipts_root;
        let first =
            first.and_then(|list| list_with_root(node, RAW_RECEIPTS, "receipts", &list, root));
        let nodes = match first {
            // The encoding of L2's receipts has changed over time, so that their fields do not
            // tell it; those are taken as they are or not at all.
            Err(fault) if fault.is_answer() && layer == Layer::L1 => {
                let second = encoded_receipts(node, hash).await;
                second
                    .and_then(|list| list_with_root(node, RECEIPTS, "receipts", &list, root))
                    .map_err(|second| fault.or(second))?
            }
            other => other?,
        };
        self.save(nodes)
    }
}

/// The nodes of a list's trie if it has the right root.
fn list_with_root(
    node: &Node,
    method: &'static str,
    what: &str,
    list: &[Bytes],
    expected: B256,
) -> Result<Vec<Pair>, Fault> {
    let (root, nodes) = tokio::task::block_in_place(|| ordered_trie(list));
    if root == expected {
        return Ok(nodes.iter().map(|node| image(node)).collect());
    }
    let count = list.len();
    let reason =
        format!("the root of the {count} {what} is {root}, but the block's header has {expected}");
    Err(node.endpoint.lie(method, reason))
}

/// The header as the node has it; its hash is right.
async fn raw_header(node: &Node, hash: B256) -> Result<Bytes, Fault> {
    let rlp: Bytes = node.find(RAW_HEADER, [hash]).await?;
    checked(node, RAW_HEADER, rlp, hash)
}

/// The header, encoded again from its fields; its hash is right.
async fn header_of_block(node: &Node, hash: B256) -> Result<Bytes, Fault> {
    let block: alloy_rpc_types_eth::Header = node.find(BLOCK, (hash, false)).await?;
    checked(node, BLOCK, alloy_rlp::encode(block.inner).into(), hash)
}

/// `bytes` if they hash to `hash`.
pub(super) fn checked(
    node: &Node,
    method: &'static str,
    bytes: Bytes,
    hash: B256,
) -> Result<Bytes, Fault> {
    let found = keccak256(&bytes);
    if found == hash {
        Ok(bytes)
    } else {
        let reason = format!("the data hashes to {found}, not to {hash}");
        Err(node.endpoint.lie(method, reason))
    }
}

/// A block's transactions, encoded again from their fields.
async fn transactions_of_block(node: &Node, layer: Layer, hash: B256) -> Result<Vec<Bytes>, Fault> {
    let mut block: Value = node.find(BLOCK, (hash, true)).await?;
    let list = match block.get_mut("transactions").map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => {
            return Err(node
                .endpoint
                .lie(BLOCK, "the block has no list of transactions"));
        }
    };
    let encode = |transaction| match layer {
        Layer::L1 => encoded::<TxEnvelope>(transaction),
        Layer::L2 => encoded::<OpTxEnvelope>(transaction),
    };
    let encoded: Result<_, _> = list.into_iter().map(encode).collect();
    encoded.map_err(|error| {
        let reason = format!("a transaction of a form that is not known: {error}");
        node.endpoint.refusal(BLOCK, reason)
    })
}

/// A transaction's bytes (EIP-2718) from its fields in JSON.
fn encoded<T: Encodable2718 + serde::de::DeserializeOwned>(
    transaction: Value,
) -> Result<Bytes, serde_json::Error> {
    let transaction: T = serde_json::from_value(transaction)?;
    Ok(transaction.encoded_2718().into())
}

/// The transactions in the bytes of a block: a list of header, transactions and more, where
/// a transaction is a string, or a list if it is of the oldest form.
async fn raw_transactions(node: &Node, hash: B256) -> Result<Vec<Bytes>, Fault> {
    let block: Bytes = node.find(RAW_BLOCK, [hash]).await?;
    let parse = || -> alloy_rlp::Result<Vec<Bytes>> {
        let mut rest = alloy_rlp::Header::decode_bytes(&mut &block[..], true)?;
        let header = alloy_rlp::Header::decode(&mut rest)?;
        rest = rest
            .get(header.payload_length..)
            .ok_or(alloy_rlp::Error::InputTooShort)?;
        let mut list = alloy_rlp::Header::decode_bytes(&mut rest, true)?;
        let mut transactions = Vec::new();
        while !list.is_empty() {
            let whole = list;
            let header = alloy_rlp::Header::decode(&mut list)?;
            let start = whole.len() - list.len();
            let end = start + header.payload_length;
            let from = if header.list { 0 } else { start };
            let bytes = whole
                .get(from..end)
                .ok_or(alloy_rlp::Error::InputTooShort)?;
            transactions.push(Bytes::copy_from_slice(bytes));
            list = &whole[end..];
        }
        Ok(transactions)
    };
    parse().map_err(|error| {
        node.endpoint
            .lie(RAW_BLOCK, format!("it is no block: {error}"))
    })
}

/// A block's receipts, encoded again from their fields.
async fn encoded_receipts(node: &Node, hash: B256) -> Result<Vec<Bytes>, Fault> {
    type Receipt = TransactionReceipt<ReceiptEnvelope<Log>>;
    let receipts: Vec<Receipt> = node.find(RECEIPTS, [hash]).await?;
    let encode = |receipt: Receipt| {
        let receipt = receipt.into_primitives_receipt();
        receipt.inner.encoded_2718().into()
    };
    Ok(receipts.into_iter().map(encode).collect())
}
