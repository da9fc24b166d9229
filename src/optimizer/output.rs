//! The output of pass two: moved parameters, a direction in the caller's buffer, or nothing.

use core::ops::Range;

use super::gradient::overlapping;
use super::groups::{Group, Rates, rates};
use crate::kernels::{Bf16, Element, Kernels};
use crate::tensors::{TensorListMut, TensorsMut};

/// The caller's arrays that a step writes to.
#[derive(Clone, Copy)]
pub(super) enum Target<'a, T> {
    /// The parameters, and optionally their copy in bfloat16.
    Params { params: &'a dyn TensorListMut<T>, copy: Option<&'a dyn TensorListMut<Bf16>> },
    /// A buffer for the direction.
    Direction(&'a dyn TensorListMut<T>),
    /// Nothing is written.
    None,
}

/// The use of the direction in pass two.
pub(super) enum Output<'a, T> {
    /// The parameters move against the direction.
    Move(Move<'a, T>),
    /// The direction is written to a buffer.
    Write(TensorsMut<'a, T>),
    /// The direction is not used.
    Nowhere,
}

/// The update `w ← (1 − lr·weight_decay)·w − lr·direction`, with the factors of the parameter's group.
pub(super) struct Move<'a, T> {
    pub params: TensorsMut<'a, T>,
    /// Receives the parameters in bfloat16.
    pub copy: Option<TensorsMut<'a, Bf16>>,
    pub lr: f64,
    pub weight_decay: f64,
    pub groups: &'a [Group],
    /// Ranges of frozen parameters, which keep their bits: sorted, disjoint.
    pub frozen: &'a [Range<usize>],
    /// β of the average of the parameters.
    pub average_beta: f64,
}

/// The average of a tile's parameters, and scratch of one tile each.
pub(super) struct Averaging<'a, T> {
    /// p̄ of the tile's parameters. Empty if no average is kept.
    pub average: &'a mut [T],
    pub widened: &'a mut [f64],
    pub new: &'a mut [f64],
}

impl<T: Element> Output<'_, T> {
    /// Returns the address and bytes of the parameters from `place` on, up to `end` or the end of their tensor, for
    /// prefetching. No bytes if no parameters are moved.
    pub fn ahead(&self, place: usize, end: usize) -> (usize, usize) {
        match self {
            Self::Move(Move { params, .. }) => params.ahead(place, end),
            Self::Write(_) | Self::Nowhere => (0, 0),
        }
    }

    /// Moves the `len` parameters from `place` on against `direction`, or writes `direction` there, or does nothing.
    ///
    /// # Safety
    /// As [`TensorsMut::write`].
    pub unsafe fn write(
        &self,
        kernels: &Kernels<T>,
        place: usize,
        len: usize,
        direction: &[f64],
        averaging: Averaging<'_, T>,
    ) {
        match self {
            // SAFETY: the caller's promise is passed on.
            Self::Move(moves) => unsafe { moves.apply(kernels, place, len, direction, averaging) },
            Self::Write(target) => {
                // SAFETY: as above.
                unsafe {
                    target.write(place, len, |first, target| {
                        (kernels.round)(&direction[first..], 1.0, target);
                    });
                }
            }
            Self::Nowhere => {}
        }
    }
}

impl<T: Element> Move<'_, T> {
    /// Moves the `len` parameters from `place` on, and updates their average and their copy.
    ///
    /// # Safety
    /// As [`TensorsMut::write`].
    unsafe fn apply(
        &self,
        kernels: &Kernels<T>,
        place: usize,
        len: usize,
        direction: &[f64],
        averaging: Averaging<'_, T>,
    ) {
        let Averaging { average, widened, new } = averaging;
        let write = |first: usize, target: &mut [T]| {
            self.move_run(kernels, place + first, target, &direction[first..]);
            if !average.is_empty() {
                (kernels.widen)(target, widened);
                let average = &mut average[first..first + target.len()];
                (kernels.average)(average, self.average_beta, widened, new);
            }
            if let Some(copy) = &self.copy {
                // SAFETY: the caller's promise, for the copy of these parameters.
                unsafe {
                    copy.write(place + first, target.len(), |first, copy| {
                        for (short, wide) in copy.iter_mut().zip(&target[first..]) {
                            *short = wide.to_bf16();
                        }
                    });
                }
            }
        };
        // SAFETY: the caller's promise is passed on.
        unsafe { self.params.write(place, len, write) }
    }

    /// Moves contiguous parameters, the first of which has index `place`.
    fn move_run(&self, kernels: &Kernels<T>, place: usize, target: &mut [T], direction: &[f64]) {
        let end = place + target.len();
        if self.groups.is_empty() && self.frozen.is_empty() {
            return (kernels.apply_update)(target, 1.0 - self.lr * self.weight_decay, self.lr, direction);
        }
        let mut next = place;
        while next < end {
            let Rates { len, lr_scale, weight_decay_scale } = rates(self.groups, &(next..end));
            // Up to `stop` all of these parameters are frozen, or none is.
            let (is_frozen, stop) = match overlapping(self.frozen, &(next..next + len)).first() {
                Some(run) if run.start <= next => (true, run.end.min(next + len)),
                Some(run) => (false, run.start),
                None => (false, next + len),
            };
            if !is_frozen {
                let lr = self.lr * lr_scale;
                let keep = 1.0 - lr * (self.weight_decay * weight_decay_scale);
                let target = &mut target[next - place..stop - place];
                (kernels.apply_update)(target, keep, lr, &direction[next - place..]);
            }
            next = stop;
        }
    }
}
