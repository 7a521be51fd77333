//! The contracts' functions, events and errors, as callers need them.

use alloy_sol_types::sol;

sol! {
    struct GameConstructorParams {
        uint256 maxGameDepth;
        uint256 splitDepth;
        uint64 clockExtension;
        uint64 maxClockDuration;
    }

    struct Proposal {
        bytes32 root;
        uint256 l2SequenceNumber;
    }

    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }

    struct StateMatrix {
        uint64[25] state;
    }

    struct Leaf {
        bytes input;
        uint256 index;
        bytes32 stateCommitment;
    }

    interface CannonVM {
        error BranchInDelaySlot();
        error DivisionByZero();
        error EmptyThreadStack();
        error InvalidEncoding();
        error InvalidExitedValue();
        error InvalidInstruction(uint32 instruction);
        error InvalidMemoryProof();
        error InvalidPC();
        error InvalidSecondMemoryProof();
        error InvalidThreadWitness();
        error ProofTooShort();
        error UnknownSyscall(uint64 number);

        function oracle() external view returns (address);
        function stateVersion() external view returns (uint256);
        function step(bytes stateData, bytes proof, bytes32 localContext) external view returns (bytes32 postState);
    }

    interface PreimageOracle {
        error PreimageMissing();
        error PartOffsetOOB();
        error ActiveProposal();
        error BadProposal();
        error InvalidProof();
        error PostStateMatches();

        function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length);
        function preimagePartOk(bytes32 key, uint256 offset) external view returns (bool);
        function loadLocalData(uint256 ident, bytes32 localContext, bytes32 word, uint256 size, uint256 partOffset) external returns (bytes32 key);
        function loadKeccak256PreimagePart(uint256 partOffset, bytes preimage) external;
        function loadSha256PreimagePart(uint256 partOffset, bytes preimage) external;
        function loadBlobPreimagePart(uint256 z, uint256 y, bytes commitment, bytes proof, uint256 partOffset) external;
        function loadPrecompilePreimagePart(uint256 partOffset, address precompile, uint64 requiredGas, bytes input) external;
        function challengePeriod() external view returns (uint256);
        function minProposalSize() external view returns (uint256);
        function initLPP(uint256 uuid, uint32 partOffset, uint32 claimedSize) external payable;
        function addLeavesLPP(uint256 uuid, uint256 inputStartBlock, bytes input, bytes32[] stateCommitments, bool finalize) external;
        function challengeLPP(address claimant, uint256 uuid, StateMatrix stateMatrix, Leaf preState, bytes32[] preStateProof, Leaf postState, bytes32[] postStateProof) external;
        function challengeFirstLPP(address claimant, uint256 uuid, Leaf postState, bytes32[] postStateProof) external;
        function squeezeLPP(address claimant, uint256 uuid, StateMatrix stateMatrix, Leaf preState, bytes32[] preStateProof, Leaf postState, bytes32[] postStateProof) external;
        function proposalCount() external view returns (uint256);
        function MIN_BOND_SIZE() external view returns (uint256);
        function proposals(uint256 index) external view returns (address claimant, uint256 uuid);
        function proposalBonds(address claimant, uint256 uuid) external view returns (uint256);
        function proposalBlocks(address claimant, uint256 uuid, uint256 index) external view returns (uint64);
        function proposalBlocksLen(address claimant, uint256 uuid) external view returns (uint256);
        function proposalMetadata(address claimant, uint256 uuid) external view returns (bytes32);
        function getTreeRootLPP(address claimant, uint256 uuid) external view returns (bytes32);
    }

    interface DisputeGameFactory {
        error GameAlreadyExists(bytes32 uuid);
        error IncorrectBondAmount();
        error NoImplementation(uint32 gameType);

        event DisputeGameCreated(address indexed disputeProxy, uint32 indexed gameType, bytes32 indexed rootClaim);

        function create(uint32 gameType, bytes32 rootClaim, bytes extraData) external payable returns (address proxy);
        function gameAtIndex(uint256 index) external view returns (uint32 gameType, uint64 timestamp, address proxy);
        function gameCount() external view returns (uint256);
        function games(uint32 gameType, bytes32 rootClaim, bytes extraData) external view returns (address proxy, uint64 timestamp);
        function gameArgs(uint32 gameType) external view returns (bytes);
        function gameImpls(uint32 gameType) external view returns (address);
        function initBonds(uint32 gameType) external view returns (uint256);
        function setImplementation(uint32 gameType, address impl, bytes args) external;
        function setInitBond(uint32 gameType, uint256 initBond) external;
    }

    interface AnchorStateRegistry {
        function anchors(uint32 gameType) external view returns (bytes32 root, uint256 l2SequenceNumber);
        function setStartingAnchor(uint32 gameType, Proposal start) external;
        function setAnchorState(address game) external;
    }

    interface DelayedWETH {
        function balanceOf(address account) external view returns (uint256);
        function delay() external view returns (uint256);
        function withdrawals(address account, address guy) external view returns (uint256 amount, uint256 timestamp);
    }

    interface FaultDisputeGame {
        error ClaimAboveSplit();
        error ClaimAlreadyExists();
        error ClaimAlreadyResolved();
        error ClockNotExpired();
        error ClockTimeExceeded();
        error DuplicateStep();
        error GameNotInProgress();
        error IncorrectBondAmount();
        error InvalidDisputedClaimIndex();
        error InvalidParent();
        error InvalidPrestate();
        error OutOfOrderResolution();
        error UnexpectedRootClaim(bytes32 rootClaim);
        error ValidStep();

        event Move(uint256 indexed parentIndex, bytes32 indexed claim, address indexed claimant);
        event Resolved(uint8 indexed status);
        event GameClosed(uint8 bondDistributionMode);

        function version() external view returns (string);
        function createdAt() external view returns (uint64);
        function resolvedAt() external view returns (uint64);
        function status() external view returns (uint8);
        function gameType() external view returns (uint32);
        function gameCreator() external view returns (address);
        function rootClaim() external view returns (bytes32);
        function l1Head() external view returns (bytes32);
        function l2ChainId() external view returns (uint256);
        function l2BlockNumber() external view returns (uint256);
        function l2SequenceNumber() external view returns (uint256);
        function startingBlockNumber() external view returns (uint256);
        function startingRootHash() external view returns (bytes32);
        function absolutePrestate() external view returns (bytes32);
        function vm() external view returns (address);
        function weth() external view returns (address);
        function anchorStateRegistry() external view returns (address);
        function maxGameDepth() external view returns (uint256);
        function splitDepth() external view returns (uint256);
        function maxClockDuration() external view returns (uint64);
        function clockExtension() external view returns (uint64);
        function claimDataLen() external view returns (uint256);
        function claimData(uint256 index) external view returns (uint32 parentIndex, address counteredBy, address claimant, uint128 bond, bytes32 claim, uint128 position, uint128 clock);
        function getRequiredBond(uint128 position) external view returns (uint256);
        function getChallengerDuration(uint256 claimIndex) external view returns (uint64);
        function resolvedSubgames(uint256 claimIndex) external view returns (bool);
        function getNumToResolve(uint256 claimIndex) external view returns (uint256);
        function l2BlockNumberChallenged() external view returns (bool);
        function l2BlockNumberChallenger() external view returns (address);
        function bondDistributionMode() external view returns (uint8);
        function credit(address recipient) external view returns (uint256);
        function normalModeCredit(address recipient) external view returns (uint256);
        function refundModeCredit(address recipient) external view returns (uint256);
        function hasUnlockedCredit(address recipient) external view returns (bool);

        function attack(bytes32 disputed, uint256 parentIndex, bytes32 claim) external payable;
        function defend(bytes32 disputed, uint256 parentIndex, bytes32 claim) external payable;
        function move(bytes32 disputed, uint256 challengeIndex, bytes32 claim, bool isAttack) external payable;
        function step(uint256 claimIndex, bool isAttack, bytes stateData, bytes proof) external;
        function addLocalData(uint256 ident, uint256 execLeafIdx, uint256 partOffset) external;
        function challengeRootL2Block(OutputRootProof outputRootProof, bytes headerRLP) external;
        function resolveClaim(uint256 claimIndex, uint256 numToResolve) external;
        function resolve() external returns (uint8 status);
        function closeGame() external;
        function claimCredit(address recipient) external;
    }
}
