//! Text helpers that need no heap.

use core::fmt::{self, Write};

use crate::io::{FileIo, write_all};

/// Shows bytes as `0x` and lower-case hexadecimal digits.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads `0x` and exactly 64 hexadecimal digits of either case.
pub fn parse_hash(text: &str) -> Option<crate::Hash> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|d| char::from(d).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(hash)
}

/// Collects text so that a whole message takes one `write`: the VM turns every `write` into a
/// log line of its own.
pub struct BufferedFd<'a, F: FileIo> {
    io: &'a mut F,
    fd: u32,
    buffer: [u8; 512],
    used: usize,
}

impl<'a, F: FileIo> BufferedFd<'a, F> {
    /// A writer to `fd`. Call [`flush`](Self::flush) at the end.
    pub fn new(io: &'a mut F, fd: u32) -> Self {
        Self {
            io,
            fd,
            buffer: [0; 512],
            used: 0,
        }
    }

    /// Writes out what is collected.
    pub fn flush(&mut self) -> fmt::Result {
        let used = core::mem::take(&mut self.used);
        write_all(self.io, self.fd, &self.buffer[..used]).map_err(|_| fmt::Error)
    }
}

impl<F: FileIo> Write for BufferedFd<'_, F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.used == self.buffer.len() {
                self.flush()?;
            }
            let free = &mut self.buffer[self.used..];
            let (now, later) = rest.split_at(rest.len().min(free.len()));
            free[..now.len()].copy_from_slice(now);
            self.used += now.len();
            rest = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec::Vec};

    use super::*;
    use crate::io::Errno;

    struct Log(Vec<Vec<u8>>);

    impl FileIo for Log {
        fn read(&mut self, _: u32, _: &mut [u8]) -> Result<usize, Errno> {
            Err(Errno::EBADF)
        }

        fn write(&mut self, _: u32, data: &[u8]) -> Result<usize, Errno> {
            self.0.push(data.into());
            Ok(data.len())
        }
    }

    #[test]
    fn one_message_is_one_write() {
        let mut log = Log(Vec::new());
        let mut out = BufferedFd::new(&mut log, 1);
        write!(out, "{}-{}", 1, 2).unwrap();
        out.flush().unwrap();
        assert_eq!(log.0, [b"1-2"]);
    }

    #[test]
    fn long_text_goes_out_whole_and_in_order() {
        let text: String = (0..700).map(|n| format!("{n},")).collect();
        let mut log = Log(Vec::new());
        let mut out = BufferedFd::new(&mut log, 1);
        out.write_str(&text).unwrap();
        out.flush().unwrap();
        assert_eq!(log.0.concat(), text.as_bytes());
    }

    #[test]
    fn hashes_survive_printing_and_parsing() {
        let hash = core::array::from_fn(|i| i as u8 * 7);
        let text = format!("{}", Hex(&hash));
        assert_eq!(parse_hash(&text), Some(hash));
        assert_eq!(
            parse_hash(&text.to_uppercase().replace('X', "x")),
            Some(hash)
        );
        assert_eq!(parse_hash(&text[..65]), None);
        assert_eq!(parse_hash(&text[2..]), None);
        assert_eq!(parse_hash(&text.replace('a', "g")), None);
    }
}
