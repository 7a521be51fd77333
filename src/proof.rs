//! Step proofs as JSON (`cannon/cmd/run.go`, `Proof`).

use crate::log::{Level, Logger};
use carronade_emulator::hash::Hash;
use carronade_emulator::witness::{OracleData, StepWitness};
use serde::{Deserialize, Serialize};

/// The JSON of a step proof, keys in the reference's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    step: u64,
    #[serde(with = "const_hex::serde")]
    pre: Hash,
    #[serde(with = "const_hex::serde")]
    post: Hash,
    #[serde(with = "const_hex::serde")]
    state_data: Vec<u8>,
    #[serde(with = "const_hex::serde")]
    proof_data: Vec<u8>,
    #[serde(
        default,
        with = "const_hex::serde",
        skip_serializing_if = "Vec::is_empty"
    )]
    oracle_key: Vec<u8>,
    #[serde(
        default,
        with = "const_hex::serde",
        skip_serializing_if = "Vec::is_empty"
    )]
    oracle_value: Vec<u8>,
    #[serde(default, skip_serializing_if = "is_zero")]
    oracle_offset: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Warns that a step has no proof, since the guest's last state is before or at it.
pub fn warn_of_missing(step: u64, last: u64, logger: &Logger) {
    let fields = [
        ("module", "vm".into()),
        ("step", step.into()),
        ("last", last.into()),
    ];
    let message = "No proof: the guest exited before the step";
    logger.log(Level::Warn, message, &fields);
}

impl From<StepWitness> for Proof {
    fn from(witness: StepWitness) -> Self {
        let (oracle_key, oracle_value, oracle_offset) = match witness.oracle {
            Some(data) => (data.key.to_vec(), data.value, data.offset),
            None => Default::default(),
        };
        Self {
            step: witness.step,
            pre: witness.pre,
            post: witness.post,
            state_data: witness.state_data,
            proof_data: witness.proof_data,
            oracle_key,
            oracle_value,
            oracle_offset,
        }
    }
}

impl Proof {
    /// The proof for verification.
    ///
    /// # Errors
    /// When the pre-image's key is not 32 bytes long, or there is a value without a key.
    pub fn into_witness(self) -> anyhow::Result<StepWitness> {
        let oracle = match (self.oracle_key.as_slice(), self.oracle_value.is_empty()) {
            ([], true) if self.oracle_offset == 0 => None,
            (key, _) => Some(OracleData {
                key: key
                    .try_into()
                    .map_err(|_| anyhow::anyhow!("oracle-key has {} bytes, not 32", key.len()))?,
                value: self.oracle_value,
                offset: self.oracle_offset,
            }),
        };
        Ok(StepWitness {
            step: self.step,
            pre: self.pre,
            post: self.post,
            state_data: self.state_data,
            proof_data: self.proof_data,
            oracle,
        })
    }
}
