// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAnchorStateRegistry} from "../interfaces/IAnchorStateRegistry.sol";
import {IBigStepper} from "../interfaces/IBigStepper.sol";
import {IDelayedWETH} from "../interfaces/IDelayedWETH.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {CloneArguments} from "./Clones.sol";
import {UnknownChainId} from "./Errors.sol";
import {Claim, GameType, Hash} from "./Types.sol";

/// What a game is about: the arguments that the factory gave it.
abstract contract GameArguments is CloneArguments, IDisputeGame {
    uint256 internal constant ARGUMENTS_LENGTH = 244;

    /// Who made the root claim.
    function gameCreator() public view returns (address) {
        return argumentAddress(0);
    }

    /// The output root that is claimed.
    function rootClaim() public view returns (Claim) {
        return Claim.wrap(argument(20));
    }

    /// The root claim, for callers who know several chains.
    function rootClaimByChainId(uint256 chainId) external view returns (Claim) {
        if (chainId != l2ChainId()) revert UnknownChainId();
        return rootClaim();
    }

    /// The block of L1 up to which the program may look.
    function l1Head() public view returns (Hash) {
        return Hash.wrap(argument(52));
    }

    function gameType() public view returns (GameType) {
        return GameType.wrap(uint32(bytes4(argument(84))));
    }

    /// The number of the claimed block, as the creator gave it.
    function extraData() public view returns (bytes memory) {
        return abi.encode(argument(88));
    }

    /// The block whose output root is claimed.
    function l2BlockNumber() public view returns (uint256) {
        return uint256(argument(88));
    }

    function l2SequenceNumber() public view returns (uint256) {
        return l2BlockNumber();
    }

    /// State of the machine before its first step.
    function absolutePrestate() public view returns (Claim) {
        return Claim.wrap(argument(120));
    }

    /// The machine that executes steps.
    function vm() public view returns (IBigStepper) {
        return IBigStepper(argumentAddress(152));
    }

    function anchorStateRegistry() public view returns (IAnchorStateRegistry) {
        return IAnchorStateRegistry(argumentAddress(172));
    }

    /// Who holds the bonds.
    function weth() public view returns (IDelayedWETH) {
        return IDelayedWETH(argumentAddress(192));
    }

    function l2ChainId() public view returns (uint256) {
        return uint256(argument(212));
    }

    /// What makes the game unique.
    function gameData() external view returns (GameType, Claim, bytes memory) {
        return (gameType(), rootClaim(), extraData());
    }
}
