//! The state of the machine but for its memory: threads, scheduling, heap, reservation,
//! pre-image cursor; its 188-byte witness and its hash.
//!
//! Layouts: `mipsevm/multithreaded/state.go`, `thread.go`, and `MIPS64.sol`, which reads
//! the same bytes.

use crate::cpu::Fault;
use crate::hash::{Hash, hash_pair, keccak256};

/// Bytes of an encoded thread.
pub const THREAD_BYTES: usize = 298;
/// Bytes of a state witness.
pub const WITNESS_BYTES: usize = 188;
/// Root of a stack without threads: keccak256 of 64 zero bytes.
pub const EMPTY_THREADS_ROOT: Hash = [
    0xad, 0x32, 0x28, 0xb6, 0x76, 0xf7, 0xd3, 0xcd, 0x42, 0x84, 0xa5, 0x44, 0x3f, 0x17, 0xf1, 0x96,
    0x2b, 0x36, 0xe4, 0x91, 0xb3, 0x0a, 0x40, 0xb2, 0x40, 0x58, 0x49, 0xe5, 0x97, 0xba, 0x5f, 0xb5,
];

/// A state version, that is a set of rules of the state transition
/// (`mipsevm/versions/version.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StateVersion {
    /// `multithreaded64-4`: getrandom does nothing.
    V7 = 7,
    /// `multithreaded64-5`: getrandom works.
    V8 = 8,
}

/// The names of all state versions that the reference ever had, by number.
pub const VERSION_NAMES: [&str; 9] = [
    "singlethreaded",
    "multithreaded",
    "singlethreaded-2",
    "multithreaded64",
    "multithreaded64-2",
    "multithreaded-2",
    "multithreaded64-3",
    "multithreaded64-4",
    "multithreaded64-5",
];

impl StateVersion {
    /// The versions that this machine runs.
    pub const ALL: [StateVersion; 2] = [StateVersion::V7, StateVersion::V8];

    /// The version with a number, if this machine runs it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.number() == number)
    }

    /// The number in state files.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name that `load-elf --type` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        VERSION_NAMES[self as usize]
    }
}

/// A boolean that keeps the byte it was read as: the contract takes any non-zero byte of
/// a witness as true and writes the same byte back (`MIPS64.sol`, `putField`, `copyMem`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag(pub u8);

impl Flag {
    /// Whether the flag is set.
    #[must_use]
    pub const fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        Flag(u8::from(value))
    }
}

/// A guest thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    missing_docs,
    reason = "the fields are the reference's, documented there"
)]
pub struct Thread {
    pub id: u64,
    pub exit_code: u8,
    pub exited: Flag,
    pub pc: u64,
    pub next_pc: u64,
    pub lo: u64,
    pub hi: u64,
    pub registers: [u64; 32],
}

impl Thread {
    /// The bytes that state files and thread proofs hold.
    #[must_use]
    pub fn encode(&self) -> [u8; THREAD_BYTES] {
        let mut out = Writer {
            bytes: [0; THREAD_BYTES],
            at: 0,
        };
        out.u64(self.id);
        out.put(&[self.exit_code, self.exited.0]);
        for word in [self.pc, self.next_pc, self.lo, self.hi] {
            out.u64(word);
        }
        for register in self.registers {
            out.u64(register);
        }
        out.bytes
    }

    /// The thread in these bytes.
    #[must_use]
    pub fn decode(bytes: &[u8; THREAD_BYTES]) -> Self {
        let mut from = Reader { bytes, at: 0 };
        let (id, [exit_code, exited]) = (from.u64(), from.take());
        let [pc, next_pc, lo, hi] = std::array::from_fn(|_| from.u64());
        let registers = std::array::from_fn(|_| from.u64());
        Self {
            id,
            exit_code,
            exited: Flag(exited),
            pc,
            next_pc,
            lo,
            hi,
            registers,
        }
    }
}

/// A stack of threads: those at hand, above others of which only the root is known.
///
/// In a machine all threads are at hand and `base` is [`EMPTY_THREADS_ROOT`]. A verifier
/// knows the running thread and the roots; the same operations serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStack {
    /// Root of the threads that are not at hand, at the bottom.
    pub base: Hash,
    /// The threads at hand, bottom first.
    pub threads: Vec<Thread>,
}

impl Default for ThreadStack {
    fn default() -> Self {
        Self {
            base: EMPTY_THREADS_ROOT,
            threads: Vec::new(),
        }
    }
}

impl ThreadStack {
    /// Whether the stack has no thread at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty() && self.base == EMPTY_THREADS_ROOT
    }

    /// The hash onion: each thread's hash over the root of those below it.
    #[must_use]
    pub fn root(&self) -> Hash {
        Self::root_over(self.base, &self.threads)
    }

    /// The root of the stack without its top thread.
    #[must_use]
    pub fn root_below_top(&self) -> Hash {
        Self::root_over(
            self.base,
            &self.threads[..self.threads.len().saturating_sub(1)],
        )
    }

    fn root_over(base: Hash, threads: &[Thread]) -> Hash {
        threads.iter().fold(base, |root, thread| {
            hash_pair(&root, &keccak256(&thread.encode()))
        })
    }
}

/// Which kind of load-linked holds the reservation. Only these values arise, but any byte
/// of a witness is kept.
pub mod reservation {
    /// No reservation.
    pub const NONE: u8 = 0;
    /// Made by `ll`.
    pub const WORD: u8 = 1;
    /// Made by `lld`.
    pub const DOUBLE: u8 = 2;
}

/// The memory reservation of load-linked and store-conditional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reservation {
    /// One of [`reservation`]'s values.
    pub status: u8,
    /// The full address, as it was computed.
    pub address: u64,
    /// The thread that made it.
    pub owner: u64,
}

impl Reservation {
    /// Whether a store to `address` hits the reserved 8-byte word. The status is not
    /// asked, as in the reference (`handleMemoryUpdate`).
    #[must_use]
    #[inline(always)]
    pub const fn covers(&self, address: u64) -> bool {
        (self.address ^ address) & !7 == 0
    }
}

/// The machine's state without its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the reference's, documented there"
)]
pub struct State {
    pub version: StateVersion,
    pub preimage_key: Hash,
    /// Counts from the start of the 8-byte length prefix.
    pub preimage_offset: u64,
    pub heap: u64,
    pub reservation: Reservation,
    pub exit_code: u8,
    pub exited: bool,
    pub step: u64,
    pub steps_since_context_switch: u64,
    pub traverse_right: Flag,
    pub left: ThreadStack,
    pub right: ThreadStack,
    pub next_thread_id: u64,
    /// The bytes of a hint that the guest has not finished; not part of the witness.
    pub last_hint: Vec<u8>,
    /// The last complete hint; known to this implementation only, and to its `.bin.gz`
    /// files, so that a resumed run can repeat it to a fresh host.
    pub replay_hint: Vec<u8>,
}

impl State {
    /// A state with one thread, number 0, on the left stack, that starts at `pc`.
    #[must_use]
    pub fn new(version: StateVersion, pc: u64, heap: u64) -> Self {
        let thread = Thread {
            pc,
            next_pc: pc.wrapping_add(4),
            ..Thread::default()
        };
        Self {
            version,
            preimage_key: [0; 32],
            preimage_offset: 0,
            heap,
            reservation: Reservation::default(),
            exit_code: 0,
            exited: false,
            step: 0,
            steps_since_context_switch: 0,
            traverse_right: Flag(0),
            left: ThreadStack {
                threads: vec![thread],
                ..ThreadStack::default()
            },
            right: ThreadStack::default(),
            next_thread_id: 1,
            last_hint: Vec::new(),
            replay_hint: Vec::new(),
        }
    }

    /// The stack whose top thread runs.
    #[must_use]
    #[inline]
    pub fn active(&self) -> &ThreadStack {
        if self.traverse_right.get() {
            &self.right
        } else {
            &self.left
        }
    }

    /// The stack whose top thread runs.
    #[inline]
    pub fn active_mut(&mut self) -> &mut ThreadStack {
        if self.traverse_right.get() {
            &mut self.right
        } else {
            &mut self.left
        }
    }

    /// The stack that waits.
    pub fn inactive_mut(&mut self) -> &mut ThreadStack {
        if self.traverse_right.get() {
            &mut self.left
        } else {
            &mut self.right
        }
    }

    /// The running thread.
    ///
    /// # Errors
    /// [`Fault::NoActiveThread`] if the active stack is empty.
    #[inline]
    pub fn thread(&self) -> Result<&Thread, Fault> {
        self.active().threads.last().ok_or(Fault::NoActiveThread)
    }

    /// The running thread.
    ///
    /// # Errors
    /// [`Fault::NoActiveThread`] if the active stack is empty.
    #[inline]
    pub fn thread_mut(&mut self) -> Result<&mut Thread, Fault> {
        self.active_mut()
            .threads
            .last_mut()
            .ok_or(Fault::NoActiveThread)
    }

    /// The running thread, and the reservation that its instructions may change with it.
    ///
    /// # Errors
    /// [`Fault::NoActiveThread`] if the active stack is empty.
    pub(crate) fn running(&mut self) -> Result<(&mut Thread, &mut Reservation), Fault> {
        let stack = if self.traverse_right.get() {
            &mut self.right
        } else {
            &mut self.left
        };
        let thread = stack.threads.last_mut().ok_or(Fault::NoActiveThread)?;
        Ok((thread, &mut self.reservation))
    }

    /// Whether the running thread is the only one.
    #[must_use]
    pub fn last_thread_remaining(&self) -> bool {
        let (active, other) = if self.traverse_right.get() {
            (&self.right, &self.left)
        } else {
            (&self.left, &self.right)
        };
        active.threads.len() == 1 && active.base == EMPTY_THREADS_ROOT && other.is_empty()
    }

    /// The 188 bytes that stand for the machine, given the root of its memory.
    #[must_use]
    pub fn witness(&self, memory_root: &Hash) -> [u8; WITNESS_BYTES] {
        let mut out = Writer {
            bytes: [0; WITNESS_BYTES],
            at: 0,
        };
        out.put(memory_root);
        out.put(&self.preimage_key);
        out.u64(self.preimage_offset);
        out.u64(self.heap);
        out.put(&[self.reservation.status]);
        out.u64(self.reservation.address);
        out.u64(self.reservation.owner);
        out.put(&[self.exit_code, u8::from(self.exited)]);
        out.u64(self.step);
        out.u64(self.steps_since_context_switch);
        out.put(&[self.traverse_right.0]);
        out.put(&self.left.root());
        out.put(&self.right.root());
        out.u64(self.next_thread_id);
        out.bytes
    }

    /// The state that a witness stands for, with stacks of which only roots are known,
    /// and the root of memory; none if the exited byte is neither 0 nor 1, which the
    /// contract refuses.
    #[must_use]
    pub fn from_witness(
        version: StateVersion,
        witness: &[u8; WITNESS_BYTES],
    ) -> Option<(Self, Hash)> {
        let mut from = Reader {
            bytes: witness,
            at: 0,
        };
        let mut state = State::new(version, 0, 0);
        let memory_root = from.take();
        state.preimage_key = from.take();
        state.preimage_offset = from.u64();
        state.heap = from.u64();
        let [status] = from.take();
        state.reservation = Reservation {
            status,
            address: from.u64(),
            owner: from.u64(),
        };
        let [exit_code, exited] = from.take();
        (state.exit_code, state.exited) = (exit_code, exited == 1);
        state.step = from.u64();
        state.steps_since_context_switch = from.u64();
        let [traverse_right] = from.take();
        state.traverse_right = Flag(traverse_right);
        state.left = ThreadStack {
            base: from.take(),
            threads: Vec::new(),
        };
        state.right = ThreadStack {
            base: from.take(),
            threads: Vec::new(),
        };
        state.next_thread_id = from.u64();
        (exited <= 1).then_some((state, memory_root))
    }
}

/// Offset of the exit code in a witness; the exited byte follows.
const EXIT_CODE_OFFSET: usize = 97;

/// The status byte of a state hash: 0 valid, 1 invalid, 2 panic, 3 unfinished.
#[must_use]
pub const fn vm_status(exited: bool, exit_code: u8) -> u8 {
    match (exited, exit_code) {
        (false, _) => 3,
        (true, 0) => 0,
        (true, 1) => 1,
        (true, _) => 2,
    }
}

/// keccak256 of a witness with the status in its first byte.
#[must_use]
pub fn state_hash(witness: &[u8; WITNESS_BYTES]) -> Hash {
    let mut hash = keccak256(witness);
    hash[0] = vm_status(
        witness[EXIT_CODE_OFFSET + 1] == 1,
        witness[EXIT_CODE_OFFSET],
    );
    hash
}

struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        out
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_64_zero_bytes() {
        assert_eq!(EMPTY_THREADS_ROOT, keccak256(&[0; 64]));
    }

    #[test]
    fn threads_survive_encoding() {
        let thread = Thread {
            id: 1,
            exit_code: 2,
            exited: Flag(3),
            pc: 4,
            next_pc: 5,
            lo: 6,
            hi: 7,
            registers: std::array::from_fn(|n| n as u64 * 0x0101_0101_0101_0101),
        };
        assert_eq!(Thread::decode(&thread.encode()), thread);
    }

    #[test]
    fn a_witness_leads_back_to_itself() {
        let witness: [u8; WITNESS_BYTES] =
            std::array::from_fn(|n| if n == 98 { 1 } else { n as u8 });
        let (state, root) = State::from_witness(StateVersion::V8, &witness).unwrap();
        assert_eq!(state.witness(&root), witness);
        let mut bad = witness;
        bad[EXIT_CODE_OFFSET + 1] = 2;
        assert!(State::from_witness(StateVersion::V8, &bad).is_none());
    }
}
