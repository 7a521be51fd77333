//! Pieces of an object, packed with LZ4 where that is worth it.
//!
//! LZ4, since packing is what a stored checkpoint costs most: on the pages of the guests in
//! `benches/guests` it packs to 25 to 50 %, in a quarter of the time of zstd's level 1,
//! which gets a quarter below that. Its implementation is Rust without unsafe code.

use crate::name::Hash;
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use serde::{Deserialize, Serialize};

/// LZ4 cannot do better; a piece that says so is not sound.
const MOST: u64 = 255;

/// After so many pages in a row that lost less than a quarter, packing is tried with few
/// only: pages of random bytes lie together, and cost most.
const FUTILE: u32 = 4;
/// One of so many is tried then.
const TRIED: u32 = 8;

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
    table: CompressTable,
    /// How many pages in a row lost less than a quarter, or were not tried.
    futile: u32,
}

impl Packer {
    /// Adds a piece, packed if that makes it smaller.
    pub fn add(&mut self, bytes: &[u8]) -> Piece {
        let packed = self.pack(bytes);
        self.put(bytes, packed)
    }

    /// Adds a page, packed if that is likely to make it much smaller.
    pub fn add_page(&mut self, bytes: &[u8]) -> Piece {
        self.futile += 1;
        let tried = self.futile <= FUTILE || self.futile.is_multiple_of(TRIED);
        let packed = if tried { self.pack(bytes) } else { None };
        if packed.is_some_and(|length| length <= bytes.len() / 4 * 3) {
            self.futile = 0;
        }
        self.put(bytes, packed)
    }

    /// Adds a piece that lies in `scratch` if it is packed, so long there.
    fn put(&mut self, bytes: &[u8], packed: Option<usize>) -> Piece {
        let stored = packed.map_or(bytes, |length| &self.scratch[..length]);
        self.area.extend_from_slice(stored);
        Piece {
            length: bytes.len() as u64,
            stored: stored.len() as u64,
            hash: blake3::hash(bytes).into(),
        }
    }

    /// Packs a piece into `scratch`: its length there, if it is smaller.
    fn pack(&mut self, bytes: &[u8]) -> Option<usize> {
        self.scratch.resize(get_maximum_output_size(bytes.len()), 0);
        let packed = compress_into_with_table(bytes, &mut self.scratch, &mut self.table);
        packed.ok().filter(|length| *length < bytes.len())
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
    fn noise_is_no_longer_tried_until_something_else_comes() {
        let mut packer = Packer::default();
        let noise = |page: u32| -> Vec<u8> {
            let word = |n: u32| *blake3::hash(&(page * 1000 + n).to_le_bytes()).as_bytes();
            (0..128).flat_map(word).collect()
        };
        let mut tried = 0;
        for page in 0..80 {
            packer.scratch.clear();
            assert_eq!(packer.add_page(&noise(page)).stored, 4096);
            tried += usize::from(!packer.scratch.is_empty());
        }
        assert_eq!(tried, 4 + 10);
        let stored: Vec<_> = (0..10)
            .map(|_| packer.add_page(&[1; 4096]).stored)
            .collect();
        assert!(stored.contains(&4096) && stored[8..].iter().all(|length| *length < 100));
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
