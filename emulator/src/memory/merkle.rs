//! The keccak256 tree over memory: 59 levels above 32-byte leaves, of which 7 lie within
//! a page and 52 above the pages.
//!
//! Above the pages only nodes on a path to an existing page are kept; all others are on
//! the ladder of zero hashes. Within pages, nodes are kept for a bounded number of pages
//! that change or are proven again and again, so that a step's proof costs its paths and
//! not its pages.

use super::{PAGE_SHIFT, PAGE_SIZE, Page};
use crate::hash::{Hash, TREE_LEVELS, hash_pair, keccak256, zero_hash};
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes of a branch: a leaf and its siblings.
pub const PROOF_BYTES: usize = (TREE_LEVELS + 1) * 32;

const LEAVES: usize = PAGE_SIZE / 32;
const PAGE_LEVELS: usize = 7;
const UPPER_LEVELS: usize = TREE_LEVELS - PAGE_LEVELS;
/// How many pages keep their inner nodes, 8 KiB each.
const KEPT_PAGES: usize = 512;

/// Generalised indexes spread well by themselves but for their low bits.
#[derive(Default)]
struct IndexHasher(u64);

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

type ByIndex<T> = HashMap<u64, T, BuildHasherDefault<IndexHasher>>;

/// The inner nodes of one page, and the bytes they were made of.
struct PageTree {
    /// Node k has children 2k and 2k + 1; 1 is the page's root, 64 and on hash leaf pairs.
    nodes: [Hash; LEAVES],
    bytes: Page,
}

impl PageTree {
    fn new(bytes: &Page) -> Box<Self> {
        let mut tree = Box::new(Self {
            nodes: [[0; 32]; LEAVES],
            bytes: *bytes,
        });
        for node in (1..LEAVES).rev() {
            tree.hash(node);
        }
        tree
    }

    /// Hashes what differs from the bytes the tree was made of.
    fn update(&mut self, bytes: &Page) {
        let mut changed = [false; LEAVES];
        for (pair, (old, new)) in self.bytes.chunks(64).zip(bytes.chunks(64)).enumerate() {
            changed[LEAVES / 2 + pair] = old != new;
        }
        self.bytes = *bytes;
        for node in (1..LEAVES).rev() {
            if changed[node] {
                self.hash(node);
                changed[node / 2] = true;
            }
        }
    }

    fn hash(&mut self, node: usize) {
        self.nodes[node] = if node >= LEAVES / 2 {
            let at = (node - LEAVES / 2) * 64;
            keccak256(&self.bytes[at..at + 64])
        } else {
            hash_pair(&self.nodes[2 * node], &self.nodes[2 * node + 1])
        };
    }

    fn leaf(&self, leaf: usize) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(&self.bytes[leaf * 32..][..32]);
        hash
    }
}

/// The root of one page.
fn page_root(bytes: &Page) -> Hash {
    if *bytes == [0; PAGE_SIZE] {
        return *zero_hash(PAGE_LEVELS);
    }
    let mut level = [[0u8; 32]; LEAVES / 2];
    for (hash, pair) in level.iter_mut().zip(bytes.chunks(64)) {
        *hash = keccak256(pair);
    }
    let mut width = LEAVES / 2;
    while width > 1 {
        width /= 2;
        for node in 0..width {
            level[node] = hash_pair(&level[2 * node], &level[2 * node + 1]);
        }
    }
    level[0]
}

/// The nodes above the pages by generalised index (the root is 1), and the kept pages.
#[derive(Default)]
pub(super) struct Tree {
    nodes: ByIndex<Hash>,
    kept: ByIndex<Box<PageTree>>,
}

impl Tree {
    /// Takes in the pages that changed, ascending.
    pub(super) fn update<'a>(&mut self, dirty: &[u64], bytes: impl Fn(u64) -> &'a Page + Sync) {
        let index = |page: u64| 1 << UPPER_LEVELS | page;
        if dirty.len() <= KEPT_PAGES / 4 {
            for page in dirty {
                let root = self.keep(*page, bytes(*page)).nodes[1];
                self.nodes.insert(index(*page), root);
            }
        } else {
            // A large change makes the kept nodes of these pages stale rather than useful.
            dirty.iter().for_each(|page| drop(self.kept.remove(page)));
            let roots: Vec<Hash> = dirty
                .par_iter()
                .map(|page| page_root(bytes(*page)))
                .collect();
            self.nodes
                .extend(dirty.iter().map(|page| index(*page)).zip(roots));
        }
        let mut changed: Vec<u64> = dirty.iter().map(|page| index(*page)).collect();
        for level in PAGE_LEVELS..TREE_LEVELS {
            changed.iter_mut().for_each(|node| *node /= 2);
            changed.dedup();
            for node in &changed {
                let hash = hash_pair(self.node(2 * node, level), self.node(2 * node + 1, level));
                self.nodes.insert(*node, hash);
            }
        }
    }

    /// A node at a level above the leaves.
    fn node(&self, index: u64, level: usize) -> &Hash {
        self.nodes.get(&index).unwrap_or_else(|| zero_hash(level))
    }

    pub(super) fn root(&self) -> Hash {
        *self.node(1, TREE_LEVELS)
    }

    /// The inner nodes of a page as it is now.
    fn keep(&mut self, page: u64, bytes: &Page) -> &PageTree {
        if self.kept.len() >= KEPT_PAGES && !self.kept.contains_key(&page) {
            self.kept.clear();
        }
        let tree = self
            .kept
            .entry(page)
            .or_insert_with(|| PageTree::new(bytes));
        tree.update(bytes);
        tree
    }

    /// The branch of the leaf at an address, in a page with these bytes or none.
    pub(super) fn branch(&mut self, address: u64, bytes: Option<&Page>) -> Box<[u8; PROOF_BYTES]> {
        let mut branch = Box::new([0u8; PROOF_BYTES]);
        let mut slots = branch.chunks_exact_mut(32);
        let mut put = |hash: &Hash| {
            if let Some(slot) = slots.next() {
                slot.copy_from_slice(hash);
            }
        };
        let page = address >> PAGE_SHIFT;
        match bytes {
            Some(bytes) => {
                let tree = self.keep(page, bytes);
                let leaf = address as usize % PAGE_SIZE / 32;
                put(&tree.leaf(leaf));
                put(&tree.leaf(leaf ^ 1));
                let mut node = (LEAVES + leaf) / 2;
                while node > 1 {
                    put(&tree.nodes[node ^ 1]);
                    node /= 2;
                }
            }
            None => {
                put(zero_hash(0));
                (0..PAGE_LEVELS).for_each(|level| put(zero_hash(level)));
            }
        }
        let mut node = 1 << UPPER_LEVELS | page;
        for level in PAGE_LEVELS..TREE_LEVELS {
            put(self.node(node ^ 1, level));
            node /= 2;
        }
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
