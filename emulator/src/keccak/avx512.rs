//! Eight pairs at once with AVX-512, or four where there are no more: half as wide is
//! twice as fast for a single hash.

#![allow(
    unsafe_code,
    reason = "vector loads and stores, and calls that need the processor's features"
)]

use super::{LANES, Leaves, Pair};
use crate::hash::Hash;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")
}

pub(super) fn hash(pairs: &[&Pair], hashes: &mut [Hash; LANES]) {
    assert!(is_available(), "the processor has no AVX-512 F and VL");
    // SAFETY: the processor has both.
    unsafe {
        match pairs.len() {
            0 => {}
            1..=4 => hashes[..4].copy_from_slice(&narrow::hash(pairs)),
            _ => *hashes = wide::hash(pairs),
        }
    }
}

pub(super) fn roots(trees: &[&Leaves; LANES], roots: &mut [Hash; LANES]) {
    assert!(is_available(), "the processor has no AVX-512 F and VL");
    // SAFETY: the processor has both.
    *roots = unsafe { wide::roots_of(trees) };
}

/// Vectors of four words.
mod narrow {
    use crate::hash::Hash;
    use crate::keccak::avx2::{fill, load, unload};
    use crate::keccak::{Pair, permutation};
    use std::arch::x86_64::{
        __m256i, _mm256_rol_epi64, _mm256_set1_epi64x, _mm256_ternarylogic_epi64, _mm256_xor_si256,
    };

    #[target_feature(enable = "avx512f,avx512vl")]
    pub(super) fn hash(pairs: &[&Pair]) -> [Hash; 4] {
        unload(permutation(load(fill(pairs))))
    }

    permutation!(__m256i, #[target_feature(enable = "avx512f,avx512vl")]);

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn splat(word: u64) -> __m256i {
        _mm256_set1_epi64x(word as i64)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor(a: __m256i, b: __m256i) -> __m256i {
        _mm256_xor_si256(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        _mm256_ternarylogic_epi64::<0x96>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn chi(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        _mm256_ternarylogic_epi64::<0xd2>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn rol<const N: i32>(word: __m256i) -> __m256i {
        _mm256_rol_epi64::<N>(word)
    }
}

/// Vectors of eight words.
mod wide {
    use crate::hash::Hash;
    use crate::keccak::{LANES, Pair, permutation, roots_of};
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_shuffle_i64x2,
        _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64,
        _mm512_unpacklo_epi64, _mm512_xor_si512,
    };

    #[target_feature(enable = "avx512f,avx512vl")]
    pub(super) fn hash(pairs: &[&Pair]) -> [Hash; LANES] {
        let pairs = std::array::from_fn(|lane| pairs[lane.min(pairs.len() - 1)]);
        unload(permutation(load(pairs)))
    }

    /// The words of eight pairs, word by word.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn load(pairs: [&Pair; LANES]) -> [__m512i; 8] {
        // SAFETY: a pair is as long as a vector.
        let [a, b, c, d, e, f, g, h] =
            pairs.map(|pair| unsafe { _mm512_loadu_si512(pair.as_ptr().cast()) });
        let even = [(a, b), (c, d), (e, f), (g, h)].map(|(a, b)| _mm512_unpacklo_epi64(a, b));
        let odd = [(a, b), (c, d), (e, f), (g, h)].map(|(a, b)| _mm512_unpackhi_epi64(a, b));
        let ([w0, w2, w4, w6], [w1, w3, w5, w7]) = (transpose(even), transpose(odd));
        [w0, w1, w2, w3, w4, w5, w6, w7]
    }

    /// The hashes from their words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn unload([a, b, c, d]: [__m512i; 4]) -> [Hash; LANES] {
        let even = [_mm512_unpacklo_epi64(a, b), _mm512_unpacklo_epi64(c, d)];
        let odd = [_mm512_unpackhi_epi64(a, b), _mm512_unpackhi_epi64(c, d)];
        let mut hashes = [[0; 32]; LANES];
        let twos = hashes.as_chunks_mut::<2>().0;
        for (two, vector) in twos
            .iter_mut()
            .zip(transpose([even[0], even[1], odd[0], odd[1]]))
        {
            // SAFETY: two hashes are as long as a vector.
            unsafe { _mm512_storeu_si512(two.as_mut_ptr().cast(), vector) };
        }
        hashes
    }

    /// Transposes four vectors of four pieces, two words each.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn transpose([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
        let even = [
            _mm512_shuffle_i64x2::<0x88>(a, b),
            _mm512_shuffle_i64x2::<0x88>(c, d),
        ];
        let odd = [
            _mm512_shuffle_i64x2::<0xdd>(a, b),
            _mm512_shuffle_i64x2::<0xdd>(c, d),
        ];
        [
            _mm512_shuffle_i64x2::<0x88>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_i64x2::<0xdd>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0xdd>(odd[0], odd[1]),
        ]
    }

    permutation!(__m512i, #[target_feature(enable = "avx512f,avx512vl")]);
    roots_of!(8, #[target_feature(enable = "avx512f,avx512vl")]);

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn splat(word: u64) -> __m512i {
        _mm512_set1_epi64(word as i64)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor(a: __m512i, b: __m512i) -> __m512i {
        _mm512_xor_si512(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        _mm512_ternarylogic_epi64::<0x96>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn chi(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn rol<const N: i32>(word: __m512i) -> __m512i {
        _mm512_rol_epi64::<N>(word)
    }
}
