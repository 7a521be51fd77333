//! The nodes above the pages.
//!
//! They are kept in clusters of four levels: a cluster holds the 15 nodes above 16 nodes
//! that have its index in common, and those 16. Only clusters on a path to a page that was
//! set are kept; all other nodes are on the ladder of zero hashes. Four levels keep a lone
//! page cheap (13 clusters, one KiB each) and look-ups few: one for 16 pages.

use super::heap::{Heap, rehash, zeros};
use super::merkle::{ByIndex, PAGE_LEVELS};
use crate::hash::{Hash, TREE_LEVELS, zero_hash};

const CLUSTER_LEVELS: usize = 4;
const FANOUT: usize = 1 << CLUSTER_LEVELS;
type Cluster = Heap<{ 2 * FANOUT }>;

/// The nodes above the pages. Nodes have generalised indexes: the root is 1, and the
/// children of n are 2n and 2n + 1.
#[derive(Default)]
pub(super) struct Upper {
    /// Where clusters are, by the index of their root.
    places: ByIndex<usize>,
    clusters: Vec<Cluster>,
    /// Pages that were set since the last rehash, and where.
    changed: Vec<(u64, usize)>,
}

impl Upper {
    /// Sets the root of a page.
    pub(super) fn set(&mut self, page: u64, root: &Hash) {
        let node = index(page);
        let place = self.place(node);
        self.clusters.as_flattened_mut()[place] = *root;
        self.changed.push((node, place));
    }

    /// Where a leaf of a cluster is among the nodes of all, the cluster made if need be.
    fn place(&mut self, node: u64) -> usize {
        let parent = node >> CLUSTER_LEVELS;
        let cluster = *self.places.entry(parent).or_insert_with(|| {
            let level = TREE_LEVELS - CLUSTER_LEVELS - parent.ilog2() as usize;
            self.clusters.push(zeros(level));
            self.clusters.len() - 1
        });
        cluster * 2 * FANOUT + leaf(node)
    }

    /// Hashes what lies above the pages that were set.
    pub(super) fn rehash(&mut self) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        while changed.first().is_some_and(|(node, _)| *node > 1) {
            let places = changed.iter().map(|(_, place)| *place).collect();
            rehash(&mut self.clusters, places);
            changed
                .iter_mut()
                .for_each(|(node, _)| *node >>= CLUSTER_LEVELS);
            changed.dedup_by_key(|(node, _)| *node);
            for (node, place) in changed.iter_mut().filter(|(node, _)| *node > 1) {
                let root = self.clusters[*place / (2 * FANOUT)][1];
                *place = self.place(*node);
                self.clusters.as_flattened_mut()[*place] = root;
            }
        }
    }

    pub(super) fn root(&self) -> Hash {
        match self.cluster(1) {
            Some(cluster) => cluster[1],
            None => *zero_hash(TREE_LEVELS),
        }
    }

    /// The root of a page.
    pub(super) fn page(&self, page: u64) -> Hash {
        match self.cluster(index(page) >> CLUSTER_LEVELS) {
            Some(cluster) => cluster[leaf(page)],
            None => *zero_hash(PAGE_LEVELS),
        }
    }

    /// Calls `put` with the siblings of the nodes from a page to below the root.
    pub(super) fn siblings(&self, page: u64, mut put: impl FnMut(&Hash)) {
        let (mut node, mut level) = (index(page), PAGE_LEVELS);
        while node > 1 {
            let cluster = self.cluster(node >> CLUSTER_LEVELS);
            let mut at = leaf(node);
            while at > 1 {
                put(cluster.map_or(zero_hash(level), |cluster| &cluster[at ^ 1]));
                (at, level) = (at / 2, level + 1);
            }
            node >>= CLUSTER_LEVELS;
        }
    }

    fn cluster(&self, root: u64) -> Option<&Cluster> {
        self.places.get(&root).map(|place| &self.clusters[*place])
    }
}

fn index(page: u64) -> u64 {
    1 << (TREE_LEVELS - PAGE_LEVELS) | page
}

/// Which node of its cluster a leaf is.
fn leaf(node: u64) -> usize {
    FANOUT + node as usize % FANOUT
}
