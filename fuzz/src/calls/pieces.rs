//! Pieces of a step by other functions: gradients in bfloat16, directions.
//!
//! The twin's pieces are of its element type. The directions of both handles are compared.

use lmada::Dtype;
use lmada::capi::*;

use super::World;
use super::around::{Rates, nearest_bf16};
use super::rule::Says;
use crate::handle::{Handle, Real, Status, checked};
use crate::oracle::number::bits;

/// The functions that feed and apply a piece.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Plain,
    Bf16 { with_copy: bool },
    Direction,
}

impl Kind {
    /// Chooses by offset and length of the piece, so that no byte of the input is needed.
    pub fn of(offset: usize, len: usize) -> Self {
        match (offset ^ len) & 3 {
            0 => Self::Plain,
            1 => Self::Bf16 { with_copy: true },
            2 => Self::Direction,
            _ => Self::Bf16 { with_copy: false },
        }
    }
}

/// Returns the upper halves of numbers as `f32`.
pub(super) fn halves<T: Real>(numbers: &[T]) -> Vec<u16> {
    numbers.iter().map(|x| ((x.widen() as f32).to_bits() >> 16) as u16).collect()
}

/// Returns the numbers that have these upper halves.
pub(super) fn widened<T: Real>(halves: &[u16]) -> Vec<T> {
    halves.iter().map(|&half| T::of(f32::from_bits(u32::from(half) << 16).into())).collect()
}

/// `lmada_feed_bf16`. A handle of `f64` refuses it, and gets the piece in its own type.
pub(super) fn feed_bf16<T: Real>(handle: &mut Handle<T>, offset: usize, piece: &[T]) -> Status {
    let halves = halves(piece);
    // SAFETY: the handle is live, and the array has this length.
    let status = checked(unsafe { lmada_feed_bf16(handle.raw(), offset, halves.as_ptr(), halves.len()) });
    if T::DTYPE == Dtype::F32 {
        return status;
    }
    assert_eq!(status, LMADA_ERROR_INVALID_ARGUMENT);
    handle.feed(offset, piece)
}

/// `lmada_apply_bf16`. A handle of `f64` refuses it, and gets the piece in its own type.
pub(super) fn apply_bf16<T: Real>(
    handle: &mut Handle<T>,
    offset: usize,
    params: &mut [T],
    gradient: &[T],
    with_copy: bool,
) -> Status {
    let halves = halves(gradient);
    let before = 0x1234;
    let mut copy = vec![before; halves.len()];
    let copy_start = if with_copy { copy.as_mut_ptr() } else { core::ptr::null_mut() };
    // An array of `f64` has the bytes that the function may read and write as `f32`.
    let (start, given) = (params.as_mut_ptr().cast::<f32>(), halves.as_ptr());
    // SAFETY: the handle is live, and the arrays have this length and do not overlap.
    let status = checked(unsafe { lmada_apply_bf16(handle.raw(), offset, start, copy_start, given, halves.len()) });
    for (copy, w) in copy.into_iter().zip(&*params) {
        let written = with_copy && status == LMADA_OK;
        let nearest = if written { nearest_bf16(w.widen() as f32) } else { before };
        assert!(copy == nearest || !w.widen().is_finite(), "{w:?} as bfloat16 is {copy:#x}");
    }
    if T::DTYPE == Dtype::F32 {
        return status;
    }
    assert_eq!(status, LMADA_ERROR_INVALID_ARGUMENT);
    handle.apply(offset, params, gradient)
}

/// The pieces of a step that were applied as directions, with the directions.
pub(super) struct Directed<T>(pub Vec<Option<T>>);

impl<T: Real> Directed<T> {
    /// The rates of parameters; 0 if a direction was written instead.
    pub fn still(&self, mut rates: Vec<Rates>) -> Vec<Rates> {
        for (rates, _) in rates.iter_mut().zip(&self.0).filter(|(_, direction)| direction.is_some()) {
            rates.lr_scale = 0.0;
        }
        rates
    }

    /// Panics if a direction differs from that of the rule. Other elements are not known.
    pub fn check(&self, says: &Says) {
        let found = |index: usize, other: f64| self.0[index].unwrap_or(T::of(other));
        let near: Vec<T> = says.direction.iter().enumerate().map(|(index, own)| found(index, *own)).collect();
        let bounded: Vec<T> = (0..self.0.len()).map(|index| found(index, 0.0)).collect();
        says.check_near(&near);
        says.check_bounded(&bounded);
    }
}

impl<T: Real> World<T> {
    pub(super) fn kind(&self, offset: usize, len: usize) -> Kind {
        if self.mixed { Kind::of(offset, len) } else { Kind::Plain }
    }

    /// Calls both for the direction of a piece. Returns the status if the call is refused.
    pub(super) fn direction_of(&mut self, offset: usize, gradient: &[T]) -> Result<Vec<T>, Status> {
        let untouched = T::of(0.125);
        let (mut found, mut other) = (vec![untouched; gradient.len()], vec![untouched; gradient.len()]);
        let status = self.subject.handle.apply_direction(offset, &mut found, gradient);
        if status != LMADA_OK {
            assert!(found.iter().all(|x| *x == untouched), "a refused direction was written");
            return Err(status);
        }
        assert_eq!(self.twin.handle.apply_direction(offset, &mut other, gradient), LMADA_OK);
        assert!(bits(&found) == bits(&other), "the directions differ");
        Ok(found)
    }
}
