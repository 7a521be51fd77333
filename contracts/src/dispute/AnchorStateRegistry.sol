// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAnchorStateRegistry} from "../interfaces/IAnchorStateRegistry.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {DisputeGameFactory} from "./DisputeGameFactory.sol";
import {BadAuth} from "./Errors.sol";
import {Claim, GameStatus, GameType, Hash, Proposal, Timestamp} from "./Types.sol";

/// The newest output root that each type of game has proved.
///
/// The reference has one root for all types, and a guardian who names the type that counts; here
/// types stand side by side, and no one can undo a game.
contract AnchorStateRegistry is IAnchorStateRegistry {
    /// The factory whose games count.
    DisputeGameFactory public immutable disputeGameFactory;
    /// How long after its resolution a game is final, in seconds.
    uint256 public immutable disputeGameFinalityDelaySeconds;
    /// The game that proved the anchor, if one did.
    mapping(GameType => IDisputeGame) public anchorGames;
    mapping(GameType => Proposal) private roots;

    event AnchorUpdated(IDisputeGame indexed game);
    event StartingAnchorSet(GameType indexed gameType, Hash root, uint256 l2SequenceNumber);

    error AnchorStateRegistry_InvalidAnchorGame();
    error AnchorStateRegistry_AnchorExists();

    constructor(DisputeGameFactory factory, uint256 finalityDelay) {
        disputeGameFactory = factory;
        disputeGameFinalityDelaySeconds = finalityDelay;
    }

    /// Says where games of a type start, once, before the first of them. By the factory's owner.
    function setStartingAnchor(GameType gameType, Proposal calldata start) external {
        if (msg.sender != disputeGameFactory.owner()) revert BadAuth();
        if (Hash.unwrap(roots[gameType].root) != 0) revert AnchorStateRegistry_AnchorExists();
        roots[gameType] = start;
        emit StartingAnchorSet(gameType, start.root, start.l2SequenceNumber);
    }

    /// @inheritdoc IAnchorStateRegistry
    function setAnchorState(IDisputeGame game) external {
        GameType gameType = game.gameType();
        uint256 number = game.l2SequenceNumber();
        if (!isGameClaimValid(game) || number <= roots[gameType].l2SequenceNumber) {
            revert AnchorStateRegistry_InvalidAnchorGame();
        }
        roots[gameType] = Proposal(Hash.wrap(Claim.unwrap(game.rootClaim())), number);
        anchorGames[gameType] = game;
        emit AnchorUpdated(game);
    }

    /// @inheritdoc IAnchorStateRegistry
    function anchors(GameType gameType) external view returns (Hash root, uint256 l2SequenceNumber) {
        Proposal memory anchor = roots[gameType];
        return (anchor.root, anchor.l2SequenceNumber);
    }

    /// @inheritdoc IAnchorStateRegistry
    function isGameProper(IDisputeGame game) public view returns (bool) {
        (GameType gameType, Claim rootClaim, bytes memory extraData) = game.gameData();
        (IDisputeGame known,) = disputeGameFactory.games(gameType, rootClaim, extraData);
        return known == game;
    }

    /// @inheritdoc IAnchorStateRegistry
    function isGameFinalized(IDisputeGame game) public view returns (bool) {
        uint256 resolvedAt = Timestamp.unwrap(game.resolvedAt());
        return resolvedAt != 0 && block.timestamp - resolvedAt > disputeGameFinalityDelaySeconds;
    }

    /// Whether the game's claim can be relied on.
    function isGameClaimValid(IDisputeGame game) public view returns (bool) {
        return isGameProper(game) && isGameFinalized(game) && game.status() == GameStatus.DEFENDER_WINS;
    }
}
