//! The pipes between the VM and its host, and how they get their numbers in the host.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// The host's descriptors: 3 reads hints, 4 writes acknowledgements, 5 reads keys, 6 writes
/// pre-images.
pub(crate) const HOST_FDS: [RawFd; 4] = [3, 4, 5, 6];

/// The lowest descriptor that none of [`HOST_FDS`] can overwrite.
const ABOVE_HOST_FDS: RawFd = 7;

/// The VM's ends of the pipes, non-blocking and close-on-exec.
#[derive(Debug)]
pub(crate) struct ClientEnds {
    /// Takes hints.
    pub(crate) hint_out: OwnedFd,
    /// Brings the acknowledgements of hints.
    pub(crate) ack_in: OwnedFd,
    /// Takes pre-image keys.
    pub(crate) key_out: OwnedFd,
    /// Brings pre-images.
    pub(crate) image_in: OwnedFd,
}

/// The host's ends of the pipes as they are before the host is started.
#[derive(Debug)]
pub(crate) struct ChildEnds {
    /// In the order of [`HOST_FDS`], all of them numbered above these.
    ends: [OwnedFd; 4],
    /// The descriptors that `ends` were copied from. While they and the client's ends are open,
    /// none of 3 to 6 is free: eight descriptors, each the lowest free one when it was made,
    /// leave no hole below 7. So nothing that the standard library opens in order to start a
    /// process, such as the pipe that reports a failed `exec`, can be where the host's ends go.
    _placeholders: [OwnedFd; 4],
}

/// Makes the four pipes; every descriptor is close-on-exec.
pub(crate) fn create() -> io::Result<(ClientEnds, ChildEnds)> {
    let (hint_in, hint_out) = pipe_with(PipeFlags::CLOEXEC)?;
    let (ack_in, ack_out) = pipe_with(PipeFlags::CLOEXEC)?;
    let (key_in, key_out) = pipe_with(PipeFlags::CLOEXEC)?;
    let (image_in, image_out) = pipe_with(PipeFlags::CLOEXEC)?;
    for end in [&hint_out, &ack_in, &key_out, &image_in] {
        // The two ends of a pipe have their own flags: the host's stay blocking.
        rustix::io::ioctl_fionbio(end, true)?;
    }
    let high = |end: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(end, ABOVE_HOST_FDS);
    let ends = [
        high(&hint_in)?,
        high(&ack_out)?,
        high(&key_in)?,
        high(&image_out)?,
    ];
    let child = ChildEnds {
        ends,
        _placeholders: [hint_in, ack_out, key_in, image_out],
    };
    Ok((
        ClientEnds {
            hint_out,
            ack_in,
            key_out,
            image_in,
        },
        child,
    ))
}

impl ChildEnds {
    /// Gives the ends their numbers 3 to 6, open across `exec`.
    ///
    /// Makes nothing but `dup2` calls, so it may run between `fork` and `exec`, and must run
    /// nowhere else: it closes whatever had these numbers.
    pub(crate) fn install(&self) -> io::Result<()> {
        for (end, number) in self.ends.iter().zip(HOST_FDS) {
            // SAFETY: `dup2` overwrites `number` whether it is open or not, and the `ManuallyDrop`
            // keeps this `OwnedFd` from closing it again. Code that owned the number in the
            // parent does not run in this forked child, so nobody is robbed of it.
            let target = unsafe { OwnedFd::from_raw_fd(number) };
            let mut target = std::mem::ManuallyDrop::new(target);
            rustix::io::dup2(end, &mut target)?;
        }
        Ok(())
    }
}

/// Waits until one of `fds` is ready for what is asked of it or has hung up, until `millis`
/// milliseconds have passed, or until a signal comes; tells which of `fds` it was, if any.
pub(crate) fn wait_ready<const N: usize>(
    fds: [(BorrowedFd<'_>, PollFlags); N],
    millis: u32,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags));
    let timeout = Timespec {
        tv_sec: i64::from(millis / 1000),
        tv_nsec: i64::from(millis % 1000) * 1_000_000,
    };
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) => Ok(polled.map(|fd| !fd.revents().is_empty())),
        Err(Errno::INTR) => Ok([false; N]),
        Err(error) => Err(error.into()),
    }
}

/// A close-on-exec pipe that carries nothing: its reader sees when its writer is closed.
pub(crate) fn notice() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// What to wait for on the reading end of [`notice`]: the hang-up, which `poll` always reports.
pub(crate) fn hang_up(notice: &OwnedFd) -> (BorrowedFd<'_>, PollFlags) {
    (notice.as_fd(), PollFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn the_hosts_numbers_are_occupied_but_not_by_its_own_ends() {
        let (_client, child) = create().unwrap();
        for number in HOST_FDS {
            let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
            assert!(link.is_ok(), "descriptor {number} is free");
        }
        for end in &child.ends {
            assert!(end.as_raw_fd() >= ABOVE_HOST_FDS);
        }
    }
}
