// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Claim, GameType, Hash} from "./Types.sol";

// Names are the reference's (dispute/lib/Errors.sol), so that callers know them by their selectors.

/// The factory has no implementation of the type.
error NoImplementation(GameType gameType);
/// There is such a game already.
error GameAlreadyExists(Hash uuid);
/// A root claim that no game can be about: of a block not after the anchor's, or with a VM status
/// that contradicts the move.
error UnexpectedRootClaim(Claim rootClaim);
/// The contract has been initialised before.
error AlreadyInitialized();
/// The value is not the bond.
error IncorrectBondAmount();
/// There is nothing to be claimed.
error NoCreditToClaim();
/// The bond could not be paid out.
error BondTransferFailed();
/// The extra data has another length.
error BadExtraData();
/// Roots, of the game and of execution traces, can be attacked only.
error CannotDefendRootClaim();
/// The same move has been made.
error ClaimAlreadyExists();
/// The claim at the index is another one.
error InvalidDisputedClaimIndex();
/// The game has been resolved.
error GameNotInProgress();
/// The mover has no time left.
error ClockTimeExceeded();
/// Somebody may still move against the claim.
error ClockNotExpired();
/// The position is deeper than the game.
error GameDepthExceeded();
/// Steps are made against claims of the last depth only.
error InvalidParent();
/// The state data is not the pre-image of the state before the step.
error InvalidPrestate();
/// The step shows nothing wrong.
error ValidStep();
/// There is no such local data.
error InvalidLocalIdent();
/// Claims below have not been resolved.
error OutOfOrderResolution();
/// The claim has been resolved.
error ClaimAlreadyResolved();
/// The claim is of an output root, not of an execution trace.
error ClaimAboveSplit();
/// The split depth is less than 2 or leaves no two levels below.
error InvalidSplitDepth();
/// An extension is longer than a clock.
error InvalidClockExtension();
/// The oracle's challenge period does not fit into 64 bits.
error InvalidChallengePeriod();
/// The game is deeper than positions can be.
error MaxDepthTooLarge();
/// The claim has been stepped against.
error DuplicateStep();
/// There is no anchor root of the game's type.
error AnchorRootNotFound();
/// The proof is not of the root claim.
error InvalidOutputRootProof();
/// The header is not the block's, or not a header.
error InvalidHeaderRLP();
/// The block has the number that was claimed.
error BlockNumberMatches();
/// The block number has been challenged.
error L2BlockNumberChallenged();
/// The game's result is not final yet.
error GameNotFinalized();
/// The game has not been resolved.
error GameNotResolved();
/// The chain is not the game's.
error UnknownChainId();
/// The caller may not do this.
error BadAuth();
