// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// What a virtual machine and a game ask of the pre-image oracle.
interface IPreimageOracle {
    /// Up to 32 bytes of a pre-image behind its 8-byte length, from `offset` on.
    function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length);

    /// Makes data of a game known under a local key, which is the caller's own.
    function loadLocalData(uint256 ident, bytes32 localContext, bytes32 word, uint256 size, uint256 partOffset)
        external
        returns (bytes32 key);

    /// How long the proposal of a large pre-image can be challenged, in seconds.
    function challengePeriod() external view returns (uint256);
}
