//! Compiled contracts: `contracts/artifacts/`, embedded.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A compiled contract.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Its name.
    pub contract: String,
    /// Its interface, as JSON.
    pub abi: Box<RawValue>,
    /// What is sent to create it, before the constructor's arguments.
    #[serde(with = "const_hex::serde")]
    pub bytecode: Vec<u8>,
    /// What it is on chain, with zeros in place of immutable variables.
    #[serde(with = "const_hex::serde")]
    pub deployed_bytecode: Vec<u8>,
    /// Where its state variables are.
    pub storage: BTreeMap<String, Place>,
}

/// Where a state variable is in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// The number of the slot.
    pub slot: u64,
    /// Bytes from the right end of the slot.
    pub offset: u64,
}

macro_rules! artifacts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Panics
            /// Never: the tests read all artifacts.
            #[must_use]
            pub fn $name() -> Artifact {
                let text = include_str!(concat!("../../artifacts/", $file, ".json"));
                serde_json::from_str(text).expect("artifacts are written by the build")
            }
        )*

        /// All of them.
        #[must_use]
        pub fn all() -> Vec<Artifact> {
            vec![$($name()),*]
        }
    };
}

artifacts! {
    /// The single-step verifier of state version 8.
    cannon_vm = "CannonVM";
    /// The newest proved output root of each type of game.
    anchor_state_registry = "AnchorStateRegistry";
    /// The holder of bonds.
    delayed_weth = "DelayedWETH";
    /// The factory of games.
    dispute_game_factory = "DisputeGameFactory";
    /// The code of games of Cannon's type.
    fault_dispute_game = "FaultDisputeGame";
    /// The pre-image oracle.
    preimage_oracle = "PreimageOracle";
}

/// The toy machine of the simulator's scripts (`contracts/test/ToyVm.sol`), which is no part of
/// the system and is deployed in tests only.
///
/// # Panics
/// Never: the tests read it.
#[must_use]
pub fn toy_vm() -> Artifact {
    let text = include_str!("../../artifacts/test/ToyVm.json");
    serde_json::from_str(text).expect("artifacts are written by the build")
}

#[cfg(test)]
mod tests {
    /// EIP-170.
    const MAX_RUNTIME: usize = 24_576;

    #[test]
    fn every_artifact_can_be_read_and_deployed() {
        for artifact in super::all().into_iter().chain([super::toy_vm()]) {
            let length = artifact.deployed_bytecode.len();
            assert!(
                length > 0 && length <= MAX_RUNTIME,
                "{}: {length}",
                artifact.contract
            );
            assert!(artifact.bytecode.len() > length, "{}", artifact.contract);
        }
    }
}
