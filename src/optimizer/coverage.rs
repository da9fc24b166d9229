//! The parameters that a phase has covered so far: disjoint sorted runs, with neighbours merged.

use core::ops::Range;

use crate::error::{Error, Result, Value};
use crate::fault;
use crate::memory::try_vec;

/// Reserved runs. Pieces in order form one run.
const USUAL_RUNS: usize = 256;

pub(super) struct Coverage {
    runs: Vec<Range<usize>>,
    total: usize,
}

impl Coverage {
    pub fn new(total: usize) -> Result<Self> {
        Ok(Self { runs: try_vec(USUAL_RUNS, "the runs of a step in phases")?, total })
    }

    pub fn clear(&mut self) {
        self.runs.clear();
    }

    pub fn is_complete(&self) -> bool {
        self.total == 0 || (self.runs.len() == 1 && self.runs[0] == (0..self.total))
    }

    /// Checks that a piece is in range and not covered yet, and reserves memory for it. Returns `None` for an empty
    /// piece.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for `offset`; [`Error::OutOfMemory`].
    pub fn admit(&mut self, offset: usize, len: usize) -> Result<Option<Piece>> {
        let end = offset.checked_add(len).filter(|&end| end <= self.total);
        let Some(end) = end else {
            let value = Value::Range(offset as u64, (offset as u64).saturating_add(len as u64));
            return Err(Error::invalid("offset", value, "a piece that ends at the last parameter or before"));
        };
        if len == 0 {
            return Ok(None);
        }
        // The runs before `index` end at `offset` or before.
        let index = self.runs.partition_point(|run| run.end <= offset);
        if self.runs.get(index).is_some_and(|run| run.start < end) {
            let value = Value::Range(offset as u64, end as u64);
            return Err(Error::invalid("offset", value, "a piece that overlaps none before it in this step"));
        }
        self.runs.try_reserve(1).map_err(|_| Error::OutOfMemory {
            what: "the runs of a step in phases",
            bytes: ((self.runs.len() + 1) * size_of::<Range<usize>>()) as u64,
        })?;
        Ok(Some(Piece { range: offset..end, index }))
    }

    /// Adds an admitted piece. No other piece may be added between `admit` and `enter`.
    pub fn enter(&mut self, piece: Piece) {
        let Piece { range, index } = piece;
        fault::point();
        let joins_next = self.runs.get(index).is_some_and(|run| run.start == range.end);
        let joins_last = index > 0 && self.runs[index - 1].end == range.start;
        match (joins_last, joins_next) {
            (true, true) => {
                self.runs[index - 1].end = self.runs[index].end;
                self.runs.remove(index);
            }
            (true, false) => self.runs[index - 1].end = range.end,
            (false, true) => self.runs[index].start = range.start,
            (false, false) => self.runs.insert(index, range),
        }
    }
}

/// An admitted piece, and its place among the runs.
pub(super) struct Piece {
    pub range: Range<usize>,
    index: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_cover_once() {
        let mut coverage = Coverage::new(700).unwrap();
        // 3 has no common factor with 7, so this visits each of the seven hundreds once, in a scattered order.
        for turn in 0..7 {
            let offset = turn * 3 % 7 * 100;
            assert!(!coverage.is_complete());
            let piece = coverage.admit(offset, 100).unwrap().unwrap();
            coverage.enter(piece);
            for (start, len) in [(offset, 100), (offset + 99, 1), (offset, 1), (offset + 50, 7)] {
                assert!(matches!(coverage.admit(start, len), Err(Error::InvalidArgument { .. })));
            }
            assert!(coverage.admit(offset + 50, 0).unwrap().is_none());
        }
        assert!(coverage.is_complete());
    }

    #[test]
    fn pieces_out_of_range_are_refused() {
        let mut coverage = Coverage::new(10).unwrap();
        for (offset, len) in [(0, 11), (10, 1), (11, 0), (usize::MAX, 2), (1, usize::MAX)] {
            assert!(coverage.admit(offset, len).is_err(), "{offset} {len}");
        }
        assert!(coverage.admit(10, 0).unwrap().is_none());
    }

    #[test]
    fn nothing_is_complete_without_parameters() {
        assert!(Coverage::new(0).unwrap().is_complete());
        assert!(!Coverage::new(1).unwrap().is_complete());
    }
}
