//! The gradient as a step reads it: the caller's tensors, in the optimizer's element type or in bfloat16, with zeros
//! for frozen parameters.

use core::ops::Range;

use super::groups::Group;
use crate::error::{Error, Result};
use crate::kernels::{Bf16, Element};
use crate::memory::try_vec;
use crate::tensors::{TensorList, Tensors};

/// The caller's list of tensors.
#[derive(Clone, Copy)]
pub(super) enum GradientList<'a, T> {
    /// In the optimizer's element type. A tensor that is NULL has no gradient.
    Same(&'a dyn TensorList<T>),
    /// In bfloat16.
    Bf16(&'a dyn TensorList<Bf16>),
}

impl<'a, T: Element> GradientList<'a, T> {
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

    /// Whether a tensor has elements but no gradient (NULL).
    fn is_missing(&self, index: usize) -> bool {
        let is_null = match self {
            Self::Same(list) => list.tensor(index).0.is_null(),
            Self::Bf16(list) => list.tensor(index).0.is_null(),
        };
        is_null && self.len(index) > 0
    }

    /// Places the tensors at parameter `origin`. `starts[i]` is the sum of the lengths before tensor i; it may be empty
    /// for one tensor.
    pub fn place(self, starts: &'a [usize], origin: usize) -> GradientSource<'a, T> {
        match self {
            Self::Same(list) => GradientSource::Same(Tensors::new(list, starts, origin)),
            Self::Bf16(list) => GradientSource::Bf16(Tensors::new(list, starts, origin)),
        }
    }
}

/// The caller's tensors, placed among the optimizer's parameters.
#[derive(Clone, Copy)]
pub(super) enum GradientSource<'a, T> {
    /// In the optimizer's element type.
    Same(Tensors<'a, T>),
    /// In bfloat16; converted a tile at a time.
    Bf16(Tensors<'a, Bf16>),
}

/// The gradient of a pass, with zeros for frozen parameters.
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a, T> {
    pub source: GradientSource<'a, T>,
    /// Ranges of frozen parameters, sorted and disjoint.
    pub frozen: &'a [Range<usize>],
}

impl<T: Element> Gradient<'_, T> {
    /// Returns the `len` elements from `position` on: in place if they are contiguous, otherwise copied to `staging`.
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

    /// Returns the address and bytes of the elements from `position` on, up to `end` or the end of their tensor, for
    /// prefetching.
    pub fn ahead(&self, position: usize, end: usize) -> (usize, usize) {
        match &self.source {
            GradientSource::Same(tensors) => tensors.ahead(position, end),
            GradientSource::Bf16(tensors) => tensors.ahead(position, end),
        }
    }
}

impl<T: Element> GradientSource<'_, T> {
    fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        match self {
            Self::Same(tensors) => tensors.read(position, len, staging),
            Self::Bf16(_) => {
                self.copy(position, &mut staging[..len]);
                &staging[..len]
            }
        }
    }

    /// Copies `target.len()` elements from `position` on.
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

/// Returns the runs of a sorted disjoint list that overlap `range`.
pub(super) fn overlapping<'a>(runs: &'a [Range<usize>], range: &Range<usize>) -> &'a [Range<usize>] {
    if runs.is_empty() {
        return runs;
    }
    let first = runs.partition_point(|run| run.end <= range.start);
    let end = runs.partition_point(|run| run.start < range.end);
    &runs[first..end.max(first)]
}

/// The frozen parameters of the step under way: the frozen parameter groups, and the tensors without a gradient.
#[derive(Default)]
pub(super) struct Frozen {
    runs: Vec<Range<usize>>,
}

impl Frozen {
    /// Reserves memory for `capacity` runs.
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

    /// Sets the frozen parameters to those of `groups`, which are sorted, and the tensors of `list` without a gradient.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if there are more runs than ever before, and no memory for them.
    pub fn set<T: Element>(&mut self, groups: &[Group], list: GradientList<'_, T>, starts: &[usize]) -> Result<()> {
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

    /// Sets the frozen parameters to those of `groups`, which are sorted.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if no memory was reserved for them.
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

    /// Sorts the runs and joins those that overlap or touch.
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
