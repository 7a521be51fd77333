use super::*;
use crate::hash::{keccak256, zero_hash};

/// A node by definition, with one hash after the other.
fn hash_pair(left: &Hash, right: &Hash) -> Hash {
    keccak256(&[*left, *right].concat())
}

/// The root by definition, from all leaves of one page at a page index.
fn root_of_page(index: u64, bytes: &Page) -> Hash {
    let mut level: Vec<Hash> = bytes
        .chunks(32)
        .map(|leaf| leaf.try_into().unwrap())
        .collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| hash_pair(&pair[0], &pair[1]))
            .collect();
    }
    let (mut node, mut path) = (level[0], index);
    for height in 7..59 {
        let zero = zero_hash(height);
        node = if path & 1 == 0 {
            hash_pair(&node, zero)
        } else {
            hash_pair(zero, &node)
        };
        path >>= 1;
    }
    node
}

fn both() -> [Memory; 2] {
    [Memory::new(), Memory::without_reservation()]
}

#[test]
fn empty_and_zero_pages_have_the_zero_root() {
    for mut memory in both() {
        assert_eq!(&memory.root(), zero_hash(59));
        let _ = memory.store(0x1000, Width::Double, 0);
        assert_eq!(memory.page_count(), 1);
        assert_eq!(&memory.root(), zero_hash(59));
    }
}

#[test]
fn one_page_has_the_root_by_definition() {
    for page in [
        0,
        1,
        0xC000000,
        0x1_0000_0000,
        0x7_FFFF_FFFF,
        0x9_0000_0000,
        (1 << 52) - 1,
    ] {
        for mut memory in both() {
            let mut bytes = [0; PAGE_SIZE];
            for (n, byte) in bytes.iter_mut().enumerate() {
                *byte = (n * 7 + 3) as u8;
            }
            *memory.page_mut(page) = bytes;
            assert_eq!(memory.root(), root_of_page(page, &bytes), "page {page:x}");
            bytes[100..108].copy_from_slice(&5u64.to_be_bytes());
            let _ = memory.store((page << 12) + 100, Width::Word, 0);
            let _ = memory.store((page << 12) + 104, Width::Word, 5);
            assert_eq!(
                memory.root(),
                root_of_page(page, &bytes),
                "page {page:x} after a store"
            );
        }
    }
}

#[test]
fn loads_see_stores_at_every_width_and_border() {
    let borders = [
        0,
        1 << 41,
        16 << 40,
        18 << 40,
        (1 << 47) - (64 << 30),
        1 << 47,
        1 << 63,
    ];
    for mut memory in both() {
        for border in borders {
            for address in (0..64).map(|n: u64| n.wrapping_add(border).wrapping_sub(32)) {
                for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
                    let value = address.wrapping_mul(0x9e3779b97f4a7c15);
                    let _ = memory.store(address, width, value);
                    let kept = value << (64 - 8 * width.bytes()) >> (64 - 8 * width.bytes());
                    assert_eq!(memory.load(address, width), kept, "{address:x}");
                    assert_eq!(memory.load(address & !(width.bytes() - 1), width), kept);
                }
            }
        }
    }
}

#[test]
fn incremental_roots_equal_roots_from_scratch() {
    let mut memory = Memory::new();
    let mut seed = 1u64;
    for round in 0..20 {
        for _ in 0..(if round % 3 == 0 { 300 } else { 5 }) {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888);
            let spread = [0xC0_0000_0000, 0x1000_0000_0000, 0x7FFF_0000_0000, 1 << 50];
            let address = spread[(seed >> 62) as usize] + (seed >> 30 & 0x3f_ffff);
            let _ = memory.store(address, Width::Double, seed);
        }
        let mut scratch = Memory::without_reservation();
        for page in memory.page_indexes() {
            *scratch.page_mut(page) = *memory.page(page).unwrap();
        }
        assert_eq!(memory.root(), scratch.root());
    }
}

#[test]
fn proofs_fold_to_the_root() {
    for mut memory in both() {
        for address in [0u64, 0x20, 0x1fe0, 0x7FFF_FFFF_F000, 1 << 60] {
            let _ = memory.store(address, Width::Double, address ^ 0x1234);
            for proven in [address, address ^ 32, address ^ 4096, address ^ 1 << 40] {
                let branch = memory.proof(proven);
                let leaf: Hash = branch[..32].try_into().unwrap();
                let word = leaf[proven as usize % 32..][..8].try_into().unwrap();
                assert_eq!(u64::from_be_bytes(word), memory.load(proven, Width::Double));
                assert_eq!(fold_branch(proven, &leaf, &branch), memory.root());
            }
        }
    }
}

#[test]
fn stores_to_code_are_reported() {
    for mut memory in both() {
        memory.mark_code(5);
        assert_eq!(
            memory.page_count(),
            0,
            "a page that is only executed does not exist"
        );
        assert_eq!(memory.store(5 << 12, Width::Byte, 1), Stored::Code);
        assert_eq!(memory.store(5 << 12, Width::Byte, 1), Stored::Code);
        memory.unmark_code(5);
        assert_eq!(memory.store(5 << 12, Width::Byte, 1), Stored::Data);
        assert_eq!(memory.page_count(), 1);
    }
}
