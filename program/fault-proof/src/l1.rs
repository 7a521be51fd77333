//! The L1 chain below the L1 head.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use alloy_consensus::{Header, Receipt, ReceiptEnvelope, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{B256, BloomInput};
use alloy_rlp::Decodable;
use async_trait::async_trait;
use carronade_program::key::PreimageKey;
use kona_derive::ChainProvider;
use kona_genesis::CONFIG_UPDATE_TOPIC;
use kona_protocol::{BlockInfo, DEPOSIT_EVENT_ABI_HASH};
use spin::Mutex;

use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;
use crate::rules::Rules;
use crate::trie;

/// The L1 chain. Clones share what is known of it.
#[derive(Clone, Debug)]
pub struct L1Chain {
    preimages: Preimages,
    rules: Rules,
    /// The head and its ancestors as far as they were needed, in this order.
    blocks: Arc<Mutex<Vec<BlockInfo>>>,
}

impl L1Chain {
    /// The chain that ends with the block with hash `head`.
    pub fn new(preimages: Preimages, rules: Rules, head: B256) -> Result<Self, Error> {
        let chain = Self {
            preimages,
            rules,
            blocks: Arc::default(),
        };
        let head = chain.block(head)?;
        chain.blocks.lock().push(head);
        Ok(chain)
    }

    /// Block `number`, found by walking back from the head once.
    pub fn block_by_number(&mut self, number: u64) -> Result<BlockInfo, Error> {
        let (head, mut last) = {
            let blocks = self.blocks.lock();
            (blocks[0].number, blocks[blocks.len() - 1])
        };
        if number > head {
            return Err(Error::PastL1Head { number, head });
        }
        while last.number > number {
            last = self.block(last.parent_hash)?;
            self.blocks.lock().push(last);
        }
        let blocks = self.blocks.lock();
        Ok(blocks[(head - number) as usize])
    }

    fn block(&self, hash: B256) -> Result<BlockInfo, Error> {
        let header = self.header(hash)?;
        Ok(BlockInfo::new(
            hash,
            header.number,
            header.parent_hash,
            header.timestamp,
        ))
    }

    fn header(&self, hash: B256) -> Result<Header, Error> {
        let data = self
            .preimages
            .keccak_hinted(hash, Hint::L1BlockHeader(hash))?;
        Header::decode(&mut &data[..]).map_err(|e| self.malformed(hash, e))
    }

    /// The receipts of a block, or none if its bloom filter says that no log in it matters to
    /// the derivation: neither a deposit nor a change of the system configuration. The filter is
    /// part of the header and has every log, so nothing can be missed.
    pub fn receipts(&self, hash: B256) -> Result<Vec<Receipt>, Error> {
        let header = self.header(hash)?;
        let config = &self.rules.config;
        let events = [
            (config.deposit_contract_address, DEPOSIT_EVENT_ABI_HASH),
            (config.l1_system_config_address, CONFIG_UPDATE_TOPIC),
        ];
        let may_have = |bytes: &[u8]| header.logs_bloom.contains_input(BloomInput::Raw(bytes));
        if !events
            .iter()
            .any(|(address, topic)| may_have(&address[..]) && may_have(&topic[..]))
        {
            return Ok(Vec::new());
        }
        self.preimages.expect(Hint::L1Receipts(hash));
        let root = header.receipts_root;
        let items = trie::list(&self.preimages, root)?;
        let receipts = items.iter().map(|item| {
            let envelope = ReceiptEnvelope::decode_2718(&mut &item[..]);
            envelope.map(|e| e.as_receipt().cloned().unwrap_or_default())
        });
        receipts
            .collect::<Result<_, _>>()
            .map_err(|e| self.malformed(root, e))
    }

    fn transactions(&self, hash: B256) -> Result<(BlockInfo, Vec<TxEnvelope>), Error> {
        let header = self.header(hash)?;
        self.preimages.expect(Hint::L1Transactions(hash));
        let root = header.transactions_root;
        let items = trie::list(&self.preimages, root)?;
        let transactions = items
            .iter()
            .map(|item| TxEnvelope::decode_2718(&mut &item[..]));
        let transactions = transactions.collect::<Result<_, _>>();
        let transactions = transactions.map_err(|e| self.malformed(root, e))?;
        let block = BlockInfo::new(hash, header.number, header.parent_hash, header.timestamp);
        Ok((block, transactions))
    }

    fn malformed(&self, hash: B256, reason: impl core::fmt::Display) -> Error {
        self.preimages
            .malformed(PreimageKey::keccak256(hash.0), reason)
    }
}

#[async_trait]
impl ChainProvider for L1Chain {
    type Error = Error;

    /// The derivation asks for the headers of L1 origins here, and for no others.
    async fn header_by_hash(&mut self, hash: B256) -> Result<Header, Error> {
        let header = self.header(hash)?;
        let known = self.rules.check_l1_origin(header.timestamp);
        known.map_err(|error| self.preimages.fail(error))?;
        Ok(header)
    }

    async fn block_info_by_number(&mut self, number: u64) -> Result<BlockInfo, Error> {
        self.block_by_number(number)
    }

    async fn receipts_by_hash(&mut self, hash: B256) -> Result<Vec<Receipt>, Error> {
        self.receipts(hash)
    }

    async fn block_info_and_transactions_by_hash(
        &mut self,
        hash: B256,
    ) -> Result<(BlockInfo, Vec<TxEnvelope>), Error> {
        self.transactions(hash)
    }
}
