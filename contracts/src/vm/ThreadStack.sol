// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {State} from "./State.sol";
import {Thread, ThreadLib} from "./Thread.sol";
import {Witness} from "./Witness.sol";
import {hashPair} from "./Packed.sol";
import {EmptyThreadStack, InvalidThreadWitness} from "./Errors.sol";

/// The two stacks of threads, each known by a root: hash(root below, hash(thread)).
///
/// The running thread is on top of the active stack. A thread that gives way moves to the other
/// stack; when the active one is empty, the other becomes active.
library ThreadStack {
    /// Root of a stack without threads: keccak256 of 64 zero bytes.
    bytes32 internal constant EMPTY = 0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5;

    /// Reverts if there is no thread to run.
    function expectThread(State state) internal pure {
        if (state.activeStack() == EMPTY) revert EmptyThreadStack();
    }

    /// The running thread, from calldata, checked against the active stack's root.
    function top(State state) internal pure returns (Thread thread) {
        Witness.expect(Witness.THREAD, ThreadLib.LENGTH + 32);
        thread = ThreadLib.fromCalldata(Witness.THREAD);
        if (rootOver(Witness.rootBelow(), thread) != state.activeStack()) revert InvalidThreadWitness();
    }

    /// Puts the changed running thread back.
    function replaceTop(State state, Thread thread) internal pure {
        state.setActiveStack(rootOver(Witness.rootBelow(), thread));
    }

    /// Puts a new thread above the running one, which [`replaceTop`] has put back before.
    function push(State state, Thread thread) internal pure {
        state.setActiveStack(rootOver(state.activeStack(), thread));
        state.setStepsSinceSwitch(0);
    }

    /// Drops the running thread.
    function pop(State state) internal pure {
        state.setActiveStack(Witness.rootBelow());
        finishSwitch(state);
    }

    /// Moves the running thread to the other stack.
    function preempt(State state, Thread thread) internal pure {
        state.setActiveStack(Witness.rootBelow());
        state.setInactiveStack(rootOver(state.inactiveStack(), thread));
        finishSwitch(state);
    }

    /// Whether the running thread is the only one.
    function isLast(State state) internal pure returns (bool) {
        return Witness.rootBelow() == EMPTY && state.inactiveStack() == EMPTY;
    }

    function finishSwitch(State state) private pure {
        if (state.activeStack() == EMPTY) state.turnAround();
        state.setStepsSinceSwitch(0);
    }

    function rootOver(bytes32 below, Thread thread) private pure returns (bytes32) {
        return hashPair(below, thread.hash());
    }
}
