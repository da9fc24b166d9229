//! Groups of the history format that pieces of the gradient cut. A format can store a group (of 256 or 4,096
//! parameters) only as a whole, so the elements of a cut group wait here until the rest is fed. A piece cuts at most
//! two groups: the one it begins in and the one it ends in.

use core::ops::Range;

use crate::error::{Error, Result};
use crate::fault;
use crate::kernels::Element;
use crate::memory::try_vec;

/// Number of cut groups for which memory is reserved. Pieces in order, forwards or backwards, need one.
const USUAL_GROUPS: usize = 16;

pub(super) struct CutGroups<T> {
    /// Number of elements in a whole group.
    group_len: usize,
    open: Vec<CutGroup>,
    /// The elements of the open groups, in the order of `open`, a whole group each.
    elements: Vec<T>,
}

/// A group of which parts are missing.
struct CutGroup {
    /// The parameters of the group.
    range: Range<usize>,
    /// Number of elements that are not fed yet.
    missing: usize,
}

/// No groups and no memory.
impl<T> Default for CutGroups<T> {
    fn default() -> Self {
        Self { group_len: 1, open: Vec::new(), elements: Vec::new() }
    }
}

impl<T: Element> CutGroups<T> {
    /// Reserves memory for a model of `groups` groups of `group_len` elements.
    pub fn new(group_len: usize, groups: usize) -> Result<Self> {
        // A group of one element cannot be cut.
        let usual = if group_len == 1 { 0 } else { groups.min(USUAL_GROUPS) };
        let what = "the groups of the history format that pieces cut";
        Ok(Self { group_len, open: try_vec(usual, what)?, elements: try_vec(usual * group_len, what)? })
    }

    /// Returns the number of elements in a whole group.
    pub fn group_len(&self) -> usize {
        self.group_len
    }

    pub fn clear(&mut self) {
        self.open.clear();
        self.elements.clear();
    }

    /// Reserves memory for those of `groups` that are not open.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    pub fn reserve<'a>(&mut self, groups: impl Iterator<Item = &'a Range<usize>>) -> Result<()> {
        let new = groups.filter(|group| self.place(group).is_none()).count();
        let reserved = self.open.try_reserve(new).and_then(|()| self.elements.try_reserve(new * self.group_len));
        reserved.map_err(|_| Error::OutOfMemory {
            what: "the groups of the history format that pieces cut",
            bytes: ((self.open.len() + new) * self.group_len * size_of::<T>()) as u64,
        })
    }

    /// Adds the elements at `part` to the group at `range`, for which memory is reserved. `copy` writes them to the
    /// slice that it gets. Returns whether the group is complete.
    pub fn enter(&mut self, range: &Range<usize>, part: &Range<usize>, copy: impl FnOnce(&mut [T])) -> bool {
        let index = self.place(range).unwrap_or_else(|| {
            self.open.push(CutGroup { range: range.clone(), missing: range.len() });
            fault::point();
            self.elements.resize(self.elements.len() + self.group_len, T::default());
            self.open.len() - 1
        });
        let first = index * self.group_len + part.start - range.start;
        copy(&mut self.elements[first..first + part.len()]);
        fault::point();
        self.open[index].missing -= part.len();
        self.open[index].missing == 0
    }

    /// Returns the elements of the open group at `range`; none if it is not open.
    pub fn elements(&self, range: &Range<usize>) -> &[T] {
        self.place(range).map_or(&[], |index| &self.elements[index * self.group_len..][..range.len()])
    }

    /// Removes the open group at `range`.
    pub fn remove(&mut self, range: &Range<usize>) {
        if let Some(index) = self.place(range) {
            let last = self.open.len() - 1;
            self.elements.copy_within(last * self.group_len.., index * self.group_len);
            self.elements.truncate(last * self.group_len);
            fault::point();
            self.open.swap_remove(index);
        }
    }

    fn place(&self, range: &Range<usize>) -> Option<usize> {
        self.open.iter().position(|open| open.range == *range)
    }

    /// Returns the bytes held.
    pub fn bytes(&self) -> usize {
        self.open.capacity() * size_of::<CutGroup>() + self.elements.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_complete_when_their_last_part_comes() {
        let mut parts = CutGroups::<f32>::new(4, 25).unwrap();
        // Three groups, the last one short, one element of each in turn.
        let groups = [8..12, 0..4, 97..99];
        for turn in 0..4 {
            for group in groups.iter().filter(|group| turn < group.len()) {
                parts.reserve([group].into_iter()).unwrap();
                let position = group.end - 1 - turn;
                let complete = parts.enter(group, &(position..position + 1), |x| x.fill(position as f32));
                assert_eq!(complete, turn == group.len() - 1);
                if complete {
                    let expected: Vec<f32> = group.clone().map(|position| position as f32).collect();
                    assert_eq!(parts.elements(group), expected);
                    parts.remove(group);
                    assert!(parts.elements(group).is_empty());
                }
            }
        }
        assert!(parts.open.is_empty() && parts.elements.is_empty());
    }

    #[test]
    fn sixteen_cut_groups_need_no_growth() {
        let mut parts = CutGroups::<f32>::new(256, 391).unwrap();
        let bytes = parts.bytes();
        let groups: Vec<Range<usize>> = (0..USUAL_GROUPS).map(|group| group * 256..(group + 1) * 256).collect();
        for pair in groups.chunks(2) {
            parts.reserve(pair.iter()).unwrap();
            pair.iter()
                .for_each(|group| assert!(!parts.enter(group, &(group.start..group.start + 100), |x| x.fill(1.0))));
            parts.reserve(pair.iter()).unwrap();
        }
        assert_eq!(parts.bytes(), bytes);
        assert_eq!(CutGroups::<f32>::new(1, 100).unwrap().bytes(), 0);
    }
}
