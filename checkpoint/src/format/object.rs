//! An object that was opened: its manifest, and where in it everything is.

use super::manifest::{Footer, Manifest};
use super::pack::{Piece, unpack_into};
use crate::backend::{Backend, Source};
use crate::edge::{Output, PAGE_SIZE};
use crate::error::{Error, Result};
use crate::name::{EdgeName, Hash, TraceId};
use std::ops::Range;

/// An edge in the store. Its manifest is sound; the area is checked as it is read.
#[derive(Debug)]
pub(crate) struct Object {
    pub name: EdgeName,
    pub source: Source,
    pub manifest: Manifest,
    /// Where each page begins.
    pages: Vec<u64>,
    /// Where each pre-image begins.
    preimages: Vec<u64>,
    /// Bytes of the manifest, as it is stored.
    pub weight: usize,
}

impl Object {
    /// Opens edges of a trace, which lie under these paths.
    pub fn open(
        backend: &dyn Backend,
        trace: &TraceId,
        edges: &[(EdgeName, String)],
    ) -> Vec<Result<Self>> {
        let paths: Vec<_> = edges.iter().map(|(_, path)| path.clone()).collect();
        let opened: Vec<_> = backend
            .open(&paths)
            .into_iter()
            .map(|opened| opened.and_then(Ending::new))
            .collect();
        let missing = opened.iter().flatten().filter_map(Ending::missing);
        let missing: Vec<_> = missing.collect();
        let mut rest = backend.read(&missing).into_iter();
        let whole = edges.iter().zip(opened).map(|((name, _), ending)| {
            let ending = ending?;
            let before = match ending.missing() {
                Some(_) => rest.next().expect("an answer for every request")?,
                None => Vec::new(),
            };
            ending.finish(before, trace, *name)
        });
        whole.collect()
    }

    fn new(name: EdgeName, source: Source, manifest: Manifest, weight: usize) -> Self {
        let mut at = manifest.state.stored + manifest.output.stored;
        let mut starts = |stored: u64| {
            at += stored;
            at - stored
        };
        let pages = manifest.pages.iter().map(|page| starts(page.stored.into()));
        let pages = pages.collect();
        let preimages = manifest
            .preimages
            .iter()
            .map(|entry| starts(entry.piece.stored));
        let preimages = preimages.collect();
        Self {
            name,
            source,
            manifest,
            pages,
            preimages,
            weight,
        }
    }

    /// Where a page lies.
    pub fn page(&self, entry: usize) -> Range<u64> {
        let start = self.pages[entry];
        start..start + u64::from(self.manifest.pages[entry].stored)
    }

    /// Unpacks a page that was read from where it lies.
    pub fn unpack_page(&self, entry: usize, stored: &[u8]) -> Result<Box<crate::Page>> {
        let entry = &self.manifest.pages[entry];
        let mut page = Box::new([0; PAGE_SIZE]);
        if !unpack_into(stored, &entry.hash, page.as_mut_slice()) {
            return Err(self.damaged(format_args!("page {:#x} has another hash", entry.index)));
        }
        Ok(page)
    }

    /// Where a pre-image lies, and what it should be.
    fn preimage_piece(&self, entry: usize) -> (Range<u64>, Piece) {
        let (start, piece) = (self.preimages[entry], self.manifest.preimages[entry].piece);
        (start..start + piece.stored, piece)
    }

    /// A pre-image, if this edge has it.
    pub fn preimage(&self, backend: &dyn Backend, key: &Hash) -> Result<Option<Vec<u8>>> {
        let entries = &self.manifest.preimages;
        let Ok(entry) = entries.binary_search_by_key(key, |entry| entry.key) else {
            return Ok(None);
        };
        self.piece(backend, self.preimage_piece(entry)).map(Some)
    }

    /// All but memory, in full.
    pub fn state(&self, backend: &dyn Backend) -> Result<Vec<u8>> {
        let piece = self.manifest.state;
        self.piece(backend, (0..piece.stored, piece))
    }

    /// What the guest wrote.
    pub fn output(&self, backend: &dyn Backend) -> Result<Vec<Output>> {
        let (start, piece) = (self.manifest.state.stored, self.manifest.output);
        let bytes = self.piece(backend, (start..start + piece.stored, piece))?;
        match postcard::take_from_bytes(&bytes) {
            Ok((output, [])) => Ok(output),
            _ => Err(self.damaged("its output cannot be understood")),
        }
    }

    fn piece(&self, backend: &dyn Backend, (range, piece): (Range<u64>, Piece)) -> Result<Vec<u8>> {
        let stored = self.read(backend, range)?;
        piece
            .unpack(&stored)
            .ok_or_else(|| self.damaged("a piece of it has another hash"))
    }

    fn read(&self, backend: &dyn Backend, range: Range<u64>) -> Result<Vec<u8>> {
        let mut answers = backend.read(&[(&self.source, range)]);
        answers.pop().expect("an answer for every request")
    }

    /// Everything but manifest and footer, as it is stored and checked as such.
    pub fn area(&self, backend: &dyn Backend) -> Result<Vec<u8>> {
        let end = self.preimages.last().zip(self.manifest.preimages.last());
        let end = end.map(|(start, entry)| start + entry.piece.stored);
        let pages = || Some(self.page(self.pages.len().checked_sub(1)?).end);
        let first = self.manifest.state.stored + self.manifest.output.stored;
        let area = self.read(backend, 0..end.or_else(pages).unwrap_or(first))?;
        if blake3::hash(&area) != self.manifest.area {
            return Err(self.damaged("its area has another hash"));
        }
        Ok(area)
    }

    /// Looks at every byte.
    pub fn verify(&self, backend: &dyn Backend) -> Result<()> {
        let area = self.area(backend)?;
        let at = |range: Range<u64>| &area[range.start as usize..range.end as usize];
        for entry in 0..self.pages.len() {
            self.unpack_page(entry, at(self.page(entry)))?;
        }
        for entry in 0..self.preimages.len() {
            let (range, piece) = self.preimage_piece(entry);
            piece
                .unpack(at(range))
                .ok_or_else(|| self.damaged("a pre-image has another hash"))?;
        }
        self.state(backend)?;
        self.output(backend).map(drop)
    }

    /// The stored bytes of a page in an area.
    pub fn stored_page<'a>(&self, area: &'a [u8], entry: usize) -> &'a [u8] {
        let range = self.page(entry);
        &area[range.start as usize..range.end as usize]
    }

    /// The stored bytes of a pre-image in an area.
    pub fn stored_preimage<'a>(&self, area: &'a [u8], entry: usize) -> &'a [u8] {
        let (range, _) = self.preimage_piece(entry);
        &area[range.start as usize..range.end as usize]
    }

    /// An error that names this object.
    pub fn damaged(&self, why: impl ToString) -> Error {
        Error::damaged(&self.source.path, why)
    }
}

/// The end of an object, and what it says.
struct Ending {
    source: Source,
    footer: Footer,
    tail: Vec<u8>,
}

impl Ending {
    fn new((source, tail): (Source, Vec<u8>)) -> Result<Self> {
        match Footer::read(&tail, source.size) {
            Ok(footer) => Ok(Self {
                source,
                footer,
                tail,
            }),
            Err(why) => Err(Error::damaged(&source.path, why)),
        }
    }

    /// The part of the manifest that lies before the tail.
    fn missing(&self) -> Option<(&Source, Range<u64>)> {
        let tail = self.source.size - self.tail.len() as u64;
        (self.footer.offset < tail).then_some((&self.source, self.footer.offset..tail))
    }

    fn finish(self, before: Vec<u8>, trace: &TraceId, name: EdgeName) -> Result<Object> {
        let Self {
            source,
            footer,
            tail,
        } = self;
        let mut bytes = before;
        bytes.extend_from_slice(&tail);
        // What lies before the manifest, if the tail reaches so far, and the footer.
        let end = bytes.len() - super::manifest::FOOTER;
        let bytes = &bytes[end - footer.length as usize..end];
        match Manifest::read(bytes, &footer, trace, name) {
            Ok(manifest) => Ok(Object::new(name, source, manifest, bytes.len())),
            Err(why) => Err(Error::damaged(&source.path, why)),
        }
    }
}
