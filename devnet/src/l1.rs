//! L1 blocks: signed transactions, receipts, headers, blobs. No EVM runs here; what a
//! transaction emits is decided by who makes it.

use std::collections::BTreeMap;

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Eip658Value, Header, Receipt, ReceiptEnvelope,
    ReceiptWithBloom, Sealable, Sealed, Transaction, TxEip1559, TxEip2930, TxEip4844,
    TxEip4844Variant, TxEip7702, TxEnvelope, TxLegacy, TxReceipt,
};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_eips::eip7702::Authorization;
use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use rand::Rng;
use rand::rngs::SmallRng;

use crate::blob::Blob;
use crate::keys::Signer;
use crate::spec::{GENESIS_TIME, L1_CHAIN_ID};
use crate::trie::Trie;

/// Gas that one blob takes (EIP-4844).
const GAS_PER_BLOB: u64 = 131_072;
/// More than any base fee here, in wei.
const MAX_FEE: u128 = 1_000_000_000_000;

/// A block of the L1 chain.
#[derive(Clone, Debug)]
pub struct L1Block {
    /// The header with its hash.
    pub header: Sealed<Header>,
    /// All transactions; those with blobs without their sidecars.
    pub transactions: Vec<TxEnvelope>,
    /// Receipts, one for each transaction.
    pub receipts: Vec<ReceiptEnvelope>,
    /// The blobs of all transactions in their order.
    pub blobs: Vec<Blob>,
}

impl L1Block {
    /// The transactions as they are in the transaction trie.
    #[must_use]
    pub fn raw_transactions(&self) -> Vec<Bytes> {
        let encoded = self.transactions.iter().map(|tx| tx.encoded_2718().into());
        encoded.collect()
    }

    /// The receipts as they are in the receipt trie.
    #[must_use]
    pub fn raw_receipts(&self) -> Vec<Bytes> {
        let encoded = self
            .receipts
            .iter()
            .map(|receipt| receipt.encoded_2718().into());
        encoded.collect()
    }
}

/// What is to be sent to L1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) to: Address,
    pub(crate) input: Bytes,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) logs: Vec<Log>,
    /// Whether the transaction reverts, with its logs gone.
    pub(crate) reverts: bool,
}

/// The L1 chain as it grows.
pub(crate) struct L1Chain {
    pub(crate) blocks: Vec<L1Block>,
    nonces: BTreeMap<Address, u64>,
    rng: SmallRng,
    block_time: u64,
    prague: bool,
    pending: Vec<(TxEnvelope, Message)>,
}

impl L1Chain {
    /// A chain that has its genesis block.
    pub(crate) fn new(block_time: u64, prague: bool, rng: SmallRng) -> Self {
        let mut chain = Self {
            blocks: Vec::new(),
            nonces: BTreeMap::new(),
            rng,
            block_time,
            prague,
            pending: Vec::new(),
        };
        chain.seal();
        chain
    }

    /// The number of the next block.
    pub(crate) fn next_number(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The time of a block, in seconds.
    pub(crate) fn time(&self, number: u64) -> u64 {
        GENESIS_TIME + number * self.block_time
    }

    /// How many more blobs the next block takes.
    pub(crate) fn blobs_left(&self) -> usize {
        let used: usize = self
            .pending
            .iter()
            .map(|(_, message)| message.blobs.len())
            .sum();
        self.blob_params().max_blob_count as usize - used
    }

    fn blob_params(&self) -> BlobParams {
        if self.prague {
            BlobParams::prague()
        } else {
            BlobParams::cancun()
        }
    }

    /// Puts a transaction in the next block: one with blobs if the message has any, otherwise of
    /// a random type.
    pub(crate) fn send(&mut self, from: &Signer, message: Message) {
        let transaction = if message.blobs.is_empty() {
            match self.rng.random_range(0..3) {
                0 => self.legacy(from, &message),
                1 => self.access_list(from, &message),
                _ => self.dynamic_fee(from, &message),
            }
        } else {
            self.blob_carrier(from, &message)
        };
        self.pending.push((transaction, message));
    }

    fn next_nonce(&mut self, from: &Signer) -> u64 {
        let nonce = self.nonces.entry(from.address()).or_default();
        *nonce += 1;
        *nonce - 1
    }

    fn legacy(&mut self, from: &Signer, message: &Message) -> TxEnvelope {
        from.sign(TxLegacy {
            chain_id: Some(L1_CHAIN_ID),
            nonce: self.next_nonce(from),
            gas_price: MAX_FEE,
            gas_limit: gas(message),
            to: TxKind::Call(message.to),
            value: U256::ZERO,
            input: message.input.clone(),
        })
        .into()
    }

    fn access_list(&mut self, from: &Signer, message: &Message) -> TxEnvelope {
        from.sign(TxEip2930 {
            chain_id: L1_CHAIN_ID,
            nonce: self.next_nonce(from),
            gas_price: MAX_FEE,
            gas_limit: gas(message),
            to: TxKind::Call(message.to),
            value: U256::ZERO,
            access_list: Default::default(),
            input: message.input.clone(),
        })
        .into()
    }

    fn dynamic_fee(&mut self, from: &Signer, message: &Message) -> TxEnvelope {
        from.sign(TxEip1559 {
            chain_id: L1_CHAIN_ID,
            nonce: self.next_nonce(from),
            gas_limit: gas(message),
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(message.to),
            value: U256::ZERO,
            access_list: Default::default(),
            input: message.input.clone(),
        })
        .into()
    }

    fn blob_carrier(&mut self, from: &Signer, message: &Message) -> TxEnvelope {
        let transaction = TxEip4844 {
            chain_id: L1_CHAIN_ID,
            nonce: self.next_nonce(from),
            gas_limit: gas(message),
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: 1,
            to: message.to,
            value: U256::ZERO,
            access_list: Default::default(),
            blob_versioned_hashes: message.blobs.iter().map(Blob::versioned_hash).collect(),
            max_fee_per_blob_gas: MAX_FEE,
            input: message.input.clone(),
        };
        TxEnvelope::Eip4844(from.sign(TxEip4844Variant::TxEip4844(transaction)))
    }

    /// Puts an EIP-7702 transaction in the next block, where L1 has them.
    pub(crate) fn send_delegation(&mut self, from: &Signer, message: Message) {
        if !self.prague {
            return;
        }
        let authorization = Authorization {
            chain_id: U256::from(L1_CHAIN_ID),
            address: Address::repeat_byte(7),
            nonce: 0,
        };
        let signature = from.sign_hash(authorization.signature_hash());
        let transaction = TxEip7702 {
            chain_id: L1_CHAIN_ID,
            nonce: self.next_nonce(from),
            gas_limit: gas(&message),
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: 1,
            to: message.to,
            value: U256::ZERO,
            access_list: Default::default(),
            authorization_list: vec![authorization.into_signed(signature)],
            input: message.input.clone(),
        };
        self.pending.push((from.sign(transaction).into(), message));
    }

    /// Makes the next block of what was sent.
    pub(crate) fn seal(&mut self) -> &L1Block {
        let mut block = L1Block {
            header: Header::default().seal_slow(),
            transactions: Vec::new(),
            receipts: Vec::new(),
            blobs: Vec::new(),
        };
        let mut gas_used = 0;
        for (transaction, message) in std::mem::take(&mut self.pending) {
            gas_used += transaction.gas_limit();
            let receipt = Receipt {
                status: Eip658Value::Eip658(!message.reverts),
                cumulative_gas_used: gas_used,
                logs: if message.reverts {
                    Vec::new()
                } else {
                    message.logs
                },
            };
            block.receipts.push(ReceiptEnvelope::from_typed(
                transaction.tx_type(),
                ReceiptWithBloom::from(receipt),
            ));
            block.transactions.push(transaction);
            block.blobs.extend(message.blobs);
        }
        block.header = self.header(&block, gas_used).seal_slow();
        self.blocks.push(block);
        &self.blocks[self.blocks.len() - 1]
    }

    fn header(&mut self, block: &L1Block, gas_used: u64) -> Header {
        let parent = self.blocks.last().map(|parent| &parent.header);
        let base_fee = parent.map_or(Some(7_000_000_000), |parent| {
            parent.next_block_base_fee(BaseFeeParams::ethereum())
        });
        // Blobs cost something from the start.
        let excess = parent.map_or(Some(40_000_000), |parent| {
            parent.next_block_excess_blob_gas(self.blob_params())
        });
        Header {
            parent_hash: parent.map(|parent| parent.hash()).unwrap_or_default(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: Address::from(self.rng.random::<[u8; 20]>()),
            // Nobody looks into the state of L1.
            state_root: B256::from(self.rng.random::<[u8; 32]>()),
            transactions_root: Trie::ordered(&block.raw_transactions()).root,
            receipts_root: Trie::ordered(&block.raw_receipts()).root,
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            logs_bloom: block
                .receipts
                .iter()
                .fold(Default::default(), |bloom, receipt| bloom | receipt.bloom()),
            number: self.blocks.len() as u64,
            gas_limit: 30_000_000,
            gas_used,
            timestamp: self.time(self.blocks.len() as u64),
            mix_hash: B256::from(self.rng.random::<[u8; 32]>()),
            base_fee_per_gas: base_fee,
            blob_gas_used: Some(block.blobs.len() as u64 * GAS_PER_BLOB),
            excess_blob_gas: excess,
            parent_beacon_block_root: Some(B256::from(self.rng.random::<[u8; 32]>())),
            requests_hash: self.prague.then_some(EMPTY_REQUESTS_HASH),
            ..Default::default()
        }
    }
}

/// Gas that the transaction takes, which is also its limit.
fn gas(message: &Message) -> u64 {
    21_000 + 40 * message.input.len() as u64 + 30_000 * message.logs.len() as u64
}
