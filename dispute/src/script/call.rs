//! One call of a script.

use super::{FINALITY_DELAY, WITHDRAWAL_DELAY};
use crate::error::GameError;
use crate::game::{Closing, Game, LocalIdent, Message, Move, OutputRootProof, Payout, Step};
use crate::sim::toy::ToyVm;
use alloy_primitives::{Address, B256, Bytes, U128};
use serde::{Deserialize, Serialize};

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "camelCase")]
pub enum Call {
    /// Time is set, in seconds; calls do not advance it.
    Warp {
        /// The time of the blocks that follow.
        timestamp: u64,
    },
    /// `move`.
    Move {
        /// The caller.
        sender: Address,
        /// The wei sent along.
        value: U128,
        /// `_disputed`.
        disputed: B256,
        /// `_challengeIndex`.
        parent: usize,
        /// `_claim`.
        claim: B256,
        /// `_isAttack`.
        attack: bool,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `step`.
    Step {
        /// The caller.
        sender: Address,
        /// `_claimIndex`.
        claim: usize,
        /// `_isAttack`.
        attack: bool,
        /// `_stateData`.
        state_data: Bytes,
        /// `_proof`.
        proof: Bytes,
        /// The error, if it reverts; `VmReverted` for any that comes from the machine.
        error: Option<String>,
    },
    /// `addLocalData`, with what the oracle has to be given.
    AddLocalData {
        /// The caller.
        sender: Address,
        /// `_ident`.
        ident: u64,
        /// `_execLeafIdx`.
        claim: usize,
        /// `_partOffset`.
        part_offset: u32,
        /// What `loadLocalData` is called with: local context, word, size.
        loads: Option<(B256, B256, u64)>,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `challengeRootL2Block`.
    ChallengeRootL2Block {
        /// The caller.
        sender: Address,
        /// `_outputRootProof`: its four words.
        proof: [B256; 4],
        /// `_headerRLP`.
        header_rlp: Bytes,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `resolveClaim`.
    ResolveClaim {
        /// The caller.
        sender: Address,
        /// `_claimIndex`.
        claim: usize,
        /// `_numToResolve`.
        num_to_resolve: usize,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `resolve`.
    Resolve {
        /// The caller.
        sender: Address,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `closeGame`.
    CloseGame {
        /// The caller.
        sender: Address,
        /// The error, if it reverts.
        error: Option<String>,
    },
    /// `claimCredit`.
    ClaimCredit {
        /// The caller.
        sender: Address,
        /// `_recipient`.
        recipient: Address,
        /// The wei that the recipient is paid; none by a call that unlocks.
        paid: U128,
        /// The error, if it reverts.
        error: Option<String>,
    },
}

impl Call {
    /// Makes the call on the model, and notes what comes of it.
    #[must_use]
    pub fn perform(mut self, game: &mut Game, vm: &ToyVm, now: &mut u64) -> Self {
        let message = |sender: Address, value: U128, timestamp: u64| Message {
            sender,
            value: value.to(),
            timestamp,
        };
        let at = |sender: Address| message(sender, U128::ZERO, *now);
        match &mut self {
            Self::Warp { timestamp } => *now = *timestamp,
            Self::Move {
                sender,
                value,
                disputed,
                parent,
                claim,
                attack,
                error,
            } => {
                let move_ = Move {
                    parent: *parent,
                    disputed: *disputed,
                    claim: *claim,
                    is_attack: *attack,
                };
                *error = outcome(game.move_(message(*sender, *value, *now), move_));
            }
            Self::Step {
                sender,
                claim,
                attack,
                state_data,
                proof,
                error,
            } => {
                let step = Step {
                    claim: *claim,
                    is_attack: *attack,
                    state_data,
                    proof,
                };
                *error = outcome(game.step(at(*sender), step, vm));
            }
            Self::AddLocalData {
                ident,
                claim,
                loads,
                error,
                ..
            } => {
                let data = local_data(game, *ident, *claim);
                *loads = data.as_ref().ok().copied();
                *error = outcome(data);
            }
            Self::ChallengeRootL2Block {
                sender,
                proof,
                header_rlp,
                error,
            } => {
                let [
                    version,
                    state_root,
                    message_passer_storage_root,
                    latest_blockhash,
                ] = *proof;
                let proof = OutputRootProof {
                    version,
                    state_root,
                    message_passer_storage_root,
                    latest_blockhash,
                };
                let done = game.challenge_root_l2_block(at(*sender), &proof, header_rlp);
                *error = outcome(done);
            }
            Self::ResolveClaim {
                sender,
                claim,
                num_to_resolve,
                error,
            } => *error = outcome(game.resolve_claim(at(*sender), *claim, *num_to_resolve)),
            Self::Resolve { sender, error } => *error = outcome(game.resolve(at(*sender))),
            Self::CloseGame { error, .. } => *error = outcome(game.close(closing(game, *now))),
            Self::ClaimCredit {
                recipient,
                paid,
                error,
                ..
            } => {
                let done = game.claim_credit(*recipient, *now, closing(game, *now));
                *paid = match done {
                    Ok(Payout::Paid(wei)) => U128::from(wei),
                    _ => U128::ZERO,
                };
                *error = outcome(done);
            }
        }
        self
    }

    /// The contract's function, or `warp`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Warp { .. } => "warp",
            Self::Move { .. } => "move",
            Self::Step { .. } => "step",
            Self::AddLocalData { .. } => "addLocalData",
            Self::ChallengeRootL2Block { .. } => "challengeRootL2Block",
            Self::ResolveClaim { .. } => "resolveClaim",
            Self::Resolve { .. } => "resolve",
            Self::CloseGame { .. } => "closeGame",
            Self::ClaimCredit { .. } => "claimCredit",
        }
    }

    /// Who calls.
    #[must_use]
    pub fn sender(&self) -> Option<Address> {
        match self {
            Self::Warp { .. } => None,
            Self::Move { sender, .. }
            | Self::Step { sender, .. }
            | Self::AddLocalData { sender, .. }
            | Self::ChallengeRootL2Block { sender, .. }
            | Self::ResolveClaim { sender, .. }
            | Self::Resolve { sender, .. }
            | Self::CloseGame { sender, .. }
            | Self::ClaimCredit { sender, .. } => Some(*sender),
        }
    }

    /// The error that the call reverts with, if it does.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Warp { .. } => None,
            Self::Move { error, .. }
            | Self::Step { error, .. }
            | Self::AddLocalData { error, .. }
            | Self::ChallengeRootL2Block { error, .. }
            | Self::ResolveClaim { error, .. }
            | Self::Resolve { error, .. }
            | Self::CloseGame { error, .. }
            | Self::ClaimCredit { error, .. } => error.as_deref(),
        }
    }
}

/// The contract looks at the game before it looks at the number.
fn local_data(game: &Game, ident: u64, claim: usize) -> Result<(B256, B256, u64), GameError> {
    let known = LocalIdent::from_number(ident);
    let data = game.local_data(*known.as_ref().unwrap_or(&LocalIdent::L1Head), claim)?;
    known?;
    Ok((data.local_context, data.word, data.size))
}

/// What the anchor registry says in scripts: all games are its factory's, and nobody pauses.
fn closing(game: &Game, now: u64) -> Closing {
    let finalized = game
        .resolved_at()
        .is_some_and(|resolved_at| now - resolved_at > FINALITY_DELAY);
    Closing {
        paused: false,
        finalized,
        proper: true,
        withdrawal_delay: WITHDRAWAL_DELAY,
    }
}

fn outcome<T>(result: Result<T, GameError>) -> Option<String> {
    result.err().map(|error| error.name())
}
