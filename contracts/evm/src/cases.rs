//! Single steps on both machines: what the emulator makes of a proof, the contract must make of
//! it too.

use crate::stepper::Stepper;
use carronade_emulator::hash::Hash;
use carronade_emulator::preimage::key_type;
use carronade_emulator::state::{StateVersion, THREAD_BYTES, state_hash};
use carronade_emulator::witness::{OracleData, Refusal, StepWitness, verify};
use std::fmt;

/// A step: its proof, whether the oracle has what it reads, and what it may read.
#[derive(Debug, Clone)]
pub struct Case {
    /// State, proof, and the pre-image that is there to be read, if one is.
    pub witness: StepWitness,
    /// Whose local pre-images are read.
    pub local_context: Hash,
}

/// Two machines that disagree about a step.
#[derive(Debug, thiserror::Error)]
#[error("emulator: {}, contract: {}, {case}", shown(emulator), shown(contract))]
pub struct Disagreement {
    /// The state after the step, or nothing where the emulator refuses.
    pub emulator: Option<Hash>,
    /// The state after the step, or nothing where the contract reverts.
    pub contract: Option<Hash>,
    /// The step.
    pub case: Box<Case>,
}

fn shown(post: &Option<Hash>) -> String {
    post.map_or_else(|| "refused".into(), const_hex::encode)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let witness = &self.witness;
        let hex = |bytes: &[u8]| const_hex::encode(bytes);
        let thread = witness.proof_data.get(..THREAD_BYTES).unwrap_or_default();
        let leaf = witness.proof_data.get(330..362).unwrap_or_default();
        write!(
            f,
            "state {}, thread {}, ",
            hex(&witness.state_data),
            hex(thread)
        )?;
        write!(f, "code {}, oracle {:?}", hex(leaf), witness.oracle)
    }
}

/// What the emulator makes of a proof: the hash of the state after it, or nothing.
#[must_use]
pub fn expected(case: &Case) -> Option<Hash> {
    let mut witness = case.witness.clone();
    if let Ok(data) = witness.state_data.as_slice().try_into() {
        witness.pre = state_hash(data);
        witness.step = u64::from_be_bytes(data[99..107].try_into().expect("8 bytes"));
    }
    let mut verified = verify(StateVersion::V8, &witness);
    if verified == Err(Refusal::UnusedOracle) {
        witness.oracle = None;
        verified = verify(StateVersion::V8, &witness);
    }
    match verified {
        Ok(hash) | Err(Refusal::PostState(hash)) => Some(hash),
        Err(_) => None,
    }
}

/// Executes a case on both machines. Says whether both executed it.
///
/// # Errors
/// They disagree.
pub fn compare(stepper: &mut Stepper, case: &Case) -> Result<bool, Disagreement> {
    let emulator = expected(case);
    if let Some(data) = case
        .witness
        .oracle
        .as_ref()
        .filter(|data| is_loadable(data))
    {
        stepper.put(data, case.local_context);
    }
    let contract = stepper.step(&case.witness, case.local_context).post.ok();
    if emulator == contract {
        Ok(emulator.is_some())
    } else {
        let case = Box::new(case.clone());
        Err(Disagreement {
            emulator,
            contract,
            case,
        })
    }
}

/// Whether the oracle's loaders would take the part: they know the type, and it begins before
/// the end.
fn is_loadable(data: &OracleData) -> bool {
    let known = [
        key_type::LOCAL,
        key_type::KECCAK256,
        key_type::SHA256,
        key_type::BLOB,
        key_type::PRECOMPILE,
    ];
    known.contains(&data.key[0]) && data.offset < data.value.len() as u64
}
