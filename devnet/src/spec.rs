//! What a devnet is made of.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, U256, address};
use kona_genesis::{
    ChainGenesis, HardForkConfig, OP_MAINNET_BASE_FEE_CONFIG, RollupConfig, SystemConfig,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::DevnetError;
use crate::keys::Signer;

/// The time of both genesis blocks, in seconds.
pub(crate) const GENESIS_TIME: u64 = 1_740_000_000;
/// The chain id of L1; no known chain has it.
pub const L1_CHAIN_ID: u64 = 900_900;
/// The chain id of L2, which no registry has, so that programs ask for the rollup configuration.
pub const L2_CHAIN_ID: u64 = 900_901;
/// Where batches are sent.
pub(crate) const BATCH_INBOX: Address = address!("0xff00000000000000000000000000000000900901");
/// The contract on L1 that emits deposits.
pub(crate) const DEPOSIT_CONTRACT: Address = address!("0xde90000000000000000000000000000000900901");
/// The contract on L1 that emits configuration updates.
pub(crate) const SYSTEM_CONFIG: Address = address!("0x5c00000000000000000000000000000000900901");

/// The OP Stack's forks after Bedrock, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[allow(missing_docs, reason = "the names are those of the specification")]
pub enum Fork {
    Regolith,
    Canyon,
    Delta,
    Ecotone,
    Fjord,
    Granite,
    Holocene,
    Isthmus,
}

impl Fork {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Regolith,
        Self::Canyon,
        Self::Delta,
        Self::Ecotone,
        Self::Fjord,
        Self::Granite,
        Self::Holocene,
        Self::Isthmus,
    ];
}

/// How L2 blocks are put into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum BatchKind {
    /// One batch for each block.
    Single,
    /// One batch for all blocks of a channel, from Delta on.
    Span,
    /// Either, channel by channel.
    Mixed,
}

/// How batch data gets to L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum DataKind {
    /// In calldata.
    Calldata,
    /// In blobs, from Ecotone on.
    Blobs,
    /// Either, L1 block by L1 block.
    Mixed,
}

/// A time in which the sequencer and the batcher are silent, so that the sequencing window runs
/// out and derivation makes blocks of deposits only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outage {
    /// The first L1 block after which nothing is sequenced.
    pub start: u64,
    /// For how many L1 blocks; more than the window for it to have an effect.
    pub blocks: u64,
}

/// What a devnet is made of. The same spec gives the same chains, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Where all randomness comes from.
    pub seed: u64,
    /// L1 blocks after genesis, at least; more are made until all L2 blocks are on L1.
    pub l1_blocks: u64,
    /// L2 blocks that are sequenced; derivation adds empty ones if L1 goes on for longer than
    /// the sequencing window.
    pub l2_blocks: u64,
    /// Seconds between L1 blocks, a multiple of `l2_block_time`.
    pub l1_block_time: u64,
    /// Seconds between L2 blocks.
    pub l2_block_time: u64,
    /// The fork of the L2 genesis.
    pub fork: Fork,
    /// Whether L1 is at Prague instead of Cancun.
    pub prague: bool,
    /// Forks up to this one activate at this L2 block.
    pub upgrade: Option<(Fork, u64)>,
    /// How L2 blocks are put into batches.
    pub batches: BatchKind,
    /// How batch data gets to L1.
    pub data: DataKind,
    /// A channel holds the L2 blocks sequenced in this many L1 blocks.
    pub channel_blocks: u64,
    /// Frames of a channel, at least.
    pub frames: u64,
    /// A channel's frames are spread over this many L1 blocks, at most `channel_blocks`.
    pub spread: u64,
    /// How many L1 blocks the sequencer stays behind the L1 head.
    pub origin_lag: u64,
    /// The sequencing window, in L1 blocks.
    pub window: u64,
    /// The channel timeout, in L1 blocks.
    pub channel_timeout: u64,
    /// User transactions in an L2 block, at most.
    pub transactions: u64,
    /// Deposits in an L1 block, at most.
    pub deposits: u64,
    /// Whether L1 has transactions that derivation must ignore.
    pub noise: bool,
    /// Whether the system configuration is updated now and then.
    pub config_updates: bool,
    /// Whether some batches hold a transaction that cannot be executed: from Holocene on, their
    /// blocks have deposits only, and the rest of the channel is void.
    pub bad_payloads: bool,
    /// A silence of sequencer and batcher.
    pub outage: Option<Outage>,
}

impl Default for Spec {
    /// A small Isthmus chain with calldata batches.
    fn default() -> Self {
        Self {
            seed: 0,
            l1_blocks: 6,
            l2_blocks: 10,
            l1_block_time: 6,
            l2_block_time: 2,
            fork: Fork::Isthmus,
            prague: true,
            upgrade: None,
            batches: BatchKind::Single,
            data: DataKind::Calldata,
            channel_blocks: 1,
            frames: 1,
            spread: 1,
            origin_lag: 0,
            window: 10,
            channel_timeout: 8,
            transactions: 4,
            deposits: 1,
            noise: false,
            config_updates: false,
            bad_payloads: false,
            outage: None,
        }
    }
}

impl Spec {
    /// The devnet of the acceptance tests: 30 L2 blocks over 12 L1 blocks, Isthmus, span batches
    /// in blobs, two frames to a channel.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            l1_blocks: 12,
            l2_blocks: 30,
            batches: BatchKind::Span,
            data: DataKind::Blobs,
            channel_blocks: 2,
            frames: 2,
            spread: 1,
            transactions: 5,
            deposits: 2,
            noise: true,
            config_updates: true,
            ..Self::default()
        }
    }

    /// Any valid spec, for fuzzing; small enough to be generated in about a second.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed ^ 0x5bec);
        let fork = Fork::ALL[rng.random_range(0..Fork::ALL.len())];
        let later: Vec<_> = Fork::ALL
            .into_iter()
            .filter(|later| *later > fork)
            .collect();
        let upgrade = (!later.is_empty() && rng.random_ratio(2, 5)).then(|| {
            (
                later[rng.random_range(0..later.len())],
                rng.random_range(3..12),
            )
        });
        let channel_blocks = rng.random_range(1..=3);
        let spread = rng.random_range(1..=channel_blocks);
        let origin_lag = rng.random_range(0..=2);
        let window = origin_lag + channel_blocks + spread + rng.random_range(0..4);
        let outage = rng.random_ratio(1, 3).then(|| Outage {
            start: rng.random_range(2..6),
            blocks: rng.random_range(1..window + 4),
        });
        let l2_block_time = rng.random_range(1..=2);
        Self {
            seed,
            l1_blocks: rng.random_range(1..12),
            l2_blocks: rng.random_range(1..24),
            l1_block_time: l2_block_time * rng.random_range(1..=6),
            l2_block_time,
            fork,
            prague: rng.random(),
            upgrade,
            batches: [BatchKind::Single, BatchKind::Span, BatchKind::Mixed][rng.random_range(0..3)],
            data: [DataKind::Calldata, DataKind::Blobs, DataKind::Mixed][rng.random_range(0..3)],
            channel_blocks,
            frames: rng.random_range(1..=4),
            spread,
            origin_lag,
            window,
            channel_timeout: rng.random_range(spread..spread + 6),
            transactions: rng.random_range(0..6),
            deposits: rng.random_range(0..3),
            noise: rng.random(),
            config_updates: rng.random(),
            bad_payloads: rng.random(),
            outage,
        }
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// Names the field that does not.
    pub fn validate(&self) -> Result<(), DevnetError> {
        let rules = [
            (self.l2_block_time > 0, "l2_block_time must not be 0"),
            (
                self.l1_block_time > 0
                    && self.l1_block_time.is_multiple_of(self.l2_block_time.max(1)),
                "l1_block_time must be a multiple of l2_block_time",
            ),
            (self.frames > 0, "frames must not be 0"),
            (
                (1..=self.channel_blocks).contains(&self.spread),
                "spread must be between 1 and channel_blocks",
            ),
            (
                self.spread <= self.channel_timeout,
                "channel_timeout must not be less than spread",
            ),
            (
                self.origin_lag + self.channel_blocks + self.spread <= self.window + 1,
                "window is too small for origin_lag, channel_blocks and spread",
            ),
            (
                self.upgrade
                    .is_none_or(|(fork, block)| fork > self.fork && block > 0),
                "upgrade must be to a later fork, after genesis",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(DevnetError::Spec(rule)),
            None => Ok(()),
        }
    }

    /// The activation times.
    fn hardforks(&self) -> HardForkConfig {
        let time = |fork: Fork| match self.upgrade {
            _ if fork <= self.fork => Some(0),
            Some((last, block)) if fork <= last => Some(GENESIS_TIME + block * self.l2_block_time),
            _ => None,
        };
        HardForkConfig {
            regolith_time: time(Fork::Regolith),
            canyon_time: time(Fork::Canyon),
            delta_time: time(Fork::Delta),
            ecotone_time: time(Fork::Ecotone),
            fjord_time: time(Fork::Fjord),
            granite_time: time(Fork::Granite),
            holocene_time: time(Fork::Holocene),
            isthmus_time: time(Fork::Isthmus),
            ..Default::default()
        }
    }

    /// The system configuration at genesis.
    fn system_config(&self) -> SystemConfig {
        let scalar = if self.fork >= Fork::Ecotone {
            ecotone_scalar(810_949, 1_368)
        } else {
            U256::from(684_000)
        };
        SystemConfig {
            batcher_address: Signer::named("batcher 0").address(),
            overhead: U256::from(if self.fork >= Fork::Ecotone { 0 } else { 188 }),
            scalar,
            gas_limit: 30_000_000,
            ..Default::default()
        }
    }

    /// The rollup configuration, once the genesis blocks are known.
    pub(crate) fn rollup_config(&self, l1: BlockNumHash, l2: BlockNumHash) -> RollupConfig {
        RollupConfig {
            genesis: ChainGenesis {
                l1,
                l2,
                l2_time: GENESIS_TIME,
                system_config: Some(self.system_config()),
            },
            block_time: self.l2_block_time,
            max_sequencer_drift: 600,
            seq_window_size: self.window,
            channel_timeout: self.channel_timeout,
            granite_channel_timeout: self.channel_timeout,
            l1_chain_id: L1_CHAIN_ID,
            l2_chain_id: L2_CHAIN_ID.into(),
            hardforks: self.hardforks(),
            batch_inbox_address: BATCH_INBOX,
            deposit_contract_address: DEPOSIT_CONTRACT,
            l1_system_config_address: SYSTEM_CONFIG,
            protocol_versions_address: Address::ZERO,
            superchain_config_address: None,
            blobs_enabled_l1_timestamp: None,
            da_challenge_address: None,
            chain_op_config: OP_MAINNET_BASE_FEE_CONFIG,
            ..Default::default()
        }
    }
}

/// The fee scalars as they stand in the system configuration from Ecotone on.
pub(crate) fn ecotone_scalar(blob_base_fee: u32, base_fee: u32) -> U256 {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes[24..28].copy_from_slice(&blob_base_fee.to_be_bytes());
    bytes[28..].copy_from_slice(&base_fee.to_be_bytes());
    U256::from_be_bytes(bytes)
}
