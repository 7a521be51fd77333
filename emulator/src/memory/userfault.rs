//! userfaultfd: being told of the first access to a page, and giving the page its bytes.
//!
//! By way of libc: the `userfaultfd` crate needs a C compiler's headers and clang when it
//! is built, and what is used here are six requests on a file descriptor, whose arguments
//! are a few numbers each (`linux/userfaultfd.h`).

#![allow(
    unsafe_code,
    reason = "system calls on a mapping's range; each has its argument"
)]

use super::{PAGE_SIZE, Page};
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The only version of the interface there is.
const API: u64 = 0xaa;
/// Faults of this process's own code only, which every user may ask for.
const USER_MODE_ONLY: i32 = 1;
/// What to be told of: accesses to pages that have no bytes.
const MISSING: u64 = 1;
/// The kind of message that tells of a fault.
const PAGE_FAULT: u64 = 0x12;

const fn request<const N: usize>(number: u32) -> libc::Ioctl {
    libc::_IOWR::<[u64; N]>(API as u32, number)
}

/// A range of addresses: start and length.
type Extent = [u64; 2];

/// Some ranges of this process's addresses whose pages are filled when first touched. When
/// it is dropped, what is still missing reads as zeros again.
pub(super) struct Userfault(File);

impl Userfault {
    /// # Errors
    /// When the system has it not, or not for us.
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: this reads a number.
        if unsafe { libc::sysconf(libc::_SC_PAGESIZE) } != PAGE_SIZE as libc::c_long {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | USER_MODE_ONLY;
        // SAFETY: this makes a file descriptor and touches no memory.
        let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, so nobody else owns it.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(descriptor as i32) });
        let fault = Self(file);
        fault.ask(request::<3>(0x3f), &mut [API, 0, 0])?;
        Ok(fault)
    }

    /// Waits for an access to a missing page: its address. None when the other end of the
    /// pipe is closed first.
    pub(super) fn wait(&mut self, stop: &PipeReader) -> io::Result<Option<usize>> {
        let poll = |descriptor| libc::pollfd {
            fd: descriptor,
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let mut polls = [poll(self.0.as_raw_fd()), poll(stop.as_raw_fd())];
            // SAFETY: the pointer is that of as many elements as are said.
            if unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } < 0 {
                retry(io::Error::last_os_error())?;
                continue;
            }
            if polls[1].revents != 0 {
                return Ok(None);
            }
            let mut message = [0; 32];
            match self.0.read_exact(&mut message) {
                Ok(()) if u64::from(message[0]) == PAGE_FAULT => {
                    let [_, _, address, _] = words(message);
                    return Ok(Some(address as usize & !(PAGE_SIZE - 1)));
                }
                Ok(()) => {}
                Err(error) => retry(error)?,
            }
        }
    }

    /// Gives a missing page its bytes and lets those who wait for them go on.
    ///
    /// # Errors
    /// Also when the page is not missing: then somebody may have seen other bytes.
    pub(super) fn fill(&self, address: usize, bytes: &Page) -> io::Result<()> {
        let (to, from) = (address as u64, bytes.as_ptr() as u64);
        until_done(|| self.ask(request::<5>(3), &mut [to, from, PAGE_SIZE as u64, 0, 0]))
    }

    /// Lets a page be zeros, unless it is there, and those who wait for it go on.
    pub(super) fn fill_zeros(&self, address: usize) -> io::Result<()> {
        let [start, length] = extent(&(address..address + PAGE_SIZE));
        let filled = until_done(|| self.ask(request::<4>(4), &mut [start, length, 0, 0]));
        match filled.as_ref().map_err(io::Error::raw_os_error) {
            Err(Some(libc::EEXIST)) => {
                self.ask(libc::_IOR::<Extent>(API as u32, 2), &mut [start, length])
            }
            // Nobody waits for a page of a range that is no longer looked after.
            Err(Some(libc::ENOENT)) => Ok(()),
            _ => filled,
        }
    }

    /// Looks after the missing pages of a range from now on.
    ///
    /// # Safety
    /// The range belongs to a mapping that outlives this, and whoever owns the mapping
    /// takes what pages are filled with for their bytes.
    pub(super) unsafe fn register(&self, range: &Range<usize>) -> io::Result<()> {
        let [start, length] = extent(range);
        self.ask(request::<4>(0), &mut [start, length, MISSING, 0])
    }

    /// Looks after a range no more: its missing pages are zeros.
    pub(super) fn unregister(&self, range: &Range<usize>) -> io::Result<()> {
        self.ask(libc::_IOR::<Extent>(API as u32, 1), &mut extent(range))
    }

    fn ask<const N: usize>(&self, request: libc::Ioctl, numbers: &mut [u64; N]) -> io::Result<()> {
        // SAFETY: the request reads and writes as many numbers as its code says, which are
        // these. Of other memory it touches only missing pages of ranges that `register`
        // was given; its caller has promised that this is in order.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request, numbers.as_mut_ptr()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn extent(range: &Range<usize>) -> Extent {
    [range.start as u64, range.len() as u64]
}

fn words(message: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(message.as_chunks().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

/// Asks again while the system is busy with the mapping.
fn until_done(ask: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match ask() {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            answer => return answer,
        }
    }
}

/// Passes over errors that mean that there was nothing, this time.
fn retry(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(error),
    }
}
