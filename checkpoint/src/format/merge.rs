//! One edge in place of several that follow each other. Packed bytes are copied.

use super::encode::encode_output;
use super::manifest::{Manifest, PageEntry, PreimageEntry};
use super::object::Object;
use super::pack::Packer;
use crate::backend::Backend;
use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The object of the edge from where the first one begins to where the last one ends.
pub(crate) fn merge(backend: &dyn Backend, edges: &[Arc<Object>]) -> Result<Vec<u8>> {
    let areas: Vec<_> = edges
        .iter()
        .map(|edge| edge.area(backend))
        .collect::<Result<_>>()?;
    let outputs: Vec<_> = edges
        .iter()
        .map(|edge| edge.output(backend))
        .collect::<Result<_>>()?;
    let (first, last) = (&edges[0].manifest, &edges[edges.len() - 1]);
    let mut packer = Packer::default();
    let state = packer.add(&last.state(backend)?);
    let output = packer.add(&encode_output(&outputs.concat()));
    let mut area = packer.area;
    let pages = copy_pages(edges, &areas, &mut area);
    let preimages = copy_preimages(edges, &areas, &mut area);
    let manifest = Manifest {
        trace: first.trace,
        from: first.from,
        to: last.manifest.to,
        state,
        output,
        pages,
        preimages,
        area: blake3::hash(&area).into(),
    };
    Ok(manifest.finish(area))
}

/// Each page as the last edge left it that has it.
fn copy_pages(edges: &[Arc<Object>], areas: &[Vec<u8>], out: &mut Vec<u8>) -> Vec<PageEntry> {
    let mut newest = BTreeMap::new();
    for (number, edge) in edges.iter().enumerate() {
        for (entry, page) in edge.manifest.pages.iter().enumerate() {
            newest.insert(page.index, (number, entry));
        }
    }
    let copy = |(number, entry): &(usize, usize)| {
        out.extend_from_slice(edges[*number].stored_page(&areas[*number], *entry));
        edges[*number].manifest.pages[*entry]
    };
    newest.values().map(copy).collect()
}

/// Each pre-image once. A run that went on from a checkpoint in between has read some again.
fn copy_preimages(
    edges: &[Arc<Object>],
    areas: &[Vec<u8>],
    out: &mut Vec<u8>,
) -> Vec<PreimageEntry> {
    let mut all = BTreeMap::new();
    for (number, edge) in edges.iter().enumerate() {
        for (entry, preimage) in edge.manifest.preimages.iter().enumerate() {
            all.entry(preimage.key).or_insert((number, entry));
        }
    }
    let copy = |(number, entry): &(usize, usize)| {
        out.extend_from_slice(edges[*number].stored_preimage(&areas[*number], *entry));
        edges[*number].manifest.preimages[*entry]
    };
    all.values().map(copy).collect()
}
