// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {State, VMStatus} from "./State.sol";
import {Thread} from "./Thread.sol";
import {ThreadStack} from "./ThreadStack.sol";
import {Memory, SubWord} from "./Memory.sol";
import {Files} from "./Files.sol";
import {UnknownSyscall} from "./Errors.sol";
import {IPreimageOracle} from "../interfaces/IPreimageOracle.sol";

/// System calls. The number is in $2, arguments in $4 to $6; the result goes to $2, and $7 is
/// all ones if it is an error number, else 0.
library Syscalls {
    uint256 internal constant V0 = 2;
    uint256 internal constant A0 = 4;
    uint256 internal constant A3 = 7;
    uint256 private constant SP = 29;

    uint64 private constant READ = 5000;
    uint64 private constant WRITE = 5001;
    uint64 private constant OPEN = 5002;
    uint64 private constant MMAP = 5009;
    uint64 private constant BRK = 5012;
    uint64 private constant SCHED_YIELD = 5023;
    uint64 private constant NANOSLEEP = 5034;
    uint64 private constant GETPID = 5038;
    uint64 private constant CLONE = 5055;
    uint64 private constant EXIT = 5058;
    uint64 private constant FCNTL = 5070;
    uint64 private constant GETTID = 5178;
    uint64 private constant FUTEX = 5194;
    uint64 private constant EXIT_GROUP = 5205;
    uint64 private constant CLOCK_GETTIME = 5222;
    uint64 private constant EVENTFD2 = 5284;
    uint64 private constant GETRANDOM = 5313;

    /// The calls that succeed without doing anything, one bit each from 5000 and from 5200 on:
    /// close, stat, fstat, lseek, mprotect, munmap, rt_sigaction, rt_sigprocmask, ioctl, pread64,
    /// mincore, madvise, setitimer, uname, readlink, getrlimit, getuid, getgid, sigaltstack,
    /// sched_getaffinity; epoll_ctl, timer_create, timer_settime, timer_delete, tgkill, openat,
    /// readlinkat, epoll_pwait, epoll_create1, pipe2, prlimit64.
    uint256 private constant NO_OPS_FROM_5000 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 13 | 1
        << 14 | 1 << 15 | 1 << 16 | 1 << 26 | 1 << 27 | 1 << 36 | 1 << 61 | 1 << 87 | 1 << 95 | 1 << 100 | 1 << 102 | 1
        << 129 | 1 << 196;
    uint256 private constant NO_OPS_FROM_5200 =
        1 << 8 | 1 << 16 | 1 << 17 | 1 << 20 | 1 << 25 | 1 << 47 | 1 << 57 | 1 << 72 | 1 << 85 | 1 << 87 | 1 << 97;

    uint64 internal constant EBADF = 9;
    uint64 internal constant EAGAIN = 11;
    uint64 internal constant EINVAL = 22;

    uint64 private constant PAGE_MASK = 4095;
    uint64 private constant PROGRAM_BREAK = 0x400000000000;
    uint64 private constant HEAP_END = 0x600000000000;
    /// VM, FS, FILES, SIGHAND, SYSVSEM and THREAD.
    uint64 private constant CLONE_FLAGS = 0x50f00;
    uint64 private constant FUTEX_WAIT_PRIVATE = 128;
    uint64 private constant FUTEX_WAKE_PRIVATE = 129;
    uint64 private constant EFD_NONBLOCK = 0x80;
    uint64 private constant FD_EVENT = 100;
    uint64 private constant CLOCK_REALTIME = 0;
    uint64 private constant CLOCK_MONOTONIC = 1;
    /// Steps per second of the guest's monotonic clock.
    uint64 private constant HZ = 10_000_000;

    /// Executes the system call of the running thread, and puts the thread back on its stack.
    function execute(State state, Thread thread, IPreimageOracle oracle, bytes32 localContext) internal view {
        uint64 number = thread.register(V0);
        (uint64 a0, uint64 a1) = (thread.register(A0), thread.register(A0 + 1));
        (uint64 value, uint64 errno) = (0, 0);
        if (number == READ) (value, errno) = Files.read(state, thread, oracle, localContext);
        else if (number == WRITE) (value, errno) = Files.write(state, thread);
        else if (number == FCNTL) (value, errno) = Files.fcntl(a0, a1);
        else if (number == OPEN) errno = EBADF;
        else if (number == MMAP) (value, errno) = mmap(state, a0, a1);
        else if (number == BRK) value = PROGRAM_BREAK;
        else if (number == CLONE) return clone(state, thread, a0, a1);
        else if (number == EXIT) return exit(state, thread, uint8(a0));
        else if (number == EXIT_GROUP) return exitGroup(state, thread, uint8(a0));
        else if (number == GETTID) value = thread.id();
        else if (number == SCHED_YIELD || number == NANOSLEEP) return yield(state, thread);
        else if (number == FUTEX && a1 == FUTEX_WAKE_PRIVATE) return yield(state, thread);
        else if (number == FUTEX && a1 != FUTEX_WAIT_PRIVATE) errno = EINVAL;
        else if (number == FUTEX && holds(state, thread)) return yield(state, thread);
        else if (number == FUTEX) errno = EAGAIN;
        else if (number == CLOCK_GETTIME) errno = clockGettime(state, a0, a1);
        else if (number == GETRANDOM) value = getrandom(state, a0, a1);
        else if (number == EVENTFD2) (value, errno) = eventfd2(a1);
        else if (number != GETPID) expectNoOp(number);
        finish(thread, value, errno);
        ThreadStack.replaceTop(state, thread);
    }

    /// Writes the result, goes on to the next instruction.
    function finish(Thread thread, uint64 value, uint64 errno) private pure {
        thread.setRegister(V0, errno == 0 ? value : errno);
        thread.setRegister(A3, errno == 0 ? 0 : type(uint64).max);
        thread.advance();
    }

    function expectNoOp(uint64 number) private pure {
        unchecked {
            // A number below the base wraps to one far above; shifting by that much leaves 0.
            uint256 known = NO_OPS_FROM_5000 >> uint256(number - 5000) | NO_OPS_FROM_5200 >> uint256(number - 5200);
            if (known & 1 == 0) revert UnknownSyscall(number);
        }
    }

    /// Nothing ever blocks: who waits gives way to the next thread.
    function yield(State state, Thread thread) private pure {
        finish(thread, 0, 0);
        ThreadStack.preempt(state, thread);
    }

    function exit(State state, Thread thread, uint8 code) private pure {
        thread.exit(code);
        if (ThreadStack.isLast(state)) state.exit(code);
        ThreadStack.replaceTop(state, thread);
    }

    function exitGroup(State state, Thread thread, uint8 code) private pure {
        state.exit(code);
        ThreadStack.replaceTop(state, thread);
    }

    /// A new thread above the running one, so it runs next. It differs from its parent in its
    /// stack pointer and result alone. Flags other than Go's stop the machine, with the thread
    /// as it was.
    function clone(State state, Thread thread, uint64 flags, uint64 stack) private pure {
        unchecked {
            if (flags != CLONE_FLAGS) return state.exit(uint8(VMStatus.PANIC));
            uint64 id = state.nextThreadId();
            state.setNextThreadId(id + 1);
            finish(thread, id, 0);
            ThreadStack.replaceTop(state, thread);
            // The parent has been hashed, so that its memory can become the child.
            thread.setId(id);
            thread.clearExitCode();
            thread.setRegister(V0, 0);
            thread.setRegister(SP, stack);
            ThreadStack.push(state, thread);
        }
    }

    /// Moves the end of the heap; an address that is asked for is taken as it is.
    function mmap(State state, uint64 address_, uint64 length) private pure returns (uint64, uint64) {
        unchecked {
            if (address_ != 0) return (address_, 0);
            uint64 size = (length + PAGE_MASK) & ~PAGE_MASK;
            uint64 heap = state.heap();
            uint64 end = heap + size;
            if (end > HEAP_END || end < heap || size < length) return (0, EINVAL);
            state.setHeap(end);
            return (heap, 0);
        }
    }

    /// Whether the 4 bytes that a futex is have the expected value.
    function holds(State state, Thread thread) private pure returns (bool) {
        uint64 address_ = thread.register(A0);
        uint64 word = Memory.load(state, address_);
        return SubWord.select(word, address_, 4) == uint32(thread.register(A0 + 2));
    }

    /// Only descriptors that do not block are given out, and always the same.
    function eventfd2(uint64 flags) private pure returns (uint64 value, uint64 errno) {
        return flags & EFD_NONBLOCK == 0 ? (uint64(0), EINVAL) : (FD_EVENT, uint64(0));
    }

    /// Writes seconds and nanoseconds to two words, the second proved after the first is written.
    function clockGettime(State state, uint64 clock, uint64 address_) private pure returns (uint64 errno) {
        unchecked {
            if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return EINVAL;
            uint64 time = clock == CLOCK_MONOTONIC ? state.step() : 0;
            Memory.load(state, address_);
            Memory.store(state, address_, time / HZ);
            Memory.storeSecond(state, address_ + 8, time % HZ * (1_000_000_000 / HZ));
        }
    }

    /// Up to 8 bytes of one pseudo-random word, at the place that they have in it.
    function getrandom(State state, uint64 address_, uint64 count) private pure returns (uint64) {
        unchecked {
            uint64 first = address_ & 7;
            if (count > 8 - first) count = 8 - first;
            uint64 old = Memory.load(state, address_);
            Memory.store(state, address_, SubWord.insert(old, splitmix64(state.step()), first, count));
            return count;
        }
    }

    function splitmix64(uint64 seed) private pure returns (uint64) {
        unchecked {
            uint64 z = seed + 0x9e3779b97f4a7c15;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
            z = (z ^ z >> 27) * 0x94d049bb133111eb;
            return z ^ z >> 31;
        }
    }
}
