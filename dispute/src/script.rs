//! A game as a list of calls, each with what comes of it.
//!
//! A script is JSON. It says what a game is created with, what machine and chain it is
//! played over (see [`crate::sim::toy`] for their rules, and `solidity/ToyVm.sol` for the
//! machine as a contract), then the calls in order, time set in between; each call has the sender, the
//! arguments and the outcome: `null`, or the name of the error that the contract reverts
//! with. At the end stand the claims, the status and the credits that the game has then.
//! Numbers that can be larger than 53 bits are hexadecimal strings.

use crate::error::GameError;
use crate::game::{Game, GameStatus, LocalIdent, Message, Move, OutputRootProof, Step};
use crate::parameters::{Creation, Parameters};
use crate::sim::toy::ToyVm;
use alloy_primitives::{Address, B256, Bytes, U128};
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 1;

/// A game, call by call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The version of the format.
    pub version: u32,
    /// What the game is played with.
    pub parameters: Parameters,
    /// What it is created with.
    pub creation: Creation,
    /// The machine.
    pub vm: ToyVm,
    /// What happens.
    pub calls: Vec<Call>,
    /// What it comes to.
    pub end: End,
}

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
}

/// What a game has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// `status`.
    pub status: GameStatus,
    /// `claimData`, by index.
    pub claims: Vec<ClaimData>,
    /// `normalModeCredit` of everybody who paid or won something, in order of addresses.
    pub credits: Vec<(Address, U128)>,
}

/// A claim as the contract gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimData {
    /// `parentIndex`; the root's is 2^32 - 1.
    pub parent_index: u32,
    /// `counteredBy`; zero for nobody.
    pub countered_by: Address,
    /// `claimant`.
    pub claimant: Address,
    /// `bond`.
    pub bond: U128,
    /// `claim`.
    pub claim: B256,
    /// `position`.
    pub position: U128,
    /// `clock`: duration shifted left by 64 bits, and the timestamp.
    pub clock: U128,
}

impl End {
    /// What a game has come to.
    #[must_use]
    pub fn of(game: &Game) -> Self {
        let claims = game.claims().iter().map(|claim| ClaimData {
            parent_index: claim.parent.map_or(u32::MAX, |parent| parent as u32),
            countered_by: claim.countered_by.unwrap_or_default(),
            claimant: claim.claimant,
            bond: U128::from(claim.bond),
            claim: claim.value,
            position: U128::from(claim.position.gindex()),
            clock: U128::from(
                u128::from(claim.clock.duration) << 64 | u128::from(claim.clock.timestamp),
            ),
        });
        let credits = game.participants().into_iter();
        Self {
            status: game.status(),
            claims: claims.collect(),
            credits: credits
                .map(|who| (who, U128::from(game.credit(who))))
                .collect(),
        }
    }
}

/// Where a script and the model part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// The format is another.
    #[error("version {0} of the format is unknown")]
    Version(u32),
    /// The game cannot be created.
    #[error("the game cannot be created: {0}")]
    Creation(GameError),
    /// A call has another outcome.
    #[error("call {index}: {told:?} is told, {found:?} is found")]
    Call {
        /// Which call.
        index: usize,
        /// What the script says.
        told: Box<Call>,
        /// What the model says.
        found: Box<Call>,
    },
    /// The end is another one.
    #[error("the game ends differently")]
    End,
}

impl Script {
    /// Plays the script on the model.
    ///
    /// # Errors
    /// The first difference.
    pub fn replay(&self) -> Result<Game, Divergence> {
        if self.version != VERSION {
            return Err(Divergence::Version(self.version));
        }
        let creation = self.creation.clone();
        let mut timestamp = creation.created_at;
        let mut game = Game::new(self.parameters, creation).map_err(Divergence::Creation)?;
        for (index, told) in self.calls.iter().enumerate() {
            let found = told.clone().perform(&mut game, &self.vm, &mut timestamp);
            if &found != told {
                let (told, found) = (Box::new(told.clone()), Box::new(found));
                return Err(Divergence::Call { index, told, found });
            }
        }
        if End::of(&game) == self.end {
            Ok(game)
        } else {
            Err(Divergence::End)
        }
    }
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
        }
        self
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
            | Self::Resolve { sender, .. } => Some(*sender),
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
            | Self::Resolve { error, .. } => error.as_deref(),
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

fn outcome<T>(result: Result<T, GameError>) -> Option<String> {
    result.err().map(|error| error.name())
}
