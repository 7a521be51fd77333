//! The two chains, made block by block: L1 goes first, the sequencer works on top of it, the
//! batcher brings the sequencer's blocks to the next L1 blocks.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, Bytes, Log};
use kona_protocol::SingleBatch;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::DevnetError;
use crate::attributes::is_upgrade;
use crate::batcher::Batcher;
use crate::channel::BlockData;
use crate::devnet::Devnet;
use crate::events::Update;
use crate::keys::Signer;
use crate::l1::{L1Chain, Message};
use crate::l2_chain::L2Chain;
use crate::spec::{DEPOSIT_CONTRACT, SYSTEM_CONFIG, Spec, ecotone_scalar};
use crate::traffic::{Rules, Traffic};

/// A devnet in the making.
pub(crate) struct Generator<'a> {
    spec: &'a Spec,
    rng: SmallRng,
    l1: L1Chain,
    l2: L2Chain,
    traffic: Traffic,
    batcher: Batcher,
    batchers: u64,
}

impl<'a> Generator<'a> {
    /// Both genesis blocks.
    pub(crate) fn new(spec: &'a Spec) -> Result<Self, DevnetError> {
        let mut rng = SmallRng::seed_from_u64(spec.seed);
        let mut fork = || SmallRng::from_rng(&mut rng);
        let l1 = L1Chain::new(spec.l1_block_time, spec.prague, fork());
        let traffic = Traffic::new(fork());
        let batcher = Batcher::new(fork());
        let l1_genesis = BlockNumHash::new(0, l1.blocks[0].header.hash());
        let l2 = L2Chain::new(|genesis| spec.rollup_config(l1_genesis, genesis))?;
        Ok(Self {
            spec,
            rng,
            l1,
            l2,
            traffic,
            batcher,
            batchers: 0,
        })
    }

    /// Makes the chains, L1 block by L1 block.
    pub(crate) fn run(mut self) -> Result<Devnet, DevnetError> {
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
            l2: self.l2.blocks,
            config: self.l2.config,
            nodes: self.l2.nodes,
            codes: self.l2.world.codes,
            precompiles: self.l2.precompiles,
            keys: self.l2.keys,
        })
    }

    fn is_sequenced(&self) -> bool {
        self.l2.tip().header.number >= self.spec.l2_blocks
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
        let mut epoch = self.l2.tip().origin;
        while epoch + self.spec.window <= head {
            let time = self.l2.tip().header.timestamp + self.l2.config.block_time;
            let first = epoch == self.l2.tip().origin + 1;
            if time < self.l1.time(epoch + 1) || first {
                self.append(epoch, Vec::new())?;
                self.l2.note_safe(time, head);
            } else {
                epoch += 1;
            }
        }
        Ok(())
    }

    /// Sequences blocks up to the time of the next L1 block.
    fn sequence(&mut self, head: u64) -> Result<(), DevnetError> {
        while !self.is_sequenced() {
            let parent = self.l2.tip();
            let (before, origin) = (parent.header.timestamp, parent.origin);
            let time = before + self.l2.config.block_time;
            if time >= self.l1.time(head + 1) {
                break;
            }
            let next = origin + 1;
            let adopt = next + self.spec.origin_lag <= head && self.l1.time(next) <= time;
            let origin = if adopt { next } else { origin };
            // The last block before the next L1 block, so that nothing follows in its channel.
            let last = time + self.l2.config.block_time >= self.l1.time(head + 1);
            let bad = last
                && self.spec.bad_payloads
                && self.l2.config.is_holocene_active(time)
                && self.rng.random_ratio(1, 4);
            if bad {
                self.append(origin, Vec::new())?;
                let impossible = self.traffic.impossible();
                self.submit(vec![impossible]);
                return self.batcher.close(self.spec, &self.l2.config, &self.l1, 1);
            }
            // Network upgrades have their blocks for themselves.
            let transactions = if is_upgrade(&self.l2.config, before, time) {
                Vec::new()
            } else {
                let rules = Rules {
                    isthmus: self.l2.config.is_isthmus_active(time),
                };
                self.traffic.transactions(self.spec.transactions, rules)
            };
            self.append(origin, transactions.clone())?;
            self.submit(transactions);
        }
        Ok(())
    }

    fn append(&mut self, origin: u64, users: Vec<Bytes>) -> Result<(), DevnetError> {
        self.l2.append(&self.l1.blocks[origin as usize], users)
    }

    /// Hands the tip to the batcher.
    fn submit(&mut self, transactions: Vec<Bytes>) {
        let tip = self.l2.tip();
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

    /// Closes the channel when it is its time, or when there is no later one.
    fn close_channel(&mut self, head: u64) -> Result<(), DevnetError> {
        let due = (head + 1).is_multiple_of(self.spec.channel_blocks);
        let before_outage = !self.is_silent(head) && self.is_silent(head + 1);
        let after_outage = head > 0 && self.is_silent(head - 1) && !self.is_silent(head);
        let urgent = before_outage || after_outage;
        // At Holocene, derivation forgets all channels that are not whole.
        let holocene = |number| self.l2.config.is_holocene_active(self.l1.time(number));
        let crossing = holocene(head + self.spec.spread) && !holocene(head + 1);
        if due || urgent || crossing || self.is_sequenced() {
            let spread = if urgent || crossing {
                1
            } else {
                self.spec.spread
            };
            self.batcher
                .close(self.spec, &self.l2.config, &self.l1, spread)?;
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
        let sent = self
            .batcher
            .send(self.spec, &self.l2.config, &mut self.l1)?;
        let number = self.l1.seal().header.number;
        for time in sent {
            self.l2.note_safe(time, number);
        }
        Ok(())
    }

    fn emit(&mut self, to: Address, log: Log) {
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
            1 if self.l2.config.is_ecotone_active(time) => Update::Fees {
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
            3 if self.l2.config.is_holocene_active(time) => Update::Eip1559 {
                denominator: self.rng.random_range(2..500),
                elasticity: self.rng.random_range(2..20),
            },
            4 if self.l2.config.is_isthmus_active(time) => Update::OperatorFee {
                scalar: self.rng.random_range(0..1_000_000),
                constant: self.rng.random_range(0..1_000_000),
            },
            _ => Update::UnsafeSigner(Address::from(self.rng.random::<[u8; 20]>())),
        };
        self.emit(SYSTEM_CONFIG, update.log());
    }
}
