//! The heap that `alloc` uses.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

use super::syscall::Mmap;
use crate::heap::{Heap, same_block};

struct GlobalHeap(UnsafeCell<Heap<Mmap>>);

// SAFETY: a guest has one thread, and this crate has nothing to start another with.
unsafe impl Sync for GlobalHeap {}

// SAFETY: `Heap` hands out memory that fits the layout and belongs to nobody else, and changes no
// live block. It never unwinds: guests abort on panic.
unsafe impl GlobalAlloc for GlobalHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the only thread; `allocate` does not call back into this allocator, so that no
        // other reference to the heap exists.
        unsafe { &mut *self.0.get() }.allocate(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; the caller vouches for block and layout. `realloc` may have
        // grown the block, but only within its class.
        unsafe { (*self.0.get()).release(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `size` does not overflow for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if same_block(layout, new) {
            return block;
        }
        // SAFETY: the caller guarantees a size above zero and a live block of `layout`; the new
        // block is another one, and both have at least the smaller of the two sizes.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[global_allocator]
static HEAP: GlobalHeap = GlobalHeap(UnsafeCell::new(Heap::new(Mmap)));
