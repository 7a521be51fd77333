// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IDelayedWETH} from "../interfaces/IDelayedWETH.sol";
import {BondTransferFailed} from "./Errors.sol";

/// Holds the bonds of games. The delay between unlocking and withdrawing is time to notice that a
/// game paid out wrongly. Functions are those of the reference's contract that games and
/// challengers use; it is no token here.
contract DelayedWETH is IDelayedWETH {
    struct WithdrawalRequest {
        uint256 amount;
        uint256 timestamp;
    }

    /// The version of the reference whose interface this is.
    string public constant version = "1.5.1";

    /// @inheritdoc IDelayedWETH
    uint256 public immutable delay;
    /// What every account has deposited.
    mapping(address account => uint256) public balanceOf;
    /// What accounts have unlocked for whom.
    mapping(address account => mapping(address guy => WithdrawalRequest)) public withdrawals;

    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    error InsufficientUnlocked();
    error DelayNotMet();

    constructor(uint256 delay_) {
        delay = delay_;
    }

    /// @inheritdoc IDelayedWETH
    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
        emit Deposit(msg.sender, msg.value);
    }

    /// @inheritdoc IDelayedWETH
    function unlock(address guy, uint256 wad) external {
        WithdrawalRequest storage request = withdrawals[msg.sender][guy];
        request.timestamp = block.timestamp;
        request.amount += wad;
    }

    /// @inheritdoc IDelayedWETH
    function withdraw(address guy, uint256 wad) external {
        WithdrawalRequest storage request = withdrawals[msg.sender][guy];
        if (request.amount < wad) revert InsufficientUnlocked();
        if (request.timestamp == 0 || request.timestamp + delay > block.timestamp) revert DelayNotMet();
        request.amount -= wad;
        balanceOf[msg.sender] -= wad;
        emit Withdrawal(msg.sender, wad);
        (bool ok,) = msg.sender.call{value: wad}("");
        if (!ok) revert BondTransferFailed();
    }
}
