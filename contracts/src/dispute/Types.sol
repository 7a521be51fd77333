// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// Types of the game, as in the reference (LibUDT.sol, Types.sol), so that interfaces are equal.

/// What somebody says the state at a position is: an output root or a state hash.
type Claim is bytes32;
/// Any hash that is no claim.
type Hash is bytes32;
/// Seconds.
type Duration is uint64;
/// Seconds since 1970.
type Timestamp is uint64;
/// A kind of game, that is of proof system.
type GameType is uint32;
/// A game in the factory's list: type 32 bits, timestamp 64, address 160.
type GameId is bytes32;
/// A chess clock: seconds used before the timestamp 64 bits, timestamp 64.
type Clock is uint128;

using LibGameId for GameId global;

enum GameStatus {
    IN_PROGRESS,
    CHALLENGER_WINS,
    DEFENDER_WINS
}

enum BondDistributionMode {
    UNDECIDED,
    NORMAL,
    REFUND
}

/// An output root, or the number of the block that it is of.
struct Proposal {
    Hash root;
    uint256 l2SequenceNumber;
}

/// What an output root is the hash of (version 0).
struct OutputRootProof {
    bytes32 version;
    bytes32 stateRoot;
    bytes32 messagePasserStorageRoot;
    bytes32 latestBlockhash;
}

/// Keys of a game's own data.
library LocalPreimageKey {
    uint256 internal constant L1_HEAD_HASH = 1;
    uint256 internal constant STARTING_OUTPUT_ROOT = 2;
    uint256 internal constant DISPUTED_OUTPUT_ROOT = 3;
    uint256 internal constant DISPUTED_L2_BLOCK_NUMBER = 4;
    uint256 internal constant CHAIN_ID = 5;
}

library LibGameId {
    function pack(GameType kind, uint64 created, address game) internal pure returns (GameId) {
        uint256 upper = uint256(GameType.unwrap(kind)) << 224 | uint256(created) << 160;
        return GameId.wrap(bytes32(upper | uint160(game)));
    }

    function gameType(GameId self) internal pure returns (GameType) {
        return GameType.wrap(uint32(uint256(GameId.unwrap(self)) >> 224));
    }

    function timestamp(GameId self) internal pure returns (Timestamp) {
        return Timestamp.wrap(uint64(uint256(GameId.unwrap(self)) >> 160));
    }

    function proxy(GameId self) internal pure returns (address) {
        return address(uint160(uint256(GameId.unwrap(self))));
    }
}

library LibClock {
    function pack(uint64 used, uint64 since) internal pure returns (Clock) {
        return Clock.wrap(uint128(used) << 64 | since);
    }
}
