// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Holds the bonds of games, and gives them out some time after they were unlocked.
interface IDelayedWETH {
    /// Adds the value to the caller's balance.
    function deposit() external payable;
    /// Lets the caller withdraw an amount for somebody, once the delay is over.
    function unlock(address guy, uint256 wad) external;
    /// Pays an amount unlocked for somebody to the caller.
    function withdraw(address guy, uint256 wad) external;
    /// How long after it was unlocked an amount can be withdrawn, in seconds.
    function delay() external view returns (uint256);
}
