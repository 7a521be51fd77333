// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Bonds} from "./Bonds.sol";
import {ClaimAboveSplit, GameDepthExceeded, GameNotInProgress} from "./Errors.sol";
import {GameArguments} from "./GameArguments.sol";
import {Position} from "./Position.sol";
import {Claim, Clock, Duration, GameStatus, Hash, LibClock, Proposal, Timestamp} from "./Types.sol";

/// The claims of a game and what follows from where they are.
///
/// Down to the split depth, claims are output roots, and a position stands for a block after the
/// starting one; below, under each claim at the split depth, they are states of the machine between
/// two neighbouring blocks. A claim's parent is the one that it moves against.
abstract contract ClaimTree is GameArguments {
    /// In four slots, of which a move writes three, and looking for an ancestor reads one; in the
    /// reference's order where [`claimData`] gives it out. All ether there is takes 87 bits, and 48
    /// bits of seconds are millions of years.
    struct ClaimData {
        Position position;
        uint32 parentIndex;
        uint96 bond;
        address claimant;
        /// The clock: seconds that the claimant's side has used, and since when the other's runs.
        uint48 elapsed;
        uint48 since;
        Claim claim;
        address counteredBy;
    }

    /// Two neighbouring output roots, of which the second is disputed. Position 0 stands for the
    /// anchor, which is no claim of the game.
    struct Outputs {
        Claim starting;
        Position startingPosition;
        Claim disputed;
        Position disputedPosition;
    }

    struct GameConstructorParams {
        uint256 maxGameDepth;
        uint256 splitDepth;
        Duration clockExtension;
        Duration maxClockDuration;
    }

    uint32 internal constant NO_PARENT = type(uint32).max;

    /// How deep claims can be; steps are made against those.
    uint256 public immutable maxGameDepth;
    /// How deep output roots can be.
    uint256 public immutable splitDepth;
    /// Time of each side.
    Duration public immutable maxClockDuration;
    /// Time that is always left for an answer.
    Duration public immutable clockExtension;
    uint256 private immutable bondGrowth;

    Timestamp public createdAt;
    Timestamp public resolvedAt;
    GameStatus public status;
    bool internal initialized;
    /// Whether the claimed block number has been shown to be wrong, and by whom.
    bool public l2BlockNumberChallenged;
    address public l2BlockNumberChallenger;
    /// All claims; the root claim is the first.
    ClaimData[] internal claimList;
    /// Which moves have been made.
    mapping(Hash => bool) public claims;
    /// The moves against each claim.
    mapping(uint256 claimIndex => uint256[]) public subgames;
    /// The anchor that the game starts from.
    Proposal public startingOutputRoot;

    modifier inProgress() {
        if (status != GameStatus.IN_PROGRESS) revert GameNotInProgress();
        _;
    }

    constructor(GameConstructorParams memory params) {
        maxGameDepth = params.maxGameDepth;
        splitDepth = params.splitDepth;
        clockExtension = params.clockExtension;
        maxClockDuration = params.maxClockDuration;
        bondGrowth = Bonds.growth(params.maxGameDepth);
    }

    function claimDataLen() external view returns (uint256) {
        return claimList.length;
    }

    /// A claim.
    function claimData(uint256 index)
        external
        view
        returns (
            uint32 parentIndex,
            address counteredBy,
            address claimant,
            uint128 bond,
            Claim claim,
            Position position,
            Clock clock
        )
    {
        ClaimData memory c = claimList[index];
        Clock clock_ = LibClock.pack(c.elapsed, c.since);
        return (c.parentIndex, c.counteredBy, c.claimant, c.bond, c.claim, c.position, clock_);
    }

    /// The number of the block that the game starts from.
    function startingBlockNumber() external view returns (uint256) {
        return startingOutputRoot.l2SequenceNumber;
    }

    function startingRootHash() external view returns (Hash) {
        return startingOutputRoot.root;
    }

    /// What a claim at a position costs, in wei.
    function getRequiredBond(Position position) public view returns (uint256) {
        uint256 depth = position.depth();
        if (depth > maxGameDepth) revert GameDepthExceeded();
        return Bonds.required(bondGrowth, depth);
    }

    /// How much time a challenger of a claim has used: what the claim's parent had when it was
    /// made, and all since the claim; at most all there is.
    function getChallengerDuration(uint256 claimIndex) public view inProgress returns (Duration) {
        ClaimData storage claim = claimList[claimIndex];
        uint256 used = claim.parentIndex == NO_PARENT ? 0 : claimList[claim.parentIndex].elapsed;
        used += block.timestamp - claim.since;
        uint64 most = Duration.unwrap(maxClockDuration);
        return Duration.wrap(used > most ? most : uint64(used));
    }

    /// The claim, from `start` on upwards, that commits to the same output root as a position.
    function findOutput(Position position, uint256 start) internal view returns (ClaimData storage) {
        return findAt(position.traceAncestor(), start);
    }

    /// The claim, from `start` on upwards, that commits to the same state as a position, within
    /// the execution trace.
    function findState(Position position, uint256 start) internal view returns (ClaimData storage) {
        return findAt(position.traceAncestorBounded(splitDepth), start);
    }

    /// There always is one: whoever moves right of a claim keeps it as an ancestor.
    function findAt(Position position, uint256 start) private view returns (ClaimData storage claim) {
        claim = claimList[start];
        while (claim.position.raw() != position.raw()) claim = claimList[claim.parentIndex];
    }

    /// The output roots between which the execution trace of a claim is.
    function findOutputs(uint256 claimIndex) internal view returns (Outputs memory outputs) {
        ClaimData storage root = claimList[claimIndex];
        if (root.position.depth() <= splitDepth) revert ClaimAboveSplit();
        // Deeper than the root of a trace is what has a bit further left.
        while (root.position.raw() >> (splitDepth + 2) != 0) root = claimList[root.parentIndex];
        uint256 index = root.parentIndex;
        ClaimData storage output = claimList[index];
        // An attack disputes the output itself, a defence the one after it.
        if (root.position.parent().raw() != output.position.raw()) {
            ClaimData storage disputed = findOutput(output.position.next(), index);
            return Outputs(output.claim, output.position, disputed.claim, disputed.position);
        }
        if (output.position.indexAtDepth() == 0) {
            Claim anchor = Claim.wrap(Hash.unwrap(startingOutputRoot.root));
            return Outputs(anchor, Position.wrap(0), output.claim, output.position);
        }
        ClaimData storage starting = findOutput(output.position.before(), index);
        return Outputs(starting.claim, starting.position, output.claim, output.position);
    }

    /// Under what local data is kept: the outputs that it belongs to.
    function localContext(Outputs memory outputs) internal pure returns (bytes32) {
        if (outputs.startingPosition.raw() != 0) return keccak256(abi.encode(outputs));
        return keccak256(abi.encode(outputs.disputed, outputs.disputedPosition));
    }
}
