//! keccak256 of many pairs of nodes at once, on the vector unit where there is one.
//!
//! A pair of nodes is 64 bytes, less than the 136 that one permutation takes in, so its
//! hash is one permutation of a state that is zero but for the pair and the padding. The
//! states of several pairs lie side by side in vectors, one word of each, and go through
//! the same operations. The permutation is written once, in [`permutation`]; what differs
//! between the kernels is the vector and the few operations on it.

use crate::hash::Hash;
use std::sync::LazyLock;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Most pairs that one call hashes.
pub const LANES: usize = 8;

/// Two nodes of a tree.
pub type Pair = [u8; 64];
/// Pairs of leaves of the trees that [`Kernel::roots`] hashes: those of a page.
pub const PAIRS: usize = 64;
/// The leaves of a tree.
pub type Leaves = [Pair; PAIRS];

/// What the pairs are hashed with. All kernels give the same hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Eight lanes, or four where no more are wanted, with AVX-512 F and VL.
    Avx512,
    /// Four lanes with AVX2.
    Avx2,
    /// One pair after the other, on every processor.
    Portable,
}

impl Kernel {
    /// All kernels, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// The fastest kernel of this processor.
    #[must_use]
    pub fn best() -> Self {
        static BEST: LazyLock<Kernel> = LazyLock::new(|| {
            let mut available = Kernel::ALL
                .into_iter()
                .filter(|kernel| kernel.is_available());
            available.next().unwrap_or(Kernel::Portable)
        });
        *BEST
    }

    /// Whether this processor has what the kernel needs.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The hashes of at most [`LANES`] pairs; as many are meant as there are pairs.
    ///
    /// # Panics
    /// If there are more pairs, or the processor does not have the kernel.
    #[must_use]
    #[inline]
    pub fn hash(self, pairs: &[&Pair]) -> [Hash; LANES] {
        assert!(pairs.len() <= LANES, "more pairs than lanes");
        let mut hashes = [[0; 32]; LANES];
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::hash(pairs, &mut hashes),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::hash(pairs, &mut hashes),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => unreachable!("no such processor"),
            Self::Portable => portable::hash(pairs, &mut hashes),
        }
        hashes
    }

    /// The roots of as many trees as there are lanes.
    ///
    /// Each tree has a lane to itself, so only leaves and roots are moved into and out of
    /// the order of lanes.
    ///
    /// # Panics
    /// If the processor does not have the kernel.
    #[must_use]
    pub fn roots(self, trees: &[&Leaves; LANES]) -> [Hash; LANES] {
        let mut roots = [[0; 32]; LANES];
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::roots(trees, &mut roots),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::roots(trees, &mut roots),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => unreachable!("no such processor"),
            Self::Portable => portable::roots(trees, &mut roots),
        }
        roots
    }
}

/// The round constants.
static ROUNDS: [u64; 24] = round_constants();

/// The constants come from a shift register over the polynomial x^8 + x^6 + x^5 + x^4 + 1:
/// bit 2^j - 1 of the constant of round r is the bit that falls out at time 7r + j.
const fn round_constants() -> [u64; 24] {
    let (mut constants, mut register, mut time) = ([0; 24], 1u16, 0);
    while time < 24 * 7 {
        constants[time / 7] |= ((register & 1) as u64) << ((1 << (time % 7)) - 1);
        register <<= 1;
        if register & 0x100 != 0 {
            register ^= 0x171;
        }
        time += 1;
    }
    constants
}

/// Defines `permutation`, from the eight words of a pair in every lane to the four words
/// of its hash, over the functions `splat`, `xor`, `xor3`, `rol` and `chi` where it stands.
///
/// Word x + 5y of the state is the specification's lane (x, y). Columns are mixed in an
/// order in which only one rotated parity is alive at a time, so that state, parities and
/// what is in flight fit into 32 registers.
macro_rules! permutation {
    ($Word:ty $(, #[$feature:meta])?) => {
        $(#[$feature])?
        fn permutation(pair: [$Word; 8]) -> [$Word; 4] {
            let mut a = [splat(0); 25];
            a[..8].copy_from_slice(&pair);
            a[8] = splat(1);
            a[16] = splat(1 << 63);
            // The first round meets zeros and the last makes four words: both are written out
            // for the compiler to leave out the rest.
            a = permutation!(@round a, $crate::keccak::ROUNDS[0]);
            for &constant in &$crate::keccak::ROUNDS[1..23] {
                a = permutation!(@round a, constant);
            }
            a = permutation!(@round a, $crate::keccak::ROUNDS[23]);
            [a[0], a[1], a[2], a[3]]
        }
    };

    (@round $a:ident, $constant:expr) => {{
        let parity = [
            permutation!(@column $a, 0),
            permutation!(@column $a, 1),
            permutation!(@column $a, 2),
            permutation!(@column $a, 3),
            permutation!(@column $a, 4),
        ];
        permutation!(@mix $a, 0, parity[4], parity[1]);
        permutation!(@mix $a, 2, parity[1], parity[3]);
        permutation!(@mix $a, 4, parity[3], parity[0]);
        permutation!(@mix $a, 1, parity[0], parity[2]);
        permutation!(@mix $a, 3, parity[2], parity[4]);
        permutation!(@rows $a, $constant)
    }};

    (@column $a:ident, $x:literal) => {
        xor3(xor3($a[$x], $a[$x + 5], $a[$x + 10]), $a[$x + 15], $a[$x + 20])
    };

    (@mix $a:ident, $x:literal, $left:expr, $right:expr) => {
        let right = rol::<1>($right);
        $a[$x] = xor3($a[$x], $left, right);
        $a[$x + 5] = xor3($a[$x + 5], $left, right);
        $a[$x + 10] = xor3($a[$x + 10], $left, right);
        $a[$x + 15] = xor3($a[$x + 15], $left, right);
        $a[$x + 20] = xor3($a[$x + 20], $left, right);
    };

    (@rows $a:ident, $constant:expr) => {{
        let [b0, b1, b2, b3, b4] = permutation!(@row $a, 0 0, 6 44, 12 43, 18 21, 24 14);
        let [b5, b6, b7, b8, b9] = permutation!(@row $a, 3 28, 9 20, 10 3, 16 45, 22 61);
        let [b10, b11, b12, b13, b14] = permutation!(@row $a, 1 1, 7 6, 13 25, 19 8, 20 18);
        let [b15, b16, b17, b18, b19] = permutation!(@row $a, 4 27, 5 36, 11 10, 17 15, 23 56);
        let [b20, b21, b22, b23, b24] = permutation!(@row $a, 2 62, 8 55, 14 39, 15 41, 21 2);
        let b0 = xor(b0, splat($constant));
        [
            b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18,
            b19, b20, b21, b22, b23, b24,
        ]
    }};

    (@row $a:ident $(, $from:literal $by:literal)*) => {{
        let [a, b, c, d, e] = [$(rol::<$by>($a[$from])),*];
        [chi(a, b, c), chi(b, c, d), chi(c, d, e), chi(d, e, a), chi(e, a, b)]
    }};
}
use permutation;

/// Defines `roots_of`, from trees to their roots with a lane for each, over `permutation`
/// and the functions `splat`, `load` and `unload` where it stands.
macro_rules! roots_of {
    ($lanes:literal $(, #[$feature:meta])?) => {
        $(#[$feature])?
        pub(super) fn roots_of(
            trees: &[&$crate::keccak::Leaves; $lanes],
        ) -> [$crate::hash::Hash; $lanes] {
            let mut nodes = [[splat(0); 4]; $crate::keccak::PAIRS];
            for (pair, node) in nodes.iter_mut().enumerate() {
                *node = permutation(load(trees.map(|leaves| &leaves[pair])));
            }
            let mut width = nodes.len() / 2;
            while width > 0 {
                for node in 0..width {
                    let [[a, b, c, d], [e, f, g, h]] = [nodes[2 * node], nodes[2 * node + 1]];
                    nodes[node] = permutation([a, b, c, d, e, f, g, h]);
                }
                width /= 2;
            }
            unload(nodes[0])
        }
    };
}
use roots_of;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak256;

    /// Bytes that look random and are the same every time.
    fn bytes() -> impl FnMut() -> u8 {
        let mut seed = 1u64;
        move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        }
    }

    fn kernels() -> impl Iterator<Item = Kernel> {
        let available = |kernel: &Kernel| kernel.is_available();
        Kernel::ALL.into_iter().filter(available)
    }

    #[test]
    fn every_kernel_agrees_with_sha3() {
        let mut byte = bytes();
        for (kernel, count) in kernels().flat_map(|kernel| (0..=20).map(move |n| (kernel, n))) {
            for _ in 0..10 {
                let random = (0..count).map(|_| std::array::from_fn(|_| byte()));
                let pairs: Vec<Pair> = random.collect();
                let pairs: Vec<&Pair> = pairs.iter().collect();
                for pairs in pairs.chunks(LANES) {
                    let wanted = pairs.iter().map(|pair| keccak256(&pair[..]));
                    let hashes = kernel.hash(pairs).into_iter().take(pairs.len());
                    assert!(wanted.eq(hashes), "{kernel:?}, {count} pairs");
                }
            }
        }
    }

    #[test]
    fn no_pairs_have_no_hashes() {
        for kernel in kernels() {
            assert_eq!(kernel.hash(&[]), [[0; 32]; LANES]);
        }
    }

    #[test]
    fn every_kernel_finds_the_roots_of_trees() {
        let root = |leaves: &Leaves| {
            let mut level = leaves.as_flattened().to_vec();
            while level.len() > 32 {
                level = level.chunks(64).flat_map(keccak256).collect();
            }
            level
        };
        let mut byte = bytes();
        for kernel in kernels() {
            let trees: [Leaves; LANES] =
                std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| byte())));
            let roots = kernel.roots(&trees.each_ref());
            assert!(trees.iter().map(root).eq(roots), "{kernel:?}");
        }
    }

    #[test]
    fn the_round_constants_are_those_of_the_specification() {
        assert_eq!(ROUNDS[..3], [0x1, 0x8082, 0x8000_0000_0000_808a]);
        assert_eq!(ROUNDS[23], 0x8000_0000_8000_8008);
    }
}
