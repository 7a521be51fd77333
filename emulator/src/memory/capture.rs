//! What memory was at one moment, hashed while the guest goes on: the pages that changed are
//! copied, and the copies go to other cores.

use super::beside::Promise;
use super::merkle::Tree;
use super::{Memory, Page};
use crate::hash::Hash;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many sets of copies that nobody uses are held on to, to be used again: memory that the
/// system gives anew for each capture would cost as much as the copying.
const SPARES: usize = 2;
/// How many pages a set has at most that is held on to: captures of all pages are rare.
const LARGEST: usize = 1 << 15;
/// How many pages more than needed a set may have had that is used again.
const SLACK: usize = 1024;

/// Pages as they were.
#[derive(Default)]
struct Copies {
    indexes: Vec<u64>,
    bytes: Vec<Page>,
}

impl Copies {
    fn page(&self, index: u64) -> &Page {
        match self.indexes.binary_search(&index) {
            Ok(place) => &self.bytes[place],
            Err(_) => unreachable!("what is hashed was copied"),
        }
    }
}

/// Sets of copies, in use or not.
#[derive(Default)]
pub(super) struct Spares(Vec<Arc<Copies>>);

impl Spares {
    /// A set that nobody uses any more, and that is neither too small, as one that grows is
    /// there twice for a moment, nor much too large.
    fn take(&mut self, pages: usize) -> Copies {
        let used = |set: &Arc<Copies>| Arc::strong_count(set) > 1;
        let (used, unused) = std::mem::take(&mut self.0).into_iter().partition(used);
        self.0 = used;
        let fits = |set: &Copies| (pages..=2 * pages + SLACK).contains(&set.bytes.capacity());
        let mut unused: Vec<Copies> = Vec::into_iter(unused).filter_map(Arc::into_inner).collect();
        unused.retain(fits);
        let taken = unused.pop().unwrap_or_default();
        unused.truncate(SPARES);
        self.0.extend(unused.into_iter().map(Arc::new));
        taken
    }

    /// Holds on to a set.
    fn keep(&mut self, set: &Arc<Copies>) {
        if set.bytes.len() <= LARGEST {
            self.0.push(Arc::clone(set));
        }
    }
}

/// Pages of one moment, which are being hashed.
pub struct Capture {
    copies: Arc<Copies>,
    hashed: Promise<Hashed>,
}

struct Hashed {
    root: Hash,
    /// The roots of the copies.
    pages: Vec<Hash>,
    took: Duration,
}

/// Pages of one moment, and the root of all memory.
pub struct Captured {
    copies: Arc<Copies>,
    hashed: Hashed,
}

impl Memory {
    /// Captures the pages that changed since the last capture, or since
    /// [`Memory::track_changes`], and perhaps some more; the root is that of all memory.
    /// Until it is known, whatever needs the tree waits for it; stores do not.
    pub fn capture_changes(&mut self) -> Capture {
        let (mut pages, unhashed) = (self.take_changes(), self.unhashed.take());
        if pages != unhashed {
            pages.extend(&unhashed);
            pages.sort_unstable();
            pages.dedup();
        }
        self.capture(pages, unhashed)
    }

    /// As [`Memory::capture_changes`], with all pages that exist.
    pub fn capture_all(&mut self) -> Capture {
        self.take_changes();
        let unhashed = self.unhashed.take();
        self.capture(self.page_indexes(), unhashed)
    }

    fn capture(&mut self, pages: Vec<u64>, unhashed: Vec<u64>) -> Capture {
        let copies = Arc::new(self.copy(pages));
        self.spares.keep(&copies);
        let theirs = Arc::clone(&copies);
        let hashed = self.tree.lend(move |tree| hash(tree, &theirs, &unhashed));
        Capture { copies, hashed }
    }

    fn copy(&mut self, indexes: Vec<u64>) -> Copies {
        let mut bytes = self.spares.take(indexes.len()).bytes;
        bytes.clear();
        bytes.reserve_exact(indexes.len());
        for index in &indexes {
            bytes.extend_from_slice(slice::from_ref(self.existing(*index)));
        }
        Copies { indexes, bytes }
    }
}

fn hash(tree: &mut Tree, copies: &Copies, unhashed: &[u64]) -> Hashed {
    let began = Instant::now();
    tree.update(unhashed, |page| copies.page(page));
    let roots = copies.indexes.iter().map(|page| tree.page_root(*page));
    Hashed {
        pages: roots.collect(),
        root: tree.root(),
        took: began.elapsed(),
    }
}

impl Capture {
    /// Whether waiting would take no time.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.hashed.is_over()
    }

    /// Waits for the root.
    #[must_use]
    pub fn wait(self) -> Captured {
        Captured {
            hashed: self.hashed.wait(),
            copies: self.copies,
        }
    }
}

impl Captured {
    /// The root of all memory.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hashed.root
    }

    /// The captured pages, ascending: their indexes, roots and bytes.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Hash, &Page)> {
        let Copies { indexes, bytes } = &*self.copies;
        let pages = indexes.iter().zip(&self.hashed.pages).zip(bytes);
        pages.map(|((index, root), bytes)| (*index, *root, bytes))
    }

    /// How many pages were captured.
    #[must_use]
    pub fn count(&self) -> usize {
        self.copies.indexes.len()
    }

    /// How long hashing took.
    #[must_use]
    pub fn hashing_time(&self) -> Duration {
        self.hashed.took
    }
}
