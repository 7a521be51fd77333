//! The two chains, made block by block.

use std::collections::BTreeMap;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes};
use kona_genesis::RollupConfig;
use kona_protocol::{OutputRoot, Predeploys, SingleBatch};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::DevnetError;
use crate::attributes::{attributes, is_upgrade};
use crate::batcher::Batcher;
use crate::channel::BlockData;
use crate::events::Update;
use crate::genesis::genesis;
use crate::keys::Signer;
use crate::l1::{L1Block, L1Chain, Message};
use crate::l2::{Executor, L2Block};
use crate::precompile::PrecompileResults;
use crate::spec::{DEPOSIT_CONTRACT, SYSTEM_CONFIG, Spec, ecotone_scalar};
use crate::traffic::{Rules, Traffic};
use crate::world::World;

/// An L1 and an L2 chain with everything that a proof of them needs.
#[derive(Clone, Debug)]
pub struct Devnet {
    /// The L1 chain from genesis.
    pub l1: Vec<L1Block>,
    /// The L2 chain from genesis: exactly what derivation yields from all of L1.
    pub l2: Vec<L2Block>,
    /// The rollup configuration.
    pub config: RollupConfig,
    /// Every trie node of every L2 state by its hash.
    pub(crate) nodes: BTreeMap<B256, Bytes>,
    /// Every code by its hash.
    pub(crate) codes: BTreeMap<B256, Bytes>,
    /// Results of precompiles.
    pub(crate) precompiles: PrecompileResults,
    /// All accounts there ever were, with the slots they wrote.
    pub(crate) keys: BTreeMap<Address, Vec<B256>>,
}

impl Devnet {
    /// Makes the chains that `spec` describes.
    ///
    /// # Errors
    /// When the spec does not make sense; anything else is a fault of this crate.
    pub fn generate(spec: &Spec) -> Result<Self, DevnetError> {
        spec.validate()?;
        Generator::new(spec)?.run()
    }
}

/// A devnet in the making.
struct Generator<'a> {
    spec: &'a Spec,
    config: RollupConfig,
    rng: SmallRng,
    l1: L1Chain,
    l2: Vec<L2Block>,
    world: World,
    nodes: BTreeMap<B256, Bytes>,
    precompiles: PrecompileResults,
    keys: BTreeMap<Address, Vec<B256>>,
    traffic: Traffic,
    batcher: Batcher,
    batchers: u64,
}

impl<'a> Generator<'a> {
    fn new(spec: &'a Spec) -> Result<Self, DevnetError> {
        let mut rng = SmallRng::seed_from_u64(spec.seed);
        let mut fork = || SmallRng::from_rng(&mut rng);
        let l1 = L1Chain::new(spec.l1_block_time, spec.prague, fork());
        let traffic = Traffic::new(fork());
        let batcher = Batcher::new(fork());
        let l1_genesis = BlockNumHash::new(0, l1.blocks[0].header.hash());
        let mut nodes = BTreeMap::new();
        let unknown = BlockNumHash::default();
        let (world, header) = genesis(&spec.rollup_config(l1_genesis, unknown), &mut nodes)?;
        let output = output(&world, header.state_root, header.hash());
        let genesis = L2Block {
            attributes: None,
            transactions: Vec::new(),
            receipts: Vec::new(),
            encoded_receipts: Vec::new(),
            origin: 0,
            sequence_number: 0,
            output,
            header,
        };
        let config = spec.rollup_config(l1_genesis, BlockNumHash::new(0, genesis.header.hash()));
        let mut generator = Self {
            spec,
            config,
            rng,
            l1,
            l2: vec![genesis],
            world,
            nodes,
            precompiles: PrecompileResults::new(),
            keys: BTreeMap::new(),
            traffic,
            batcher,
            batchers: 0,
        };
        generator.note_keys();
        Ok(generator)
    }

    fn run(mut self) -> Result<Devnet, DevnetError> {
        // After genesis the sequencer may already work, L1 being at its genesis block.
        loop {
            let head = self.l1.next_number() - 1;
            self.force_blocks(head)?;
            let silent = self.is_silent(head);
            if !silent {
                self.sequence(head)?;
            }
            self.close_channel(head)?;
            if head >= self.spec.l1_blocks && self.is_sequenced() && self.batcher.is_done() {
                break;
            }
            self.next_l1_block()?;
        }
        Ok(Devnet {
            l1: self.l1.blocks,
            l2: self.l2,
            config: self.config,
            nodes: self.nodes,
            codes: self.world.codes,
            precompiles: self.precompiles,
            keys: self.keys,
        })
    }

    fn tip(&self) -> &L2Block {
        &self.l2[self.l2.len() - 1]
    }

    fn is_sequenced(&self) -> bool {
        self.tip().header.number >= self.spec.l2_blocks
    }

    fn is_silent(&self, head: u64) -> bool {
        self.spec
            .outage
            .is_some_and(|outage| (outage.start..outage.start + outage.blocks).contains(&head))
    }

    /// What derivation does when the window of the tip's origin has run out: blocks without
    /// batches, each with the latest origin that its time allows and whose window is over too.
    fn force_blocks(&mut self, head: u64) -> Result<(), DevnetError> {
        if !self.batcher.is_done() {
            return Ok(());
        }
        let mut epoch = self.tip().origin;
        while epoch + self.spec.window <= head {
            let time = self.tip().header.timestamp + self.config.block_time;
            let first = epoch == self.tip().origin + 1;
            if time < self.l1.time(epoch + 1) || first {
                self.append(epoch, Vec::new())?;
            } else {
                epoch += 1;
            }
        }
        Ok(())
    }

    /// Sequences blocks up to the time of the next L1 block.
    fn sequence(&mut self, head: u64) -> Result<(), DevnetError> {
        while !self.is_sequenced() {
            let parent = self.tip();
            let (before, origin) = (parent.header.timestamp, parent.origin);
            let time = before + self.config.block_time;
            if time >= self.l1.time(head + 1) {
                break;
            }
            let next = origin + 1;
            let adopt = next + self.spec.origin_lag <= head && self.l1.time(next) <= time;
            let origin = if adopt { next } else { origin };
            // The last block before the next L1 block, so that nothing follows in its channel.
            let last = time + self.config.block_time >= self.l1.time(head + 1);
            let bad = last
                && self.spec.bad_payloads
                && self.config.is_holocene_active(time)
                && self.rng.random_ratio(1, 4);
            if bad {
                self.append(origin, Vec::new())?;
                let impossible = self.traffic.impossible();
                self.submit(vec![impossible]);
                return self.batcher.close(self.spec, &self.config, &self.l1, 1);
            }
            // Network upgrades have their blocks for themselves.
            let transactions = if is_upgrade(&self.config, before, time) {
                Vec::new()
            } else {
                let rules = Rules {
                    isthmus: self.config.is_isthmus_active(time),
                };
                self.traffic.transactions(self.spec.transactions, rules)
            };
            self.append(origin, transactions.clone())?;
            self.submit(transactions);
        }
        Ok(())
    }

    /// Hands the tip to the batcher.
    fn submit(&mut self, transactions: Vec<Bytes>) {
        let tip = &self.l2[self.l2.len() - 1];
        self.batcher.push(BlockData {
            batch: SingleBatch {
                parent_hash: tip.header.parent_hash,
                epoch_num: tip.origin,
                epoch_hash: self.l1.blocks[tip.origin as usize].header.hash(),
                timestamp: tip.header.timestamp,
                transactions,
            },
            sequence_number: tip.sequence_number,
        });
    }

    /// Executes the next block and appends it.
    fn append(&mut self, origin: u64, mut users: Vec<Bytes>) -> Result<(), DevnetError> {
        let parent = &self.l2[self.l2.len() - 1];
        let mut attributes = attributes(&self.config, parent, &self.l1.blocks[origin as usize])?;
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
        self.l2.push(L2Block {
            header: executed.header,
            attributes: Some(attributes),
            transactions: executed.transactions,
            receipts: executed.receipts,
            encoded_receipts: executed.encoded_receipts,
            origin,
            sequence_number,
            output,
        });
        self.note_keys();
        Ok(())
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

    /// Closes the channel when it is its time, or when there is no later one.
    fn close_channel(&mut self, head: u64) -> Result<(), DevnetError> {
        let due = (head + 1).is_multiple_of(self.spec.channel_blocks);
        let before_outage = !self.is_silent(head) && self.is_silent(head + 1);
        let after_outage = head > 0 && self.is_silent(head - 1) && !self.is_silent(head);
        let urgent = before_outage || after_outage;
        // At Holocene, derivation forgets all channels that are not whole.
        let holocene = |number| self.config.is_holocene_active(self.l1.time(number));
        let crossing = holocene(head + self.spec.spread) && !holocene(head + 1);
        if due || urgent || crossing || self.is_sequenced() {
            let spread = if urgent || crossing {
                1
            } else {
                self.spec.spread
            };
            self.batcher
                .close(self.spec, &self.config, &self.l1, spread)?;
        }
        Ok(())
    }

    fn next_l1_block(&mut self) -> Result<(), DevnetError> {
        for _ in 0..self.rng.random_range(0..=self.spec.deposits) {
            let log = self.traffic.deposit().log();
            self.emit(DEPOSIT_CONTRACT, log);
        }
        if self.spec.config_updates && self.rng.random_ratio(1, 3) {
            self.update_config();
        }
        self.batcher.send(self.spec, &self.config, &mut self.l1)?;
        self.l1.seal();
        Ok(())
    }

    fn emit(&mut self, to: Address, log: alloy_primitives::Log) {
        let message = Message {
            to,
            logs: vec![log],
            ..Default::default()
        };
        self.l1.send(&Signer::named("depositor"), message);
    }

    /// Changes something in the system configuration, in force from this L1 block on.
    fn update_config(&mut self) {
        let time = self.l1.time(self.l1.next_number());
        let update = match self.rng.random_range(0..6) {
            0 => {
                self.batchers += 1;
                self.batcher.signer = Signer::named(&format!("batcher {}", self.batchers));
                Update::Batcher(self.batcher.signer.address())
            }
            1 if self.config.is_ecotone_active(time) => Update::Fees {
                overhead: Default::default(),
                scalar: ecotone_scalar(self.rng.random(), self.rng.random_range(0..9_000)),
            },
            1 => Update::Fees {
                overhead: self
                    .rng
                    .random_range(0..5_000u64)
                    .try_into()
                    .unwrap_or_default(),
                scalar: self
                    .rng
                    .random_range(0..2_000_000u64)
                    .try_into()
                    .unwrap_or_default(),
            },
            2 => Update::GasLimit(self.rng.random_range(20_000_000..60_000_000)),
            3 if self.config.is_holocene_active(time) => Update::Eip1559 {
                denominator: self.rng.random_range(2..500),
                elasticity: self.rng.random_range(2..20),
            },
            4 if self.config.is_isthmus_active(time) => Update::OperatorFee {
                scalar: self.rng.random_range(0..1_000_000),
                constant: self.rng.random_range(0..1_000_000),
            },
            _ => Update::UnsafeSigner(Address::from(self.rng.random::<[u8; 20]>())),
        };
        self.emit(SYSTEM_CONFIG, update.log());
    }
}

/// The output of a block whose state the world is.
fn output(world: &World, state_root: B256, block_hash: B256) -> OutputRoot {
    let storage = world.storage_root(&Predeploys::L2_TO_L1_MESSAGE_PASSER);
    let storage = storage.unwrap_or(alloy_trie::EMPTY_ROOT_HASH);
    OutputRoot::from_parts(state_root, storage, block_hash)
}
