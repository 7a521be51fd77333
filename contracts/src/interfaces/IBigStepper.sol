// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IPreimageOracle} from "./IPreimageOracle.sol";

/// A state transition T(s, i) -> s' that can be executed on chain: all that a game knows of its
/// virtual machine. The first byte of a state hash is the machine's status.
interface IBigStepper {
    /// Executes one step.
    /// @param stateData The state before, as it is hashed.
    /// @param proof What else the step needs.
    /// @param localContext Whose local pre-images the step reads, beside those of the caller.
    /// @return postState The hash of the state after the step.
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        returns (bytes32 postState);

    /// Where the machine reads pre-images.
    function oracle() external view returns (IPreimageOracle);
}
