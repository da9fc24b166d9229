//! Memory that kernels prefetch while they work on other memory. The processor does not foresee a change from one array
//! to another by itself. A prefetch is only ever a hint: it never fails, and changes no result.

use crate::simd::{CACHE_LINE, Lanes};

/// Address and bytes of memory.
pub(crate) type Run = (usize, usize);

/// Memory that will be needed next.
#[derive(Clone, Copy, Debug, Default)]
#[doc(hidden)]
pub struct Ahead {
    pub runs: [Run; 2],
}

/// Bytes between what a loop reads and what it prefetches, where it reads so little at a time that the processor does
/// not foresee it.
pub(super) const DISTANCE: usize = 4096;

/// Memory that is prefetched in equal parts, all runs side by side.
#[derive(Clone, Copy)]
pub(super) struct SideBySide {
    /// Of each run: the next line, the number of lines left, and the lines of a part.
    runs: [(usize, usize, usize); 2],
}

impl SideBySide {
    #[inline(always)]
    pub(super) fn new(ahead: Ahead, parts: usize) -> Self {
        let mut runs = [(0, 0, 0); 2];
        for (run, (start, len)) in runs.iter_mut().zip(ahead.runs) {
            let lines = len / CACHE_LINE;
            *run = (start, lines, lines.div_ceil(parts.max(1)));
        }
        Self { runs }
    }

    /// Prefetches the next part.
    #[inline(always)]
    pub(super) fn prefetch<L: Lanes>(&mut self, lanes: L) {
        for (next, left, each) in &mut self.runs {
            let now = *each;
            let now = if now < *left { now } else { *left };
            for line in 0..now {
                lanes.prefetch(next.wrapping_add(line * CACHE_LINE));
            }
            *next = next.wrapping_add(now * CACHE_LINE);
            *left -= now;
        }
    }
}

/// Memory that is prefetched in equal parts, one run after the other from the last to the first.
pub(super) struct InTurn {
    runs: [Run; 4],
    /// Number of runs not begun: the first ones.
    left: usize,
    /// The next line of the run that is begun.
    next: usize,
    /// Lines left of the run that is begun.
    lines: usize,
    /// Lines in a part.
    part: usize,
}

impl InTurn {
    #[inline(always)]
    pub(super) fn new(runs: [Run; 4], parts: usize) -> Self {
        let mut lines = 0;
        for (_, len) in runs {
            lines += len / CACHE_LINE;
        }
        Self { runs, left: runs.len(), next: 0, lines: 0, part: lines.div_ceil(parts) }
    }

    /// Prefetches the next part.
    #[inline(always)]
    pub(super) fn prefetch<L: Lanes>(&mut self, lanes: L) {
        let mut due = self.part;
        while due > 0 {
            if self.lines == 0 {
                let Some(left) = self.left.checked_sub(1) else { return };
                self.left = left;
                self.next = self.runs[left].0;
                self.lines = self.runs[left].1 / CACHE_LINE;
            }
            let now = due.min(self.lines);
            for line in 0..now {
                lanes.prefetch(self.next.wrapping_add(line * CACHE_LINE));
            }
            self.next = self.next.wrapping_add(now * CACHE_LINE);
            self.lines -= now;
            due -= now;
        }
    }
}
