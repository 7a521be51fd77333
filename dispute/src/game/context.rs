//! Which claims an execution trace is about.

use super::Game;
use crate::error::GameError;
use crate::position::Position;
use alloy_primitives::{B256, U256, keccak256};

/// Local data of the pre-image oracle (`LocalPreimageKey`), by the identifiers' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LocalIdent {
    /// Hash of the L1 block that bounds the data.
    L1Head = 1,
    /// The output root that both sides agree on.
    StartingOutputRoot = 2,
    /// The output root in dispute.
    DisputedOutputRoot = 3,
    /// The block of the output root in dispute.
    DisputedL2BlockNumber = 4,
    /// The chain.
    ChainId = 5,
}

impl LocalIdent {
    /// The datum with a number.
    ///
    /// # Errors
    /// `InvalidLocalIdent`.
    pub fn from_number(number: u64) -> Result<Self, GameError> {
        Ok(match number {
            1 => Self::L1Head,
            2 => Self::StartingOutputRoot,
            3 => Self::DisputedOutputRoot,
            4 => Self::DisputedL2BlockNumber,
            5 => Self::ChainId,
            _ => return Err(GameError::InvalidLocalIdent),
        })
    }
}

/// What the game gives the oracle for a local key (`loadLocalData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalData {
    /// Which datum.
    pub ident: LocalIdent,
    /// The local context that it holds in.
    pub local_context: B256,
    /// The datum, numbers as big-endian 64 bits at the start.
    pub word: B256,
    /// How many bytes of the word count.
    pub size: u64,
}

/// The two neighbouring output roots that an execution trace leads from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Disputed {
    /// The output root that the trace starts from.
    pub starting: B256,
    /// Where it is claimed; none for the anchor, which is not in the game.
    pub starting_position: Option<Position>,
    /// The output root that the trace is to confirm or to refute.
    pub disputed: B256,
    /// Where it is claimed.
    pub disputed_position: Position,
}

impl Disputed {
    /// The bytes whose hash is the local context: claims and positions as words, the
    /// starting ones left out if they are the anchor's.
    #[must_use]
    pub fn preimage(&self) -> Vec<u8> {
        let word = |position: Position| U256::from(position.gindex()).to_be_bytes::<32>();
        let mut bytes = Vec::with_capacity(128);
        if let Some(position) = self.starting_position {
            bytes.extend_from_slice(self.starting.as_slice());
            bytes.extend_from_slice(&word(position));
        }
        bytes.extend_from_slice(self.disputed.as_slice());
        bytes.extend_from_slice(&word(self.disputed_position));
        bytes
    }

    /// What keeps the local data of different traces apart (`_computeLocalContext`).
    #[must_use]
    pub fn local_context(&self) -> B256 {
        keccak256(self.preimage())
    }
}

impl Game {
    /// The index of the claim at a position on the way from a claim up to the root.
    pub(super) fn trace_ancestor(&self, at: Position, from: usize) -> Result<usize, GameError> {
        let mut index = from;
        while self.claims[index].position != at {
            index = self.claims[index]
                .parent
                .ok_or(GameError::IndexOutOfBounds)?;
        }
        Ok(index)
    }

    /// The outputs around an output root at the split depth: those of a trace that attacks
    /// the claim end with it, those of one that defends it start with it.
    ///
    /// # Errors
    /// `IndexOutOfBounds` when the game has no such claims.
    pub fn outputs_around(&self, leaf: usize, is_attack: bool) -> Result<Disputed, GameError> {
        let claim = self.claim_or_panic(leaf)?;
        let ends = |position: Position| {
            let index = self.trace_ancestor(position.trace_ancestor(), leaf)?;
            Ok(self.claims[index])
        };
        let (starting, disputed) = match (is_attack, claim.position.previous()) {
            (true, None) => (None, *claim),
            (true, Some(before)) => (Some(ends(before)?), *claim),
            (false, _) => (Some(*claim), ends(claim.position.next())?),
        };
        Ok(Disputed {
            starting: starting.map_or(self.creation.starting.root, |claim| claim.value),
            starting_position: starting.map(|claim| claim.position),
            disputed: disputed.value,
            disputed_position: disputed.position,
        })
    }

    /// The outputs that the execution trace of a claim is about
    /// (`_findStartingAndDisputedOutputs`).
    ///
    /// # Errors
    /// `IndexOutOfBounds`; `ClaimAboveSplit` for an output root.
    pub fn disputed_outputs(&self, index: usize) -> Result<Disputed, GameError> {
        let mut claim = self.claim_or_panic(index)?;
        if claim.position.depth() <= self.parameters.split_depth {
            return Err(GameError::ClaimAboveSplit);
        }
        loop {
            let parent = claim.parent.ok_or(GameError::IndexOutOfBounds)?;
            let above = &self.claims[parent];
            if above.position.depth() <= self.parameters.split_depth {
                let is_attack = claim.position.parent() == Some(above.position);
                return self.outputs_around(parent, is_attack);
            }
            claim = above;
        }
    }

    /// The block that a claim of an output root is of: after the anchor, by the trace
    /// index, but not after the claimed one.
    ///
    /// # Panics
    /// When the position is below the split depth.
    #[must_use]
    pub fn claimed_block(&self, position: Position) -> u64 {
        let index = position.trace_index(self.parameters.split_depth);
        let after = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let block = self.creation.starting.l2_block.saturating_add(after);
        block.min(self.creation.claimed.l2_block)
    }

    /// What `addLocalData` gives to the oracle for the execution trace of a claim.
    ///
    /// # Errors
    /// `GameNotInProgress`, `IndexOutOfBounds`, `ClaimAboveSplit`.
    pub fn local_data(&self, ident: LocalIdent, index: usize) -> Result<LocalData, GameError> {
        self.in_progress()?;
        let outputs = self.disputed_outputs(index)?;
        let number = |number: u64| {
            let mut word = B256::ZERO;
            word[..8].copy_from_slice(&number.to_be_bytes());
            (word, 8)
        };
        let (word, size) = match ident {
            LocalIdent::L1Head => (self.creation.l1_head, 32),
            LocalIdent::StartingOutputRoot => (outputs.starting, 32),
            LocalIdent::DisputedOutputRoot => (outputs.disputed, 32),
            LocalIdent::DisputedL2BlockNumber => {
                number(self.claimed_block(outputs.disputed_position))
            }
            LocalIdent::ChainId => number(self.creation.l2_chain_id),
        };
        Ok(LocalData {
            ident,
            local_context: outputs.local_context(),
            word,
            size,
        })
    }
}
