//! The flat reservation.
//!
//! Three windows of the guest's space lie one after the other in one anonymous mapping
//! without swap reservation, so that the system pays only for pages that are stored to:
//!
//! | window | guest addresses | what is there |
//! | --- | --- | --- |
//! | low | 0 to 2 TiB | code, data, Go's heap at `0xC0_0000_0000` |
//! | heap | 1 GiB below 16 TiB, 2 TiB long | what `mmap` hands out, from `0x1000_0000_0000` |
//! | stack | 64 GiB to either side of 128 TiB | the first stack, at `0x7FFF_FFFF_F000` |
//!
//! Heap and stack windows begin before, or end behind, what programs use, so that native
//! code may check a base address once and reach around it by a displacement.
//!
//! A second mapping holds one attribute byte per page of the windows.

#![allow(
    unsafe_code,
    reason = "raw accesses to the two mappings; each has its argument"
)]

use super::lazy::Lazy;
use super::source::{Failure, PageSource};
use super::{PAGE_SHIFT, PAGE_SIZE, Page};
use crate::cpu::Width;
use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A part of the guest's space that lies flat in the mapping.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// First guest address.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Where the window begins in the mapping.
    pub offset: u64,
}

const TIB: u64 = 1 << 40;
const GIB: u64 = 1 << 30;

const LOW: Window = Window {
    start: 0,
    length: 2 * TIB,
    offset: 0,
};
const HEAP: Window = Window {
    start: 16 * TIB - GIB,
    length: 2 * TIB,
    offset: 2 * TIB,
};
const STACK: Window = Window {
    start: 128 * TIB - 64 * GIB,
    length: 128 * GIB,
    offset: 4 * TIB,
};
/// The windows: low, heap, stack.
pub const WINDOWS: [Window; 3] = [LOW, HEAP, STACK];
const TOTAL: u64 = LOW.length + HEAP.length + STACK.length;

/// An offset into the mapping, below its length, as far from the end as the alignment of
/// the address it was made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offset(usize);

pub(super) struct Mapping {
    /// What fetches pages of the mapping; dropped before it.
    lazy: Vec<Lazy>,
    bytes: Option<(MmapMut, MmapMut)>,
    base: *mut u8,
    attributes: *mut u8,
    /// Length of the low window: 0 without a reservation, which turns every look-up away.
    low: u64,
    /// How many pages exist of each huge page, by native address.
    population: HashMap<usize, usize>,
    /// Huge pages most of which exists, in small pages so far.
    dense: Vec<usize>,
}

/// log2 of the bytes of a huge page.
pub(super) const HUGE_SHIFT: u32 = 21;
/// How many pages of a huge page exist when it is worth having: three of four, so that
/// memory grows by a third at most.
const DENSE: usize = 3 << (HUGE_SHIFT - PAGE_SHIFT) >> 2;

// SAFETY: the pointers point into the mappings that the value owns, and they are used for
// reading through `&self` and for writing through `&mut self` only, as a Vec's are.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` only reads.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(super) fn reserve() -> Self {
        let reserve = |length: u64| {
            MmapOptions::new()
                .len(length as usize)
                .no_reserve_swap()
                .map_anon()
                .ok()
        };
        match (reserve(TOTAL), reserve(TOTAL >> PAGE_SHIFT)) {
            (Some(mut bytes), Some(mut attributes)) => Self {
                base: bytes.as_mut_ptr(),
                attributes: attributes.as_mut_ptr(),
                lazy: Vec::new(),
                bytes: Some((bytes, attributes)),
                low: LOW.length,
                population: HashMap::new(),
                dense: Vec::new(),
            },
            _ => Self::none(),
        }
    }

    pub(super) fn none() -> Self {
        let nowhere = std::ptr::null_mut();
        Self {
            lazy: Vec::new(),
            bytes: None,
            base: nowhere,
            attributes: nowhere,
            low: 0,
            population: HashMap::new(),
            dense: Vec::new(),
        }
    }

    /// Notes that a page has begun to exist.
    pub(super) fn populate(&mut self, offset: Offset) {
        let huge = (self.base as usize + offset.0) >> HUGE_SHIFT;
        let pages = self.population.entry(huge).or_default();
        *pages += 1;
        if *pages == DENSE {
            self.dense.push(huge);
        }
    }

    /// Asks the system to keep in huge pages what is dense, which saves it most of its
    /// work on random accesses. A system that cannot is as right, and slower.
    pub(super) fn collapse(&mut self) {
        let (first, end) = (self.base as usize, self.base as usize + TOTAL as usize);
        for huge in std::mem::take(&mut self.dense) {
            let start = huge << HUGE_SHIFT;
            let length = 1 << HUGE_SHIFT;
            if start < first || start + length > end {
                continue;
            }
            if self.lazy.iter().any(|lazy| lazy.is_unfinished(huge)) {
                self.dense.push(huge);
                continue;
            }
            // SAFETY: the range lies in the mapping, and the advice changes no contents.
            #[cfg(target_os = "linux")]
            unsafe {
                let start = std::ptr::without_provenance_mut(start);
                libc::madvise(start, length, libc::MADV_COLLAPSE);
            }
        }
    }

    /// Arranges for pages that have never been stored to to be fetched when first touched.
    ///
    /// # Errors
    /// When the system does not help; then nothing has changed.
    pub(super) fn fetch_lazily(
        &mut self,
        pages: &[(Offset, u64)],
        source: Arc<dyn PageSource>,
        failure: Arc<Failure>,
    ) -> io::Result<()> {
        if pages.is_empty() {
            return Ok(());
        }
        let address = |offset: Offset| self.base as usize + offset.0;
        let missing: BTreeMap<usize, u64> = pages
            .iter()
            .map(|(offset, page)| (address(*offset), *page))
            .collect();
        self.empty(&missing)?;
        let bounds = self.base as usize..self.base as usize + TOTAL as usize;
        // SAFETY: the pages have just been emptied; what fetches them is dropped before the
        // mapping is; and an access finds either no page and waits, or the fetched bytes.
        let lazy = unsafe { Lazy::start(missing, &bounds, source, failure) }?;
        self.lazy.push(lazy);
        Ok(())
    }

    /// Takes pages from the system's books that it lists for having been read.
    fn empty(&self, pages: &BTreeMap<usize, u64>) -> io::Result<()> {
        let Some((bytes, _)) = &self.bytes else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        for run in runs(pages.keys().copied()) {
            let (offset, length) = (run.start - self.base as usize, run.len());
            // SAFETY: nothing has been stored to the pages, so they are zeros before and
            // after, and nobody has a reference into them.
            unsafe {
                bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length)?;
            }
        }
        Ok(())
    }

    /// Lets a page be fetched, if it is one of those. The system's own accesses do not,
    /// such as when bytes of a page are written to a file.
    #[inline]
    fn bring(&self, offset: Offset) {
        if !self.lazy.is_empty() {
            // SAFETY: in bounds as in `load`.
            unsafe { self.base.add(offset.0).read_volatile() };
        }
    }

    /// Where the bytes and the attributes begin, if there is a reservation.
    pub(super) fn pointers(&mut self) -> Option<(*mut u8, *mut u8)> {
        self.bytes.as_ref()?;
        Some((self.base, self.attributes))
    }

    /// Where an address lies in the mapping, if it does.
    #[inline(always)]
    pub(super) fn offset(&self, address: u64) -> Option<Offset> {
        if address < self.low {
            return Some(Offset(address as usize));
        }
        self.offset_high(address)
    }

    #[inline(always)]
    fn offset_high(&self, address: u64) -> Option<Offset> {
        for window in [&HEAP, &STACK] {
            let within = address.wrapping_sub(window.start);
            if within < window.length && self.bytes.is_some() {
                return Some(Offset((window.offset + within) as usize));
            }
        }
        None
    }

    #[inline(always)]
    pub(super) fn attributes(&self, offset: Offset) -> u8 {
        // SAFETY: an Offset exists only with a reservation and is below TOTAL, so the page
        // number is below the length of the attribute mapping.
        unsafe { *self.attributes.add(offset.0 >> PAGE_SHIFT) }
    }

    pub(super) fn attributes_mut(&mut self, offset: Offset) -> &mut u8 {
        // SAFETY: in bounds as in `attributes`; `&mut self` makes the reference unique.
        unsafe { &mut *self.attributes.add(offset.0 >> PAGE_SHIFT) }
    }

    /// The offset's address was aligned to the width.
    #[inline(always)]
    pub(super) fn load(&self, offset: Offset, width: Width) -> u64 {
        debug_assert!((offset.0 as u64).is_multiple_of(width.bytes()));
        // SAFETY: the offset is below TOTAL and aligned to the width, which divides TOTAL,
        // so the access ends within the mapping. Untouched memory reads as zeros.
        unsafe {
            let at = self.base.add(offset.0);
            match width {
                Width::Byte => u64::from(*at),
                Width::Half => u64::from(u16::from_be(at.cast::<u16>().read_unaligned())),
                Width::Word => u64::from(u32::from_be(at.cast::<u32>().read_unaligned())),
                Width::Double => u64::from_be(at.cast::<u64>().read_unaligned()),
            }
        }
    }

    /// The offset's address was aligned to the width.
    #[inline(always)]
    pub(super) fn store(&mut self, offset: Offset, width: Width, value: u64) {
        debug_assert!((offset.0 as u64).is_multiple_of(width.bytes()));
        // SAFETY: in bounds as in `load`; `&mut self` excludes other accesses.
        unsafe {
            let at = self.base.add(offset.0);
            match width {
                Width::Byte => *at = value as u8,
                Width::Half => at.cast::<u16>().write_unaligned((value as u16).to_be()),
                Width::Word => at.cast::<u32>().write_unaligned((value as u32).to_be()),
                Width::Double => at.cast::<u64>().write_unaligned(value.to_be()),
            }
        }
    }

    /// The offset is that of a page.
    pub(super) fn page(&self, offset: Offset) -> &Page {
        assert!(offset.0.is_multiple_of(PAGE_SIZE));
        self.bring(offset);
        // SAFETY: a whole page follows, since TOTAL is a multiple of the page size.
        unsafe { &*self.base.add(offset.0).cast::<Page>() }
    }

    /// The offset is that of a page.
    pub(super) fn page_mut(&mut self, offset: Offset) -> &mut Page {
        assert!(offset.0.is_multiple_of(PAGE_SIZE));
        self.bring(offset);
        // SAFETY: in bounds as in `page`; `&mut self` makes the reference unique.
        unsafe { &mut *self.base.add(offset.0).cast::<Page>() }
    }
}

/// Addresses of pages, ascending, as ranges.
fn runs(pages: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for page in pages {
        match runs.last_mut() {
            Some(run) if run.end == page => run.end += PAGE_SIZE,
            _ => runs.push(page..page + PAGE_SIZE),
        }
    }
    runs
}
