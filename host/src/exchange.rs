//! Reading and writing pipes to a process that may die, hang or be interrupted meanwhile.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::child::{HostChild, TICK_MILLIS};
use crate::pipes;

/// How long a host that closed a pipe may take to end, so that its exit status can be told.
const SETTLE: Duration = Duration::from_secs(1);

/// Bytes read at once: what a Linux pipe holds.
const CHUNK: usize = 64 * 1024;

/// Why an exchange stopped, before it is known what was asked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The interrupt flag is set.
    Interrupted,
    /// The host has ended and its pipe is empty.
    Ended,
    /// The host closed the pipe and lives on.
    Closed,
    /// The host announced this many bytes, which is beyond the limit.
    TooLong(u64),
    /// The system refused.
    Io(io::Error),
}

/// The host and the flag that stops waiting for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// The host's process.
    pub(crate) child: &'a HostChild,
    /// Set when the user wants to stop.
    pub(crate) interrupt: &'a AtomicBool,
}

impl Peer<'_> {
    /// Whether the user wants to stop.
    pub(crate) fn interrupted(self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Writes all of `data` to the non-blocking `fd`.
    pub(crate) fn write_all(self, fd: &OwnedFd, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            let ended = self.check()?;
            match rustix::io::write(fd, data) {
                Ok(count) => data = &data[count..],
                Err(Errno::INTR) => {}
                Err(Errno::PIPE) => return Err(self.closed()),
                // A full pipe that only a descendant of the host holds open stays full.
                Err(Errno::AGAIN) if ended => return Err(Fault::Ended),
                Err(Errno::AGAIN) => self.wait_for(fd, PollFlags::OUT)?,
                Err(error) => return Err(Fault::Io(error.into())),
            }
        }
        Ok(())
    }

    /// Fills `buffer` from the non-blocking `fd`.
    pub(crate) fn read_exact(self, fd: &OwnedFd, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut filled = 0;
        while filled < buffer.len() {
            filled += self.read_some(fd, &mut buffer[filled..])?;
        }
        Ok(())
    }

    /// Reads `length` bytes; takes memory only as they arrive.
    pub(crate) fn read_vec(self, fd: &OwnedFd, length: u64) -> Result<Vec<u8>, Fault> {
        let mut data = Vec::new();
        let mut chunk = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
        loop {
            let left = length - data.len() as u64;
            if left == 0 {
                return Ok(data);
            }
            let part = chunk.len().min(usize::try_from(left).unwrap_or(CHUNK));
            let count = self.read_some(fd, &mut chunk[..part])?;
            data.extend_from_slice(&chunk[..count]);
        }
    }

    /// Reads at least one byte into `buffer`, which must not be empty.
    fn read_some(self, fd: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            // Asked before reading: an empty pipe afterwards then proves that nothing that the
            // host wrote before its end is lost.
            let ended = self.check()?;
            match rustix::io::read(fd, &mut *buffer) {
                Ok(0) => return Err(self.closed()),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                // A descendant of the host may hold the pipe open for ever.
                Err(Errno::AGAIN) if ended => return Err(Fault::Ended),
                Err(Errno::AGAIN) => self.wait_for(fd, PollFlags::IN)?,
                Err(error) => return Err(Fault::Io(error.into())),
            }
        }
    }

    /// Fails if the user wants to stop, else tells whether the host has ended.
    fn check(self) -> Result<bool, Fault> {
        if self.interrupted() {
            Err(Fault::Interrupted)
        } else {
            Ok(self.child.ended())
        }
    }

    /// Sleeps until `fd` is ready, the host ends, or it is time to look at the flag again.
    fn wait_for(self, fd: &OwnedFd, ready: PollFlags) -> Result<(), Fault> {
        let fds = [(fd.as_fd(), ready), pipes::hang_up(self.child.notice())];
        pipes::wait_ready(fds, TICK_MILLIS)
            .map(|_| ())
            .map_err(Fault::Io)
    }

    /// Tells a dying host, whose pipes close first, from one that closes a pipe and lives on.
    fn closed(self) -> Fault {
        if self.child.wait(SETTLE, || self.interrupted()) {
            Fault::Ended
        } else if self.interrupted() {
            Fault::Interrupted
        } else {
            Fault::Closed
        }
    }
}
