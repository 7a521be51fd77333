// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LargePreimages} from "./LargePreimages.sol";

/// Authorised pre-images, from which virtual machines read. Functions and encodings are those of
/// the reference's PreimageOracle.sol.
contract PreimageOracle is LargePreimages {
    /// The version of the reference whose interface this is.
    string public constant version = "1.1.5";

    /// @param minProposalSize_ The smallest large pre-image, in bytes.
    /// @param challengePeriod_ How long large pre-images can be challenged, in seconds.
    constructor(uint256 minProposalSize_, uint256 challengePeriod_)
        LargePreimages(minProposalSize_, challengePeriod_)
    {}
}
