//! How many bytes are live on this thread?
//!
//! The binary's allocator adds to two plain thread-local cells: a nanosecond for each call, for every peer
//! alike, and no atomic. What a peer's helper threads allocate is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Without a destructor, and made without an allocation: the allocator may use them at any time.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Live bytes of this thread, as they were asked for; 0 unless [`Counting`] is the allocator.
pub fn live_bytes() -> usize {
    LIVE.get()
}

/// The allocations of this thread so far.
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// The system's allocator, counted.
pub struct Counting;

fn count(more: usize, less: usize) {
    // What one thread has allocated another may free.
    LIVE.set(LIVE.get().wrapping_add(more).wrapping_sub(less));
}

// SAFETY: every call is passed on to `System` as it is; counting touches plain thread-local cells, and
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        count(layout.size(), 0);
        // SAFETY: this function's contract is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        count(size, layout.size());
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}
