// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {Clones} from "./Clones.sol";
import {BadAuth, GameAlreadyExists, IncorrectBondAmount, NoImplementation} from "./Errors.sol";
import {Claim, GameId, GameType, Hash, Timestamp, LibGameId} from "./Types.sol";

/// Creates games, of several types side by side, and lists them for ever.
contract DisputeGameFactory {
    /// A game that a search has found.
    struct GameSearchResult {
        uint256 index;
        GameId metadata;
        Timestamp timestamp;
        Claim rootClaim;
        bytes extraData;
    }

    /// The version of the reference whose interface this is.
    string public constant version = "1.6.1";

    /// Who decides about types.
    address public immutable owner;
    mapping(GameType => IDisputeGame) public gameImpls;
    mapping(GameType => uint256) public initBonds;
    /// What every game of a type has behind the arguments of its own.
    mapping(GameType => bytes) public gameArgs;
    mapping(Hash uuid => GameId) private gameIds;
    GameId[] private list;

    event DisputeGameCreated(address indexed disputeProxy, GameType indexed gameType, Claim indexed rootClaim);
    event ImplementationSet(address indexed impl, GameType indexed gameType);
    event ImplementationArgsSet(GameType indexed gameType, bytes args);
    event InitBondUpdated(GameType indexed gameType, uint256 indexed newBond);

    modifier onlyOwner() {
        if (msg.sender != owner) revert BadAuth();
        _;
    }

    constructor(address owner_) {
        owner = owner_;
    }

    /// Creates a game. The value is the bond of its root claim.
    ///
    /// The arguments of the clone: creator 20 bytes, root claim 32, hash of the block before this
    /// one 32, game type 4, the extra data, and the arguments of the type.
    function create(GameType gameType, Claim rootClaim, bytes calldata extraData)
        external
        payable
        returns (IDisputeGame proxy)
    {
        IDisputeGame implementation = gameImpls[gameType];
        if (address(implementation) == address(0)) revert NoImplementation(gameType);
        if (msg.value != initBonds[gameType]) revert IncorrectBondAmount();
        Hash uuid = getGameUUID(gameType, rootClaim, extraData);
        if (gameIds[uuid].proxy() != address(0)) revert GameAlreadyExists(uuid);
        bytes memory own = abi.encodePacked(
            msg.sender, Claim.unwrap(rootClaim), blockhash(block.number - 1), GameType.unwrap(gameType), extraData
        );
        bytes memory arguments = bytes.concat(own, gameArgs[gameType]);
        proxy = IDisputeGame(Clones.create(address(implementation), arguments, Hash.unwrap(uuid)));
        // Listed first, so that whatever is called on the way finds the game.
        GameId id = LibGameId.pack(gameType, uint64(block.timestamp), address(proxy));
        gameIds[uuid] = id;
        list.push(id);
        proxy.initialize{value: msg.value}();
        emit DisputeGameCreated(address(proxy), gameType, rootClaim);
    }

    /// Sets the implementation of a type, which takes no arguments beyond a game's own.
    function setImplementation(GameType gameType, IDisputeGame impl) external onlyOwner {
        gameImpls[gameType] = impl;
        emit ImplementationSet(address(impl), gameType);
    }

    /// Sets the implementation of a type and its arguments.
    function setImplementation(GameType gameType, IDisputeGame impl, bytes calldata args) external onlyOwner {
        gameImpls[gameType] = impl;
        gameArgs[gameType] = args;
        emit ImplementationSet(address(impl), gameType);
        emit ImplementationArgsSet(gameType, args);
    }

    /// Sets the bond of root claims.
    function setInitBond(GameType gameType, uint256 initBond) external onlyOwner {
        initBonds[gameType] = initBond;
        emit InitBondUpdated(gameType, initBond);
    }

    function gameCount() external view returns (uint256) {
        return list.length;
    }

    /// The game about a claim, and when it was created; zeros if there is none.
    function games(GameType gameType, Claim rootClaim, bytes calldata extraData)
        external
        view
        returns (IDisputeGame proxy, Timestamp timestamp)
    {
        GameId id = gameIds[getGameUUID(gameType, rootClaim, extraData)];
        return (IDisputeGame(id.proxy()), id.timestamp());
    }

    function gameAtIndex(uint256 index)
        external
        view
        returns (GameType gameType, Timestamp timestamp, IDisputeGame proxy)
    {
        GameId id = list[index];
        return (id.gameType(), id.timestamp(), IDisputeGame(id.proxy()));
    }

    /// Up to `n` games of a type, from index `start` on downwards.
    function findLatestGames(GameType gameType, uint256 start, uint256 n)
        external
        view
        returns (GameSearchResult[] memory found)
    {
        if (start >= list.length) return found;
        uint256 most = n < start + 1 ? n : start + 1;
        found = new GameSearchResult[](most);
        uint256 count = 0;
        for (uint256 left = start + 1; left > 0 && count < most; left--) {
            GameId id = list[left - 1];
            if (GameType.unwrap(id.gameType()) != GameType.unwrap(gameType)) continue;
            IDisputeGame game = IDisputeGame(id.proxy());
            found[count++] = GameSearchResult(left - 1, id, id.timestamp(), game.rootClaim(), game.extraData());
        }
        assembly ("memory-safe") {
            mstore(found, count)
        }
    }

    /// What there can be one game about.
    function getGameUUID(GameType gameType, Claim rootClaim, bytes calldata extraData) public pure returns (Hash) {
        return Hash.wrap(keccak256(abi.encode(gameType, rootClaim, extraData)));
    }
}
