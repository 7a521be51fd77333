//! Pieces of an object, each packed with LZ4 if that makes it smaller.
//!
//! LZ4, since pages are written while a run waits: on the pages of the guests in
//! `benches/guests` it packs to 25 to 50 %, in a quarter of the time of zstd's level 1,
//! which gets a quarter below that. Its implementation is Rust without unsafe code.

use crate::name::Hash;
use serde::{Deserialize, Serialize};

/// LZ4 cannot do better; a piece that says so is not sound.
const MOST: u64 = 255;

/// A piece whose length is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub length: u64,
    /// As long as `length` if it is not packed.
    pub stored: u64,
    /// Of the bytes before packing.
    pub hash: Hash,
}

/// Packs pieces one behind the other.
#[derive(Default)]
pub(crate) struct Packer {
    pub area: Vec<u8>,
    scratch: Vec<u8>,
}

impl Packer {
    /// Adds a piece.
    pub fn add(&mut self, bytes: &[u8]) -> Piece {
        self.scratch
            .resize(lz4_flex::block::get_maximum_output_size(bytes.len()), 0);
        let packed = lz4_flex::block::compress_into(bytes, &mut self.scratch);
        let stored = match packed {
            Ok(length) if length < bytes.len() => &self.scratch[..length],
            _ => bytes,
        };
        self.area.extend_from_slice(stored);
        Piece {
            length: bytes.len() as u64,
            stored: stored.len() as u64,
            hash: blake3::hash(bytes).into(),
        }
    }
}

impl Piece {
    /// Whether some bytes could have been packed to this piece.
    pub fn is_possible(&self) -> bool {
        self.stored <= self.length && self.length <= self.stored.saturating_mul(MOST)
    }

    /// The bytes that were packed; none if it is not they that come out.
    pub fn unpack(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.length as usize];
        unpack_into(stored, &self.hash, &mut bytes).then_some(bytes)
    }
}

/// Unpacks a piece to where it just fits, and says whether it is what it should be.
pub(crate) fn unpack_into(stored: &[u8], hash: &Hash, bytes: &mut [u8]) -> bool {
    if stored.len() == bytes.len() {
        bytes.copy_from_slice(stored);
    } else {
        match lz4_flex::block::decompress_into(stored, bytes) {
            Ok(length) if length == bytes.len() => {}
            _ => return false,
        }
    }
    blake3::hash(bytes) == *hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back() {
        let mut packer = Packer::default();
        let noise: Vec<u8> = (0..200u32)
            .flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes())
            .collect();
        for bytes in [&[][..], &[7], &[0; 4096], &noise] {
            let start = packer.area.len();
            let piece = packer.add(bytes);
            assert!(piece.is_possible());
            assert_eq!(piece.unpack(&packer.area[start..]).unwrap(), bytes);
        }
        assert!(packer.area.len() < noise.len() + 100);
    }

    #[test]
    fn other_bytes_do_not_come_out() {
        let mut packer = Packer::default();
        let piece = packer.add(&[1; 100]);
        assert_eq!(piece.unpack(&packer.area[1..]), None);
        assert_eq!(
            Piece {
                length: 99,
                ..piece
            }
            .unpack(&packer.area),
            None
        );
        assert_eq!(
            Piece {
                hash: [0; 32],
                ..piece
            }
            .unpack(&packer.area),
            None
        );
    }
}
