// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {VMStatus} from "../vm/State.sol";
import {ClaimTree} from "./ClaimTree.sol";
import "./Errors.sol";
import {Position} from "./Position.sol";
import {Claim, Duration, Hash, LocalPreimageKey} from "./Types.sol";

/// What players do: move against claims, give local data to the oracle, execute a step.
abstract contract Moves is ClaimTree {
    event Move(uint256 indexed parentIndex, Claim indexed claim, address indexed claimant);

    /// What everybody gets back if the game turns out not to count.
    mapping(address claimant => uint256) public refundModeCredit;

    /// Disputes a claim, which must be `disputed`, with a claim in the left half of what it covers.
    function attack(Claim disputed, uint256 parentIndex, Claim claim) external payable {
        move(disputed, parentIndex, claim, true);
    }

    /// Agrees with a claim and disputes what follows it, with a claim in the next half.
    function defend(Claim disputed, uint256 parentIndex, Claim claim) external payable {
        move(disputed, parentIndex, claim, false);
    }

    /// Attacks or defends. The value is the bond at the new claim's position.
    function move(Claim disputed, uint256 challengeIndex, Claim claim, bool isAttack) public payable inProgress {
        ClaimData storage parent = claimList[challengeIndex];
        if (Claim.unwrap(parent.claim) != Claim.unwrap(disputed)) revert InvalidDisputedClaimIndex();
        Position parentPosition = parent.position;
        Position position = parentPosition.move(isAttack);
        uint256 depth = position.depth();
        // Root claims stand for all that is below them; who agrees with one does nothing.
        bool againstRoot = challengeIndex == 0 || depth == splitDepth + 2;
        if (againstRoot && !isAttack) revert CannotDefendRootClaim();
        if (l2BlockNumberChallenged && challengeIndex == 0) revert L2BlockNumberChallenged();
        if (depth > maxGameDepth) revert GameDepthExceeded();
        if (depth == splitDepth + 1) expectStatus(claim, challengeIndex, parentPosition, isAttack);
        if (getRequiredBond(position) != msg.value) revert IncorrectBondAmount();
        uint64 elapsed = nextClock(challengeIndex, depth);
        noteMove(claim, position, challengeIndex);
        subgames[challengeIndex].push(claimList.length);
        pushClaim(msg.sender, uint32(challengeIndex), claim, position, elapsed);
        emit Move(challengeIndex, claim, msg.sender);
    }

    /// Executes the step that a claim at the last depth is about, and counters it if the machine
    /// shows it to be wrong.
    ///
    /// An attack starts from the state before the claim's and must not lead to the claim; a defence
    /// starts from the claim and must not lead to the state that is claimed after it.
    function step(uint256 claimIndex, bool isAttack, bytes calldata stateData, bytes calldata proof)
        external
        inProgress
    {
        ClaimData storage parent = claimList[claimIndex];
        Position position = parent.position;
        if (position.depth() != maxGameDepth) revert InvalidParent();
        Claim preState = parent.claim;
        ClaimData storage postState = parent;
        if (isAttack) preState = stateBefore(position, parent.parentIndex);
        else postState = findState(position.next(), parent.parentIndex);
        // The first byte of a claim is the status, which is not part of the hash.
        if (keccak256(stateData) << 8 != Claim.unwrap(preState) << 8) revert InvalidPrestate();
        bytes32 context = localContext(findOutputs(claimIndex));
        bool isRight = vm().step(stateData, proof, context) == Claim.unwrap(postState.claim);
        // Claims of the same side are an even number of moves apart. A claim and a state after it
        // of the same side fall if the state is wrong; of the other side, if it is right.
        bool sameSide = (position.depth() - postState.position.depth()) % 2 == 0;
        if (isRight == sameSide) revert ValidStep();
        if (parent.counteredBy != address(0)) revert DuplicateStep();
        parent.counteredBy = msg.sender;
    }

    /// Gives the oracle a part of what the program is asked about, in the context of the execution
    /// trace that a claim is in.
    function addLocalData(uint256 ident, uint256 execLeafIdx, uint256 partOffset) external inProgress {
        Outputs memory outputs = findOutputs(execLeafIdx);
        (bytes32 word, uint256 size) = localData(ident, outputs);
        vm().oracle().loadLocalData(ident, localContext(outputs), word, size, partOffset);
    }

    function localData(uint256 ident, Outputs memory outputs) private view returns (bytes32 word, uint256 size) {
        if (ident == LocalPreimageKey.L1_HEAD_HASH) return (Hash.unwrap(l1Head()), 32);
        if (ident == LocalPreimageKey.STARTING_OUTPUT_ROOT) return (Claim.unwrap(outputs.starting), 32);
        if (ident == LocalPreimageKey.DISPUTED_OUTPUT_ROOT) return (Claim.unwrap(outputs.disputed), 32);
        if (ident == LocalPreimageKey.CHAIN_ID) return (bytes32(l2ChainId() << 192), 8);
        if (ident != LocalPreimageKey.DISPUTED_L2_BLOCK_NUMBER) revert InvalidLocalIdent();
        // Positions may reach beyond the claimed block; all those stand for it.
        uint256 number = startingOutputRoot.l2SequenceNumber + outputs.disputedPosition.traceIndex(splitDepth) + 1;
        if (number > l2BlockNumber()) number = l2BlockNumber();
        return (bytes32(number << 192), 8);
    }

    /// The state before the one at a position; before the first of a trace, the absolute prestate.
    function stateBefore(Position position, uint256 parentIndex) private view returns (Claim) {
        uint256 leaves = uint256(1) << (maxGameDepth - splitDepth - 1);
        if (position.indexAtDepth() % leaves == 0) return absolutePrestate();
        return findState(position.before(), parentIndex).claim;
    }

    /// The root of an execution trace says how the program ended. It must not have accepted an
    /// output of the other side, and must have accepted one of the own. An attack always disputes
    /// the other side's.
    function expectStatus(Claim claim, uint256 parentIndex, Position parentPosition, bool isAttack) private view {
        uint256 vmStatus = uint8(bytes1(Claim.unwrap(claim)));
        bool expectsFailure = isAttack;
        if (!isAttack) {
            ClaimData storage disputed = findOutput(parentPosition.next(), parentIndex);
            expectsFailure = disputed.position.depth() % 2 == splitDepth % 2;
        }
        bool failed = vmStatus == VMStatus.INVALID || vmStatus == VMStatus.PANIC;
        bool succeeded = vmStatus == VMStatus.VALID;
        if (expectsFailure ? !failed : !succeeded) revert UnexpectedRootClaim(claim);
    }

    /// The mover's clock: what they have used, but so that the answer has its extension left.
    function nextClock(uint256 challengeIndex, uint256 depth) private view returns (uint64) {
        uint64 most = Duration.unwrap(maxClockDuration);
        uint64 used = Duration.unwrap(getChallengerDuration(challengeIndex));
        if (used == most) revert ClockTimeExceeded();
        uint64 latest = most - extensionAt(depth);
        return used < latest ? used : latest;
    }

    /// How much time is left at least for an answer to a claim at a depth: twice as much before an
    /// execution trace has to be made, and a challenge period more before a step, which may need a
    /// large pre-image.
    function extensionAt(uint256 depth) private view returns (uint64) {
        uint64 extension = Duration.unwrap(clockExtension);
        if (depth == maxGameDepth - 1) return extension + uint64(vm().oracle().challengePeriod());
        return depth == splitDepth - 1 ? 2 * extension : extension;
    }

    function noteMove(Claim claim, Position position, uint256 challengeIndex) private {
        uint256 place = uint256(position.raw()) << 128 | uint128(challengeIndex);
        Hash id = Hash.wrap(keccak256(abi.encode(claim, place)));
        if (claims[id]) revert ClaimAlreadyExists();
        claims[id] = true;
    }

    /// Adds a claim, with the value as its bond.
    function pushClaim(address claimant, uint32 parent, Claim claim, Position position, uint64 elapsed) internal {
        ClaimData storage added = claimList.push();
        (added.position, added.parentIndex, added.bond) = (position, parent, uint96(msg.value));
        (added.claimant, added.elapsed, added.since) = (claimant, uint48(elapsed), uint48(block.timestamp));
        added.claim = claim;
        refundModeCredit[claimant] += msg.value;
        weth().deposit{value: msg.value}();
    }
}
