// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import "./Errors.sol";
import {Moves} from "./Moves.sol";
import {Position} from "./Position.sol";
import {BondDistributionMode, Duration, GameStatus, Timestamp} from "./Types.sol";

/// How a game ends, and who gets what.
abstract contract Resolution is Moves {
    struct ResolutionCheckpoint {
        bool initialCheckpointComplete;
        uint32 subgameIndex;
        Position leftmostPosition;
        address counteredBy;
    }

    event GameClosed(BondDistributionMode bondDistributionMode);

    /// What the outcome gives to everybody.
    mapping(address => uint256) public normalModeCredit;
    mapping(uint256 claimIndex => bool) public resolvedSubgames;
    /// How far the resolution of each claim is.
    mapping(uint256 claimIndex => ResolutionCheckpoint) public resolutionCheckpoints;
    mapping(address => bool) public hasUnlockedCredit;
    BondDistributionMode public bondDistributionMode;

    /// How many moves against a claim are still to be looked at.
    function getNumToResolve(uint256 claimIndex) external view returns (uint256) {
        return subgames[claimIndex].length - resolutionCheckpoints[claimIndex].subgameIndex;
    }

    /// Decides whether a claim stands, once nobody has time to move against it, and all claims
    /// against it have been decided. Looks at `numToResolve` of them; 0 at the first call is all.
    ///
    /// The leftmost of those that stand counters the claim and wins its bond: one that is further to
    /// the right may be uncountered only because nobody disagrees with what it says.
    function resolveClaim(uint256 claimIndex, uint256 numToResolve) external inProgress {
        uint64 used = Duration.unwrap(getChallengerDuration(claimIndex));
        if (used < Duration.unwrap(maxClockDuration)) revert ClockNotExpired();
        if (resolvedSubgames[claimIndex]) revert ClaimAlreadyResolved();
        uint256[] storage challenges = subgames[claimIndex];
        if (challenges.length == 0 && claimIndex != 0) {
            // Who stepped against it, if somebody did, counters it.
            return finish(claimIndex, claimList[claimIndex].counteredBy);
        }
        ResolutionCheckpoint memory checkpoint = resolutionCheckpoints[claimIndex];
        if (!checkpoint.initialCheckpointComplete) {
            checkpoint.leftmostPosition = Position.wrap(type(uint128).max);
            checkpoint.initialCheckpointComplete = true;
            if (numToResolve == 0) numToResolve = challenges.length;
        }
        uint256 end = checkpoint.subgameIndex + numToResolve;
        if (end > challenges.length) end = challenges.length;
        for (uint256 n = checkpoint.subgameIndex; n < end; n++) {
            consider(checkpoint, challenges[n]);
        }
        checkpoint.subgameIndex = uint32(end);
        resolutionCheckpoints[claimIndex] = checkpoint;
        if (end != challenges.length) return;
        bool isWrongNumber = claimIndex == 0 && l2BlockNumberChallenged;
        finish(claimIndex, isWrongNumber ? l2BlockNumberChallenger : checkpoint.counteredBy);
    }

    /// Ends the game, once the root claim has been decided.
    function resolve() external inProgress returns (GameStatus) {
        if (!resolvedSubgames[0]) revert OutOfOrderResolution();
        bool stands = claimList[0].counteredBy == address(0);
        status = stands ? GameStatus.DEFENDER_WINS : GameStatus.CHALLENGER_WINS;
        resolvedAt = Timestamp.wrap(uint64(block.timestamp));
        emit Resolved(status);
        return status;
    }

    /// Decides how bonds are given out, once the game's result is final, and offers the result to
    /// the registry. Does nothing if that has been decided.
    function closeGame() public {
        if (bondDistributionMode != BondDistributionMode.UNDECIDED) return;
        if (Timestamp.unwrap(resolvedAt) == 0) revert GameNotResolved();
        if (!anchorStateRegistry().isGameFinalized(this)) revert GameNotFinalized();
        // It may be older than the anchor, or have gone to the challengers.
        try anchorStateRegistry().setAnchorState(this) {} catch {}
        bool isProper = anchorStateRegistry().isGameProper(this);
        bondDistributionMode = isProper ? BondDistributionMode.NORMAL : BondDistributionMode.REFUND;
        emit GameClosed(bondDistributionMode);
    }

    /// Pays somebody what they are due: the first call unlocks it, a second one, after the delay of
    /// the bonds' holder, pays.
    function claimCredit(address recipient) external {
        closeGame();
        uint256 amount = credit(recipient);
        if (!hasUnlockedCredit[recipient]) {
            hasUnlockedCredit[recipient] = true;
            weth().unlock(recipient, amount);
            return;
        }
        if (amount == 0) revert NoCreditToClaim();
        refundModeCredit[recipient] = 0;
        normalModeCredit[recipient] = 0;
        weth().withdraw(recipient, amount);
        (bool ok,) = recipient.call{value: amount}("");
        if (!ok) revert BondTransferFailed();
    }

    /// What somebody is due, as far as it is known.
    function credit(address recipient) public view returns (uint256) {
        bool refunds = bondDistributionMode == BondDistributionMode.REFUND;
        return refunds ? refundModeCredit[recipient] : normalModeCredit[recipient];
    }

    /// Takes a claim into account that was made against the one which is being resolved.
    function consider(ResolutionCheckpoint memory checkpoint, uint256 challenge) private view {
        if (!resolvedSubgames[challenge]) revert OutOfOrderResolution();
        ClaimData storage claim = claimList[challenge];
        bool isFurtherLeft = claim.position.raw() < checkpoint.leftmostPosition.raw();
        if (claim.counteredBy == address(0) && isFurtherLeft) {
            checkpoint.counteredBy = claim.claimant;
            checkpoint.leftmostPosition = claim.position;
        }
    }

    /// The bond goes to who counters the claim, or back.
    function finish(uint256 claimIndex, address counteredBy) private {
        ClaimData storage claim = claimList[claimIndex];
        resolvedSubgames[claimIndex] = true;
        if (claim.counteredBy != counteredBy) claim.counteredBy = counteredBy;
        normalModeCredit[counteredBy == address(0) ? claim.claimant : counteredBy] += claim.bond;
    }
}
