// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {State} from "./State.sol";
import {Thread} from "./Thread.sol";
import {Memory, SubWord} from "./Memory.sol";
import {IPreimageOracle} from "../interfaces/IPreimageOracle.sol";
import {PreimageKey} from "../oracle/PreimageKey.sol";

/// System calls on file descriptors: standard streams, which nobody sees on chain; 3 and 4, on
/// which hints go; 5 and 6, on which pre-images are read and keys are written; 100, an eventfd.
library Files {
    uint64 private constant STDIN = 0;
    uint64 private constant STDOUT = 1;
    uint64 private constant STDERR = 2;
    uint64 private constant HINT_READ = 3;
    uint64 private constant HINT_WRITE = 4;
    uint64 private constant PREIMAGE_READ = 5;
    uint64 private constant PREIMAGE_WRITE = 6;
    uint64 private constant EVENT = 100;

    uint64 private constant F_GETFD = 1;
    uint64 private constant F_GETFL = 3;
    uint64 private constant O_RDONLY = 0;
    uint64 private constant O_WRONLY = 1;

    uint64 private constant EBADF = 9;
    uint64 private constant EAGAIN = 11;
    uint64 private constant EINVAL = 22;

    uint256 private constant A0 = 4;

    /// The answer to a hint has no content; all of it has been read, and memory stays.
    function read(State state, Thread thread, IPreimageOracle oracle, bytes32 localContext)
        internal
        view
        returns (uint64 value, uint64 errno)
    {
        uint64 fd = thread.register(A0);
        uint64 count = thread.register(A0 + 2);
        if (fd == STDIN) return (0, 0);
        if (fd == HINT_READ) return (count, 0);
        if (fd == EVENT) return (0, EAGAIN);
        if (fd != PREIMAGE_READ) return (0, EBADF);
        return (readPreimage(state, thread.register(A0 + 1), count, oracle, localContext), 0);
    }

    /// Up to 8 bytes of the pre-image, at most to the end of a word of memory. The word is written,
    /// and a reservation lost, also if these are no bytes at all.
    function readPreimage(State state, uint64 address_, uint64 count, IPreimageOracle oracle, bytes32 localContext)
        private
        view
        returns (uint64)
    {
        unchecked {
            uint64 old = Memory.load(state, address_);
            bytes32 key = PreimageKey.localizeIfLocal(state.preimageKey(), msg.sender, localContext);
            uint64 offset = state.preimageOffset();
            (bytes32 data, uint256 available) = oracle.readPreimage(key, offset);
            uint64 first = address_ & 7;
            if (count > 8 - first) count = 8 - first;
            if (count > available) count = uint64(available);
            uint64 word = uint64(bytes8(data)) >> 8 * first;
            Memory.store(state, address_, SubWord.insert(old, word, first, count));
            state.setPreimageOffset(offset + count);
            return count;
        }
    }

    /// All that goes to standard streams or is a hint has been written.
    function write(State state, Thread thread) internal pure returns (uint64 value, uint64 errno) {
        uint64 fd = thread.register(A0);
        uint64 count = thread.register(A0 + 2);
        if (fd == STDOUT || fd == STDERR || fd == HINT_WRITE) return (count, 0);
        if (fd == EVENT) return (0, EAGAIN);
        if (fd != PREIMAGE_WRITE) return (0, EBADF);
        return (writeKey(state, thread.register(A0 + 1), count), 0);
    }

    /// Shifts up to 8 bytes into the key, at most to the end of a word of memory. What is read
    /// next starts from the beginning, also if these are no bytes at all.
    function writeKey(State state, uint64 address_, uint64 count) private pure returns (uint64) {
        unchecked {
            uint64 first = address_ & 7;
            if (count > 8 - first) count = 8 - first;
            uint64 bytes_ = Memory.load(state, address_) << 8 * first;
            uint256 shifted = uint256(state.preimageKey()) << 8 * count;
            state.setPreimageKey(bytes32(shifted | uint256(bytes_) >> (64 - 8 * count)));
            state.setPreimageOffset(0);
            return count;
        }
    }

    function fcntl(uint64 fd, uint64 command) internal pure returns (uint64 value, uint64 errno) {
        if (command != F_GETFD && command != F_GETFL) return (0, EINVAL);
        if (fd > PREIMAGE_WRITE) return (0, EBADF);
        bool readOnly = fd == STDIN || fd == HINT_READ || fd == PREIMAGE_READ;
        return (command == F_GETFD || readOnly ? O_RDONLY : O_WRONLY, 0);
    }
}
