//! The system calls (`multithreaded/mips.go`, `exec/mips_syscalls.go`, `MIPS64.sol`,
//! `MIPS64Syscalls.sol`). The number is in register 2 and the arguments in 4 to 6; the
//! result goes to register 2, and all ones to register 7 if it is an error number.

use crate::bus::Bus;
use crate::core::note_store;
use crate::cpu::{Fault, Trap, Width};
use crate::preimage::PreimageError;
use crate::state::{Flag, State, StateVersion, Thread};
use crate::step::{Outside, Stream, preempt};

const V0: usize = 2;
const A0: usize = 4;
const A3: usize = 7;
const SP: usize = 29;

const EBADF: u64 = 9;
const EAGAIN: u64 = 11;
const EINVAL: u64 = 22;

const FD_STDIN: u64 = 0;
const FD_STDOUT: u64 = 1;
const FD_STDERR: u64 = 2;
const FD_HINT_READ: u64 = 3;
const FD_HINT_WRITE: u64 = 4;
const FD_PREIMAGE_READ: u64 = 5;
const FD_PREIMAGE_WRITE: u64 = 6;
const FD_EVENT: u64 = 100;

const PROGRAM_BREAK: u64 = 0x4000_0000_0000;
const HEAP_END: u64 = 0x6000_0000_0000;
const PAGE_MASK: u64 = 4095;
const EFD_NONBLOCK: u64 = 0x80;
const FUTEX_WAIT_PRIVATE: u64 = 128;
const FUTEX_WAKE_PRIVATE: u64 = 129;
const CLOCK_REALTIME: u64 = 0;
const CLOCK_MONOTONIC: u64 = 1;
const F_GETFD: u64 = 1;
const F_GETFL: u64 = 3;
/// Steps per second of the guest's monotonic clock.
const HZ: u64 = 10_000_000;
/// VM, FS, FILES, SIGHAND, SYSVSEM and THREAD, what the Go runtime asks for.
const VALID_CLONE_FLAGS: u64 = 0x50f00;
const EXIT_CODE_PANIC: u8 = 2;

/// At most this much of an unfinished hint is kept; a state file has 32 bits for its length.
const MAX_HINT: u64 = 1 << 30;
/// Of one write to a standard stream, at most this much is shown. The guest is told that
/// all was written, as the contract tells it, whatever the count.
const MAX_OUTPUT: u64 = 1 << 24;

/// What a system call leads to.
enum Outcome {
    /// A result.
    Value(u64),
    /// An error number.
    Error(u64),
    /// The thread gives way to the next, with result 0.
    Yield,
    /// Registers and program counter stay as they are.
    Done,
}

use Outcome::{Done, Error, Value, Yield};

/// Executes the system call of the running thread. On an error nothing has changed.
pub(crate) fn execute<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
) -> Result<(), Trap> {
    let thread = state.thread()?;
    let number = thread.registers[V0];
    let [a0, a1, a2] = [0, 1, 2].map(|n| thread.registers[A0 + n]);
    let outcome = match number {
        5000 => read(state, bus, outside, [a0, a1, a2])?,
        5001 => write(state, bus, outside, [a0, a1, a2])?,
        5002 => Error(EBADF),
        5009 => mmap(state, a0, a1),
        5012 => Value(PROGRAM_BREAK),
        5023 | 5034 => Yield,
        5038 => Value(0),
        5055 => clone(state, a0, a1)?,
        5058 => exit(state, a0)?,
        5070 => fcntl(a0, a1),
        5178 => Value(thread.id),
        5194 => futex(bus, [a0, a1, a2])?,
        5205 => exit_group(state, a0),
        5222 => clock_gettime(state, bus, outside, a0, a1)?,
        5284 => eventfd2(a1),
        5313 => getrandom(state, bus, outside, a0, a1)?,
        _ if does_nothing(number) => Value(0),
        _ => return Err(Fault::UnknownSyscall(number).into()),
    };
    match outcome {
        Value(value) => return_values(state, value, 0),
        Error(errno) => return_values(state, errno, u64::MAX),
        Yield => {
            return_values(state, 0, 0)?;
            preempt(state, outside.stats);
            Ok(())
        }
        Done => Ok(()),
    }
}

/// The calls that succeed without doing anything: close, stat, fstat, lseek, mprotect,
/// munmap, rt_sigaction, rt_sigprocmask, ioctl, pread64, mincore, madvise, setitimer,
/// uname, readlink, getrlimit, getuid, getgid, sigaltstack, sched_getaffinity, epoll_ctl,
/// timer_create, timer_settime, timer_delete, tgkill, openat, readlinkat, epoll_pwait,
/// epoll_create1, pipe2, prlimit64.
fn does_nothing(number: u64) -> bool {
    matches!(
        number,
        5003 | 5004
            | 5005
            | 5008
            | 5010
            | 5011
            | 5013
            | 5014
            | 5015
            | 5016
            | 5026
            | 5027
            | 5036
            | 5061
            | 5087
            | 5095
            | 5100
            | 5102
            | 5129
            | 5196
            | 5208
            | 5216
            | 5217
            | 5220
            | 5225
            | 5247
            | 5257
            | 5272
            | 5285
            | 5287
            | 5297
    )
}

fn return_values(state: &mut State, result: u64, error: u64) -> Result<(), Trap> {
    let thread = state.thread_mut()?;
    thread.registers[V0] = result;
    thread.registers[A3] = error;
    thread.pc = thread.next_pc;
    thread.next_pc = thread.next_pc.wrapping_add(4);
    Ok(())
}

fn mmap(state: &mut State, address: u64, length: u64) -> Outcome {
    if address != 0 {
        return Value(address);
    }
    let size = length.wrapping_add(PAGE_MASK) & !PAGE_MASK;
    let heap = state.heap;
    let end = heap.wrapping_add(size);
    if end > HEAP_END || end < heap || size < length {
        return Error(EINVAL);
    }
    state.heap = end;
    Value(heap)
}

fn clone(state: &mut State, flags: u64, stack: u64) -> Result<Outcome, Trap> {
    if flags != VALID_CLONE_FLAGS {
        state.exited = true;
        state.exit_code = EXIT_CODE_PANIC;
        return Ok(Done);
    }
    let id = state.next_thread_id;
    let parent = state.thread()?;
    let (pc, mut registers) = (parent.next_pc, parent.registers);
    (registers[SP], registers[V0], registers[A3]) = (stack, 0, 0);
    let (lo, hi) = (parent.lo, parent.hi);
    let next_pc = pc.wrapping_add(4);
    let child = Thread {
        id,
        exit_code: 0,
        exited: Flag(0),
        pc,
        next_pc,
        lo,
        hi,
        registers,
    };
    state.next_thread_id = id.wrapping_add(1);
    return_values(state, id, 0)?;
    state.active_mut().threads.push(child);
    state.steps_since_context_switch = 0;
    Ok(Done)
}

fn exit(state: &mut State, code: u64) -> Result<Outcome, Trap> {
    let last = state.last_thread_remaining();
    let thread = state.thread_mut()?;
    thread.exited = Flag(1);
    thread.exit_code = code as u8;
    if last {
        exit_group(state, code);
    }
    Ok(Done)
}

fn exit_group(state: &mut State, code: u64) -> Outcome {
    state.exited = true;
    state.exit_code = code as u8;
    Done
}

fn fcntl(fd: u64, command: u64) -> Outcome {
    let reads = matches!(fd, FD_STDIN | FD_HINT_READ | FD_PREIMAGE_READ);
    let writes = matches!(
        fd,
        FD_STDOUT | FD_STDERR | FD_HINT_WRITE | FD_PREIMAGE_WRITE
    );
    match command {
        F_GETFD if reads || writes => Value(0),
        F_GETFL if reads => Value(0),
        F_GETFL if writes => Value(1),
        F_GETFD | F_GETFL => Error(EBADF),
        _ => Error(EINVAL),
    }
}

/// Nothing ever blocks: a wait whose value matches, and every wake, is a yield.
fn futex<B: Bus>(bus: &mut B, [address, operation, value]: [u64; 3]) -> Result<Outcome, Trap> {
    match operation {
        FUTEX_WAIT_PRIVATE if bus.load(address, Width::Word)? != u64::from(value as u32) => {
            Ok(Error(EAGAIN))
        }
        FUTEX_WAIT_PRIVATE | FUTEX_WAKE_PRIVATE => Ok(Yield),
        _ => Ok(Error(EINVAL)),
    }
}

fn eventfd2(flags: u64) -> Outcome {
    if flags & EFD_NONBLOCK == 0 {
        Error(EINVAL)
    } else {
        Value(FD_EVENT)
    }
}

fn clock_gettime<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    clock: u64,
    address: u64,
) -> Result<Outcome, Trap> {
    let (seconds, nanoseconds) = match clock {
        CLOCK_REALTIME => (0, 0),
        CLOCK_MONOTONIC => (state.step / HZ, state.step % HZ * (1_000_000_000 / HZ)),
        _ => return Ok(Error(EINVAL)),
    };
    let first = address & !7;
    let second = first.wrapping_add(8);
    let _ = bus.store(first, Width::Double, seconds)?;
    note_store(&mut state.reservation, outside.stats, first);
    let _ = bus.store_second(second, nanoseconds)?;
    note_store(&mut state.reservation, outside.stats, second);
    Ok(Value(0))
}

/// One pseudo-random word of the step number (splitmix64), at most up to the next 8-byte
/// border. State version 7 does nothing here.
fn getrandom<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    address: u64,
    count: u64,
) -> Result<Outcome, Trap> {
    if state.version == StateVersion::V7 {
        return Ok(Value(0));
    }
    let word = address & !7;
    let old = bus.load(word, Width::Double)?;
    let (value, count) = insert(old, splitmix64(state.step), address & 7, count);
    let _ = bus.store(word, Width::Double, value)?;
    note_store(&mut state.reservation, outside.stats, word);
    Ok(Value(count))
}

fn splitmix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// `old` with up to `count` of its bytes from byte `first` on taken from the same place
/// in `new`; also says how many those are.
fn insert(old: u64, new: u64, first: u64, count: u64) -> (u64, u64) {
    let count = count.min(8 - first);
    let (mut bytes, new) = (old.to_be_bytes(), new.to_be_bytes());
    let range = first as usize..(first + count) as usize;
    bytes[range.clone()].copy_from_slice(&new[range]);
    (u64::from_be_bytes(bytes), count)
}

fn read<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    [fd, address, count]: [u64; 3],
) -> Result<Outcome, Trap> {
    match fd {
        FD_STDIN => Ok(Value(0)),
        // The answer to a hint has no content; the contract claims to have read it all.
        FD_HINT_READ => Ok(Value(count)),
        FD_PREIMAGE_READ => read_preimage(state, bus, outside, address, count),
        FD_EVENT => Ok(Error(EAGAIN)),
        _ => Ok(Error(EBADF)),
    }
}

fn read_preimage<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    address: u64,
    count: u64,
) -> Result<Outcome, Trap> {
    let (word, first) = (address & !7, address & 7);
    let old = bus.load(word, Width::Double)?;
    let (part, available) =
        outside
            .reader
            .read(outside.oracle, &state.preimage_key, state.preimage_offset)?;
    let mut data = [0; 8];
    data[first as usize..].copy_from_slice(&part[..8 - first as usize]);
    let count = count.min(available);
    let (value, count) = insert(old, u64::from_be_bytes(data), first, count);
    let _ = bus.store(word, Width::Double, value)?;
    note_store(&mut state.reservation, outside.stats, word);
    state.preimage_offset = state.preimage_offset.wrapping_add(count);
    Ok(Value(count))
}

fn write<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    [fd, address, count]: [u64; 3],
) -> Result<Outcome, Trap> {
    match fd {
        FD_STDOUT | FD_STDERR => {
            let stream = if fd == FD_STDOUT {
                Stream::Stdout
            } else {
                Stream::Stderr
            };
            let output = &mut *outside.output;
            bus.read_range(address, count.min(MAX_OUTPUT), &mut |bytes| {
                output.write(stream, bytes)
            });
            Ok(Value(count))
        }
        FD_HINT_WRITE => write_hint(state, bus, outside, address, count),
        FD_PREIMAGE_WRITE => write_key(state, bus, address, count),
        FD_EVENT => Ok(Error(EAGAIN)),
        _ => Ok(Error(EBADF)),
    }
}

/// Appends to the unfinished hint and forwards every complete one.
fn write_hint<B: Bus>(
    state: &mut State,
    bus: &mut B,
    outside: &mut Outside<'_>,
    address: u64,
    count: u64,
) -> Result<Outcome, Trap> {
    if count.saturating_add(state.last_hint.len() as u64) > MAX_HINT {
        // The contract takes any count and never looks at hints, so the step is valid.
        // Nobody could deliver such a hint; it is dropped.
        state.last_hint.clear();
        return Ok(Value(count));
    }
    let mut pending = state.last_hint.clone();
    bus.read_range(address, count, &mut |bytes| {
        pending.extend_from_slice(bytes)
    });
    let (mut rest, mut last) = (&pending[..], None);
    while let Some((hint, after)) = split_hint(rest) {
        let delivered = outside.oracle.hint(hint);
        delivered.map_err(|error| Trap::Preimage(Box::new(PreimageError::Hint(error))))?;
        last = Some(hint);
        rest = after;
    }
    if let Some(hint) = last {
        state.replay_hint = hint.to_vec();
    }
    state.last_hint = rest.to_vec();
    Ok(Value(count))
}

/// The first complete hint of a buffer, without its length, and what follows.
fn split_hint(buffer: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = buffer.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Shifts up to 8 bytes of memory into the pre-image key.
fn write_key<B: Bus>(
    state: &mut State,
    bus: &mut B,
    address: u64,
    count: u64,
) -> Result<Outcome, Trap> {
    let first = (address & 7) as usize;
    let word = bus.load(address & !7, Width::Double)?.to_be_bytes();
    let count = count.min(8 - first as u64) as usize;
    state.preimage_key.copy_within(count.., 0);
    state.preimage_key[32 - count..].copy_from_slice(&word[first..first + count]);
    state.preimage_offset = 0;
    Ok(Value(count as u64))
}

#[cfg(test)]
mod tests {
    use crate::cpu::Width;
    use crate::machine::{Machine, Watch};
    use crate::memory::Memory;
    use crate::oracle::NoOracle;
    use crate::state::{State, StateVersion};
    use crate::step::NoOutput;

    const SYSCALL: u64 = 0x0000_000c;
    const BUFFER: u64 = 0x2003;

    /// The machine after one system call at pc 0.
    fn after(version: StateVersion, registers: &[(usize, u64)]) -> Machine {
        let (mut state, mut memory) = (State::new(version, 0, 0), Memory::new());
        let _ = memory.store(0, Width::Word, SYSCALL);
        for (register, value) in registers {
            state.thread_mut().unwrap().registers[*register] = *value;
        }
        let mut machine = Machine::new(state, memory, Box::new(NoOracle), Box::new(NoOutput));
        machine.run(1, Watch::Nothing).unwrap();
        machine
    }

    #[test]
    fn getrandom_works_from_version_8_on() {
        let call = [(2, 5313), (4, BUFFER), (5, 100)];
        for (version, bytes) in [(StateVersion::V7, 0), (StateVersion::V8, 5)] {
            let machine = after(version, &call);
            let registers = machine.state().thread().unwrap().registers;
            assert_eq!((registers[2], registers[7]), (bytes, 0));
            let word = machine.memory().load(BUFFER, Width::Double);
            assert_eq!(word >> 40, 0, "the bytes before the buffer stay");
            assert_eq!(word != 0, bytes > 0);
        }
    }

    #[test]
    fn a_hint_without_end_is_dropped_and_the_step_is_valid() {
        for count in [1 << 31, u64::MAX] {
            let machine = after(StateVersion::V8, &[(2, 5001), (4, 4), (6, count)]);
            assert_eq!(machine.state().thread().unwrap().registers[2], count);
            assert!(machine.state().last_hint.is_empty());
        }
    }
}
