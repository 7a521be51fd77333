//! The L2 chain up to the safe head: the agreed chain from the oracle, and what was derived.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Display;

use alloy_consensus::{BlockBody, Header, Sealed};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::Bytes;
use async_trait::async_trait;
use carronade_program::key::PreimageKey;
use kona_derive::L2ChainProvider;
use kona_genesis::{RollupConfig, SystemConfig};
use kona_protocol::{BatchValidationProvider, L2BlockInfo, to_system_config};
use op_alloy_consensus::{OpBlock, OpTxEnvelope};
use spin::Mutex;

use crate::boot::l2_header;
use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;
use crate::rules::Rules;
use crate::trie;

/// How many blocks are kept with their transactions. Derivation looks at the safe head, and at
/// some blocks before it when span batches overlap.
const WHOLE_BLOCKS: usize = 16;

/// The L2 chain. Clones share what is known of it.
#[derive(Clone, Debug)]
pub struct L2Chain {
    preimages: Preimages,
    rules: Rules,
    known: Arc<Mutex<Known>>,
}

/// Consecutive headers up to the safe head, and some of their blocks.
#[derive(Debug)]
struct Known {
    headers: BTreeMap<u64, Sealed<Header>>,
    blocks: BTreeMap<u64, OpBlock>,
}

impl L2Chain {
    /// The chain whose safe head is `head`.
    pub fn new(preimages: Preimages, rules: Rules, head: Sealed<Header>) -> Self {
        let known = Known {
            headers: [(head.number, head)].into(),
            blocks: BTreeMap::new(),
        };
        Self {
            preimages,
            rules,
            known: Arc::new(Mutex::new(known)),
        }
    }

    /// Makes the block with this header and these transactions the safe head.
    pub fn append(&self, header: Sealed<Header>, transactions: &[Bytes]) -> Result<(), Error> {
        let number = header.number;
        let block = block(header.inner().clone(), transactions);
        let block = block.map_err(|e| self.preimages.fail(unusable(number, e)))?;
        let encoded = alloy_rlp::encode(header.inner());
        self.preimages.remember(header.seal(), encoded.into());
        let mut known = self.known.lock();
        known.headers.insert(number, header);
        known.keep(number, block);
        Ok(())
    }

    /// Block `number`.
    pub fn block(&self, number: u64) -> Result<OpBlock, Error> {
        if let Some(block) = self.known.lock().blocks.get(&number) {
            return Ok(block.clone());
        }
        let header = self.header(number)?;
        self.preimages.expect(Hint::L2Transactions(header.seal()));
        let root = header.transactions_root;
        let transactions = trie::list(&self.preimages, root)?;
        let block = block(header.into_inner(), &transactions);
        let key = PreimageKey::keccak256(root.0);
        let block = block.map_err(|e| self.preimages.malformed(key, e))?;
        self.known.lock().keep(number, block.clone());
        Ok(block)
    }

    /// Number, hash, parent, time and L1 origin of block `number`.
    pub fn info(&self, number: u64) -> Result<L2BlockInfo, Error> {
        let genesis = &self.rules.config.genesis;
        L2BlockInfo::from_block_and_genesis(&self.block(number)?, genesis)
            .map_err(|e| self.preimages.fail(unusable(number, e)))
    }

    /// The system configuration that block `number` was derived with.
    pub fn system_config(&self, number: u64) -> Result<SystemConfig, Error> {
        to_system_config(&self.block(number)?, &self.rules.config)
            .map_err(|e| self.preimages.fail(unusable(number, e)))
    }

    /// The header of block `number`, found by walking back from the lowest one known.
    fn header(&self, number: u64) -> Result<Sealed<Header>, Error> {
        let (mut lowest, head) = {
            let known = self.known.lock();
            let (first, last) = (
                known.headers.first_key_value(),
                known.headers.last_key_value(),
            );
            let ((_, lowest), (head, _)) = first.zip(last).expect("the safe head is known");
            (lowest.clone(), *head)
        };
        if number > head {
            return Err(self.preimages.fail(Error::PastSafeHead { number, head }));
        }
        while lowest.number > number {
            let hash = lowest.parent_hash;
            lowest = Sealed::new_unchecked(l2_header(&self.preimages, hash)?, hash);
            self.known
                .lock()
                .headers
                .insert(lowest.number, lowest.clone());
        }
        Ok(self.known.lock().headers[&number].clone())
    }
}

impl Known {
    /// Keeps a whole block, and drops the oldest one if there are too many.
    fn keep(&mut self, number: u64, block: OpBlock) {
        self.blocks.insert(number, block);
        if self.blocks.len() > WHOLE_BLOCKS {
            self.blocks.pop_first();
        }
    }
}

fn block(header: Header, transactions: &[Bytes]) -> alloy_eips::eip2718::Eip2718Result<OpBlock> {
    let transactions = transactions.iter();
    let transactions = transactions.map(|raw| OpTxEnvelope::decode_2718(&mut &raw[..]));
    let body = BlockBody {
        transactions: transactions.collect::<Result<Vec<_>, _>>()?,
        ..BlockBody::default()
    };
    Ok(OpBlock { header, body })
}

fn unusable(number: u64, reason: impl Display) -> Error {
    let reason = reason.to_string();
    Error::L2Block { number, reason }
}

#[async_trait]
impl BatchValidationProvider for L2Chain {
    type Error = Error;

    async fn l2_block_info_by_number(&mut self, number: u64) -> Result<L2BlockInfo, Error> {
        self.info(number)
    }

    async fn block_by_number(&mut self, number: u64) -> Result<OpBlock, Error> {
        self.block(number)
    }
}

#[async_trait]
impl L2ChainProvider for L2Chain {
    type Error = Error;

    async fn system_config_by_number(
        &mut self,
        number: u64,
        _: Arc<RollupConfig>,
    ) -> Result<SystemConfig, Error> {
        self.system_config(number)
    }
}
