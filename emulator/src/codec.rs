//! State files: Cannon's binary format, plain or gzipped (`multithreaded/state.go`,
//! `memory/memory.go`, `op-service/serialize`, `op-service/ioutil`).

mod gzip;

use crate::memory::{Memory, PAGE_SIZE};
use crate::state::{
    Flag, Reservation, State, StateVersion, THREAD_BYTES, Thread, ThreadStack, VERSION_NAMES,
};
use std::io::{self, BufReader, Read, Write};

/// Decompressed bytes at which reading a gzipped state stops, as in the reference
/// (`ioutil/gzip.go`, `MaxDecompressedSize`).
pub const MAX_DECOMPRESSED: u64 = 10 << 30;

/// How the bytes of a state are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are: `.bin`.
    Plain,
    /// gzip: `.bin.gz`.
    Gzip,
}

impl Packing {
    /// The packing that a file name stands for, if it is one of a binary state.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            _ if name.ends_with(".bin") => Some(Self::Plain),
            _ if name.ends_with(".bin.gz") => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file is another version's.
    #[error("{}", unsupported(*.0))]
    Version(u8),
    /// The file ends in the middle.
    #[error("the state is truncated: it ends within {0}")]
    Truncated(&'static str),
    /// More follows where the state should end.
    #[error("the state is oversized: there is more data after its end")]
    Oversized,
    /// The decompressed state is too large.
    #[error("the decompressed state exceeds {} GiB", MAX_DECOMPRESSED >> 30)]
    TooLarge,
    /// A field has a value that no writer gives it.
    #[error("the state is corrupt: {0}")]
    Corrupt(String),
    /// The gzip stream is broken.
    #[error("bad gzip data: {0}")]
    Gzip(String),
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn unsupported(number: u8) -> String {
    let known = "carronade runs multithreaded64-4 (7) and multithreaded64-5 (8)";
    match (VERSION_NAMES.get(number as usize), number) {
        (Some(name), 0 | 2) => format!(
            "unsupported state version {number} ({name}), a 32-bit state: {known}; \
             the Go cannon of v1.0 to v1.4 reads it"
        ),
        (Some(name), 1 | 5) => format!(
            "unsupported state version {number} ({name}), a 32-bit state: {known}; \
             the Go cannon of v1.3 or v1.4 reads it"
        ),
        (Some(name), _) => format!(
            "unsupported state version {number} ({name}): {known}; \
             an older Go cannon (v1.2 to v1.5) reads it"
        ),
        (None, _) => format!("unknown state version {number}: {known}"),
    }
}

/// Reads a state and its memory.
///
/// # Errors
/// When the bytes are not a whole state of a version that this machine runs.
pub fn read_state(input: impl Read, packing: Packing) -> Result<(State, Memory), StateError> {
    let input = BufReader::with_capacity(1 << 16, input);
    match packing {
        Packing::Plain => read_plain(input),
        Packing::Gzip => {
            let mut unpacked = gzip::Members::new(input);
            let (mut state, memory) = read_plain(&mut unpacked)?;
            state.replay_hint = unpacked.take_extra();
            Ok((state, memory))
        }
    }
}

/// The version byte of a state, without reading the rest.
///
/// # Errors
/// When there is no byte to read.
pub fn read_version(input: impl Read, packing: Packing) -> Result<u8, StateError> {
    let input = BufReader::new(input);
    match packing {
        Packing::Plain => Input(input).u8("the version"),
        Packing::Gzip => Input(gzip::Members::new(input)).u8("the version"),
    }
}

/// Writes a state and its memory.
///
/// # Errors
/// When the output fails, or a page of the memory cannot be loaded.
pub fn write_state(
    output: &mut dyn Write,
    packing: Packing,
    state: &State,
    memory: &Memory,
) -> io::Result<()> {
    match packing {
        Packing::Plain => write_plain(output, state, memory),
        Packing::Gzip => {
            let mut packed = gzip::Packer::new(output);
            write_plain(&mut packed, state, memory)?;
            packed.finish(&state.replay_hint)
        }
    }
}

fn write_plain(out: &mut dyn Write, state: &State, memory: &Memory) -> io::Result<()> {
    out.write_all(&[state.version.number()])?;
    let pages = memory.page_indexes();
    out.write_all(&(pages.len() as u64).to_be_bytes())?;
    for index in pages {
        out.write_all(&index.to_be_bytes())?;
        out.write_all(memory.page(index).unwrap_or(&[0; PAGE_SIZE]))?;
    }
    if let Some(failure) = memory.failure() {
        return Err(io::Error::other(failure));
    }
    out.write_all(&encode_rest(state))
}

/// A state without its memory, as in state files: the version, then all that follows the
/// memory there. The last complete hint is not in it.
#[must_use]
pub fn encode_scalars(state: &State) -> Vec<u8> {
    let mut out = vec![state.version.number()];
    out.extend(encode_rest(state));
    out
}

/// The state in the bytes of [`encode_scalars`].
///
/// # Errors
/// When they are not such bytes, or of a version that this machine does not run.
pub fn decode_scalars(bytes: &[u8]) -> Result<State, StateError> {
    let mut input = Input(bytes);
    let version = read_version_byte(&mut input)?;
    read_rest(input, version)
}

/// Everything after the memory.
fn encode_rest(state: &State) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(state.preimage_key);
    out.extend(state.preimage_offset.to_be_bytes());
    out.extend(state.heap.to_be_bytes());
    out.push(state.reservation.status);
    out.extend(state.reservation.address.to_be_bytes());
    out.extend(state.reservation.owner.to_be_bytes());
    out.extend([state.exit_code, u8::from(state.exited)]);
    out.extend(state.step.to_be_bytes());
    out.extend(state.steps_since_context_switch.to_be_bytes());
    out.push(u8::from(state.traverse_right.get()));
    out.extend(state.next_thread_id.to_be_bytes());
    for stack in [&state.left, &state.right] {
        out.extend((stack.threads.len() as u64).to_be_bytes());
        stack
            .threads
            .iter()
            .for_each(|thread| out.extend(thread.encode()));
    }
    // Hints are kept below 2^30 bytes, so the length fits its 32 bits.
    out.extend((state.last_hint.len() as u32).to_be_bytes());
    out.extend(&state.last_hint);
    out
}

fn read_plain(input: impl Read) -> Result<(State, Memory), StateError> {
    let mut input = Input(input);
    let version = read_version_byte(&mut input)?;
    let memory = read_memory(&mut input)?;
    Ok((read_rest(input, version)?, memory))
}

fn read_version_byte<R: Read>(input: &mut Input<R>) -> Result<StateVersion, StateError> {
    let number = input.u8("the version")?;
    StateVersion::from_number(number).ok_or(StateError::Version(number))
}

/// Everything after the memory, up to the end of the input.
fn read_rest<R: Read>(mut input: Input<R>, version: StateVersion) -> Result<State, StateError> {
    let mut state = State::new(version, 0, 0);
    state.preimage_key = input.array("the pre-image key")?;
    state.preimage_offset = input.u64("the pre-image offset")?;
    state.heap = input.u64("the heap pointer")?;
    let status = input.u8("the reservation")?;
    let (address, owner) = (input.u64("the reservation")?, input.u64("the reservation")?);
    state.reservation = Reservation {
        status,
        address,
        owner,
    };
    state.exit_code = input.u8("the exit code")?;
    state.exited = input.bool("exited")?;
    state.step = input.u64("the step")?;
    state.steps_since_context_switch = input.u64("the steps since the context switch")?;
    state.traverse_right = input.bool("traverseRight")?.into();
    state.next_thread_id = input.u64("the next thread id")?;
    state.left = read_threads(&mut input)?;
    state.right = read_threads(&mut input)?;
    state.last_hint = read_hint(&mut input)?;
    input.end()?;
    Ok(state)
}

fn read_memory<R: Read>(input: &mut Input<R>) -> Result<Memory, StateError> {
    let mut memory = Memory::new();
    let count = input.u64("the page count")?;
    for expected in 0..count {
        let index = input.u64("a page index")?;
        if index >> 52 != 0 {
            return Err(StateError::Corrupt(format!(
                "page index 0x{index:x} is out of range"
            )));
        }
        input.fill(memory.page_mut(index), "a page")?;
        if memory.page_count() as u64 != expected + 1 {
            return Err(StateError::Corrupt(format!(
                "page 0x{index:x} appears twice"
            )));
        }
    }
    Ok(memory)
}

fn read_threads<R: Read>(input: &mut Input<R>) -> Result<ThreadStack, StateError> {
    let mut stack = ThreadStack::default();
    for _ in 0..input.u64("a thread count")? {
        let bytes: [u8; THREAD_BYTES] = input.array("a thread")?;
        let mut thread = Thread::decode(&bytes);
        // The reference reads any non-zero byte as true and writes it back as 1.
        thread.exited = Flag::from(thread.exited.get());
        stack.threads.push(thread);
    }
    Ok(stack)
}

fn read_hint<R: Read>(input: &mut Input<R>) -> Result<Vec<u8>, StateError> {
    let length = u32::from_be_bytes(input.array("the hint")?);
    let mut hint = Vec::new();
    // Memory grows with what is there, not with what the length claims.
    (&mut input.0)
        .take(u64::from(length))
        .read_to_end(&mut hint)
        .map_err(unpacking)?;
    if hint.len() as u64 == u64::from(length) {
        Ok(hint)
    } else {
        Err(StateError::Truncated("the hint"))
    }
}

/// A reader that knows what it is in the middle of.
struct Input<R>(R);

impl<R: Read> Input<R> {
    fn fill(&mut self, bytes: &mut [u8], what: &'static str) -> Result<(), StateError> {
        self.0
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => StateError::Truncated(what),
                _ => unpacking(error),
            })
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], StateError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, StateError> {
        self.array(what).map(u8::from_be_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, StateError> {
        self.array(what).map(u64::from_be_bytes)
    }

    fn bool(&mut self, what: &'static str) -> Result<bool, StateError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(StateError::Corrupt(format!(
                "{what} is {byte}, neither 0 nor 1"
            ))),
        }
    }

    fn end(&mut self) -> Result<(), StateError> {
        match self.0.read(&mut [0]).map_err(unpacking)? {
            0 => Ok(()),
            _ => Err(StateError::Oversized),
        }
    }
}

/// Errors of the gzip reader come as I/O errors; tells them from those of the file.
fn unpacking(error: io::Error) -> StateError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => StateError::TooLarge,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            StateError::Gzip(error.to_string())
        }
        _ => StateError::Io(error),
    }
}

#[cfg(test)]
mod tests;
