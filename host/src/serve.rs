//! The host's side: a server of pre-images out of a store.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::io::{Errno, FdFlags};

use crate::pipes::{HOST_FDS, wait_ready};
use crate::show::{show_hint, show_key};
use crate::store::{Store, StoreError};

/// The greatest hint accepted, in bytes: 1 GiB. Hints carry payloads of some megabytes at most.
const MAX_HINT: usize = 1 << 30;

/// Bytes read at once: what a Linux pipe holds.
const CHUNK: usize = 64 * 1024;

/// The waits for a client have no limit; the number only bounds one `poll`, in milliseconds.
const LONG_MILLIS: u32 = 3_600_000;

/// Why a server had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store does not have a pre-image, so the client cannot go on.
    #[error("no pre-image for {}{}", show_key(.key), after_hint(.last_hint))]
    UnknownKey {
        /// The key asked for.
        key: [u8; 32],
        /// The last hint received before.
        last_hint: Option<Vec<u8>>,
    },
    /// The store cannot be read.
    #[error("cannot look up pre-image {}: {source}", show_key(.key))]
    Store {
        /// The key asked for.
        key: [u8; 32],
        /// The store's reason.
        source: StoreError,
    },
    /// Pre-images come from elsewhere than a store, and one does not come.
    #[error("{0}")]
    Source(String),
    /// The client announced a hint longer than 1 GiB.
    #[error("the client announced a hint of {length} bytes")]
    HintTooLong {
        /// The announced length in bytes.
        length: usize,
    },
    /// The client's end of a channel was closed in the middle of a request.
    #[error("the client closed its {channel} channel in the middle of a request")]
    Truncated {
        /// `hint` or `pre-image`.
        channel: &'static str,
    },
    /// This process was not started by a VM.
    #[error("descriptor {fd} is not a pipe: {reason}; a VM starts this program as its host")]
    NotAHost {
        /// The descriptor's number, one of 3 to 6.
        fd: RawFd,
        /// What it is instead.
        reason: String,
    },
    /// The inherited descriptors have been taken before.
    #[error("the descriptors 3 to 6 have already been taken")]
    Taken,
    /// Reading or writing a channel failed.
    #[error("cannot talk to the client: {0}")]
    Io(#[from] io::Error),
}

/// The end of the message on an unknown key.
fn after_hint(hint: &Option<Vec<u8>>) -> String {
    match hint {
        Some(hint) => format!(" (last hint: `{}`)", show_hint(hint)),
        None => " (no hint was received before)".to_owned(),
    }
}

/// The host's ends of the four pipes; they may be blocking or not.
#[derive(Debug)]
pub struct HostFds {
    /// Descriptor 3: brings hints.
    pub hint_in: OwnedFd,
    /// Descriptor 4: takes one byte for each hint.
    pub ack_out: OwnedFd,
    /// Descriptor 5: brings pre-image keys.
    pub key_in: OwnedFd,
    /// Descriptor 6: takes pre-images.
    pub image_out: OwnedFd,
}

impl HostFds {
    /// Waits for `millis` milliseconds, or until the client has closed one of its ends; tells
    /// whether it has.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn client_is_gone(&self, millis: u32) -> io::Result<bool> {
        let ends = [&self.hint_in, &self.ack_out, &self.key_in, &self.image_out];
        // Hang-ups are reported whatever is asked for.
        let gone = wait_ready(ends.map(|end| (end.as_fd(), PollFlags::empty())), millis)?;
        Ok(gone.contains(&true))
    }
}

/// Finds the pre-image of a key.
pub type Find<'a> = dyn FnMut(&[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> + 'a;

/// What a server has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Hints acknowledged.
    pub hints: u64,
    /// Pre-images sent.
    pub preimages: u64,
    /// The sum of the pre-images' lengths in bytes.
    pub bytes: u64,
}

/// Serves one client until it closes one of its channels, or goes away.
///
/// Every hint is passed to `hints`, without its length, and acknowledged when that returns.
/// Hints and keys are taken as they come, also bit by bit; a hint that is complete is handled
/// before a key that came at the same time. The data is not checked against the key.
///
/// # Errors
/// [`ServeError::UnknownKey`] if the store has no answer; the client then sees the channels
/// close. Others when the store or the channels fail.
pub fn serve(
    store: &dyn Store,
    hints: &mut dyn FnMut(&[u8]),
    fds: &HostFds,
) -> Result<Served, ServeError> {
    serve_from(&mut |key| store.get(key), hints, fds)
}

/// The same, with pre-images from whatever `find` finds them in.
///
/// # Errors
/// As [`serve`]; a [`StoreError::Source`] of `find` becomes a [`ServeError::Source`].
pub fn serve_from(
    find: &mut Find<'_>,
    hints: &mut dyn FnMut(&[u8]),
    fds: &HostFds,
) -> Result<Served, ServeError> {
    let mut session = Session {
        find,
        fds,
        served: Served::default(),
        last_hint: None,
    };
    match session.run(hints) {
        // A client that does not want its answer any more has ended, for instance because it
        // was interrupted; that is no failure of ours.
        Err(ServeError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    Ok(session.served)
}

/// Serves the VM that started this process, over the descriptors 3 to 6; see [`serve`].
///
/// # Errors
/// Those of [`inherited_fds`] and [`serve`]; the caller should show them and exit non-zero.
pub fn serve_inherited_fds(
    store: &dyn Store,
    hints: &mut dyn FnMut(&[u8]),
) -> Result<Served, ServeError> {
    serve(store, hints, &inherited_fds()?)
}

/// Takes over the descriptors 3 to 6 that a VM gives to its host, and makes them close-on-exec.
///
/// Nothing else in this process may use these numbers, so a program should call this (or
/// [`serve_inherited_fds`]) only as a host and only out of `main`. It works once.
///
/// # Errors
/// [`ServeError::NotAHost`] if one of them is not an open pipe or socket, which is so for
/// a program started by hand; [`ServeError::Taken`] the second time.
pub fn inherited_fds() -> Result<HostFds, ServeError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(ServeError::Taken);
    }
    for fd in HOST_FDS {
        check_channel(fd)?;
    }
    let [hint_in, ack_out, key_in, image_out] = HOST_FDS.map(|fd| {
        // SAFETY: the descriptor is open, as was just checked. It was given to this process by
        // the one that started it, for this use; `TAKEN` makes sure that it is owned once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    Ok(HostFds {
        hint_in,
        ack_out,
        key_in,
        image_out,
    })
}

/// Fails unless `fd` is open and a pipe or socket; makes it close-on-exec.
fn check_channel(fd: RawFd) -> Result<(), ServeError> {
    // SAFETY: the borrow does not outlive this function, and in it the number is only looked at:
    // for a number that is not open, the calls fail with EBADF and nothing else happens.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let not_a_host = |reason: String| ServeError::NotAHost { fd, reason };
    let stat = rustix::fs::fstat(borrowed).map_err(|error| not_a_host(error.to_string()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo | FileType::Socket => {}
        other => return Err(not_a_host(format!("it is a {other:?}"))),
    }
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)
        .map_err(|error| not_a_host(error.to_string()))
}

/// A server at work.
struct Session<'a, 'f> {
    find: &'a mut Find<'f>,
    fds: &'a HostFds,
    served: Served,
    last_hint: Option<Vec<u8>>,
}

impl Session<'_, '_> {
    /// Answers until a channel ends.
    fn run(&mut self, hints: &mut dyn FnMut(&[u8])) -> Result<(), ServeError> {
        let mut hint_box = Inbox::default();
        let mut key_box = Inbox::default();
        loop {
            let ready = poll_both(self.fds)?;
            if ready.hint && !hint_box.receive(&self.fds.hint_in)? {
                return hint_box.finish("hint");
            }
            while let Some(hint) = next_hint(&mut hint_box)? {
                hints(&hint);
                write_all(&self.fds.ack_out, &[0])?;
                self.served.hints += 1;
                self.last_hint = Some(hint);
            }
            if ready.key && !key_box.receive(&self.fds.key_in)? {
                return key_box.finish("pre-image");
            }
            while let Some(key) = next_key(&mut key_box) {
                self.answer(key)?;
            }
        }
    }

    /// Sends the pre-image of `key`.
    fn answer(&mut self, key: [u8; 32]) -> Result<(), ServeError> {
        let found = (self.find)(&key).map_err(|error| match error {
            StoreError::Source(words) => ServeError::Source(words),
            source => ServeError::Store { key, source },
        })?;
        let Some(image) = found else {
            return Err(ServeError::UnknownKey {
                key,
                last_hint: self.last_hint.take(),
            });
        };
        let length = (image.len() as u64).to_be_bytes();
        if image.len() <= CHUNK {
            // One write for the common case wakes the client once.
            write_all(&self.fds.image_out, &[&length[..], &image[..]].concat())?;
        } else {
            write_all(&self.fds.image_out, &length)?;
            write_all(&self.fds.image_out, &image)?;
        }
        self.served.preimages += 1;
        self.served.bytes += image.len() as u64;
        Ok(())
    }
}

/// Bytes of a channel that do not make a request yet.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Reads once; false at the end of the channel.
    fn receive(&mut self, fd: &OwnedFd) -> Result<bool, ServeError> {
        self.bytes.reserve(CHUNK);
        match rustix::io::read(fd, spare_capacity(&mut self.bytes)) {
            Ok(count) => Ok(count > 0),
            // Readiness may be reported too often; then there is simply nothing yet.
            Err(Errno::AGAIN | Errno::INTR) => Ok(true),
            Err(error) => Err(ServeError::Io(error.into())),
        }
    }

    /// The end of the session: clean only between two requests.
    fn finish(&self, channel: &'static str) -> Result<(), ServeError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(ServeError::Truncated { channel })
        }
    }
}

/// Takes the first hint, if it is complete, out of the box.
fn next_hint(inbox: &mut Inbox) -> Result<Option<Vec<u8>>, ServeError> {
    let Some((length, rest)) = inbox.bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_HINT {
        return Err(ServeError::HintTooLong { length });
    }
    let Some(hint) = rest.get(..length).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    inbox.bytes.drain(..4 + length);
    Ok(Some(hint))
}

/// Takes the first key, if it is complete, out of the box.
fn next_key(inbox: &mut Inbox) -> Option<[u8; 32]> {
    let key = *inbox.bytes.first_chunk::<32>()?;
    inbox.bytes.drain(..32);
    Some(key)
}

/// Which channels can be read without blocking.
struct Ready {
    hint: bool,
    key: bool,
}

/// Waits until a channel has data or has ended.
fn poll_both(fds: &HostFds) -> Result<Ready, ServeError> {
    let wanted = [
        (fds.hint_in.as_fd(), PollFlags::IN),
        (fds.key_in.as_fd(), PollFlags::IN),
    ];
    let [hint, key] = wait_ready(wanted, LONG_MILLIS)?;
    Ok(Ready { hint, key })
}

/// Writes everything, whether or not `fd` is blocking.
fn write_all(fd: &OwnedFd, mut data: &[u8]) -> Result<(), ServeError> {
    while !data.is_empty() {
        match rustix::io::write(fd, data) {
            Ok(count) => data = &data[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait_ready([(fd.as_fd(), PollFlags::OUT)], LONG_MILLIS)?;
            }
            Err(error) => return Err(ServeError::Io(error.into())),
        }
    }
    Ok(())
}
