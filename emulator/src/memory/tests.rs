use super::*;
use crate::hash::{keccak256, zero_hash};
use std::collections::{BTreeMap, BTreeSet};

/// A node by definition, with one hash after the other.
fn hash_pair(left: &Hash, right: &Hash) -> Hash {
    keccak256(&[*left, *right].concat())
}

/// The root of a page by definition, from all of its leaves.
fn page_root(bytes: &Page) -> Hash {
    let mut level: Vec<Hash> = bytes.as_chunks().0.to_vec();
    while level.len() > 1 {
        let pairs = level.as_chunks().0.iter();
        level = pairs.map(|[left, right]| hash_pair(left, right)).collect();
    }
    level[0]
}

/// The root by definition of a memory with one page.
fn root_of_page(index: u64, bytes: &Page) -> Hash {
    let (mut node, mut path) = (page_root(bytes), index);
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

/// The root by definition of some pages with few bytes each: page, offset and byte.
fn root_of_bytes(bytes: &BTreeMap<(u64, usize), u8>) -> Hash {
    let mut level: BTreeMap<u64, Hash> = BTreeMap::new();
    for ((page, offset), byte) in bytes {
        let leaf = (page << 7) + (*offset as u64) / 32;
        level.entry(leaf).or_insert([0; 32])[offset % 32] = *byte;
    }
    for height in 0..59 {
        let node = |at: u64| level.get(&at).unwrap_or_else(|| zero_hash(height));
        let parents = level.keys().map(|at| at >> 1);
        let hash = |at| (at, hash_pair(node(2 * at), node(2 * at + 1)));
        level = parents.map(hash).collect();
    }
    level.get(&0).copied().unwrap_or(*zero_hash(59))
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A page in one of the windows, or far from all.
    fn page(&mut self) -> u64 {
        let near = [0xC00_0000, 0x1_0000_0000, 0x7_FFFF_0000][self.below(3) as usize];
        match self.below(8) {
            0 => self.below(1 << 52),
            1 => (1 << 51) + self.below(100),
            _ => near + self.below(1000),
        }
    }
}

#[test]
fn page_roots_are_those_by_definition() {
    let mut numbers = Numbers(3);
    for count in 0..=40 {
        let pages = (0..count).map(|page| {
            let (mut bytes, full) = ([0; PAGE_SIZE], [0, 30, 56, 57, 64][page % 5]);
            for pair in bytes.as_chunks_mut::<64>().0.iter_mut().take(full) {
                pair.as_chunks_mut().0.fill(numbers.next().to_le_bytes());
            }
            bytes
        });
        let pages: Vec<Page> = pages.collect();
        let mut roots = vec![[0; 32]; count];
        merkle::page_roots(&pages.iter().collect::<Vec<_>>(), &mut roots);
        assert!(pages.iter().map(page_root).eq(roots), "{count} pages");
    }
}

#[test]
fn incremental_roots_are_those_by_definition() {
    // Around the lanes, groups of pages, and the most pages that keep their nodes.
    let sizes = [
        600, 0, 1, 2, 3, 4, 5, 7, 8, 9, 127, 128, 129, 11, 12, 15, 16, 17, 130, 135, 136, 137, 20,
        63, 64, 65, 1, 300,
    ];
    let mut numbers = Numbers(1);
    for mut memory in both() {
        let mut bytes = BTreeMap::new();
        for size in sizes {
            for _ in 0..size {
                let page = numbers.page();
                for _ in 0..=numbers.below(3) {
                    let (offset, byte) = (numbers.below(4096), numbers.next() as u8);
                    let address = (page << PAGE_SHIFT) + offset;
                    let _ = memory.store(address, Width::Byte, u64::from(byte));
                    bytes.insert((page, offset as usize), byte);
                }
            }
            assert_eq!(memory.root(), root_of_bytes(&bytes), "{size} changes");
        }
    }
}

#[test]
fn incremental_roots_equal_roots_from_scratch() {
    let mut numbers = Numbers(2);
    let mut memory = Memory::new();
    for size in [1, 7, 8, 9, 100, 129, 1, 700, 3, 128] {
        for _ in 0..size {
            let page = memory.page_mut(numbers.page());
            page.as_chunks_mut().0.fill(numbers.next().to_le_bytes());
        }
        let mut scratch = Memory::without_reservation();
        for page in memory.page_indexes() {
            *scratch.page_mut(page) = *memory.page(page).unwrap();
        }
        assert_eq!(memory.root(), scratch.root(), "{size} changes");
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

#[test]
fn changes_and_roots_do_not_disturb_each_other() {
    for mut memory in both() {
        let mut numbers = Numbers(4);
        let (mut all, mut changed) = (BTreeMap::new(), BTreeSet::new());
        let mut store = |memory: &mut Memory, changed: &mut BTreeSet<u64>| {
            let (page, byte) = (numbers.page(), numbers.next() as u8);
            let _ = memory.store(page << PAGE_SHIFT, Width::Byte, u64::from(byte));
            all.insert((page, 0), byte);
            changed.insert(page);
            all.clone()
        };
        store(&mut memory, &mut changed);
        assert_eq!(memory.take_changes(), [], "nobody asked for changes yet");
        memory.track_changes();
        changed.clear();
        let mut acts = Numbers(5);
        for _ in 0..2000 {
            match acts.below(20) {
                0 => {
                    let wanted: Vec<u64> = std::mem::take(&mut changed).into_iter().collect();
                    assert_eq!(memory.take_changes(), wanted);
                    assert_eq!(memory.take_changes(), []);
                }
                1 => drop(memory.proof(acts.page() << PAGE_SHIFT)),
                2 => {
                    let all = store(&mut memory, &mut changed);
                    assert_eq!(memory.root(), root_of_bytes(&all));
                }
                _ => drop(store(&mut memory, &mut changed)),
            }
        }
    }
}

#[test]
fn changes_that_nobody_takes_do_not_pile_up() {
    let mut memory = Memory::new();
    memory.track_changes();
    for value in 0..100 {
        let _ = memory.store(4096, Width::Double, value);
        memory.root();
    }
    assert_eq!(memory.take_changes(), [1]);
    for value in 0..100 {
        let _ = memory.store(8192, Width::Double, value);
        assert_eq!(memory.take_changes(), [2]);
    }
    let mut scratch = Memory::new();
    let _ = scratch.store(4096, Width::Double, 99);
    let _ = scratch.store(8192, Width::Double, 99);
    assert_eq!(memory.root(), scratch.root());
}

#[test]
fn restored_pages_are_trusted_until_they_change() {
    let mut numbers = Numbers(6);
    for mut memory in both() {
        memory.track_changes();
        let mut wanted = Memory::without_reservation();
        for _ in 0..50 {
            let page = numbers.page();
            wanted.page_mut(page)[..8].copy_from_slice(&numbers.next().to_be_bytes());
        }
        for page in wanted.page_indexes() {
            let root = wanted.page_root(page);
            assert_eq!(root, page_root(wanted.page(page).unwrap()));
            memory.restore_page(page, wanted.page(page).unwrap(), root);
        }
        assert_eq!(memory.page_indexes(), wanted.page_indexes());
        assert_eq!(memory.root(), wanted.root());
        assert_eq!(memory.take_changes(), []);
        let page = wanted.page_indexes()[7];
        for memory in [&mut memory, &mut wanted] {
            let _ = memory.store(page << PAGE_SHIFT, Width::Double, 7);
        }
        assert_eq!(memory.root(), wanted.root());
        assert_eq!(memory.take_changes(), [page]);
        memory.restore_page(page, &[0; PAGE_SIZE], [9; 32]);
        assert_eq!(
            memory.page_root(page),
            [9; 32],
            "the root given is believed"
        );
    }
}

#[test]
fn restoring_a_page_of_code_is_reported() {
    for mut memory in both() {
        memory.mark_code(5);
        memory.restore_page(5, &[0; PAGE_SIZE], *zero_hash(7));
        assert_eq!(memory.take_code_writes().len(), PAGE_SIZE / 8);
    }
}

/// A capture that somebody waits for later, and what it must be of.
struct Expected {
    capture: Capture,
    changed: BTreeSet<u64>,
    bytes: BTreeMap<(u64, usize), u8>,
}

impl Expected {
    fn check(self) {
        let captured = self.capture.wait();
        assert_eq!(captured.root(), root_of_bytes(&self.bytes));
        assert_eq!(captured.pages().count(), captured.count());
        let mut missing = self.changed;
        for (index, root, bytes) in captured.pages() {
            let mut wanted = [0; PAGE_SIZE];
            for ((_, offset), byte) in self.bytes.range((index, 0)..(index + 1, 0)) {
                wanted[*offset] = *byte;
            }
            assert_eq!(*bytes, wanted, "page {index:x}");
            assert_eq!(root, page_root(bytes), "page {index:x}");
            missing.remove(&index);
        }
        assert_eq!(missing, BTreeSet::new());
    }
}

#[test]
fn captures_are_of_their_moment_whatever_is_stored_later() {
    for mut memory in both() {
        let mut numbers = Numbers(7);
        let (mut bytes, mut changed, mut all) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut waiting: Vec<Expected> = Vec::new();
        memory.track_changes();
        for _ in 0..1500 {
            match numbers.below(60) {
                0 => waiting.push(Expected {
                    capture: memory.capture_changes(),
                    changed: std::mem::take(&mut changed),
                    bytes: bytes.clone(),
                }),
                1 if numbers.below(4) == 0 => {
                    changed.clear();
                    let capture = memory.capture_all();
                    let (changed, bytes) = (all.clone(), bytes.clone());
                    waiting.push(Expected {
                        capture,
                        changed,
                        bytes,
                    });
                }
                2 if !waiting.is_empty() => {
                    let which = numbers.below(waiting.len() as u64) as usize;
                    waiting.swap_remove(which).check();
                }
                3 => assert_eq!(memory.root(), root_of_bytes(&bytes)),
                4 => {
                    let address = numbers.page() << PAGE_SHIFT;
                    let branch = memory.proof(address);
                    let leaf = branch[..32].try_into().unwrap();
                    assert_eq!(fold_branch(address, &leaf, &branch), root_of_bytes(&bytes));
                }
                5 if !waiting.is_empty() => drop(waiting.pop()),
                // Now and then more pages than those whose nodes are kept.
                which => {
                    for _ in 0..if which == 6 { 300 } else { 1 } {
                        let (page, offset) = (numbers.page(), numbers.below(4096));
                        let byte = numbers.next() as u8;
                        let address = (page << PAGE_SHIFT) + offset;
                        let _ = memory.store(address, Width::Byte, u64::from(byte));
                        bytes.insert((page, offset as usize), byte);
                        changed.insert(page);
                        all.insert(page);
                    }
                }
            }
        }
        waiting.into_iter().for_each(Expected::check);
    }
}

#[test]
fn a_capture_does_not_make_changes_known_twice() {
    let mut memory = Memory::new();
    memory.track_changes();
    let _ = memory.store(4096, Width::Double, 1);
    let pages =
        |capture: Capture| -> Vec<u64> { capture.wait().pages().map(|(page, ..)| page).collect() };
    assert_eq!(pages(memory.capture_changes()), [1]);
    assert_eq!(pages(memory.capture_changes()), []);
    let _ = memory.store(8192, Width::Double, 1);
    assert_eq!(pages(memory.capture_all()), [1, 2]);
    assert_eq!(pages(memory.capture_changes()), []);
}

#[test]
fn a_page_restored_while_a_capture_is_hashed_is_restored() {
    for mut memory in both() {
        memory.track_changes();
        for page in 0..500 {
            memory.page_mut(page)[7] = 1;
        }
        let capture = memory.capture_changes();
        memory.restore_page(3, &[0; PAGE_SIZE], *zero_hash(7));
        let mut bytes: BTreeMap<_, _> = (0..500).map(|page| ((page, 7), 1)).collect();
        assert_eq!(capture.wait().root(), root_of_bytes(&bytes));
        bytes.remove(&(3, 7));
        assert_eq!(memory.root(), root_of_bytes(&bytes));
    }
}
