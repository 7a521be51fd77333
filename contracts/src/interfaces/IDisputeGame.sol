// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Claim, GameStatus, GameType, Hash, Timestamp} from "../dispute/Types.sol";

/// What the factory and the anchor registry know of a game, of any type.
interface IDisputeGame {
    /// The game is over.
    event Resolved(GameStatus indexed status);

    /// Begins the game; once, by the factory. The value is the bond of the root claim.
    function initialize() external payable;
    /// Ends the game. Reverts while it is open.
    function resolve() external returns (GameStatus);

    function createdAt() external view returns (Timestamp);
    function resolvedAt() external view returns (Timestamp);
    function status() external view returns (GameStatus);
    function gameType() external view returns (GameType);
    function gameCreator() external view returns (address);
    function rootClaim() external view returns (Claim);
    function l1Head() external view returns (Hash);
    function l2SequenceNumber() external view returns (uint256);
    function extraData() external view returns (bytes memory);
    function gameData() external view returns (GameType, Claim, bytes memory);
}
