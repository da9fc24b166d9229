//! Mapped pages, for memory of the model's length. They are zero without being written, and huge pages on Linux if it
//! has them. On systems without `mmap` the memory is from the heap.

#[cfg(not(unix))]
pub(super) use super::heap::{give_back, take};
#[cfg(unix)]
pub(super) use mapped::{give_back, take};

#[cfg(unix)]
mod mapped {
    use core::num::NonZeroUsize;
    use core::ptr::{self, NonNull};

    use once_cell::race::OnceNonZeroUsize;

    use crate::memory::Taken;

    /// Bytes of a huge page on x86, and on aarch64 with 4 KiB pages.
    pub const HUGE_PAGE: usize = 2 << 20;

    /// Maps `bytes` zero bytes, rounded up to whole pages. Memory of at least a huge page is aligned for huge pages.
    pub fn take(bytes: usize) -> Option<Taken> {
        let page = page_size()?;
        let held = bytes.next_multiple_of(page);
        if held < HUGE_PAGE {
            return Some((map(held)?, held));
        }
        // Maps more, to find an aligned start inside, and unmaps the rest.
        let reserved = held + HUGE_PAGE - page;
        let base = map(reserved)?;
        let before = base.as_ptr().align_offset(HUGE_PAGE);
        let after = reserved - held - before;
        // SAFETY: `before <= HUGE_PAGE - page`, so that `before + held + after == reserved`: all inside the new
        // mapping.
        let (start, end) = unsafe { (base.add(before), base.add(before + held)) };
        if before > 0 {
            // SAFETY: whole pages at the start of the new mapping; nothing refers to them.
            unsafe { give_back(base, before) };
        }
        if after > 0 {
            // SAFETY: whole pages at the end of the new mapping; nothing refers to them.
            unsafe { give_back(end, after) };
        }
        // If the system refuses, small pages work too, but slower.
        #[cfg(target_os = "linux")]
        // SAFETY: the range belongs to this mapping, and the advice does not change its contents.
        unsafe {
            libc::madvise(start.as_ptr().cast(), held, libc::MADV_HUGEPAGE)
        };
        Some((start, held))
    }

    /// Unmaps pages.
    ///
    /// # Safety
    /// `start` and `held` are what `take` returned, or whole pages of it, and nothing refers to them.
    pub unsafe fn give_back(start: NonNull<u8>, held: usize) {
        // SAFETY: by this function's contract.
        unsafe { libc::munmap(start.as_ptr().cast(), held) };
    }

    /// Returns the bytes of a page.
    fn page_size() -> Option<usize> {
        static FOUND: OnceNonZeroUsize = OnceNonZeroUsize::new();
        let ask = || {
            // SAFETY: `sysconf` has no preconditions.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            usize::try_from(page).ok().and_then(NonZeroUsize::new).ok_or(())
        };
        FOUND.get_or_try_init(ask).ok().map(NonZeroUsize::get)
    }

    fn map(bytes: usize) -> Option<NonNull<u8>> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the system's choice touches no memory in use.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
    }

    #[cfg(test)]
    #[test]
    fn memory_of_a_huge_page_is_aligned_for_huge_pages() {
        for bytes in [HUGE_PAGE, HUGE_PAGE + 1, 5_000_001] {
            let (start, held) = take(bytes).unwrap();
            assert!(held >= bytes && held < bytes + (64 << 10), "{bytes} takes {held}");
            assert_eq!(start.as_ptr().align_offset(HUGE_PAGE), 0);
            // SAFETY: it was taken here.
            unsafe { give_back(start, held) };
        }
    }
}
