//! The guest's memory: a sparse, big-endian 64-bit space of 4 KiB pages with a keccak256
//! tree over it.
//!
//! The parts of the space that real programs use lie in one flat reservation
//! ([`mapping`]), so that an access is an add and a compare, and native code can address
//! it without a call. The rest of the space works the same but through a map of pages.
//!
//! A page exists once it has been stored to. Existence shows in state files only: to the
//! tree a page of zeros and an absent page are equal.

mod beside;
mod capture;
mod heap;
mod lazy;
mod mapping;
mod merkle;
mod page_list;
mod source;
mod upper;
#[cfg_attr(not(target_os = "linux"), path = "memory/userfault/none.rs")]
mod userfault;

pub use capture::{Capture, Captured};
pub use mapping::{WINDOWS, Window};
pub use merkle::{PROOF_BYTES, fold_branch};
pub use source::{PageError, PageSource};

use crate::cpu::Width;
use crate::hash::Hash;
use beside::Lending;
use capture::Spares;
use mapping::Mapping;
use page_list::PageList;
use rayon::prelude::*;
use source::{Failure, load_wanted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// The bytes of one page.
pub type Page = [u8; PAGE_SIZE];

/// The page exists.
const PRESENT: u8 = 1;
/// The page is among `Memory::dirty`: whoever asks for changed pages will be told.
const DIRTY: u8 = 2;
/// Decoded or translated code was made from the page.
const CODE: u8 = 4;
/// The page holds the word of a reservation that native code must not store to.
pub const RESERVED: u8 = 8;
/// The attributes of a page to which a store needs nothing but the store: it exists, is
/// known to have changed, holds no code that somebody has decoded and no watched word.
pub const READY: u8 = PRESENT | DIRTY;

/// How many pages are fetched at once where all have to be: few enough to be held twice.
const FETCHED_TOGETHER: usize = 1024;

/// What a store did besides storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Stored {
    /// Nothing.
    Data,
    /// The page holds code that somebody has decoded.
    Code,
}

struct FarPage {
    bytes: Box<Page>,
    attributes: u8,
}

/// The memory of a machine.
pub struct Memory {
    mapping: Mapping,
    far: BTreeMap<u64, FarPage>,
    pages: Vec<u64>,
    /// The pages that have the attribute DIRTY. It serves two who ask independently of each
    /// other, so when one does, the pages go over to the lists of both.
    dirty: Vec<u64>,
    /// Pages that the tree has yet to take in.
    unhashed: PageList,
    /// Pages for [`Memory::capture_changes`], if somebody asks for them.
    changes: Option<PageList>,
    code_writes: Vec<u64>,
    tree: Lending,
    spares: Spares,
    failure: Arc<Failure>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// Empty memory over a flat reservation, or without one where the system has no room
    /// for it: slower, otherwise the same.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Mapping::reserve())
    }

    /// Empty memory without a flat reservation; every page lives in the map.
    #[must_use]
    pub fn without_reservation() -> Self {
        Self::over(Mapping::none())
    }

    fn over(mapping: Mapping) -> Self {
        Self {
            mapping,
            far: BTreeMap::new(),
            pages: Vec::new(),
            dirty: Vec::new(),
            unhashed: PageList::default(),
            changes: None,
            code_writes: Vec::new(),
            tree: Lending::default(),
            spares: Spares::default(),
            failure: Arc::default(),
        }
    }

    /// Loads big-endian, zero-extended, at the address rounded down to the width.
    #[must_use]
    #[inline(always)]
    pub fn load(&self, address: u64, width: Width) -> u64 {
        let aligned = address & !(width.bytes() - 1);
        match self.mapping.offset(aligned) {
            Some(offset) => self.mapping.load(offset, width),
            None => self.load_far(aligned, width),
        }
    }

    #[cold]
    fn load_far(&self, address: u64, width: Width) -> u64 {
        let Some(page) = self.far.get(&(address >> PAGE_SHIFT)) else {
            return 0;
        };
        let within = address as usize % PAGE_SIZE;
        let bytes = &page.bytes[within..within + width.bytes() as usize];
        bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Stores the low bytes of a value big-endian, at the address rounded down to the width.
    #[inline(always)]
    pub fn store(&mut self, address: u64, width: Width, value: u64) -> Stored {
        let aligned = address & !(width.bytes() - 1);
        if let Some(offset) = self.mapping.offset(aligned)
            && self.mapping.attributes(offset) == READY
        {
            self.mapping.store(offset, width, value);
            return Stored::Data;
        }
        self.store_slow(aligned, width, value)
    }

    #[cold]
    #[inline(never)]
    fn store_slow(&mut self, address: u64, width: Width, value: u64) -> Stored {
        let stored = self.touch(address >> PAGE_SHIFT);
        if stored == Stored::Code {
            self.code_writes.push(address);
        }
        let bytes = &value.to_be_bytes()[8 - width.bytes() as usize..];
        self.bytes_mut(address, bytes.len()).copy_from_slice(bytes);
        stored
    }

    /// Makes the page exist and marks it dirty.
    fn touch(&mut self, page: u64) -> Stored {
        let before = self.set_attributes(page, READY);
        if before & DIRTY == 0 {
            self.dirty.push(page);
        }
        if before & CODE == 0 {
            Stored::Data
        } else {
            Stored::Code
        }
    }

    /// Sets attributes of a page, PRESENT among them, and says which it had.
    fn set_attributes(&mut self, page: u64, set: u8) -> u8 {
        let attributes = self.attributes_mut(page);
        let before = *attributes;
        *attributes |= set;
        if before & PRESENT == 0 {
            self.pages.push(page);
            if let Some(offset) = self.mapping.offset(page << PAGE_SHIFT) {
                self.mapping.populate(offset);
            }
        }
        before
    }

    fn attributes_mut(&mut self, page: u64) -> &mut u8 {
        match self.mapping.offset(page << PAGE_SHIFT) {
            Some(offset) => self.mapping.attributes_mut(offset),
            None => {
                let absent = || FarPage {
                    bytes: Box::new([0; PAGE_SIZE]),
                    attributes: 0,
                };
                &mut self.far.entry(page).or_insert_with(absent).attributes
            }
        }
    }

    fn attributes(&self, page: u64) -> u8 {
        match self.mapping.offset(page << PAGE_SHIFT) {
            Some(offset) => self.mapping.attributes(offset),
            None => self.far.get(&page).map_or(0, |page| page.attributes),
        }
    }

    /// Bytes of one existing page, from an address on.
    fn bytes_mut(&mut self, address: u64, length: usize) -> &mut [u8] {
        let within = address as usize % PAGE_SIZE;
        let page = match self.mapping.offset(address - within as u64) {
            Some(offset) => self.mapping.page_mut(offset),
            None => match self.far.get_mut(&(address >> PAGE_SHIFT)) {
                Some(page) => &mut page.bytes,
                None => unreachable!("the page was made to exist"),
            },
        };
        &mut page[within..within + length]
    }

    /// The bytes of a page, if it exists.
    #[must_use]
    pub fn page(&self, page: u64) -> Option<&Page> {
        if self.attributes(page) & PRESENT == 0 {
            return None;
        }
        match self.mapping.offset(page << PAGE_SHIFT) {
            Some(offset) => Some(self.mapping.page(offset)),
            None => self.far.get(&page).map(|page| &*page.bytes),
        }
    }

    /// Makes a page exist, as a store of its bytes would, and gives its bytes to write.
    pub fn page_mut(&mut self, page: u64) -> &mut Page {
        if self.touch(page) == Stored::Code {
            self.note_code_writes(page);
        }
        self.whole_mut(page)
    }

    fn note_code_writes(&mut self, page: u64) {
        let words = (page << PAGE_SHIFT..).step_by(8).take(PAGE_SIZE / 8);
        self.code_writes.extend(words);
    }

    /// The bytes of an existing page.
    fn whole_mut(&mut self, page: u64) -> &mut Page {
        match self.bytes_mut(page << PAGE_SHIFT, PAGE_SIZE).try_into() {
            Ok(page) => page,
            Err(_) => unreachable!("a whole page was asked for"),
        }
    }

    /// Makes a page exist, or replaces it, with bytes whose root is known and trusted, so
    /// that nobody need hash them. This does not count as a change.
    pub fn restore_page(&mut self, page: u64, bytes: &Page, root: Hash) {
        self.replace(page, bytes);
        self.tree.get().set(page, &root);
    }

    fn replace(&mut self, page: u64, bytes: &Page) {
        if self.set_attributes(page, PRESENT) & CODE != 0 {
            self.note_code_writes(page);
        }
        *self.whole_mut(page) = *bytes;
    }

    /// As [`Memory::restore_page`], for pages whose bytes are fetched when they are first
    /// touched. They are fetched now where that cannot be: outside the flat reservation,
    /// of pages that exist already or are decoded, and if the system does not help.
    ///
    /// A page that cannot be loaded is zeros, and [`Memory::failure`] says so.
    pub fn restore_lazily(&mut self, pages: Vec<(u64, Hash)>, source: Arc<dyn PageSource>) {
        let (mut later, mut now) = (Vec::new(), Vec::new());
        for (page, root) in pages {
            self.tree.get().set(page, &root);
            match self.mapping.offset(page << PAGE_SHIFT) {
                Some(offset) if self.attributes(page) & (PRESENT | CODE) == 0 => {
                    later.push((offset, page));
                }
                _ => now.push(page),
            }
        }
        let (lazy, failure) = (source.clone(), self.failure.clone());
        let arranged = self.mapping.fetch_lazily(&later, lazy, failure);
        for (_, page) in later {
            match arranged {
                Ok(()) => drop(self.set_attributes(page, PRESENT)),
                Err(_) => now.push(page),
            }
        }
        self.fetch_now(&now, &*source);
    }

    fn fetch_now(&mut self, pages: &[u64], source: &dyn PageSource) {
        for pages in pages.chunks(FETCHED_TOGETHER) {
            let fetch = |page: &u64| {
                let mut bytes = Box::new([0; PAGE_SIZE]);
                load_wanted(source, *page, &mut bytes, &self.failure);
                bytes
            };
            let fetched: Vec<Box<Page>> = pages.par_iter().map(fetch).collect();
            for (page, bytes) in pages.iter().zip(fetched) {
                self.replace(*page, &bytes);
            }
        }
    }

    /// The first failure to load a page that was wanted. From then on nothing that depends
    /// on the memory's contents is to be believed, nor given to anyone.
    #[must_use]
    #[inline]
    pub fn failure(&self) -> Option<PageError> {
        self.failure.get().cloned()
    }

    /// Writes bytes at an address, wrapping around the end of the space.
    pub fn write(&mut self, mut address: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PAGE_SIZE - address as usize % PAGE_SIZE;
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            let within = address as usize % PAGE_SIZE;
            self.page_mut(address >> PAGE_SHIFT)[within..within + now.len()].copy_from_slice(now);
            address = address.wrapping_add(now.len() as u64);
            bytes = rest;
        }
    }

    /// Calls `sink` with the bytes of a range, at most a page at a time, zeros where no
    /// page exists, wrapping around the end of the space.
    pub fn read(&self, mut address: u64, mut count: u64, mut sink: impl FnMut(&[u8])) {
        while count > 0 {
            let within = address as usize % PAGE_SIZE;
            let length = count.min((PAGE_SIZE - within) as u64) as usize;
            match self.page(address >> PAGE_SHIFT) {
                Some(page) => sink(&page[within..within + length]),
                None => sink(&[0; PAGE_SIZE][..length]),
            }
            address = address.wrapping_add(length as u64);
            count -= length as u64;
        }
    }

    /// Says that code has been decoded from a page: from now on stores to it answer
    /// [`Stored::Code`] and are noted, until [`Memory::unmark_code`].
    pub fn mark_code(&mut self, page: u64) {
        *self.attributes_mut(page) |= CODE;
    }

    /// Whether stores to decoded pages have been noted since they were last taken.
    #[must_use]
    #[inline]
    pub fn has_code_writes(&self) -> bool {
        !self.code_writes.is_empty()
    }

    /// The addresses of all stores to decoded pages since the last call.
    pub fn take_code_writes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.code_writes)
    }

    /// Says that nothing decoded from the page is in use any more.
    pub fn unmark_code(&mut self, page: u64) {
        *self.attributes_mut(page) &= !CODE;
        if self.far.get(&page).is_some_and(|far| far.attributes == 0) {
            self.far.remove(&page);
        }
    }

    /// Turns stores of native code to the page of an address away, or no longer does:
    /// until then its attributes are not [`READY`]. Pages outside the flat reservation are
    /// never stored to natively.
    pub fn watch_page(&mut self, address: u64, watched: bool) {
        if let Some(offset) = self.mapping.offset(address) {
            let attributes = self.mapping.attributes_mut(offset);
            *attributes = *attributes & !RESERVED | if watched { RESERVED } else { 0 };
        }
    }

    /// Where native code finds the bytes and the attribute bytes of the [`WINDOWS`], if
    /// there is a flat reservation. The pointers are good as long as the memory is; what
    /// native code may do through them is what [`Memory::load`] and [`Memory::store`] do
    /// to pages of the windows, stores to [`READY`] pages only.
    #[must_use]
    pub fn flat(&mut self) -> Option<(*mut u8, *mut u8)> {
        self.mapping.pointers()
    }

    /// Arranges what has come to exist so that long runs access it faster. Worth some
    /// milliseconds only after many steps; changes nothing else.
    pub fn settle(&mut self) {
        self.mapping.collapse();
    }

    /// Number of pages that exist.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// The indexes (address / 4096) of the pages that exist, ascending.
    #[must_use]
    pub fn page_indexes(&self) -> Vec<u64> {
        let mut indexes = self.pages.clone();
        indexes.sort_unstable();
        indexes
    }

    /// The root of the tree. Hashes only what changed since the last call.
    pub fn root(&mut self) -> Hash {
        self.note_dirty();
        let unhashed = self.unhashed.take();
        let mut tree = self.tree.take();
        tree.update(&unhashed, |page| self.existing(page));
        let root = tree.root();
        self.tree = Lending::Here(tree);
        root
    }

    /// The root of an existing page.
    pub fn page_root(&mut self, page: u64) -> Hash {
        self.root();
        self.tree.get().page_root(page)
    }

    /// From now on keeps what [`Memory::capture_changes`] captures.
    pub fn track_changes(&mut self) {
        // Pages that are dirty already must become so again to be told.
        self.note_dirty();
        self.changes.get_or_insert_default();
    }

    /// The indexes of the pages that were stored to or came to exist since the last call,
    /// or since [`Memory::track_changes`], ascending. Roots neither see nor disturb this.
    fn take_changes(&mut self) -> Vec<u64> {
        self.note_dirty();
        let changes = self.changes.as_mut();
        changes.map(PageList::take).unwrap_or_default()
    }

    /// Lets stores to the pages that are dirty be noticed again, and both readers know.
    fn note_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for page in &dirty {
            *self.attributes_mut(*page) &= !DIRTY;
        }
        self.unhashed.add(&dirty, self.pages.len());
        if let Some(changes) = &mut self.changes {
            changes.add(&dirty, self.pages.len());
        }
        dirty.clear();
        self.dirty = dirty;
    }

    /// The branch of the 32-byte leaf that holds an address: the leaf, then its 59
    /// siblings from the bottom up.
    pub fn proof(&mut self, address: u64) -> Box<[u8; PROOF_BYTES]> {
        self.root();
        let page = address >> PAGE_SHIFT;
        let mut tree = self.tree.take();
        let branch = tree.branch(address, self.page(page));
        self.tree = Lending::Here(tree);
        branch
    }

    fn existing(&self, page: u64) -> &Page {
        match self.page(page) {
            Some(page) => page,
            None => unreachable!("dirty pages exist"),
        }
    }
}

#[cfg(test)]
mod lazy_tests;
#[cfg(test)]
mod tests;
