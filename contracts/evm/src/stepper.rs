//! The verifier and the oracle on a chain: executes steps from their proofs.

use crate::abi::{CannonVM, PreimageOracle};
use crate::artifact;
use crate::chain::{Chain, Receipt, intrinsic_gas, mapping_slot};
use alloy_sol_types::{SolCall, SolValue};
use carronade_emulator::hash::{Hash, keccak256};
use carronade_emulator::preimage::key_type;
use carronade_emulator::witness::{OracleData, StepWitness};
use revm::primitives::{Address, B256, Bytes, U256};

pub use crate::deployment::MIN_PROPOSAL;
/// How long large pre-images can be challenged, in seconds.
const CHALLENGE_PERIOD: u64 = 86_400;

/// Who sends everything.
pub const CALLER: Address = Address::repeat_byte(0xca);

/// A verifier and its oracle on a chain of their own.
pub struct Stepper {
    /// The chain.
    pub chain: Chain,
    /// The oracle's address.
    pub oracle: Address,
    /// The verifier's address.
    pub vm: Address,
    /// Slots of the oracle's lengths, parts, and marks of what is there.
    slots: [B256; 3],
}

/// What a step on chain led to.
#[derive(Debug, Clone)]
pub struct Stepped {
    /// Hash of the state after it, or the data of the revert.
    pub post: Result<Hash, Bytes>,
    /// Gas of the execution alone, without what the transaction costs to send.
    pub gas: u64,
    /// Gas of the whole transaction.
    pub transaction_gas: u64,
}

impl Default for Stepper {
    fn default() -> Self {
        Self::new()
    }
}

impl Stepper {
    /// Deploys both contracts on a new chain.
    #[must_use]
    pub fn new() -> Self {
        let mut chain = Chain::new();
        let oracle = deploy_oracle(&mut chain, CHALLENGE_PERIOD);
        let vm = deploy_vm(&mut chain, oracle);
        let storage = artifact::preimage_oracle().storage;
        let slots = ["preimageLengths", "preimageParts", "preimagePartOk"]
            .map(|name| U256::from(storage[name].slot).into());
        Self {
            chain,
            oracle,
            vm,
            slots,
        }
    }

    /// Executes a step, with what the oracle has.
    pub fn step(&mut self, witness: &StepWitness, local_context: Hash) -> Stepped {
        let call = CannonVM::stepCall {
            stateData: witness.state_data.clone().into(),
            proof: witness.proof_data.clone().into(),
            localContext: local_context.into(),
        };
        let data = call.abi_encode();
        let intrinsic = intrinsic_gas(&data);
        let Receipt { output, gas, .. } = self.chain.view(CALLER, self.vm, data);
        let post = output.map(|data| {
            let hash: B256 = B256::abi_decode(&data).expect("the function returns one word");
            hash.0
        });
        Stepped {
            post,
            gas: gas - intrinsic,
            transaction_gas: gas,
        }
    }

    /// Loads the part of a pre-image that a step reads, as a challenger would. Says whether
    /// the oracle took it; it has no such loader for blobs and precompiles, whose pre-images
    /// only a chain can tell.
    pub fn load(&mut self, data: &OracleData, local_context: Hash) -> bool {
        let (offset, value) = (U256::from(data.offset), &data.value[8..]);
        let call = match data.key[0] {
            key_type::LOCAL => local_call(data, offset, local_context),
            key_type::KECCAK256 => PreimageOracle::loadKeccak256PreimagePartCall {
                partOffset: offset,
                preimage: value.to_vec().into(),
            }
            .abi_encode(),
            key_type::SHA256 => PreimageOracle::loadSha256PreimagePartCall {
                partOffset: offset,
                preimage: value.to_vec().into(),
            }
            .abi_encode(),
            _ => return false,
        };
        let receipt = self.chain.call(CALLER, self.oracle, call, U256::ZERO);
        receipt.output.is_ok()
    }

    /// Writes a part into the oracle's storage, whatever its key, and past its checks.
    pub fn put(&mut self, data: &OracleData, local_context: Hash) {
        let key = B256::from(on_chain_key(&data.key, local_context));
        let offset = B256::from(U256::from(data.offset));
        let mut part = [0; 32];
        let rest = &data.value[data.offset as usize..];
        let count = rest.len().min(32);
        part[..count].copy_from_slice(&rest[..count]);
        let length = U256::from(data.value.len() - 8);
        let writes = [
            (mapping_slot(key, self.slots[0]), length),
            (
                mapping_slot(offset, mapping_slot(key, self.slots[1])),
                U256::from_be_bytes(part),
            ),
            (
                mapping_slot(offset, mapping_slot(key, self.slots[2])),
                U256::from(1),
            ),
        ];
        for (slot, value) in writes {
            self.chain.set_storage(self.oracle, slot, value);
        }
    }
}

/// Deploys an oracle, with how long large pre-images can be challenged, in seconds.
pub fn deploy_oracle(chain: &mut Chain, challenge_period: u64) -> Address {
    let periods = (U256::from(MIN_PROPOSAL), U256::from(challenge_period));
    let code = artifact::preimage_oracle().bytecode;
    chain.deploy(CALLER, &code, &periods.abi_encode_params())
}

/// Deploys the verifier of state version 8.
pub fn deploy_vm(chain: &mut Chain, oracle: Address) -> Address {
    let version = (oracle, U256::from(8));
    let code = artifact::cannon_vm().bytecode;
    chain.deploy(CALLER, &code, &version.abi_encode_params())
}

/// Local data longer than a word cannot be loaded; the game's own never is.
fn local_call(data: &OracleData, offset: U256, local_context: Hash) -> Vec<u8> {
    let value = &data.value[8..];
    let mut word = [0; 32];
    let count = value.len().min(32);
    word[..count].copy_from_slice(&value[..count]);
    let mut ident = data.key;
    ident[0] = 0;
    PreimageOracle::loadLocalDataCall {
        ident: U256::from_be_bytes(ident),
        localContext: local_context.into(),
        word: word.into(),
        size: U256::from(value.len()),
        partOffset: offset,
    }
    .abi_encode()
}

/// The key under which the oracle has a pre-image: local ones are the caller's own.
#[must_use]
pub fn on_chain_key(key: &Hash, local_context: Hash) -> Hash {
    if key[0] != key_type::LOCAL {
        return *key;
    }
    let caller: B256 = CALLER.into_word();
    let mut hash = keccak256(&[*key, caller.0, local_context].concat());
    hash[0] = key_type::LOCAL;
    hash
}
