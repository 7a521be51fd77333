//! A heap over memory that is mapped and never given back.
//!
//! Blocks have power-of-two sizes, with one list of free blocks for each size. In the VM memory
//! that is mapped but never touched costs nothing, so the rounding wastes only addresses, while
//! every instruction spent in an allocator must be proven.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

/// Where a heap gets its memory.
pub trait PageSource {
    /// Maps `size` fresh bytes (a multiple of [`PAGE`]), writable, page-aligned and used by
    /// nobody else. `None` when there are no more.
    fn map(&mut self, size: usize) -> Option<NonNull<u8>>;
}

/// Bytes in a page of the VM.
pub const PAGE: usize = 4096;

/// Smallest mapping asked for.
const CHUNK: usize = 64 << 20;

/// Smallest block; a free one holds the pointer to the next.
const MIN_BLOCK: usize = 16;

/// Exponents of block sizes, 2⁴ to 2⁴⁷, and the unused ones below.
const CLASSES: usize = 48;

/// A free block, which begins with the pointer to the next one of its size.
type Link = *mut FreeBlock;

struct FreeBlock {
    next: Link,
}

/// The heap. Blocks are aligned to the smaller of their size and a page.
pub struct Heap<S> {
    source: S,
    free: [Link; CLASSES],
    /// Memory of the current mapping that was never handed out: from `next`, `left` bytes.
    next: *mut u8,
    left: usize,
}

impl<S: PageSource> Heap<S> {
    /// An empty heap, which maps memory when it first needs some.
    pub const fn new(source: S) -> Self {
        Self {
            source,
            free: [ptr::null_mut(); CLASSES],
            next: ptr::null_mut(),
            left: 0,
        }
    }

    /// Memory for `layout`, or null if there is none left or the alignment exceeds a page.
    /// The memory is used by nobody else until it is given back.
    pub fn allocate(&mut self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            return ptr::null_mut();
        };
        let head = self.free[class];
        if head.is_null() {
            return self.carve(class);
        }
        // SAFETY: only `release` puts pointers into the list. It wrote a `FreeBlock` there, and
        // nobody has used that memory since, because it was free.
        self.free[class] = unsafe { (*head).next };
        head.cast()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` came from [`allocate`](Self::allocate) of this heap with a layout of the same
    /// [class](same_block), was not given back since, and is not used any more.
    pub unsafe fn release(&mut self, block: *mut u8, layout: Layout) {
        if let Some(class) = class_of(layout) {
            // SAFETY: the caller gives the block up, and it has the size of its class.
            unsafe { self.push(block, class) };
        }
    }

    /// # Safety
    /// `block` has 2^`class` writable bytes, is aligned to [`MIN_BLOCK`], and nobody uses it.
    unsafe fn push(&mut self, block: *mut u8, class: usize) {
        let link: Link = block.cast();
        let next = self.free[class];
        // SAFETY: by the contract above there is room, alignment and no other user.
        unsafe { link.write(FreeBlock { next }) };
        self.free[class] = link;
    }

    /// A block that was never used.
    fn carve(&mut self, class: usize) -> *mut u8 {
        let size = 1 << class;
        let gap = self.gap_before(size);
        if self.left < gap || self.left - gap < size {
            self.spill(self.left);
            if !self.refill(size) {
                return ptr::null_mut();
            }
        } else {
            self.spill(gap);
        }
        self.take(size)
    }

    /// How much to skip so that a block of `size` is aligned.
    fn gap_before(&self, size: usize) -> usize {
        self.next.addr().wrapping_neg() & (size.min(PAGE) - 1)
    }

    /// Takes `size` bytes, which the caller knows to be left.
    fn take(&mut self, size: usize) -> *mut u8 {
        let block = self.next;
        self.next = block.wrapping_add(size);
        self.left -= size;
        block
    }

    /// Puts the next `bytes` bytes into the free lists, in the largest blocks that are aligned.
    fn spill(&mut self, mut bytes: usize) {
        while bytes >= MIN_BLOCK {
            let mut class = bytes.ilog2() as usize;
            while self.gap_before(1 << class) != 0 {
                class -= 1;
            }
            let block = self.take(1 << class);
            // SAFETY: the memory was never handed out, has that many bytes and is aligned. A
            // class below that of MIN_BLOCK cannot occur: mappings are page-aligned, and all
            // sizes taken are multiples of MIN_BLOCK.
            unsafe { self.push(block, class) };
            bytes -= 1 << class;
        }
    }

    /// Maps memory for at least one block of `size`.
    fn refill(&mut self, size: usize) -> bool {
        let size = size.max(CHUNK);
        match self.source.map(size) {
            Some(start) => {
                self.next = start.as_ptr();
                self.left = size;
                true
            }
            None => false,
        }
    }
}

/// Whether both layouts are served by blocks of one size, so that a block for the one can serve
/// the other where it is.
pub fn same_block(one: Layout, other: Layout) -> bool {
    class_of(one).is_some_and(|class| class_of(other) == Some(class))
}

/// The exponent of the block size for `layout`.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > PAGE {
        return None;
    }
    let size = layout.size().max(layout.align()).max(MIN_BLOCK);
    let class = size.checked_next_power_of_two()?.ilog2() as usize;
    (class < CLASSES).then_some(class)
}

#[cfg(test)]
mod tests {
    use std::alloc::{alloc_zeroed, dealloc};
    use std::vec::Vec;

    use super::*;

    /// Maps from the test process's own heap, at most `limit` times.
    struct TestPages {
        mapped: Vec<(*mut u8, Layout)>,
        limit: usize,
    }

    impl PageSource for TestPages {
        fn map(&mut self, size: usize) -> Option<NonNull<u8>> {
            if self.mapped.len() == self.limit {
                return None;
            }
            let layout = Layout::from_size_align(size, PAGE).unwrap();
            // SAFETY: the layout has a size above zero.
            let start = unsafe { alloc_zeroed(layout) };
            self.mapped.push((start, layout));
            NonNull::new(start)
        }
    }

    impl Drop for TestPages {
        fn drop(&mut self) {
            for (start, layout) in self.mapped.drain(..) {
                // SAFETY: allocated in `map` with this layout; the heap over it is gone.
                unsafe { dealloc(start, layout) };
            }
        }
    }

    fn heap(limit: usize) -> Heap<TestPages> {
        Heap::new(TestPages {
            mapped: Vec::new(),
            limit,
        })
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        let mut heap = heap(1);
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for n in 0..3000_usize {
            let layout = layout(n * 37 % 3000, 1 << (n % 13));
            let start = heap.allocate(layout).addr();
            assert!(start != 0 && start.is_multiple_of(layout.align()));
            taken.push((start, start + layout.size()));
        }
        taken.sort_unstable();
        assert!(taken.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    #[test]
    fn content_survives_as_blocks_come_and_go() {
        let mut heap = heap(1);
        let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut random = 1_u64;
        // Miri, which checks the pointers too, is a thousand times slower.
        let steps = if cfg!(miri) { 400 } else { 20_000_u32 };
        for n in 0..steps {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if live.len() < 100 || random >> 63 == 0 {
                let layout = layout((random >> 40) as usize % 2000 + 1, 8);
                let start = heap.allocate(layout);
                // SAFETY: `start` has that many bytes, and they are ours.
                unsafe { start.write_bytes(n as u8, layout.size()) };
                live.push((start, layout, n as u8));
            } else {
                let index = (random >> 33) as usize % live.len();
                let (start, layout, value) = live.swap_remove(index);
                // SAFETY: the block is live and was filled when it was taken.
                let bytes = unsafe { core::slice::from_raw_parts(start, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == value));
                // SAFETY: taken with this layout, and dropped from `live`.
                unsafe { heap.release(start, layout) };
            }
        }
    }

    #[test]
    fn released_blocks_are_used_again() {
        let mut heap = heap(1);
        let first = heap.allocate(layout(100, 8));
        // SAFETY: just taken, with a layout of the same class.
        unsafe { heap.release(first, layout(128, 1)) };
        assert_eq!(heap.allocate(layout(65, 16)), first);
        assert_ne!(heap.allocate(layout(65, 16)), first);
    }

    #[test]
    fn skipped_memory_is_not_lost() {
        let mut heap = heap(1);
        let small = heap.allocate(layout(16, 8));
        let page = heap.allocate(layout(PAGE, 8));
        assert_eq!(page.addr() - small.addr(), PAGE);
        for size in [16, 32, 64, 128, 256, 512, 1024, 2048] {
            let between = heap.allocate(layout(size, 8));
            assert_eq!(between.addr() - small.addr(), size);
        }
    }

    #[test]
    fn a_full_mapping_is_followed_by_another_and_used_up() {
        let mut heap = heap(2);
        let first = heap.allocate(layout(PAGE, 8));
        let large = heap.allocate(layout(CHUNK, 8));
        assert!(!large.is_null());
        assert_eq!(heap.source.mapped.len(), 2);
        // What the first mapping had left serves further blocks.
        let half = heap.allocate(layout(CHUNK / 2, 8));
        assert!(half.addr() > first.addr() && half.addr() < first.addr() + CHUNK);
    }

    #[test]
    fn impossible_layouts_and_no_memory_give_null() {
        let mut none = heap(0);
        assert!(none.allocate(layout(1, 1)).is_null());
        let mut heap = heap(1);
        assert!(heap.allocate(layout(1, 2 * PAGE)).is_null());
        assert!(heap.allocate(layout(1 << 48, 8)).is_null());
        assert!(!heap.allocate(layout(1, 1)).is_null());
    }

    #[test]
    fn growing_within_a_block_keeps_it() {
        assert!(same_block(layout(33, 8), layout(64, 8)));
        assert!(!same_block(layout(64, 8), layout(65, 8)));
        assert!(!same_block(layout(1, 2 * PAGE), layout(1, 2 * PAGE)));
    }
}
