// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Contracts that execute the code of another one and have arguments behind their own code.
///
/// A clone is the minimal proxy of EIP-1167, 45 bytes, which never executes what follows it.
library Clones {
    uint256 internal constant PROXY_LENGTH = 45;

    error CloneFailed();

    /// Creates a clone at an address that salt, implementation and arguments decide.
    function create(address implementation, bytes memory arguments, bytes32 salt) internal returns (address clone) {
        bytes memory code = abi.encodePacked(
            // Copies all that follows these 12 bytes, and returns it as the code of the clone.
            hex"61",
            uint16(PROXY_LENGTH + arguments.length),
            hex"80600c6000396000f3",
            // Calls the implementation with what the clone is called with, and returns its answer.
            hex"363d3d373d3d3d363d73",
            implementation,
            hex"5af43d82803e903d91602b57fd5bf3",
            arguments
        );
        assembly ("memory-safe") {
            clone := create2(0, add(code, 32), mload(code), salt)
        }
        if (clone == address(0)) revert CloneFailed();
    }
}

/// For implementations: the arguments of the clone that is being executed.
abstract contract CloneArguments {
    /// How many bytes of arguments there are.
    function argumentsLength() internal view returns (uint256) {
        uint256 length = address(this).code.length;
        return length < Clones.PROXY_LENGTH ? 0 : length - Clones.PROXY_LENGTH;
    }

    /// The 32 bytes of arguments from `offset` on.
    function argument(uint256 offset) internal view returns (bytes32 word) {
        uint256 at = Clones.PROXY_LENGTH + offset;
        assembly ("memory-safe") {
            extcodecopy(address(), 0, at, 32)
            word := mload(0)
        }
    }

    /// The address of 20 bytes in the arguments.
    function argumentAddress(uint256 offset) internal view returns (address) {
        return address(bytes20(argument(offset)));
    }
}
