//! `witness` and `verify`: states as the chain sees them.

use crate::failure::{Failure, Outcome};
use crate::proof::Proof;
use crate::{cli, files, say, version};
use anyhow::{Context, anyhow};
use carronade_emulator::hash::Hash;
use carronade_emulator::state::state_hash;
use carronade_emulator::witness::verify;
use serde::Serialize;
use std::path::Path;

/// What `witness` prints; op-challenger reads it (`cannon/cmd/witness.go`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    state_version: u8,
    #[serde(with = "const_hex::serde")]
    witness_hash: Hash,
    #[serde(with = "const_hex::serde")]
    witness: Vec<u8>,
    step: u64,
    exited: bool,
    exit_code: u8,
}

/// Runs `witness`.
///
/// # Errors
/// When the state cannot be read or the witness not be written.
pub fn run(args: &cli::Witness) -> Outcome {
    let (state, mut memory) = files::read_state(&args.input)?;
    let witness = state.witness(&memory.root());
    if !args.output.as_os_str().is_empty() {
        files::write_atomically(&args.output, |out| out.write_all(&witness))?;
    }
    let response = Response {
        state_version: state.version.number(),
        witness_hash: state_hash(&witness),
        witness: witness.to_vec(),
        step: state.step,
        exited: state.exited,
        exit_code: state.exit_code,
    };
    files::write_json(Path::new("-"), &response)
}

/// Verifies a proof by the rules of a state version.
///
/// # Errors
/// When the proof cannot be read, or is refused.
pub fn verify_proof(path: &Path, version: &str) -> Outcome {
    let version = version::by_name(version)?;
    let proof: Proof = files::read_json(path)?;
    let witness = proof
        .into_witness()
        .with_context(|| format!("{}", path.display()))?;
    match verify(version, &witness) {
        Ok(post) => {
            say!(
                "step {} verified, post {}",
                witness.step,
                const_hex::encode_prefixed(post)
            );
            Ok(())
        }
        Err(refusal) => Err(Failure::Error(anyhow!("proof refused: {refusal}"))),
    }
}
