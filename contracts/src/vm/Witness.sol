// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ProofTooShort} from "./Errors.sol";

/// Where the parts of a call of `step(bytes,bytes,bytes32)` are in calldata.
///
/// Selector 4, three heads 96, length of the state data 32: state data is at 132. With its 188
/// bytes padded to 192, and the length of the proof data 32, proof data is at 356. The reference
/// takes no other encoding, and measures proofs by the end of calldata rather than by their
/// length: a proof that lacks zeros at its end is taken, since calldata is padded.
library Witness {
    uint256 internal constant STATE_DATA = 132;
    uint256 internal constant THREAD = 356;
    uint256 internal constant ROOT_BELOW = THREAD + 298;
    uint256 internal constant INSTRUCTION_BRANCH = ROOT_BELOW + 32;
    uint256 internal constant BRANCH_LENGTH = 60 * 32;
    uint256 internal constant FIRST_BRANCH = INSTRUCTION_BRANCH + BRANCH_LENGTH;
    uint256 internal constant SECOND_BRANCH = FIRST_BRANCH + BRANCH_LENGTH;

    /// Reverts unless calldata has `length` bytes from `offset` on.
    function expect(uint256 offset, uint256 length) internal pure {
        unchecked {
            if (msg.data.length < offset + length) revert ProofTooShort();
        }
    }

    /// The root of the threads below the running one.
    function rootBelow() internal pure returns (bytes32 root) {
        uint256 offset = ROOT_BELOW;
        assembly ("memory-safe") {
            root := calldataload(offset)
        }
    }
}
