//! What players do, as calls of the game's contract.

use alloy_primitives::{Address, B256, U256};
use carronade_contracts::abi::{FaultDisputeGame as Abi, OutputRootProof};
use carronade_dispute::provider::{BlockNumberProof, StepData};
use carronade_dispute::solver::Resolution;
use carronade_dispute::{Game, GameError};

use crate::sender::Request;

/// Makes a claim, with its bond.
///
/// # Errors
/// [`GameError`] when the game has no place for it.
pub fn make_claim(
    at: Address,
    game: &Game,
    parent: usize,
    is_attack: bool,
    value: B256,
) -> Result<Request, GameError> {
    let against = game
        .claims()
        .get(parent)
        .ok_or(GameError::IndexOutOfBounds)?;
    let position = against.position.after_move(is_attack);
    let bond = game.required_bond(position.depth())?;
    let call = Abi::moveCall {
        disputed: against.value,
        challengeIndex: U256::from(parent),
        claim: value,
        isAttack: is_attack,
    };
    let how = if is_attack { "attack" } else { "defend" };
    let purpose = format!(
        "game {at}: {how} claim {parent} ({}) with {value}",
        against.value
    );
    Ok(Request::new(purpose, at, &call, U256::from(bond)))
}

/// Counters a claim at the bottom by a step.
#[must_use]
pub fn step(at: Address, claim: usize, is_attack: bool, data: &StepData) -> Request {
    let call = Abi::stepCall {
        claimIndex: U256::from(claim),
        isAttack: is_attack,
        stateData: data.state_data.clone().into(),
        proof: data.proof.clone().into(),
    };
    let purpose = format!("game {at}: step against claim {claim}");
    Request::new(purpose, at, &call, U256::ZERO)
}

/// Shows that the root is of another block.
#[must_use]
pub fn challenge_block_number(at: Address, shown: &BlockNumberProof) -> Request {
    let call = Abi::challengeRootL2BlockCall {
        outputRootProof: OutputRootProof {
            version: shown.proof.version,
            stateRoot: shown.proof.state_root,
            messagePasserStorageRoot: shown.proof.message_passer_storage_root,
            latestBlockhash: shown.proof.latest_blockhash,
        },
        headerRLP: shown.header_rlp.clone().into(),
    };
    let purpose = format!("game {at}: challenge the root's block number");
    Request::new(purpose, at, &call, U256::ZERO)
}

/// Decides how bonds are distributed.
#[must_use]
pub fn close(at: Address) -> Request {
    let purpose = format!("game {at}: close");
    Request::new(purpose, at, &Abi::closeGameCall {}, U256::ZERO)
}

/// Brings a game to its end. Whether a credit has been unlocked says which of the two calls that
/// it takes is the next.
#[must_use]
pub fn resolution(at: Address, resolution: Resolution, unlocked: bool) -> Request {
    match resolution {
        Resolution::ResolveClaim {
            claim,
            num_to_resolve,
        } => {
            let call = Abi::resolveClaimCall {
                claimIndex: U256::from(claim),
                numToResolve: U256::from(num_to_resolve),
            };
            let purpose = format!("game {at}: resolve claim {claim} ({num_to_resolve} below it)");
            Request::new(purpose, at, &call, U256::ZERO)
        }
        Resolution::Resolve => {
            let purpose = format!("game {at}: resolve");
            Request::new(purpose, at, &Abi::resolveCall {}, U256::ZERO)
        }
        Resolution::ClaimCredit { recipient } => {
            let what = if unlocked { "withdraw" } else { "unlock" };
            let purpose = format!("game {at}: {what} the credit of {recipient}");
            Request::new(purpose, at, &Abi::claimCreditCall { recipient }, U256::ZERO)
        }
    }
}
