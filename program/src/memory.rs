//! A host in memory, for tests and for running a program's logic natively.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::io::{Errno, FileIo, HINT_READ, HINT_WRITE, PREIMAGE_READ, PREIMAGE_WRITE};
use crate::key::PreimageKey;

/// Serves a fixed set of pre-images and remembers the hints. It moves bytes as sparingly as the
/// VM does: no read or write of a pre-image crosses an 8-byte boundary of the buffer's address.
#[derive(Default)]
pub struct MemoryHost {
    preimages: BTreeMap<PreimageKey, Vec<u8>>,
    key: [u8; 32],
    offset: usize,
    hint: Vec<u8>,
    hints: Vec<String>,
    acknowledged: usize,
}

impl MemoryHost {
    /// A host with these pre-images.
    pub fn new(preimages: BTreeMap<PreimageKey, Vec<u8>>) -> Self {
        Self {
            preimages,
            ..Self::default()
        }
    }

    /// The hints so far.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    fn read_preimage(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let key = PreimageKey::try_from(self.key).map_err(|_| Errno::EIO)?;
        let data = self.preimages.get(&key).ok_or(Errno::EIO)?;
        let length = (data.len() as u64).to_be_bytes();
        let rest = length.iter().chain(data).skip(self.offset);
        let limit = within_word(buffer);
        let mut count = 0;
        for (to, from) in buffer[..limit].iter_mut().zip(rest) {
            *to = *from;
            count += 1;
        }
        self.offset += count;
        Ok(count)
    }

    /// The key is the last 32 bytes written, whatever the pieces.
    fn write_key(&mut self, data: &[u8]) -> usize {
        let count = within_word(data);
        self.key.rotate_left(count);
        self.key[32 - count..].copy_from_slice(&data[..count]);
        self.offset = 0;
        count
    }

    fn write_hint(&mut self, data: &[u8]) -> usize {
        self.hint.extend_from_slice(data);
        while let Some((&length, rest)) = self.hint.split_first_chunk::<4>() {
            let Some(hint) = rest.get(..u32::from_be_bytes(length) as usize) else {
                break;
            };
            let taken = 4 + hint.len();
            self.hints.push(String::from_utf8_lossy(hint).into_owned());
            self.hint.drain(..taken);
        }
        data.len()
    }

    fn read_acknowledgement(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.hints.len() - self.acknowledged);
        self.acknowledged += count;
        buffer[..count].fill(0);
        count
    }
}

impl FileIo for MemoryHost {
    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        match fd {
            HINT_READ => Ok(self.read_acknowledgement(buffer)),
            PREIMAGE_READ => self.read_preimage(buffer),
            _ => Err(Errno::EBADF),
        }
    }

    fn write(&mut self, fd: u32, data: &[u8]) -> Result<usize, Errno> {
        match fd {
            HINT_WRITE => Ok(self.write_hint(data)),
            PREIMAGE_WRITE => Ok(self.write_key(data)),
            _ => Err(Errno::EBADF),
        }
    }
}

/// How many bytes of `buffer` lie before the next 8-byte boundary.
fn within_word(buffer: &[u8]) -> usize {
    buffer.len().min(8 - (buffer.as_ptr().addr() & 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_no_more_than_the_vm_does() {
        let key = PreimageKey::local(1);
        let mut host = MemoryHost::new([(key, [5; 20].to_vec())].into());
        #[repr(align(8))]
        struct Words([u8; 40]);
        let mut words = Words([0; 40]);
        words.0[3..35].copy_from_slice(key.as_bytes());
        assert_eq!(host.write(PREIMAGE_WRITE, &words.0[3..35]), Ok(5));
        assert_eq!(host.write(PREIMAGE_WRITE, &words.0[8..35]), Ok(8));
        assert_eq!(host.write(PREIMAGE_WRITE, &words.0[16..35]), Ok(8));
        assert_eq!(host.write(PREIMAGE_WRITE, &words.0[24..35]), Ok(8));
        assert_eq!(host.write(PREIMAGE_WRITE, &words.0[32..35]), Ok(3));
        assert_eq!(host.read(PREIMAGE_READ, &mut words.0[7..20]), Ok(1));
        assert_eq!(host.read(PREIMAGE_READ, &mut words.0[8..40]), Ok(8));
        assert_eq!(words.0[7..16], [0, 0, 0, 0, 0, 0, 0, 20, 5]);
    }

    #[test]
    fn other_file_descriptors_are_bad() {
        let mut host = MemoryHost::default();
        assert_eq!(host.read(PREIMAGE_WRITE, &mut [0]), Err(Errno::EBADF));
        assert_eq!(host.write(PREIMAGE_READ, &[0]), Err(Errno::EBADF));
    }
}
