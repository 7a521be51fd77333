//! The L2 chain as it grows.

use std::collections::BTreeMap;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes};
use kona_genesis::RollupConfig;
use kona_protocol::{OutputRoot, Predeploys};

use crate::DevnetError;
use crate::attributes::attributes;
use crate::genesis::genesis;
use crate::l1::L1Block;
use crate::l2::{Executor, L2Block};
use crate::precompile::PrecompileResults;
use crate::world::World;

/// In place of an L1 block that is not there yet; when the chains are done, no block has it.
const NOT_YET: u64 = u64::MAX;

/// The L2 chain, its newest state, and everything that its execution ever needed.
pub(crate) struct L2Chain {
    pub(crate) config: RollupConfig,
    pub(crate) blocks: Vec<L2Block>,
    pub(crate) world: World,
    /// Every trie node of every state by its hash.
    pub(crate) nodes: BTreeMap<B256, Bytes>,
    pub(crate) precompiles: PrecompileResults,
    /// All accounts there ever were, with the slots that they ever had.
    pub(crate) keys: BTreeMap<Address, Vec<B256>>,
}

impl L2Chain {
    /// A chain that has its genesis block; `config` gives the configuration for what that is.
    pub(crate) fn new(config: impl Fn(BlockNumHash) -> RollupConfig) -> Result<Self, DevnetError> {
        let mut nodes = BTreeMap::new();
        let (world, header) = genesis(&config(BlockNumHash::default()), &mut nodes)?;
        let config = config(BlockNumHash::new(0, header.hash()));
        let genesis = L2Block {
            attributes: None,
            transactions: Vec::new(),
            receipts: Vec::new(),
            encoded_receipts: Vec::new(),
            origin: 0,
            sequence_number: 0,
            safe_from: 0,
            output: output(&world, header.state_root, header.hash()),
            header,
        };
        let mut chain = Self {
            config,
            blocks: vec![genesis],
            world,
            nodes,
            precompiles: PrecompileResults::new(),
            keys: BTreeMap::new(),
        };
        chain.note_keys();
        Ok(chain)
    }

    /// The newest block.
    pub(crate) fn tip(&self) -> &L2Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// Executes the block after the tip and appends it: what derivation makes of `l1_origin`, then
    /// `users`, the transactions of users.
    ///
    /// # Errors
    /// When a transaction cannot be part of the block.
    pub(crate) fn append(
        &mut self,
        l1_origin: &L1Block,
        mut users: Vec<Bytes>,
    ) -> Result<(), DevnetError> {
        let origin = l1_origin.header.number;
        let parent = &self.blocks[self.blocks.len() - 1];
        let mut attributes = attributes(&self.config, parent, l1_origin)?;
        if let Some(transactions) = &mut attributes.transactions {
            transactions.append(&mut users);
        }
        let sequence_number = if origin == parent.origin {
            parent.sequence_number + 1
        } else {
            0
        };
        let executed = Executor {
            config: &self.config,
            world: &mut self.world,
            nodes: &mut self.nodes,
            precompiles: &mut self.precompiles,
        }
        .execute(&parent.header, &attributes)?;
        let output = output(
            &self.world,
            executed.header.state_root,
            executed.header.hash(),
        );
        self.blocks.push(L2Block {
            header: executed.header,
            attributes: Some(attributes),
            transactions: executed.transactions,
            receipts: executed.receipts,
            encoded_receipts: executed.encoded_receipts,
            origin,
            sequence_number,
            safe_from: NOT_YET,
            output,
        });
        self.note_keys();
        Ok(())
    }

    /// Notes that derivation yields the block of a time once it has an L1 block.
    pub(crate) fn note_safe(&mut self, time: u64, l1_block: u64) {
        let number = (time - self.config.genesis.l2_time) / self.config.block_time;
        self.blocks[number as usize].safe_from = l1_block;
    }

    /// Remembers all accounts and slots that are there.
    fn note_keys(&mut self) {
        for (address, account) in &self.world.accounts {
            let slots = self.keys.entry(*address).or_default();
            for slot in account.storage.keys() {
                let slot = B256::from(*slot);
                if let Err(place) = slots.binary_search(&slot) {
                    slots.insert(place, slot);
                }
            }
        }
    }
}

/// The output of a block whose state the world is.
fn output(world: &World, state_root: B256, block_hash: B256) -> OutputRoot {
    let storage = world.storage_root(&Predeploys::L2_TO_L1_MESSAGE_PASSER);
    let storage = storage.unwrap_or(alloy_trie::EMPTY_ROOT_HASH);
    OutputRoot::from_parts(state_root, storage, block_hash)
}
