//! Calls of a script as transactions.

use crate::abi::{FaultDisputeGame as Game, OutputRootProof};
use alloy_sol_types::SolCall;
use carronade_dispute::script::Call;
use revm::primitives::{Address, U256};

/// A transaction to the game.
pub struct Transaction {
    /// The caller.
    pub sender: Address,
    /// The call.
    pub data: Vec<u8>,
    /// Wei sent along.
    pub value: U256,
}

/// The transaction that a call is; none if it only sets the time.
pub fn of(call: &Call) -> Option<Transaction> {
    let value = match call {
        Call::Move { value, .. } => U256::from(*value),
        _ => U256::ZERO,
    };
    Some(Transaction {
        sender: call.sender()?,
        data: data(call)?,
        value,
    })
}

fn data(call: &Call) -> Option<Vec<u8>> {
    Some(match call {
        Call::Warp { .. } => return None,
        Call::Move {
            disputed,
            parent,
            claim,
            attack,
            ..
        } => Game::moveCall {
            disputed: *disputed,
            challengeIndex: U256::from(*parent),
            claim: *claim,
            isAttack: *attack,
        }
        .abi_encode(),
        Call::Step {
            claim,
            attack,
            state_data,
            proof,
            ..
        } => Game::stepCall {
            claimIndex: U256::from(*claim),
            isAttack: *attack,
            stateData: state_data.clone(),
            proof: proof.clone(),
        }
        .abi_encode(),
        Call::AddLocalData {
            ident,
            claim,
            part_offset,
            ..
        } => Game::addLocalDataCall {
            ident: U256::from(*ident),
            execLeafIdx: U256::from(*claim),
            partOffset: U256::from(*part_offset),
        }
        .abi_encode(),
        Call::ChallengeRootL2Block {
            proof, header_rlp, ..
        } => Game::challengeRootL2BlockCall {
            outputRootProof: OutputRootProof {
                version: proof[0],
                stateRoot: proof[1],
                messagePasserStorageRoot: proof[2],
                latestBlockhash: proof[3],
            },
            headerRLP: header_rlp.clone(),
        }
        .abi_encode(),
        Call::ResolveClaim {
            claim,
            num_to_resolve,
            ..
        } => Game::resolveClaimCall {
            claimIndex: U256::from(*claim),
            numToResolve: U256::from(*num_to_resolve),
        }
        .abi_encode(),
        Call::Resolve { .. } => Game::resolveCall {}.abi_encode(),
        Call::CloseGame { .. } => Game::closeGameCall {}.abi_encode(),
        Call::ClaimCredit { recipient, .. } => Game::claimCreditCall {
            recipient: *recipient,
        }
        .abi_encode(),
    })
}
