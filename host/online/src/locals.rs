//! The inputs of one run, by their numbers.

use alloy_primitives::B256;
use carronade_program::key::{KeyType, PreimageKey};

/// What the local keys 1 to 7 stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locals {
    /// Key 1: the hash of the L1 block at which derivation ends.
    pub l1_head: B256,
    /// Key 2: the output root that the run starts from.
    pub agreed_l2_output_root: B256,
    /// Key 3: the output root to judge.
    pub claimed_l2_output_root: B256,
    /// Key 4: the number of the L2 block that it is of.
    pub claimed_l2_block_number: u64,
    /// Key 5: the L2 chain's id.
    pub l2_chain_id: u64,
    /// Key 6: the rollup configuration in JSON, for chains that the registry does not have.
    pub rollup_config: Option<Vec<u8>>,
    /// Key 7: the L1 chain's configuration in JSON, where it is needed.
    pub l1_config: Option<Vec<u8>>,
}

impl Locals {
    /// The value of a local key: 32 bytes of a hash, 8 bytes of a number (big-endian), or JSON.
    /// `None` if there is no such key or it was not given; [`Self::name`] tells what it would be.
    #[must_use]
    pub fn get(&self, key: &PreimageKey) -> Option<Vec<u8>> {
        match number(key)? {
            1 => Some(self.l1_head.to_vec()),
            2 => Some(self.agreed_l2_output_root.to_vec()),
            3 => Some(self.claimed_l2_output_root.to_vec()),
            4 => Some(self.claimed_l2_block_number.to_be_bytes().to_vec()),
            5 => Some(self.l2_chain_id.to_be_bytes().to_vec()),
            6 => self.rollup_config.clone(),
            7 => self.l1_config.clone(),
            _ => None,
        }
    }

    /// What a local key without a value stands for.
    #[must_use]
    pub fn name(key: &PreimageKey) -> &'static str {
        match number(key) {
            Some(6) => "the rollup configuration, which was not given (--rollup-config-path)",
            Some(7) => "the L1 chain's configuration, which was not given (--l1-config-path)",
            _ => "nothing that is known here",
        }
    }
}

/// The number in a local key.
fn number(key: &PreimageKey) -> Option<u64> {
    let tail = key.as_bytes().last_chunk::<8>()?;
    let number = u64::from_be_bytes(*tail);
    let is_local = key.key_type() == KeyType::Local && PreimageKey::local(number) == *key;
    is_local.then_some(number)
}
