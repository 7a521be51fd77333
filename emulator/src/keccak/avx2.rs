//! Four pairs at once with AVX2.

#![allow(
    unsafe_code,
    reason = "vector loads and stores, and calls that need the processor's feature"
)]

use super::{LANES, Leaves, Pair, permutation, portable, roots_of};
use crate::hash::Hash;
use std::arch::x86_64::{
    __m256i, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_permute2x128_si256,
    _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srlv_epi64, _mm256_storeu_si256,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
}

pub(super) fn hash(pairs: &[&Pair], hashes: &mut [Hash; LANES]) {
    assert!(is_available(), "the processor has no AVX2");
    for (pairs, hashes) in pairs.chunks(4).zip(hashes.as_chunks_mut().0) {
        match pairs {
            [pair] => hashes[0] = portable::hash_one(pair),
            // SAFETY: the processor has AVX2.
            _ => *hashes = unsafe { hash_four(fill(pairs)) },
        }
    }
}

pub(super) fn roots(trees: &[&Leaves; LANES], roots: &mut [Hash; LANES]) {
    assert!(is_available(), "the processor has no AVX2");
    for (trees, roots) in trees.as_chunks().0.iter().zip(roots.as_chunks_mut().0) {
        // SAFETY: the processor has AVX2.
        *roots = unsafe { roots_of(trees) };
    }
}

/// Four pairs, the last one again where there are fewer.
pub(super) fn fill<'a>(pairs: &[&'a Pair]) -> [&'a Pair; 4] {
    std::array::from_fn(|lane| pairs[lane.min(pairs.len() - 1)])
}

#[target_feature(enable = "avx2")]
fn hash_four(pairs: [&Pair; 4]) -> [Hash; 4] {
    unload(permutation(load(pairs)))
}

/// The words of four pairs, word by word.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(pairs: [&Pair; 4]) -> [__m256i; 8] {
    // SAFETY: a pair is as long as two vectors.
    let half = |half: usize| unsafe {
        pairs.map(|pair| _mm256_loadu_si256(pair.as_ptr().cast::<__m256i>().add(half)))
    };
    let ([a, b, c, d], [e, f, g, h]) = (transpose(half(0)), transpose(half(1)));
    [a, b, c, d, e, f, g, h]
}

/// The hashes from their words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn unload(words: [__m256i; 4]) -> [Hash; 4] {
    transpose(words).map(|vector| {
        let mut hash = [0; 32];
        // SAFETY: a hash is as long as a vector.
        unsafe { _mm256_storeu_si256(hash.as_mut_ptr().cast(), vector) };
        hash
    })
}

#[inline]
#[target_feature(enable = "avx2")]
fn transpose([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (even, odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (evens, odds) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    [
        _mm256_permute2x128_si256::<0x20>(even, evens),
        _mm256_permute2x128_si256::<0x20>(odd, odds),
        _mm256_permute2x128_si256::<0x31>(even, evens),
        _mm256_permute2x128_si256::<0x31>(odd, odds),
    ]
}

permutation!(__m256i, #[target_feature(enable = "avx2")]);
roots_of!(4, #[target_feature(enable = "avx2")]);

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u64) -> __m256i {
    _mm256_set1_epi64x(word as i64)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(xor(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(a, _mm256_andnot_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rol<const N: i32>(word: __m256i) -> __m256i {
    let right = _mm256_set1_epi64x(i64::from(64 - N));
    _mm256_or_si256(_mm256_slli_epi64::<N>(word), _mm256_srlv_epi64(word, right))
}
