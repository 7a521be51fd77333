//! Pages that are fetched when they are first touched.

use super::lazy::TOGETHER;
use super::*;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Mutex;

const FIRST: u64 = 0xC0_0000_0000 >> PAGE_SHIFT;

/// A source that notes what is fetched, and does not have some pages.
#[derive(Default)]
struct Source {
    lost: BTreeSet<u64>,
    panics: bool,
    fetched: Mutex<Vec<u64>>,
}

impl Source {
    fn fetched(&self) -> Vec<u64> {
        let mut fetched = self.fetched.lock().unwrap().clone();
        fetched.sort_unstable();
        fetched
    }
}

fn bytes(page: u64) -> Page {
    let mut bytes = [0; PAGE_SIZE];
    let words = bytes.as_chunks_mut().0.iter_mut();
    for (at, word) in words.enumerate().skip(page as usize % 300) {
        *word = (page * 0x9e37_79b9_7f4a_7c15 + at as u64).to_be_bytes();
    }
    bytes
}

fn assert_bytes(memory: &Memory, page: u64) {
    let right = memory.page(page) == Some(&bytes(page));
    assert!(right, "page {page:x}");
}

impl PageSource for Source {
    fn load(&self, page: u64, into: &mut Page) -> Result<(), PageError> {
        self.fetched.lock().unwrap().push(page);
        if self.lost.contains(&page) {
            assert!(!self.panics, "the source is out of order");
            *into = [0xee; PAGE_SIZE];
            let reason = "it is lost".into();
            return Err(PageError { page, reason });
        }
        *into = bytes(page);
        Ok(())
    }
}

/// Memory with these pages, loaded at once and hashed.
fn eager(pages: &[u64]) -> Memory {
    let mut memory = Memory::new();
    pages
        .iter()
        .for_each(|page| *memory.page_mut(*page) = bytes(*page));
    memory
}

fn restore(memory: &mut Memory, pages: &[u64], source: &Arc<Source>) {
    let mut known = eager(pages);
    let roots = pages.iter().map(|page| (*page, known.page_root(*page)));
    memory.restore_lazily(roots.collect(), source.clone());
}

/// Pages in all windows, alone and in rows, and far from all.
fn pages() -> Vec<u64> {
    let starts = [0, FIRST, 0x1_0000_0000, 0x7_FFFF_FF00, 1 << 50];
    let near = starts.iter().flat_map(|start| start + 1..start + 200);
    let alone = (1..50).map(|n| FIRST + 1000 * n + n);
    near.chain(alone).filter(|page| page % 7 != 3).collect()
}

/// Whether pages are fetched lazily here, which a system may refuse.
fn is_lazy() -> bool {
    let mut memory = Memory::new();
    let source = Arc::new(Source::default());
    restore(&mut memory, &[FIRST], &source);
    let lazy = source.fetched().is_empty();
    if !lazy {
        eprintln!("this system fetches pages at once");
    }
    lazy
}

#[test]
fn lazy_pages_are_those_that_are_loaded_at_once() {
    let (pages, source) = (pages(), Arc::new(Source::default()));
    for mut memory in [Memory::new(), Memory::without_reservation()] {
        memory.track_changes();
        restore(&mut memory, &pages, &source);
        let mut wanted = eager(&pages);
        assert_eq!(memory.page_count(), pages.len());
        assert_eq!(memory.page_indexes(), wanted.page_indexes());
        assert_eq!(memory.root(), wanted.root());
        assert_eq!(memory.take_changes(), []);
        for (at, page) in pages.iter().enumerate() {
            let address = page << PAGE_SHIFT | 2048;
            match at % 4 {
                0 => assert_bytes(&memory, *page),
                1 => {
                    for address in (address..address + 64).step_by(8) {
                        let word = memory.load(address, Width::Double);
                        assert_eq!(word, wanted.load(address, Width::Double));
                    }
                }
                2 => {
                    for memory in [&mut memory, &mut wanted] {
                        let _ = memory.store(address, Width::Half, 0x1234);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(memory.root(), wanted.root());
        for page in &pages {
            assert_eq!(
                memory.proof(page << PAGE_SHIFT),
                wanted.proof(page << PAGE_SHIFT)
            );
            assert!(memory.page(*page) == wanted.page(*page));
        }
        assert_eq!(
            memory.take_changes().len(),
            pages.iter().skip(2).step_by(4).count()
        );
        assert_eq!(memory.failure(), None);
    }
}

#[test]
fn only_what_is_touched_is_fetched() {
    if !is_lazy() {
        return;
    }
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    let pages: Vec<u64> = (FIRST..FIRST + 2000)
        .filter(|page| page % 10 != 0)
        .collect();
    restore(&mut memory, &pages, &source);
    memory.root();
    assert_eq!(source.fetched(), []);
    let touched = FIRST + 1001;
    black_box(memory.load(touched << PAGE_SHIFT, Width::Byte));
    let together = touched..touched + TOGETHER as u64;
    let wanted: Vec<u64> = together.filter(|page| page % 10 != 0).collect();
    // Less where a huge page ends, wherever that is.
    let fetched = source.fetched();
    assert_eq!(fetched, wanted[..fetched.len()]);
    assert_eq!(fetched[0], touched);
    fetched.iter().for_each(|page| assert_bytes(&memory, *page));
    assert_eq!(source.fetched(), fetched);
}

#[test]
fn absent_pages_between_lazy_ones_are_zeros() {
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    // Read before, so that the system knows the page of zeros at both.
    assert_eq!(memory.load(FIRST << PAGE_SHIFT, Width::Double), 0);
    assert_eq!(memory.load((FIRST + 1) << PAGE_SHIFT, Width::Double), 0);
    restore(&mut memory, &[FIRST + 1, FIRST + 3], &source);
    for page in [FIRST, FIRST + 2, FIRST + 4] {
        assert_eq!(memory.load(page << PAGE_SHIFT, Width::Double), 0);
        assert_eq!(memory.page(page), None);
        let _ = memory.store(page << PAGE_SHIFT, Width::Double, 5);
        assert_eq!(memory.load(page << PAGE_SHIFT, Width::Double), 5);
    }
    for page in [FIRST + 1, FIRST + 3] {
        assert_bytes(&memory, page);
    }
    assert_eq!(memory.page_count(), 5);
}

#[test]
fn pages_that_exist_already_are_replaced_and_code_is_reported() {
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    *memory.page_mut(FIRST) = [7; PAGE_SIZE];
    memory.mark_code(FIRST + 5);
    let pages = [FIRST, FIRST + 1, FIRST + 5];
    restore(&mut memory, &pages, &source);
    // Once more, which the system does not allow for ranges it looks after already.
    restore(&mut memory, &[FIRST + 2], &source);
    assert_eq!(memory.take_code_writes().len(), PAGE_SIZE / 8);
    for page in [FIRST, FIRST + 1, FIRST + 2, FIRST + 5] {
        assert_bytes(&memory, page);
    }
    assert_eq!(
        memory.root(),
        eager(&[FIRST, FIRST + 1, FIRST + 2, FIRST + 5]).root()
    );
}

#[test]
fn a_page_that_cannot_be_loaded_is_a_failure_once_it_is_wanted() {
    let pages: Vec<u64> = (FIRST..FIRST + 40).collect();
    for panics in [false, true] {
        let source = Arc::new(Source {
            lost: [FIRST + 20].into(),
            panics,
            ..Source::default()
        });
        for (mut memory, lazy) in [
            (Memory::new(), is_lazy()),
            (Memory::without_reservation(), false),
        ] {
            restore(&mut memory, &pages, &source);
            black_box(memory.load((FIRST + 10) << PAGE_SHIFT, Width::Double));
            assert_eq!(
                memory.failure().is_none(),
                lazy,
                "only asked for in advance"
            );
            assert_eq!(
                memory.load((FIRST + 20) << PAGE_SHIFT | 8, Width::Double),
                0
            );
            let failure = memory.failure().unwrap();
            assert_eq!(failure.page, FIRST + 20);
            black_box(memory.page(FIRST + 30));
            assert_eq!(memory.failure(), Some(failure), "the first is kept");
        }
    }
}

#[test]
fn many_threads_may_touch_pages() {
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    let pages: Vec<u64> = (FIRST..FIRST + 3000).collect();
    restore(&mut memory, &pages, &source);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (memory, pages) = (&memory, &pages);
            scope.spawn(move || {
                for at in 0..pages.len() {
                    let page = pages[(at * 7 + thread * 400) % pages.len()];
                    assert_bytes(memory, page);
                }
            });
        }
    });
    assert_eq!(source.fetched(), pages, "each is fetched once");
}

#[test]
fn dropping_the_memory_ends_the_thread() {
    let source = Arc::new(Source::default());
    for touched in [0, 3, 40] {
        let mut memory = Memory::new();
        let pages: Vec<u64> = (FIRST..FIRST + 40).collect();
        restore(&mut memory, &pages, &source);
        for page in pages.iter().take(touched) {
            assert_bytes(&memory, *page);
        }
        drop(memory);
        assert_eq!(Arc::strong_count(&source), 1);
    }
}

#[test]
fn settling_leaves_missing_pages_missing() {
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    // Nearly all of two huge pages and some more, wherever those begin.
    let pages: Vec<u64> = (FIRST..FIRST + 2048)
        .filter(|page| (page - FIRST) % 100 != 9)
        .collect();
    restore(&mut memory, &pages, &source);
    let mut wanted = eager(&pages);
    memory.settle();
    for page in pages.iter().take(1000) {
        assert_bytes(&memory, *page);
    }
    memory.settle();
    for memory in [&mut memory, &mut wanted] {
        let _ = memory.store((FIRST + 9) << PAGE_SHIFT, Width::Double, 9);
    }
    for page in &pages {
        assert_bytes(&memory, *page);
    }
    memory.settle();
    for page in &pages {
        assert_bytes(&memory, *page);
    }
    assert_eq!(source.fetched(), pages, "each is fetched once");
    assert_eq!(memory.root(), wanted.root());
}

#[test]
fn lazy_pages_can_be_written_to_a_file() {
    use std::io::{Read, Seek, Write};
    let (mut memory, source) = (Memory::new(), Arc::new(Source::default()));
    restore(&mut memory, &[FIRST], &source);
    let mut file = tempfile();
    file.write_all(memory.page(FIRST).unwrap()).unwrap();
    file.rewind().unwrap();
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes(FIRST));
}

/// A file without a name.
fn tempfile() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("carronade-lazy-{}", std::process::id()));
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).create(true).truncate(true);
    let file = file.open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}
