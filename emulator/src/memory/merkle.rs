//! The keccak256 tree over memory: 59 levels above 32-byte leaves, of which 7 lie within
//! a page and 52 above the pages ([`Upper`]).
//!
//! Within pages, nodes are kept for a bounded number of pages that change or are proven
//! again and again, so that a step's proof costs its paths and not its pages.

use super::heap::{Heap, rehash, zeros};
use super::upper::Upper;
use super::{PAGE_SHIFT, PAGE_SIZE, Page};
use crate::hash::{Hash, TREE_LEVELS, hash_pair};
use crate::keccak::{Kernel, Leaves, Pair};
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// Bytes of a branch: a leaf and its siblings.
pub const PROOF_BYTES: usize = (TREE_LEVELS + 1) * 32;

const LEAVES: usize = PAGE_SIZE / 32;
/// Levels of hashing between a leaf and the root of its page.
pub(super) const PAGE_LEVELS: usize = 7;
/// How many pages keep their inner nodes, 8 KiB each.
const KEPT_PAGES: usize = 512;
/// How many pages are hashed together: few enough for their nodes to stay in a cache, and
/// enough to fill the lanes up to their roots.
const GROUP: usize = 32;
/// How many pairs of a page's leaves are zero when it is worth leaving them out.
const SPARSE: usize = 8;

static ZERO_PAGE: LazyLock<PageHeap> = LazyLock::new(|| zeros(0));

/// Generalised indexes spread well by themselves but for their low bits.
#[derive(Default)]
pub(super) struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

pub(super) type ByIndex<T> = HashMap<u64, T, BuildHasherDefault<IndexHasher>>;

/// The nodes of a page; the leaves are its bytes.
type PageHeap = Heap<{ 2 * LEAVES }>;

/// Puts the bytes of a page into the leaves of a heap, the one at `number` of many, and
/// lists the places of leaves where they differ.
fn put(heap: &mut PageHeap, number: usize, bytes: &Page, changed: &mut Vec<usize>) {
    let first = number * 2 * LEAVES + LEAVES;
    let leaves = heap[LEAVES..].as_flattened_mut();
    let pairs = leaves.as_chunks_mut::<64>().0.iter_mut();
    for (pair, (old, new)) in pairs.zip(bytes.as_chunks().0).enumerate() {
        if differ(old, new) {
            *old = *new;
            changed.push(first + 2 * pair);
        }
    }
}

/// Whether two pairs differ, without the call that comparing arrays of this length is.
fn differ(a: &Pair, b: &Pair) -> bool {
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0);
    let differences = words.map(|(a, b)| u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
    differences.fold(0, |all, difference| all | difference) != 0
}

fn pairs(page: &Page) -> &Leaves {
    match page.as_chunks().0.first_chunk() {
        Some(pairs) => pairs,
        None => unreachable!("a page has as many pairs"),
    }
}

/// The roots of some pages. Those that are nearly full have a lane to themselves; those
/// with many zeros, and those that are left over, share lanes for what is not zero.
pub(super) fn page_roots(pages: &[&Page], roots: &mut [Hash]) {
    let nearly_full = |page: &Page| {
        let zeros = pairs(page).iter().filter(|pair| !differ(pair, &[0; 64]));
        zeros.count() <= SPARSE
    };
    let (full, mut others): (Vec<usize>, Vec<usize>) =
        (0..pages.len()).partition(|page| nearly_full(pages[*page]));
    let (eights, rest) = full.as_chunks();
    for eight in eights {
        let trees = eight.map(|page| pairs(pages[page]));
        for (page, root) in eight.iter().zip(Kernel::best().roots(&trees)) {
            roots[*page] = root;
        }
    }
    others.extend(rest);
    let mut changed = Vec::new();
    let mut heaps = vec![*ZERO_PAGE; others.len()];
    for (number, (heap, page)) in heaps.iter_mut().zip(&others).enumerate() {
        put(heap, number, pages[*page], &mut changed);
    }
    rehash(&mut heaps, changed);
    for (page, heap) in others.iter().zip(heaps) {
        roots[*page] = heap[1];
    }
}

/// The nodes of pages that change or are proven again and again.
#[derive(Default)]
struct Kept {
    places: ByIndex<usize>,
    heaps: Vec<PageHeap>,
}

impl Kept {
    /// Brings the nodes of pages up to date. There may be as many as are kept.
    fn update<'a>(&mut self, pages: &[u64], bytes: impl Fn(u64) -> &'a Page) {
        let absent = |page: &&u64| !self.places.contains_key(*page);
        if self.heaps.len() + pages.iter().filter(absent).count() > KEPT_PAGES {
            self.places.clear();
            self.heaps.clear();
        }
        let mut changed = Vec::new();
        for page in pages {
            let place = *self.places.entry(*page).or_insert_with(|| {
                self.heaps.push(*ZERO_PAGE);
                self.heaps.len() - 1
            });
            put(&mut self.heaps[place], place, bytes(*page), &mut changed);
        }
        rehash(&mut self.heaps, changed);
    }

    fn heap(&self, page: u64) -> &PageHeap {
        &self.heaps[self.places[&page]]
    }
}

/// The tree: the nodes above the pages, and those of the kept pages.
#[derive(Default)]
pub(super) struct Tree {
    upper: Upper,
    kept: Kept,
}

impl Tree {
    /// Takes in the root of a page that the caller knows.
    pub(super) fn set(&mut self, page: u64, root: &Hash) {
        self.upper.set(page, root);
    }

    /// The root of a page, as last taken in.
    pub(super) fn page_root(&self, page: u64) -> Hash {
        self.upper.page(page)
    }

    /// Takes in the pages that changed, and hashes up to the root.
    pub(super) fn update<'a>(&mut self, dirty: &[u64], bytes: impl Fn(u64) -> &'a Page + Sync) {
        if dirty.len() <= KEPT_PAGES / 4 {
            self.kept.update(dirty, bytes);
            for page in dirty {
                self.upper.set(*page, &self.kept.heap(*page)[1]);
            }
        } else {
            // Nodes that are kept of these pages become stale, but no matter: they are
            // brought up to date whenever they are used.
            let mut roots = vec![[0; 32]; dirty.len()];
            let groups = roots.par_chunks_mut(GROUP).zip(dirty.par_chunks(GROUP));
            groups.for_each(|(roots, pages)| {
                let pages: Vec<&Page> = pages.iter().map(|page| bytes(*page)).collect();
                page_roots(&pages, roots);
            });
            for (page, root) in dirty.iter().zip(&roots) {
                self.upper.set(*page, root);
            }
        }
        self.upper.rehash();
    }

    pub(super) fn root(&self) -> Hash {
        self.upper.root()
    }

    /// The branch of the leaf at an address, in a page with these bytes or none.
    pub(super) fn branch(&mut self, address: u64, bytes: Option<&Page>) -> Box<[u8; PROOF_BYTES]> {
        let mut branch = Box::new([0u8; PROOF_BYTES]);
        let mut slots = branch.as_chunks_mut().0.iter_mut();
        let mut put = |hash: &Hash| {
            if let Some(slot) = slots.next() {
                *slot = *hash;
            }
        };
        let page = address >> PAGE_SHIFT;
        let heap = match bytes {
            Some(bytes) => {
                self.kept.update(&[page], |_| bytes);
                self.kept.heap(page)
            }
            None => &*ZERO_PAGE,
        };
        let mut node = LEAVES + address as usize % PAGE_SIZE / 32;
        put(&heap[node]);
        while node > 1 {
            put(&heap[node ^ 1]);
            node /= 2;
        }
        self.upper.siblings(page, put);
        branch
    }
}

/// The root that a branch leads to, with `leaf` in place of the branch's own leaf
/// (`MIPS64Memory.sol`).
#[must_use]
pub fn fold_branch(address: u64, leaf: &Hash, branch: &[u8; PROOF_BYTES]) -> Hash {
    let mut path = address >> 5;
    let mut node = *leaf;
    for sibling in branch[32..].chunks_exact(32) {
        let mut hash = [0; 32];
        hash.copy_from_slice(sibling);
        node = if path & 1 == 0 {
            hash_pair(&node, &hash)
        } else {
            hash_pair(&hash, &node)
        };
        path >>= 1;
    }
    node
}
