// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GameType, Hash} from "../dispute/Types.sol";
import {IDisputeGame} from "./IDisputeGame.sol";

/// The newest output root that each type of game has proved, from which its next games start.
interface IAnchorStateRegistry {
    /// The root and the number of its block; zeros if the type has none.
    function anchors(GameType gameType) external view returns (Hash root, uint256 l2SequenceNumber);
    /// Makes a finished game's claim the anchor of its type.
    function setAnchorState(IDisputeGame game) external;
    /// Whether the game is the factory's.
    function isGameProper(IDisputeGame game) external view returns (bool);
    /// Whether the game was resolved long enough ago.
    function isGameFinalized(IDisputeGame game) external view returns (bool);
}
