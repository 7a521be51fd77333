// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// Names are the reference's (CannonErrors.sol), so that callers know them by their selectors.

/// The part begins behind the end of the pre-image.
error PartOffsetOOB();
/// A proof does not verify: of a blob's element, or of a leaf of a proposal.
error InvalidProof();
/// The call leaves less gas for the precompile than its key names.
error NotEnoughGas();
/// The state matrix is not the one that the leaf before commits to.
error InvalidPreimage();
/// Input that is not whole blocks, or not of the claimed size, or too small for a proposal.
error InvalidInputSize();
/// Leaves are not added where the last ones ended.
error WrongStartingBlock();
/// The two leaves do not follow one another, or are not the ones that the call is about.
error StatesNotContiguous();
/// The challenged leaf is right.
error PostStateMatches();
/// The proposal has more blocks than the tree has room for.
error TreeSizeOverflow();
/// All leaves have been added already.
error AlreadyFinalized();
/// The proposal is not complete, or can still be challenged.
error ActiveProposal();
/// The proposal has been challenged with success.
error BadProposal();
/// There is no such proposal.
error NotInitialized();
/// The proposal exists already.
error AlreadyInitialized();
/// The caller is a contract.
error NotEOA();
/// The bond is too small.
error InsufficientBond();
/// The bond could not be paid out.
error BondTransferFailed();
/// The pre-image's part has not been loaded.
error PreimageMissing();
/// The challenge period does not fit into 64 bits.
error ChallengePeriodTooLarge();
