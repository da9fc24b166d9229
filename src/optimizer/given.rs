//! The gradient as a step reads it: the caller's tensors, in the optimizer's element type or in bfloat16, with zeros for
//! the parameters that are frozen.

use core::ops::Range;

use super::groups::Group;
use crate::error::{Error, Result};
use crate::kernels::{Bf16, Element};
use crate::memory::try_vec;
use crate::tensors::{TensorList, Tensors};

/// The caller's tensors.
#[derive(Clone, Copy)]
pub(super) enum GradList<'a, T> {
    /// In the element type of the optimizer. A tensor that is NULL has no gradient.
    Same(&'a dyn TensorList<T>),
    /// In bfloat16.
    Bf16(&'a dyn TensorList<Bf16>),
}

impl<'a, T: Element> GradList<'a, T> {
    pub fn count(&self) -> usize {
        match self {
            Self::Same(list) => list.count(),
            Self::Bf16(list) => list.count(),
        }
    }

    pub fn len(&self, index: usize) -> usize {
        match self {
            Self::Same(list) => list.tensor(index).1,
            Self::Bf16(list) => list.tensor(index).1,
        }
    }

    /// Whether a tensor that has elements is NULL.
    fn is_missing(&self, index: usize) -> bool {
        let is_null = match self {
            Self::Same(list) => list.tensor(index).0.is_null(),
            Self::Bf16(list) => list.tensor(index).0.is_null(),
        };
        is_null && self.len(index) > 0
    }

    /// The tensors from parameter `origin` on; `starts` are the sums of the lengths before each.
    pub fn place(self, starts: &'a [usize], origin: usize) -> Source<'a, T> {
        match self {
            Self::Same(list) => Source::Same(Tensors::new(list, starts, origin)),
            Self::Bf16(list) => Source::Bf16(Tensors::new(list, starts, origin)),
        }
    }
}

/// The caller's numbers.
#[derive(Clone, Copy)]
pub(super) enum Source<'a, T> {
    /// In the element type of the optimizer.
    Same(Tensors<'a, T>),
    /// In bfloat16; widened a tile at a time.
    Bf16(Tensors<'a, Bf16>),
}

/// What a pass reads of a gradient.
#[derive(Clone, Copy)]
pub(super) struct Given<'a, T> {
    pub source: Source<'a, T>,
    /// Where the gradient is not read and counts as zeros: sorted, disjoint.
    pub frozen: &'a [Range<usize>],
}

impl<T: Element> Given<'_, T> {
    /// The `len` elements from `position` on: in place where they lie together, else made in `staging`.
    pub fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        let end = position + len;
        let frozen = overlapping(self.frozen, &(position..end));
        if frozen.is_empty() {
            return self.source.read(position, len, staging);
        }
        let mut next = position;
        for run in frozen {
            let (start, stop) = (run.start.max(position), run.end.min(end));
            self.source.copy(next, &mut staging[next - position..start - position]);
            staging[start - position..stop - position].fill(T::default());
            next = stop;
        }
        self.source.copy(next, &mut staging[next - position..len]);
        &staging[..len]
    }

    /// Where the elements from `position` on lie that are not beyond `end`: those that lie together, address and bytes.
    pub fn ahead(&self, position: usize, end: usize) -> (usize, usize) {
        match &self.source {
            Source::Same(tensors) => tensors.ahead(position, end),
            Source::Bf16(tensors) => tensors.ahead(position, end),
        }
    }
}

impl<T: Element> Source<'_, T> {
    fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        match self {
            Self::Same(tensors) => tensors.read(position, len, staging),
            Self::Bf16(_) => {
                self.copy(position, &mut staging[..len]);
                &staging[..len]
            }
        }
    }

    /// Copies elements from `position` on, as many as `target` has.
    pub fn copy(&self, position: usize, target: &mut [T]) {
        let len = target.len();
        match self {
            Self::Same(tensors) => tensors.runs(position, len, |first, run| {
                target[first..first + run.len()].copy_from_slice(run);
            }),
            Self::Bf16(tensors) => tensors.runs(position, len, |first, run| {
                for (wide, short) in target[first..first + run.len()].iter_mut().zip(run) {
                    *wide = T::from_bf16(*short);
                }
            }),
        }
    }
}

/// The runs of a sorted list that have a part in `range`.
pub(super) fn overlapping<'a>(runs: &'a [Range<usize>], range: &Range<usize>) -> &'a [Range<usize>] {
    if runs.is_empty() {
        return runs;
    }
    let first = runs.partition_point(|run| run.end <= range.start);
    let end = runs.partition_point(|run| run.start < range.end);
    &runs[first..end.max(first)]
}

/// The frozen parameters of the step under way: those of the groups, and the tensors of a list that have no gradient.
#[derive(Default)]
pub(super) struct Frozen {
    runs: Vec<Range<usize>>,
}

impl Frozen {
    /// With capacity for so many runs.
    pub fn new(capacity: usize) -> Result<Self> {
        Ok(Self { runs: try_vec(capacity, "the frozen parameters of a step")? })
    }

    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// Reserves memory for `count` runs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        self.runs.clear();
        self.runs.try_reserve(count).map_err(|_| Error::OutOfMemory {
            what: "the frozen parameters of a step",
            bytes: (count as u64).saturating_mul(size_of::<Range<usize>>() as u64),
        })
    }

    /// Sets it to those of `groups`, which are sorted, and the tensors of a list that are NULL.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where there are more than ever before and no memory for them.
    pub fn set<T: Element>(&mut self, groups: &[Group], list: GradList<'_, T>, starts: &[usize]) -> Result<()> {
        self.set_groups(groups)?;
        let of_groups = self.runs.len();
        for (index, &start) in starts.iter().enumerate() {
            if list.is_missing(index) {
                self.push(start..start + list.len(index))?;
            }
        }
        if of_groups > 0 && self.runs.len() > of_groups {
            self.merge();
        }
        Ok(())
    }

    /// Sets it to those of `groups`, which are sorted.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where no memory was reserved for them.
    pub fn set_groups(&mut self, groups: &[Group]) -> Result<()> {
        self.runs.clear();
        groups.iter().filter(|group| group.is_frozen()).map(Group::range).try_for_each(|run| self.push(run))
    }

    fn push(&mut self, run: Range<usize>) -> Result<()> {
        self.runs.try_reserve(1).map_err(|_| Error::OutOfMemory {
            what: "the frozen parameters of a step",
            bytes: ((self.runs.len() + 1) * size_of::<Range<usize>>()) as u64,
        })?;
        self.runs.push(run);
        Ok(())
    }

    /// Sorts the runs, and joins those that overlap.
    fn merge(&mut self) {
        self.runs.sort_unstable_by_key(|run| run.start);
        let mut kept = 0;
        for index in 1..self.runs.len() {
            let run = self.runs[index].clone();
            if run.start <= self.runs[kept].end {
                self.runs[kept].end = self.runs[kept].end.max(run.end);
            } else {
                kept += 1;
                self.runs[kept] = run;
            }
        }
        self.runs.truncate(kept + 1);
    }
}
