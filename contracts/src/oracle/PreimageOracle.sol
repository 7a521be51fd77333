// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IPreimageOracle} from "../interfaces/IPreimageOracle.sol";
import {Preimages} from "./Preimages.sol";

contract PreimageOracle is Preimages {
    uint256 public immutable challengePeriod;

    constructor(uint256 minProposalSize_, uint256 challengePeriod_) {
        challengePeriod = challengePeriod_;
        minProposalSize_;
    }
}
