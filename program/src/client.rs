//! The program's side of the pre-image oracle and of hints.
//!
//! Source: Optimism specification, `fault-proof/index.md`, "Pre-image Oracle" and "Hinting".

use alloc::vec::Vec;
use core::fmt;

use crate::Hash;
use crate::fmt::Hex;
use crate::io::{
    Errno, FileIo, HINT_READ, HINT_WRITE, PREIMAGE_READ, PREIMAGE_WRITE, read_exact, write_all,
};
use crate::keccak::keccak256;
use crate::key::PreimageKey;

/// Why the client has no answer. None of these can be mended by the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// A system call failed.
    Io {
        /// On this file descriptor.
        fd: u32,
        /// For this reason.
        errno: Errno,
    },
    /// The pre-image has not the length that its use demands.
    Length {
        /// The pre-image asked for.
        key: PreimageKey,
        /// The length demanded.
        expected: u64,
        /// The length it has.
        found: u64,
    },
    /// There is no memory for a pre-image of this length.
    TooLong {
        /// The pre-image asked for.
        key: PreimageKey,
        /// The length it has.
        length: u64,
    },
    /// The data is not the pre-image of this digest.
    Digest(Hash),
    /// A hint longer than its `u32` length prefix can say.
    HintTooLong,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { fd, errno } => write!(f, "file descriptor {fd}: {errno}"),
            Self::Length {
                key,
                expected,
                found,
            } => write!(f, "pre-image {key} has {found} bytes, not {expected}"),
            Self::TooLong { key, length } => {
                write!(f, "no memory for the {length} bytes of pre-image {key}")
            }
            Self::Digest(hash) => {
                write!(f, "the oracle's data does not hash to {}", Hex(hash))
            }
            Self::HintTooLong => f.write_str("hint longer than 4 GiB"),
        }
    }
}

impl core::error::Error for ClientError {}

/// Asks for pre-images and gives hints over the four oracle file descriptors.
pub struct OracleClient<F> {
    io: F,
}

impl<F: FileIo> OracleClient<F> {
    /// A client over these file descriptors.
    pub const fn new(io: F) -> Self {
        Self { io }
    }

    /// Gives the file descriptors back.
    pub fn into_inner(self) -> F {
        self.io
    }

    /// Tells the host what will be asked for next, and waits until it has taken note.
    pub fn hint(&mut self, hint: &str) -> Result<(), ClientError> {
        let length = u32::try_from(hint.len()).map_err(|_| ClientError::HintTooLong)?;
        self.write(HINT_WRITE, &length.to_be_bytes())?;
        self.write(HINT_WRITE, hint.as_bytes())?;
        self.read(HINT_READ, &mut [0])
    }

    /// The pre-image of `key`, as the host gives it. Nothing is checked.
    pub fn get(&mut self, key: PreimageKey) -> Result<Vec<u8>, ClientError> {
        let length = self.request(key)?;
        let too_long = ClientError::TooLong { key, length };
        let size = usize::try_from(length).map_err(|_| too_long)?;
        let mut data = Vec::new();
        data.try_reserve_exact(size).map_err(|_| too_long)?;
        data.resize(size, 0);
        self.read(PREIMAGE_READ, &mut data)?;
        Ok(data)
    }

    /// The pre-image of `key`, which must have `N` bytes. Its content is not checked.
    pub fn get_array<const N: usize>(&mut self, key: PreimageKey) -> Result<[u8; N], ClientError> {
        let (expected, found) = (N as u64, self.request(key)?);
        if found != expected {
            return Err(ClientError::Length {
                key,
                expected,
                found,
            });
        }
        let mut data = [0; N];
        self.read(PREIMAGE_READ, &mut data)?;
        Ok(data)
    }

    /// The data whose keccak256 is `hash`. A program must not trust its host, so it hashes the
    /// answer itself; on chain the oracle contract has already done so.
    pub fn get_verified(&mut self, hash: Hash) -> Result<Vec<u8>, ClientError> {
        let data = self.get(PreimageKey::keccak256(hash))?;
        check_digest(&data, hash)?;
        Ok(data)
    }

    /// The `N` bytes whose keccak256 is `hash`, as [`get_verified`](Self::get_verified).
    pub fn get_verified_array<const N: usize>(
        &mut self,
        hash: Hash,
    ) -> Result<[u8; N], ClientError> {
        let data = self.get_array(PreimageKey::keccak256(hash))?;
        check_digest(&data, hash)?;
        Ok(data)
    }

    /// Writes the key, which also rewinds the oracle, and reads the length before the data.
    fn request(&mut self, key: PreimageKey) -> Result<u64, ClientError> {
        self.write(PREIMAGE_WRITE, key.as_bytes())?;
        let mut length = [0; 8];
        self.read(PREIMAGE_READ, &mut length)?;
        Ok(u64::from_be_bytes(length))
    }

    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<(), ClientError> {
        read_exact(&mut self.io, fd, buffer).map_err(|errno| ClientError::Io { fd, errno })
    }

    fn write(&mut self, fd: u32, data: &[u8]) -> Result<(), ClientError> {
        write_all(&mut self.io, fd, data).map_err(|errno| ClientError::Io { fd, errno })
    }
}

fn check_digest(data: &[u8], hash: Hash) -> Result<(), ClientError> {
    if keccak256(data) == hash {
        Ok(())
    } else {
        Err(ClientError::Digest(hash))
    }
}

#[cfg(test)]
mod tests {
    use std::{string::ToString, vec};

    use super::*;
    use crate::memory::MemoryHost;

    fn client(data: &[u8]) -> (OracleClient<MemoryHost>, Hash) {
        let hash = keccak256(data);
        let preimages = [(PreimageKey::keccak256(hash), data.to_vec())];
        (OracleClient::new(MemoryHost::new(preimages.into())), hash)
    }

    #[test]
    fn reads_pre_images_of_every_length() {
        for length in 0..100 {
            let data = vec![length as u8; length];
            let (mut client, hash) = client(&data);
            assert_eq!(client.get_verified(hash), Ok(data.clone()));
            assert_eq!(client.get(PreimageKey::keccak256(hash)), Ok(data));
        }
    }

    #[test]
    fn arrays_must_have_the_right_length() {
        let (mut client, hash) = client(&[9; 32]);
        assert_eq!(client.get_verified_array(hash), Ok([9; 32]));
        let key = PreimageKey::keccak256(hash);
        assert_eq!(
            client.get_verified_array::<31>(hash),
            Err(ClientError::Length {
                key,
                expected: 31,
                found: 32
            })
        );
        // The stream is usable again after an answer that was not read.
        assert_eq!(client.get_array(key), Ok([9; 32]));
    }

    #[test]
    fn a_lying_host_is_found_out() {
        let hash = keccak256(b"truth");
        let preimages = [(PreimageKey::keccak256(hash), b"liess".to_vec())];
        let mut client = OracleClient::new(MemoryHost::new(preimages.into()));
        assert_eq!(client.get_verified(hash), Err(ClientError::Digest(hash)));
        assert_eq!(
            client.get_verified_array::<5>(hash),
            Err(ClientError::Digest(hash))
        );
    }

    #[test]
    fn an_unknown_key_is_an_io_error() {
        let (mut client, _) = client(b"");
        let error = client.get(PreimageKey::local(1)).unwrap_err();
        assert_eq!(error.to_string(), "file descriptor 5: errno 5");
    }

    /// Announces a pre-image that no memory can hold.
    struct Boaster;

    impl FileIo for Boaster {
        fn read(&mut self, _: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
            buffer.fill(0xff);
            Ok(buffer.len())
        }

        fn write(&mut self, _: u32, data: &[u8]) -> Result<usize, Errno> {
            Ok(data.len())
        }
    }

    #[test]
    fn an_absurd_length_is_an_error() {
        let key = PreimageKey::local(1);
        let length = u64::MAX;
        assert_eq!(
            OracleClient::new(Boaster).get(key),
            Err(ClientError::TooLong { key, length })
        );
    }

    #[test]
    fn hints_arrive_whole_and_are_acknowledged() {
        let (mut client, _) = client(b"");
        client.hint("block 0x01").unwrap();
        client.hint("").unwrap();
        assert_eq!(client.into_inner().hints(), ["block 0x01", ""]);
    }
}
