// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ClaimTree} from "./ClaimTree.sol";
import "./Errors.sol";
import {Moves} from "./Moves.sol";
import {LibPosition, Position} from "./Position.sol";
import {Resolution} from "./Resolution.sol";
import {Rlp} from "./Rlp.sol";
import {Claim, Duration, Hash, OutputRootProof, Proposal, Timestamp} from "./Types.sol";

/// A dispute about an output root of an L2 chain, by bisection: first over output roots of blocks,
/// then over states of a machine that executes the program which computes one from another, down to
/// one step, which is executed here. Any machine will do.
///
/// Rules, functions, events and errors are those of the reference's FaultDisputeGame.sol 2.4.2. One
/// contract holds the code; games are clones of it that the factory makes.
contract FaultDisputeGame is Resolution {
    /// The version of the reference whose interface this is.
    string public constant version = "2.4.2";

    Position private constant ROOT_POSITION = Position.wrap(1);

    constructor(GameConstructorParams memory params) ClaimTree(params) {
        if (params.maxGameDepth > LibPosition.MAX_DEPTH) revert MaxDepthTooLarge();
        // Between the root of an execution trace and the last depth there must be another level.
        if (params.splitDepth >= params.maxGameDepth || params.splitDepth + 1 >= params.maxGameDepth) {
            revert InvalidSplitDepth();
        }
        // The longer extension is one level above the split.
        if (params.splitDepth < 2) revert InvalidSplitDepth();
        uint256 extension = 2 * uint256(Duration.unwrap(params.clockExtension));
        if (extension > Duration.unwrap(params.maxClockDuration)) revert InvalidClockExtension();
        if (Duration.unwrap(params.maxClockDuration) > type(uint48).max) revert InvalidClockExtension();
    }

    /// Bonds come back from their holder here, to be passed on.
    receive() external payable {}

    /// Begins the game with the root claim. The factory calls it once.
    function initialize() external payable {
        if (initialized) revert AlreadyInitialized();
        // More or less extra data would make other games about the same claim possible.
        if (argumentsLength() != ARGUMENTS_LENGTH) revert BadExtraData();
        (Hash root, uint256 number) = anchorStateRegistry().anchors(gameType());
        if (Hash.unwrap(root) == 0) revert AnchorRootNotFound();
        startingOutputRoot = Proposal(root, number);
        if (l2BlockNumber() <= number || l2BlockNumber() > type(uint64).max) revert UnexpectedRootClaim(rootClaim());
        expectExtensionsToFit();
        initialized = true;
        createdAt = Timestamp.wrap(uint64(block.timestamp));
        pushClaim(gameCreator(), NO_PARENT, rootClaim(), ROOT_POSITION, 0);
    }

    /// Shows that the block which the root claim is of has another number than claimed. That
    /// counters the root claim, whatever else happens.
    function challengeRootL2Block(OutputRootProof calldata outputRootProof, bytes calldata headerRLP)
        external
        inProgress
    {
        if (l2BlockNumberChallenged) revert L2BlockNumberChallenged();
        if (keccak256(abi.encode(outputRootProof)) != Claim.unwrap(rootClaim())) revert InvalidOutputRootProof();
        if (keccak256(headerRLP) != outputRootProof.latestBlockhash) revert InvalidHeaderRLP();
        if (Rlp.blockNumber(headerRLP) == l2BlockNumber()) revert BlockNumberMatches();
        l2BlockNumberChallenger = msg.sender;
        l2BlockNumberChallenged = true;
    }

    /// The extension before a step depends on the oracle, which the constructor does not know.
    function expectExtensionsToFit() private view {
        uint256 period = vm().oracle().challengePeriod();
        if (period > type(uint64).max) revert InvalidChallengePeriod();
        uint256 extension = Duration.unwrap(clockExtension) + period;
        if (extension > Duration.unwrap(maxClockDuration)) revert InvalidClockExtension();
    }
}
