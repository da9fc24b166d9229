//! Memory from the heap, for short buffers.

use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};

use super::{ALIGNMENT, Taken};

/// Allocates `bytes` zero bytes, at least 1. Returns their start and their number.
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
    // SAFETY: `take` allocated the memory with this layout.
    unsafe { dealloc(start.as_ptr(), Layout::from_size_align_unchecked(held, ALIGNMENT)) };
}
