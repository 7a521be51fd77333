//! Games between many actors, by chance, and the same again from the same seed.
//!
//! [`toy`] is a chain and a machine small enough for a contract of a few lines; [`actor`]
//! are those who play; [`arena`] lets them play one game and writes it down; [`payouts`] is
//! what follows; [`judge`] says what must hold in the end.

pub mod actor;
pub mod arena;
pub mod chance;
pub mod judge;
pub mod lie;
pub mod mischief;
pub mod payouts;
pub mod toy;
pub mod truth;

pub use arena::{Arena, Played, play};

/// The errors that calls of random games end in, all of them sooner or later: every one of the
/// contract's but those at creation, and those that take somebody who cannot be paid or a holder of
/// bonds that lies.
pub const ERRORS: [&str; 27] = [
    "BlockNumberMatches",
    "CannotDefendRootClaim",
    "ClaimAboveSplit",
    "ClaimAlreadyExists",
    "ClaimAlreadyResolved",
    "ClockNotExpired",
    "ClockTimeExceeded",
    "DuplicateStep",
    "GameDepthExceeded",
    "GameNotFinalized",
    "GameNotInProgress",
    "GameNotResolved",
    "IncorrectBondAmount",
    "IndexOutOfBounds",
    "InvalidDisputedClaimIndex",
    "InvalidHeaderRLP",
    "InvalidLocalIdent",
    "InvalidOutputRootProof",
    "InvalidParent",
    "InvalidPrestate",
    "L2BlockNumberChallenged",
    "NoCreditToClaim",
    "OutOfOrderResolution",
    "UnexpectedRootClaim",
    "ValidStep",
    "VmReverted",
    "WithdrawalDelayNotMet",
];
