//! Memory of the heap, for short buffers.

use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};

use super::ALIGNMENT;
use super::pages::Taken;

/// `bytes` bytes of zeros, at least 1, and how many bytes they take.
pub(super) fn take(bytes: usize) -> Option<Taken> {
    let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).map(|start| (start, bytes))
}

/// Frees memory that `take` returned.
///
/// # Safety
/// `start` and `held` are what `take` returned, and nothing refers to the memory.
pub(super) unsafe fn give_back(start: NonNull<u8>, held: usize) {
    // SAFETY: the layout is the one that the memory was taken with.
    unsafe { dealloc(start.as_ptr(), Layout::from_size_align_unchecked(held, ALIGNMENT)) };
}
