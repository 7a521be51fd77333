// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {load8, load64, load256, store8, store64, store256, hashBytes, copyFromCalldata} from "./Packed.sol";
import {InvalidExitedValue} from "./Errors.sol";

/// The state of the machine: where in memory its 188-byte witness is.
///
/// Bytes of booleans are kept as they come: any that is not 0 is true, and is hashed as it is.
type State is uint256;

using StateLib for State global;

/// How a machine that has stopped ended, the top byte of a state hash.
library VMStatus {
    uint256 internal constant VALID = 0;
    uint256 internal constant INVALID = 1;
    uint256 internal constant PANIC = 2;
    uint256 internal constant UNFINISHED = 3;
}

/// Fields of a state. Layout: `State` of the reference's MIPS64.sol, packed.
library StateLib {
    uint256 internal constant LENGTH = 188;

    uint256 private constant MEMORY_ROOT = 0;
    uint256 private constant PREIMAGE_KEY = 32;
    uint256 private constant PREIMAGE_OFFSET = 64;
    uint256 private constant HEAP = 72;
    uint256 private constant LL_STATUS = 80;
    uint256 private constant LL_ADDRESS = 81;
    uint256 private constant LL_OWNER = 89;
    uint256 private constant EXIT_CODE = 97;
    uint256 private constant EXITED = 98;
    uint256 private constant STEP = 99;
    uint256 private constant STEPS_SINCE_SWITCH = 107;
    uint256 private constant TRAVERSE_RIGHT = 115;
    uint256 private constant LEFT_STACK = 116;
    uint256 private constant RIGHT_STACK = 148;
    uint256 private constant NEXT_THREAD_ID = 180;

    /// Copies a witness from calldata.
    function fromCalldata(uint256 offset) internal pure returns (State state) {
        state = State.wrap(copyFromCalldata(offset, LENGTH));
        if (load8(at(state, EXITED)) > 1) revert InvalidExitedValue();
    }

    /// The state hash: that of the witness, with the status in place of its first byte.
    function hash(State self) internal pure returns (bytes32) {
        uint256 status = VMStatus.UNFINISHED;
        if (self.exited()) {
            uint256 code = load8(at(self, EXIT_CODE));
            status = code < VMStatus.PANIC ? code : VMStatus.PANIC;
        }
        uint256 plain = uint256(hashBytes(State.unwrap(self), LENGTH));
        return bytes32(plain << 8 >> 8 | status << 248);
    }

    function memoryRoot(State self) internal pure returns (bytes32) {
        return load256(at(self, MEMORY_ROOT));
    }

    function setMemoryRoot(State self, bytes32 root) internal pure {
        store256(at(self, MEMORY_ROOT), root);
    }

    function preimageKey(State self) internal pure returns (bytes32) {
        return load256(at(self, PREIMAGE_KEY));
    }

    function setPreimageKey(State self, bytes32 key) internal pure {
        store256(at(self, PREIMAGE_KEY), key);
    }

    function preimageOffset(State self) internal pure returns (uint64) {
        return load64(at(self, PREIMAGE_OFFSET));
    }

    function setPreimageOffset(State self, uint64 offset) internal pure {
        store64(at(self, PREIMAGE_OFFSET), offset);
    }

    function heap(State self) internal pure returns (uint64) {
        return load64(at(self, HEAP));
    }

    function setHeap(State self, uint64 value) internal pure {
        store64(at(self, HEAP), value);
    }

    /// Makes a reservation; 0, 0, 0 for none.
    function reserve(State self, uint8 status, uint64 address_, uint64 owner) internal pure {
        store8(at(self, LL_STATUS), status);
        store64(at(self, LL_ADDRESS), address_);
        store64(at(self, LL_OWNER), owner);
    }

    /// Whether this very reservation is in place.
    function isReserved(State self, uint8 status, uint64 address_, uint64 owner) internal pure returns (bool) {
        return load8(at(self, LL_STATUS)) == status && load64(at(self, LL_ADDRESS)) == address_
            && load64(at(self, LL_OWNER)) == owner;
    }

    function reservedAddress(State self) internal pure returns (uint64) {
        return load64(at(self, LL_ADDRESS));
    }

    function exited(State self) internal pure returns (bool) {
        return load8(at(self, EXITED)) != 0;
    }

    function exit(State self, uint8 code) internal pure {
        store8(at(self, EXIT_CODE), code);
        store8(at(self, EXITED), 1);
    }

    function step(State self) internal pure returns (uint64) {
        return load64(at(self, STEP));
    }

    function setStep(State self, uint64 value) internal pure {
        store64(at(self, STEP), value);
    }

    function stepsSinceSwitch(State self) internal pure returns (uint64) {
        return load64(at(self, STEPS_SINCE_SWITCH));
    }

    function setStepsSinceSwitch(State self, uint64 value) internal pure {
        store64(at(self, STEPS_SINCE_SWITCH), value);
    }

    function activeStack(State self) internal pure returns (bytes32) {
        return load256(activeAt(self));
    }

    function setActiveStack(State self, bytes32 root) internal pure {
        store256(activeAt(self), root);
    }

    function inactiveStack(State self) internal pure returns (bytes32) {
        return load256(inactiveAt(self));
    }

    function setInactiveStack(State self, bytes32 root) internal pure {
        store256(inactiveAt(self), root);
    }

    /// Threads run from the other stack from now on.
    function turnAround(State self) internal pure {
        store8(at(self, TRAVERSE_RIGHT), traversesRight(self) ? 0 : 1);
    }

    function nextThreadId(State self) internal pure returns (uint64) {
        return load64(at(self, NEXT_THREAD_ID));
    }

    function setNextThreadId(State self, uint64 id) internal pure {
        store64(at(self, NEXT_THREAD_ID), id);
    }

    function traversesRight(State self) private pure returns (bool) {
        return load8(at(self, TRAVERSE_RIGHT)) != 0;
    }

    function activeAt(State self) private pure returns (uint256) {
        return at(self, traversesRight(self) ? RIGHT_STACK : LEFT_STACK);
    }

    function inactiveAt(State self) private pure returns (uint256) {
        return at(self, traversesRight(self) ? LEFT_STACK : RIGHT_STACK);
    }

    function at(State self, uint256 field) private pure returns (uint256) {
        unchecked {
            return State.unwrap(self) + field;
        }
    }
}
