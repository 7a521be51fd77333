//! The prologue: what this run is about.
//!
//! Source: Optimism specification, `fault-proof/index.md`, "Prologue".

use alloy_consensus::{Header, Sealed};
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use carronade_program::key::PreimageKey;
use kona_protocol::OutputRoot;

use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;
use crate::rules::Rules;

/// Local key of the L1 head's hash (32 bytes).
pub const L1_HEAD: u64 = 1;
/// Local key of the output root agreed on (32 bytes).
pub const AGREED_OUTPUT_ROOT: u64 = 2;
/// Local key of the output root claimed (32 bytes).
pub const CLAIMED_OUTPUT_ROOT: u64 = 3;
/// Local key of the number of the L2 block of the claim (big-endian `u64`).
pub const CLAIMED_BLOCK_NUMBER: u64 = 4;
/// Local key of the L2 chain id (big-endian `u64`).
pub const CHAIN_ID: u64 = 5;
/// Local key of the rollup configuration (JSON), asked for if the registry has no such chain.
pub const ROLLUP_CONFIG: u64 = 6;

/// The claim, and what it is to be judged by.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Hash of the last L1 block that counts.
    pub l1_head: B256,
    /// The output root that everybody agrees on.
    pub agreed_output_root: B256,
    /// The output root in question.
    pub claimed_output_root: B256,
    /// The L2 block that it is claimed for.
    pub claimed_block_number: u64,
    /// The chain's rules.
    pub rules: Rules,
}

impl Boot {
    /// Reads the local keys.
    pub fn load(preimages: &Preimages) -> Result<Self, Error> {
        Ok(Self {
            l1_head: local_array(preimages, L1_HEAD)?.into(),
            agreed_output_root: local_array(preimages, AGREED_OUTPUT_ROOT)?.into(),
            claimed_output_root: local_array(preimages, CLAIMED_OUTPUT_ROOT)?.into(),
            claimed_block_number: local_number(preimages, CLAIMED_BLOCK_NUMBER)?,
            rules: load_rules(preimages)?,
        })
    }
}

/// The rules of the chain that the local keys name.
pub(crate) fn load_rules(preimages: &Preimages) -> Result<Rules, Error> {
    let chain = local_number(preimages, CHAIN_ID)?;
    match Rules::of_registry(chain) {
        Some(rules) => rules,
        None => Rules::of_json(&preimages.local(ROLLUP_CONFIG)?, chain),
    }
}

/// The `N` bytes of a local pre-image.
pub(crate) fn local_array<const N: usize>(
    preimages: &Preimages,
    ident: u64,
) -> Result<[u8; N], Error> {
    let data = preimages.local(ident)?;
    exactly(preimages, PreimageKey::local(ident), &data)
}

fn local_number(preimages: &Preimages, ident: u64) -> Result<u64, Error> {
    local_array(preimages, ident).map(u64::from_be_bytes)
}

/// `data` as an array, or the error that it has another length.
fn exactly<const N: usize>(
    preimages: &Preimages,
    key: PreimageKey,
    data: &[u8],
) -> Result<[u8; N], Error> {
    data.try_into().map_err(|_| {
        let reason = alloc::format!("{} bytes, not {N}", data.len());
        preimages.malformed(key, reason)
    })
}

/// The header of the block that output root `root` is of.
///
/// A proposal is version ‖ state root ‖ storage root of the message passer ‖ block hash, 32
/// bytes each. Whoever agreed on the root may have agreed on nonsense, so it is compared with
/// the header as far as the header goes.
pub(crate) fn agreed_header(preimages: &Preimages, root: B256) -> Result<Sealed<Header>, Error> {
    let key = PreimageKey::keccak256(root.0);
    let data = preimages.keccak_hinted(root, Hint::StartingL2Output(root))?;
    let proposal: [u8; OutputRoot::ENCODED_LENGTH] = exactly(preimages, key, &data)?;
    let [version, state_root, passer_root, hash] =
        [0, 32, 64, 96].map(|at| B256::from_slice(&proposal[at..at + 32]));
    if !version.is_zero() {
        return Err(preimages.malformed(key, "an output proposal of an unknown version"));
    }
    let header = l2_header(preimages, hash)?;
    if header.state_root != state_root {
        return Err(preimages.malformed(key, "its state root is not that of its block"));
    }
    let isthmus = header.requests_hash.is_some();
    if isthmus && header.withdrawals_root != Some(passer_root) {
        return Err(preimages.malformed(key, "its storage root is not that of its block"));
    }
    Ok(Sealed::new_unchecked(header, hash))
}

/// The L2 header with this hash.
pub(crate) fn l2_header(preimages: &Preimages, hash: B256) -> Result<Header, Error> {
    let data = preimages.keccak_hinted(hash, Hint::L2BlockHeader(hash))?;
    Header::decode(&mut &data[..])
        .map_err(|e| preimages.malformed(PreimageKey::keccak256(hash.0), e))
}
