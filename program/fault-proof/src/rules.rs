//! The rollup configuration, and which forks it schedules that this program does not know.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use kona_genesis::RollupConfig;
use kona_registry::ROLLUP_CONFIGS;
use serde_json::Value;

use crate::error::Error;

/// Rule sets of L2 that the program has, as the rollup configuration names their times.
const KNOWN: [&str; 9] = [
    "regolith_time",
    "canyon_time",
    "delta_time",
    "ecotone_time",
    "fjord_time",
    "granite_time",
    "holocene_time",
    "pectra_blob_schedule_time",
    "isthmus_time",
];

/// Other fields of that name, without `_time`: the interval between blocks, and the forks that
/// the configuration type knows and the program does not.
const NO_FORKS: [&str; 3] = ["block", "jovian", "interop"];

/// When Jovian came to the chains of the registry, by L1 chain (`superchain-registry`,
/// `superchain.toml` of mainnet and sepolia). The registry that is built in is older than that.
const JOVIAN: [(u64, u64); 2] = [(1, 1_764_691_201), (11_155_111, 1_763_568_001)];

/// When L1 first changed the parameters of the blob base fee after Prague (EIP-7892), by L1
/// chain: mainnet, Sepolia, Holesky, Hoodi. The L1 attributes of later origins need parameters
/// that the derivation does not have.
const BPO1: [(u64, u64); 4] = [
    (1, 1_765_290_071),
    (11_155_111, 1_761_017_184),
    (17_000, 1_759_800_000),
    (560_048, 1_762_365_720),
];

/// What numbers of blocks and seconds in a configuration may be at most: 136 years of seconds.
///
/// Derivation adds them to numbers and timestamps of blocks, and multiplies the block time by
/// the length of a span batch (below 2^24), without a look at overflow. Under this bound every such
/// result is far below 2^64; above it a sum can wrap, and the chain would seem to end early.
const MOST: u64 = u32::MAX as u64;

/// The rules of one chain.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The rollup configuration.
    pub config: Arc<RollupConfig>,
    /// Forks that the program does not know, with the L2 timestamps from which they are active.
    unknown: Vec<(String, u64)>,
}

impl Rules {
    /// The rules of a chain of the registry, if it has this one.
    pub fn of_registry(chain: u64) -> Option<Result<Self, Error>> {
        let config = ROLLUP_CONFIGS.get(&chain)?;
        let mut rules = Self::new(config.clone());
        if let Ok(rules) = &mut rules {
            let jovian = JOVIAN.iter().filter(|(l1, _)| *l1 == config.l1_chain_id);
            rules
                .unknown
                .extend(jovian.map(|(_, time)| ("Jovian".to_string(), *time)));
        }
        Some(rules)
    }

    /// The rules in a rollup configuration as JSON, which must be those of `chain`.
    pub fn of_json(json: &[u8], chain: u64) -> Result<Self, Error> {
        let wrong = |e: serde_json::Error| Error::Config(e.to_string());
        let mut value: Value = serde_json::from_slice(json).map_err(wrong)?;
        let scheduled = take_unknown_times(&mut value);
        let mut rules = Self::new(serde_json::from_value(value).map_err(wrong)?)?;
        rules.unknown.extend(scheduled);
        let configured = rules.config.l2_chain_id.id();
        if configured != chain {
            let reason = format!("it is of chain {configured}, and the claim of chain {chain}");
            return Err(Error::Config(reason));
        }
        Ok(rules)
    }

    fn new(config: RollupConfig) -> Result<Self, Error> {
        if config.block_time == 0 {
            return Err(Error::Config("the block time is 0".to_string()));
        }
        check_numbers(&config)?;
        if config.is_alt_da_enabled() || config.alt_da_config.is_some() {
            let reason = "it keeps batches off L1 (alternative data availability)";
            return Err(Error::Config(reason.to_string()));
        }
        let forks = config.hardforks;
        let later = [
            ("Jovian", forks.jovian_time),
            ("Interop", forks.interop_time),
        ];
        let unknown = later
            .into_iter()
            .filter_map(|(name, time)| Some((name.to_string(), time?)));
        let unknown = unknown.collect();
        let config = Arc::new(config);
        Ok(Self { config, unknown })
    }

    /// Refuses an L2 block with this timestamp if its rules are not all known.
    pub fn check_l2(&self, timestamp: u64) -> Result<(), Error> {
        let active = self.unknown.iter().find(|(_, time)| *time <= timestamp);
        active.map_or(Ok(()), |(fork, _)| {
            let (fork, place) = (fork.clone(), format!("L2 timestamp {timestamp}"));
            Err(Error::UnknownFork { fork, place })
        })
    }

    /// Refuses an L1 origin with this timestamp if its blob base fee cannot be computed.
    pub fn check_l1_origin(&self, timestamp: u64) -> Result<(), Error> {
        let l1 = self.config.l1_chain_id;
        if BPO1
            .iter()
            .any(|(chain, time)| *chain == l1 && *time <= timestamp)
        {
            let fork = "BPO1 of L1".to_string();
            let place = format!("L1 timestamp {timestamp}");
            return Err(Error::UnknownFork { fork, place });
        }
        Ok(())
    }

    /// Timestamp of L2 block `number`.
    pub fn l2_time(&self, number: u64) -> u64 {
        let genesis = &self.config.genesis;
        let blocks = number.saturating_sub(genesis.l2.number);
        genesis
            .l2_time
            .saturating_add(blocks.saturating_mul(self.config.block_time))
    }
}

/// Refuses numbers that no chain has.
fn check_numbers(config: &RollupConfig) -> Result<(), Error> {
    let genesis = &config.genesis;
    let numbers = [
        ("block_time", config.block_time),
        ("max_sequencer_drift", config.max_sequencer_drift),
        ("seq_window_size", config.seq_window_size),
        ("channel_timeout", config.channel_timeout),
        ("granite_channel_timeout", config.granite_channel_timeout),
        ("genesis.l1.number", genesis.l1.number),
        ("genesis.l2.number", genesis.l2.number),
        ("genesis.l2_time", genesis.l2_time),
    ];
    let absurd = numbers.into_iter().find(|(_, number)| *number > MOST);
    absurd.map_or(Ok(()), |(field, number)| {
        let reason = format!("{field} is {number}, more than the {MOST} that are accepted");
        Err(Error::Config(reason))
    })
}

/// Takes fork times out of the JSON that neither the program nor its configuration type knows.
fn take_unknown_times(config: &mut Value) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|name, value| {
            let fork = name
                .strip_suffix("_time")
                .filter(|fork| !NO_FORKS.contains(fork));
            let unknown = fork.filter(|_| !KNOWN.contains(&name.as_str()));
            found.extend(unknown.and_then(|fork| Some((fork.to_string(), value.as_u64()?))));
            unknown.is_none()
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Vec<u8> {
        let config = ROLLUP_CONFIGS[&10].clone();
        let mut value = serde_json::to_value(config).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.insert("l2_chain_id".to_string(), 901.into());
        change(fields);
        serde_json::to_vec(&value).unwrap()
    }

    #[test]
    fn a_configuration_of_another_chain_is_refused() {
        assert_eq!(
            Rules::of_json(&json(|_| ()), 901)
                .unwrap()
                .config
                .l2_chain_id
                .id(),
            901
        );
        let error = Rules::of_json(&json(|_| ()), 902).unwrap_err().to_string();
        assert_eq!(
            error,
            "rollup configuration: it is of chain 901, and the claim of chain 902"
        );
        assert!(matches!(Rules::of_json(b"{", 901), Err(Error::Config(_))));
    }

    #[test]
    fn numbers_that_would_wrap_are_refused_by_field() {
        for (path, field) in [
            ("/block_time", "block_time"),
            ("/max_sequencer_drift", "max_sequencer_drift"),
            ("/seq_window_size", "seq_window_size"),
            ("/channel_timeout", "channel_timeout"),
            ("/granite_channel_timeout", "granite_channel_timeout"),
            ("/genesis/l1/number", "genesis.l1.number"),
            ("/genesis/l2/number", "genesis.l2.number"),
            ("/genesis/l2_time", "genesis.l2_time"),
        ] {
            let with = |number: u64| {
                let mut value: Value = serde_json::from_slice(&json(|_| ())).unwrap();
                *value.pointer_mut(path).unwrap() = number.into();
                Rules::of_json(&serde_json::to_vec(&value).unwrap(), 901)
            };
            for number in [1 << 32, u64::MAX / 2, u64::MAX] {
                let error = with(number).unwrap_err().to_string();
                assert!(
                    error.contains(field) && error.contains(&number.to_string()),
                    "{error}"
                );
            }
            with(u64::from(u32::MAX)).unwrap();
        }
    }

    #[test]
    fn forks_are_refused_by_name_from_their_time_on() {
        for (field, name) in [
            ("jovian_time", "Jovian"),
            ("interop_time", "Interop"),
            ("karst_time", "karst"),
        ] {
            let set = |fields: &mut serde_json::Map<_, _>| {
                fields.insert(field.to_string(), 2_000_000_000_u64.into());
            };
            let rules = Rules::of_json(&json(set), 901).unwrap();
            rules.check_l2(1_999_999_999).unwrap();
            let error = rules.check_l2(2_000_000_000).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "{name} is active at L2 timestamp 2000000000, and this program has no rules for it"
                )
            );
        }
    }

    #[test]
    fn the_registry_is_not_trusted_beyond_its_age() {
        let rules = Rules::of_registry(11_155_420).unwrap().unwrap();
        rules.check_l2(1_763_568_000).unwrap();
        assert!(rules.check_l2(1_763_568_001).is_err());
        rules.check_l1_origin(1_761_017_183).unwrap();
        assert!(rules.check_l1_origin(1_761_017_184).is_err());
        assert!(Rules::of_registry(901).is_none());
    }
}
