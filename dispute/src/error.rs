//! Why the contract refuses a call, by the names of its own errors.

use alloy_primitives::B256;

/// What a call reverts with (`src/dispute/lib/Errors.sol`, `DelayedWETH.sol`), one for each
/// rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GameError {
    /// `MaxDepthTooLarge`: at creation.
    #[error("the game may not be deeper than 125")]
    MaxDepthTooLarge,
    /// `InvalidSplitDepth`: at creation.
    #[error("the split depth must be at least 2, and at least 2 above the bottom")]
    InvalidSplitDepth,
    /// `InvalidClockExtension`: at creation.
    #[error("the longest extension does not fit into a clock")]
    InvalidClockExtension,
    /// `AnchorRootNotFound`: at creation.
    #[error("there is no anchor for this type of game")]
    AnchorRootNotFound,
    /// `UnexpectedRootClaim`: at creation a block at or before the anchor; at the top of an
    /// execution trace a status byte that does not fit the side that moves.
    #[error("the claim {0} cannot stand at the root")]
    UnexpectedRootClaim(B256),
    /// `GameNotInProgress`.
    #[error("the game is over")]
    GameNotInProgress,
    /// Solidity's panic 0x32, where the contract reads a claim that is not there.
    #[error("there is no such claim")]
    IndexOutOfBounds,
    /// `InvalidDisputedClaimIndex`.
    #[error("the claim with that index is another one")]
    InvalidDisputedClaimIndex,
    /// `CannotDefendRootClaim`.
    #[error("the root of a game or of an execution trace cannot be defended")]
    CannotDefendRootClaim,
    /// `L2BlockNumberChallenged`.
    #[error("the root's block number has been challenged")]
    L2BlockNumberChallenged,
    /// `GameDepthExceeded`.
    #[error("below the bottom of the game")]
    GameDepthExceeded,
    /// `IncorrectBondAmount`.
    #[error("the value sent is not the bond")]
    IncorrectBondAmount,
    /// `ClockTimeExceeded`.
    #[error("the clock has run out")]
    ClockTimeExceeded,
    /// `ClaimAlreadyExists`.
    #[error("the same claim has been made")]
    ClaimAlreadyExists,
    /// `InvalidParent`: a step against a claim that is not at the bottom.
    #[error("a step counters claims at the bottom only")]
    InvalidParent,
    /// `InvalidPrestate`.
    #[error("the state is not the one that the step starts from")]
    InvalidPrestate,
    /// What the machine's contract reverts with.
    #[error("the machine refuses the step: {0}")]
    VmReverted(String),
    /// `ValidStep`: the step shows the claim to be right.
    #[error("the step does not counter the claim")]
    ValidStep,
    /// `DuplicateStep`.
    #[error("the claim has been countered by a step")]
    DuplicateStep,
    /// `ClaimAboveSplit`.
    #[error("the claim is not in an execution trace")]
    ClaimAboveSplit,
    /// `InvalidLocalIdent`.
    #[error("there is no local data with that number")]
    InvalidLocalIdent,
    /// `InvalidOutputRootProof`.
    #[error("the proof is not of the root claim")]
    InvalidOutputRootProof,
    /// `InvalidHeaderRLP`, and whatever the contract's RLP reader reverts with.
    #[error("the header is not the block's, or not a header")]
    InvalidHeaderRLP,
    /// `BlockNumberMatches`.
    #[error("the block has the number that the game claims")]
    BlockNumberMatches,
    /// `ClockNotExpired`.
    #[error("there is time left on the clock")]
    ClockNotExpired,
    /// `ClaimAlreadyResolved`.
    #[error("the claim has been resolved")]
    ClaimAlreadyResolved,
    /// `OutOfOrderResolution`.
    #[error("claims below it must be resolved first")]
    OutOfOrderResolution,
    /// `GamePaused`.
    #[error("the system is paused")]
    GamePaused,
    /// `GameNotResolved`.
    #[error("the game is not resolved")]
    GameNotResolved,
    /// `GameNotFinalized`.
    #[error("the game is not final yet")]
    GameNotFinalized,
    /// `NoCreditToClaim`.
    #[error("there is no credit")]
    NoCreditToClaim,
    /// `DelayedWETH: withdrawal delay not met`.
    #[error("the credit cannot be withdrawn yet")]
    WithdrawalDelayNotMet,
}

impl GameError {
    /// The name of the contract's error, `IndexOutOfBounds` for panic 0x32, `VmReverted`
    /// and `WithdrawalDelayNotMet` for what has no name there.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = format!("{self:?}");
        name.truncate(name.find('(').unwrap_or(name.len()));
        name
    }
}
