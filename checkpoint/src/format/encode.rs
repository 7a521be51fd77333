//! From an edge to the bytes of its object.

use super::manifest::{Manifest, PageEntry, PreimageEntry};
use super::pack::Packer;
use crate::edge::{Edge, Output};
use crate::name::TraceId;

/// The object of an edge that is in order.
pub(crate) fn encode(trace: TraceId, edge: &Edge) -> Vec<u8> {
    let mut packer = Packer::default();
    let state = packer.add(edge.state);
    let output = packer.add(&encode_output(&edge.output));
    let pages = edge.pages.iter().map(|page| {
        let piece = packer.add_page(page.bytes);
        PageEntry {
            index: page.index,
            root: page.root,
            hash: piece.hash,
            stored: piece.stored as u16,
        }
    });
    let pages = pages.collect();
    let preimages = edge.preimages.iter().map(|(key, value)| PreimageEntry {
        key: *key,
        piece: packer.add(value),
    });
    let preimages = preimages.collect();
    let manifest = Manifest {
        trace,
        from: edge.from,
        to: edge.to,
        state,
        output,
        pages,
        preimages,
        area: blake3::hash(&packer.area).into(),
    };
    manifest.finish(packer.area)
}

/// Output as one piece.
pub(crate) fn encode_output(output: &[Output]) -> Vec<u8> {
    postcard::to_stdvec(output).expect("output can always be written")
}
