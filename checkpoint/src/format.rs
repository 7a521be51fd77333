//! Objects as bytes.
//!
//! ```text
//! object   = area, manifest, footer
//! area     = state, output, pages by index, pre-images by key; each packed for itself
//! manifest = postcard of `Manifest`: names everything in the area, with hashes
//! footer   = offset of the manifest, its length (u64, little-endian), blake3 of it,
//!            format version (u32), magic
//! ```
//!
//! The pieces follow each other without gaps, so lengths say where they are. The end is
//! fixed, so that a reader of a remote object needs one request for footer and manifest
//! and one for each range of pages. Pieces are hashed as they are used, unpacked: what a
//! reader gets is what the writer had, whatever lay in between. The area as a whole is
//! hashed once more as it is stored, for copies of packed bytes (`merge`) and for checks
//! of whole objects.
//!
//! The manifest is not packed: four fifths of it are hashes.

pub(crate) mod encode;
pub(crate) mod manifest;
pub(crate) mod merge;
pub(crate) mod object;
pub(crate) mod pack;
