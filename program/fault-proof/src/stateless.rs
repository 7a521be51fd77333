//! One block on its own: executed from its payload attributes, and compared by its hash.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use alloy_consensus::Sealed;
use alloy_primitives::B256;
use carronade_program::key::PreimageKey;
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::block::{self, Refusal};
use crate::boot::{l2_header, load_rules, local_array};
use crate::error::Error;
use crate::oracle::Oracle;
use crate::preimages::Preimages;

/// Local key of the hash that the block should have (32 bytes).
pub const EXPECTED_HASH: u64 = 1;
/// Local key of the parent block's hash (32 bytes); its header is a keccak256 pre-image.
pub const PARENT_HASH: u64 = 2;
/// Local key of the block's payload attributes (JSON).
pub const ATTRIBUTES: u64 = 3;

/// The hash of a block, and the one it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// What the block should hash to.
    pub expected: B256,
    /// What it hashes to.
    pub found: B256,
}

impl Executed {
    /// The program's exit code: 0 as expected, 1 otherwise.
    pub fn exit_code(&self) -> i32 {
        i32::from(self.expected != self.found)
    }
}

impl fmt::Display for Executed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found } = self;
        if expected == found {
            write!(f, "block hash {found} as expected")
        } else {
            write!(f, "block hash {found}, and expected was {expected}")
        }
    }
}

/// Executes the block that the local keys describe. Keys 5 (chain id) and 6 (rollup
/// configuration, if the registry does not have the chain) are the fault proof program's.
pub fn run(oracle: Arc<dyn Oracle>) -> Result<Executed, Error> {
    let preimages = Preimages::new(oracle);
    let executed = execute(&preimages);
    preimages.failure().map_or(executed, Err)
}

fn execute(preimages: &Preimages) -> Result<Executed, Error> {
    let expected = B256::from(local_array(preimages, EXPECTED_HASH)?);
    let parent = B256::from(local_array(preimages, PARENT_HASH)?);
    let json = preimages.local(ATTRIBUTES)?;
    let attributes: OpPayloadAttributes = serde_json::from_slice(&json)
        .map_err(|e| preimages.malformed(PreimageKey::local(ATTRIBUTES), e))?;
    let rules = load_rules(preimages)?;
    let parent = Sealed::new_unchecked(l2_header(preimages, parent)?, parent);
    let built = block::build(preimages, &rules, &parent, &attributes);
    let built = built.map_err(|refusal| match refusal {
        Refusal::Failed(error) => error,
        Refusal::Invalid(reason) => {
            let number = parent.number + 1;
            let reason = format!("the block is not valid: {reason}");
            Error::Execution { number, reason }
        }
    })?;
    let found = built.header.seal();
    Ok(Executed { expected, found })
}
