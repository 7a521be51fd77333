//! File descriptors as the VM offers them.
//!
//! Source: Optimism specification, `fault-proof/cannon-fault-proof-vm.md`, "I/O" and "Syscalls".

use core::fmt;

/// Text for people.
pub const STDOUT: u32 = 1;
/// Text for people, about what went wrong.
pub const STDERR: u32 = 2;
/// Acknowledgements of hints, one byte each.
pub const HINT_READ: u32 = 3;
/// Hints, each behind its length as a big-endian `u32`.
pub const HINT_WRITE: u32 = 4;
/// Pre-images, each behind its length as a big-endian `u64`.
pub const PREIMAGE_READ: u32 = 5;
/// Keys of the pre-images wanted.
pub const PREIMAGE_WRITE: u32 = 6;

/// An error number of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u64);

impl Errno {
    /// A signal arrived before anything was done; only a real Linux says so.
    pub const EINTR: Self = Self(4);
    /// The other side failed.
    pub const EIO: Self = Self(5);
    /// No such file descriptor, or not for this direction.
    pub const EBADF: Self = Self(9);
    /// The other side has closed its end.
    pub const EPIPE: Self = Self(32);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

/// The two system calls that the clients need. Both may move fewer bytes than asked: the VM moves
/// pre-image bytes only up to the next 8-byte boundary of the buffer's address.
pub trait FileIo {
    /// Reads into the start of `buffer` and returns the number of bytes read.
    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes the start of `data` and returns the number of bytes written.
    fn write(&mut self, fd: u32, data: &[u8]) -> Result<usize, Errno>;
}

impl<F: FileIo + ?Sized> FileIo for &mut F {
    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        (**self).read(fd, buffer)
    }

    fn write(&mut self, fd: u32, data: &[u8]) -> Result<usize, Errno> {
        (**self).write(fd, data)
    }
}

/// Reads until `buffer` is full. A source that ends early is [`Errno::EPIPE`].
pub fn read_exact<F: FileIo>(io: &mut F, fd: u32, buffer: &mut [u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < buffer.len() {
        done += progress(io.read(fd, &mut buffer[done..]))?;
    }
    Ok(())
}

/// Writes until nothing of `data` is left. A sink that takes nothing is [`Errno::EPIPE`].
pub fn write_all<F: FileIo>(io: &mut F, fd: u32, data: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < data.len() {
        done += progress(io.write(fd, &data[done..]))?;
    }
    Ok(())
}

/// Bytes moved by one call: an interrupted call moved none, and may be repeated.
fn progress(result: Result<usize, Errno>) -> Result<usize, Errno> {
    match result {
        Ok(0) => Err(Errno::EPIPE),
        Err(Errno::EINTR) => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Moves at most `step` bytes a call, and is interrupted at every other call.
    struct Stutter {
        data: Vec<u8>,
        step: usize,
        calls: usize,
    }

    impl Stutter {
        fn amount(&mut self, wanted: usize) -> Result<usize, Errno> {
            self.calls += 1;
            if self.calls % 2 == 1 {
                return Err(Errno::EINTR);
            }
            Ok(wanted.min(self.step))
        }
    }

    impl FileIo for Stutter {
        fn read(&mut self, _: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
            let n = self.amount(buffer.len().min(self.data.len()))?;
            buffer[..n].copy_from_slice(&self.data[..n]);
            self.data.drain(..n);
            Ok(n)
        }

        fn write(&mut self, _: u32, data: &[u8]) -> Result<usize, Errno> {
            let n = self.amount(data.len())?;
            self.data.extend_from_slice(&data[..n]);
            Ok(n)
        }
    }

    fn stutter(step: usize) -> Stutter {
        Stutter {
            data: Vec::new(),
            step,
            calls: 0,
        }
    }

    #[test]
    fn partial_and_interrupted_calls_are_continued() {
        let mut io = stutter(3);
        write_all(&mut io, 1, b"0123456789").unwrap();
        let mut back = [0; 10];
        read_exact(&mut io, 1, &mut back).unwrap();
        assert_eq!(&back, b"0123456789");
    }

    #[test]
    fn no_progress_is_an_error() {
        assert_eq!(write_all(&mut stutter(0), 1, b"x"), Err(Errno::EPIPE));
        assert_eq!(
            read_exact(&mut stutter(1), 1, &mut [0; 1]),
            Err(Errno::EPIPE)
        );
    }
}
