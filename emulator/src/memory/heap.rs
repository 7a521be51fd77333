//! Complete binary trees of hashes in arrays, and hashing them many nodes at a time.

use crate::hash::{Hash, zero_hash};
use crate::keccak::{Kernel, LANES, Pair};

/// Nodes of a complete binary tree with N / 2 leaves: node k has the children 2k and
/// 2k + 1, 1 is the root, the upper half are the leaves, and 0 is none.
pub(super) type Heap<const N: usize> = [Hash; N];

/// A heap of nothing but zeros, whose leaves are at a level of the memory tree.
pub(super) fn zeros<const N: usize>(level: usize) -> Heap<N> {
    std::array::from_fn(|node| *zero_hash(level + (N / 2).ilog2() as usize - depth(node)))
}

fn depth(node: usize) -> usize {
    node.max(1).ilog2() as usize
}

/// Hashes what lies above changed leaves of many heaps. A leaf's place is its place among
/// the nodes of all heaps; leaves with a common parent follow each other.
///
/// Goes up level by level, so that the lanes are shared by all heaps: only the last few
/// nodes of a level leave lanes idle.
pub(super) fn rehash<const N: usize>(heaps: &mut [Heap<N>], mut places: Vec<usize>) {
    let (kernel, nodes) = (Kernel::best(), heaps.as_flattened_mut());
    for _ in 0..depth(N / 2) {
        places
            .iter_mut()
            .for_each(|place| *place = parent::<N>(*place));
        places.dedup();
        for places in places.chunks(LANES) {
            let mut pairs = [&[0; 64]; LANES];
            for (pair, place) in pairs.iter_mut().zip(places) {
                *pair = children::<N>(nodes, *place);
            }
            let hashes = kernel.hash(&pairs[..places.len()]);
            for (place, hash) in places.iter().zip(hashes) {
                nodes[*place] = hash;
            }
        }
    }
}

fn parent<const N: usize>(place: usize) -> usize {
    place - place % N + place % N / 2
}

fn children<const N: usize>(nodes: &[Hash], place: usize) -> &Pair {
    let left = place + place % N;
    match nodes[left..left + 2].as_flattened().first_chunk() {
        Some(pair) => pair,
        None => unreachable!("two nodes are a pair"),
    }
}
