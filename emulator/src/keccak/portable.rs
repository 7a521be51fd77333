//! One pair after the other, with 64-bit integers.

use super::{LANES, Leaves, Pair, permutation, roots_of};
use crate::hash::Hash;

pub(super) fn hash(pairs: &[&Pair], hashes: &mut [Hash; LANES]) {
    for (pair, hash) in pairs.iter().zip(hashes) {
        *hash = hash_one(pair);
    }
}

pub(super) fn roots(trees: &[&Leaves; LANES], roots: &mut [Hash; LANES]) {
    for (tree, root) in trees.iter().zip(roots) {
        [*root] = roots_of(&[tree]);
    }
}

pub(super) fn hash_one(pair: &Pair) -> Hash {
    let [hash] = unload(permutation(load([pair])));
    hash
}

fn load([pair]: [&Pair; 1]) -> [u64; 8] {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(pair.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

fn unload(words: [u64; 4]) -> [Hash; 1] {
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    [hash]
}

permutation!(u64);
roots_of!(1);

fn splat(word: u64) -> u64 {
    word
}

fn xor(a: u64, b: u64) -> u64 {
    a ^ b
}

fn xor3(a: u64, b: u64, c: u64) -> u64 {
    a ^ b ^ c
}

fn chi(a: u64, b: u64, c: u64) -> u64 {
    a ^ (!b & c)
}

fn rol<const N: u32>(word: u64) -> u64 {
    word.rotate_left(N)
}
