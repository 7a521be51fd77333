//! The table of contents of an object.

use super::pack::Piece;
use crate::edge::{PAGE_SIZE, Point};
use crate::name::{EdgeName, Hash, TraceId};
use serde::{Deserialize, Serialize};

/// Ends every object.
pub(crate) const MAGIC: [u8; 8] = *b"carrckpt";
/// The layout that this crate writes, and the only one it reads.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the footer.
pub(crate) const FOOTER: usize = 8 + 8 + 32 + 4 + 8;

/// A page in the area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageEntry {
    pub index: u64,
    pub root: Hash,
    pub hash: Hash,
    pub stored: u16,
}

/// A pre-image in the area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreimageEntry {
    pub key: Hash,
    pub piece: Piece,
}

/// What is in an object, in the order of the area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// So that an object that lies under a wrong name is not taken for another.
    pub trace: TraceId,
    pub from: Option<Point>,
    pub to: Point,
    pub state: Piece,
    pub output: Piece,
    pub pages: Vec<PageEntry>,
    pub preimages: Vec<PreimageEntry>,
    /// Of the area as it is stored.
    pub area: Hash,
}

/// The end of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Where the manifest begins.
    pub offset: u64,
    pub length: u64,
    pub hash: Hash,
}

impl Footer {
    /// The footer at the end of an object's bytes, given how many there are in all.
    pub fn read(tail: &[u8], size: u64) -> Result<Self, &'static str> {
        let Some(footer) = tail.last_chunk::<FOOTER>() else {
            return Err("it is too short");
        };
        let (offset, rest) = footer.split_first_chunk::<8>().expect("a footer is longer");
        let (length, rest) = rest.split_first_chunk::<8>().expect("a footer is longer");
        let (hash, rest) = rest.split_first_chunk::<32>().expect("a footer is longer");
        let (version, magic) = rest.split_first_chunk::<4>().expect("a footer is longer");
        if magic != MAGIC {
            return Err("it does not end as a checkpoint's object does");
        }
        if u32::from_le_bytes(*version) != VERSION {
            return Err("its format has another version");
        }
        let (offset, length) = (u64::from_le_bytes(*offset), u64::from_le_bytes(*length));
        let sum = offset
            .checked_add(length)
            .and_then(|sum| sum.checked_add(FOOTER as u64));
        if sum != Some(size) {
            return Err("its size is not what its footer says");
        }
        Ok(Self {
            offset,
            length,
            hash: *hash,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.offset.to_le_bytes());
        out.extend(self.length.to_le_bytes());
        out.extend(self.hash);
        out.extend(VERSION.to_le_bytes());
        out.extend(MAGIC);
    }
}

impl Manifest {
    /// The whole object, given its area.
    pub fn finish(&self, mut area: Vec<u8>) -> Vec<u8> {
        let manifest = postcard::to_stdvec(self).expect("a manifest can always be written");
        let footer = Footer {
            offset: area.len() as u64,
            length: manifest.len() as u64,
            hash: blake3::hash(&manifest).into(),
        };
        area.extend(manifest);
        footer.write(&mut area);
        area
    }

    /// The manifest in these bytes, if it is that of the edge of a trace.
    pub fn read(
        bytes: &[u8],
        footer: &Footer,
        trace: &TraceId,
        name: EdgeName,
    ) -> Result<Self, &'static str> {
        if blake3::hash(bytes) != footer.hash {
            return Err("its manifest has another hash");
        }
        let Ok((manifest, [])) = postcard::take_from_bytes::<Self>(bytes) else {
            return Err("its manifest cannot be understood");
        };
        if manifest.trace != *trace {
            return Err("it belongs to another trace");
        }
        if manifest.name() != name {
            return Err("it belongs under another name");
        }
        if !manifest.is_sound(footer.offset) {
            return Err("its manifest makes no sense");
        }
        Ok(manifest)
    }

    /// The name of the object.
    pub fn name(&self) -> EdgeName {
        EdgeName {
            from: self.from.map(|from| from.step),
            to: self.to.step,
        }
    }

    /// Whether everything is in order and fills the area.
    fn is_sound(&self, area: u64) -> bool {
        let pages = self.pages.iter().map(|page| u64::from(page.stored));
        let preimages = self.preimages.iter().map(|preimage| preimage.piece.stored);
        let all = [self.state.stored, self.output.stored]
            .into_iter()
            .chain(pages)
            .chain(preimages);
        let mut pieces = self.preimages.iter().map(|preimage| &preimage.piece);
        all.fold(0, u64::saturating_add) == area
            && self.state.is_possible()
            && self.output.is_possible()
            && pieces.all(Piece::is_possible)
            && self
                .pages
                .iter()
                .all(|page| usize::from(page.stored) <= PAGE_SIZE)
            && self.pages.is_sorted_by(|one, two| one.index < two.index)
            && self.preimages.is_sorted_by(|one, two| one.key < two.key)
    }
}
