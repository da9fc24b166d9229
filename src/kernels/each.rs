//! Loops that take elements a vector at a time, and pad the last vector.
//!
//! Elements come in slices of any length. The `f64` that accompany them come in *scratch*: slices long enough for whole
//! vectors, so that the last vector of scratch is never partial.

use crate::simd::{LANES, Stored};

/// Runs `$body` for each vector of elements that are read (`$given`) or changed (`$changed`), and of the scratch that
/// is read (`$read`) or written (`$written`) with them. In the body the vectors have the names of their slices. Zeros
/// pad the last elements to a vector; only elements that exist are written back.
macro_rules! each_vector {
    ($($lists:tt)*) => {
        $crate::kernels::each::each_of!(LANES, $($lists)*)
    };
}

/// [`each_vector`] with `$size` elements at a time. Other sizes than [`LANES`] take no scratch.
macro_rules! each_of {
    (
        $size:ident, $count:expr,
        [$($given:ident),*], [$($changed:ident),*], [$($read:ident),*], [$($written:ident),*], $body:block
    ) => {
        let count: usize = $count;
        $(assert_eq!($given.len(), count);)*
        $(assert_eq!($changed.len(), count);)*
        $(let $read = $crate::kernels::each::scratch_vectors($read, count);)*
        $(let $written = $crate::kernels::each::scratch_vectors_mut($written, count);)*
        {
            $(let $given = $given.as_chunks::<$size>().0;)*
            $(let $changed = $changed.as_chunks_mut::<$size>().0;)*
            for index in 0..count / $size {
                $(let $given = &$given[index];)*
                $(let $changed = &mut $changed[index];)*
                $(let $read = &$read[index];)*
                $(let $written = &mut $written[index];)*
                $body
            }
        }
        if !count.is_multiple_of($size) {
            let done = count - count % $size;
            $(let $given = &$crate::kernels::each::padded(&$given[done..]);)*
            $(let mut $changed = ($crate::kernels::each::padded(&$changed[done..]), &mut $changed[done..]);)*
            $(let $read = &$read[done / $size];)*
            $(let $written = &mut $written[done / $size];)*
            {
                $(let $changed = &mut $changed.0;)*
                $body
            }
            $($crate::kernels::each::write_part(&$changed.0, $changed.1);)*
        }
    };
}

pub(super) use {each_of, each_vector};

/// The vectors of scratch for `count` numbers.
#[inline(always)]
pub(super) fn scratch_vectors(scratch: &[f64], count: usize) -> &[[f64; LANES]] {
    &scratch.as_chunks().0[..count.div_ceil(LANES)]
}

/// The vectors of scratch for `count` numbers, to be written.
#[inline(always)]
pub(super) fn scratch_vectors_mut(scratch: &mut [f64], count: usize) -> &mut [[f64; LANES]] {
    &mut scratch.as_chunks_mut().0[..count.div_ceil(LANES)]
}

/// Fewer than `SIZE` elements, padded with zeros.
#[inline(always)]
pub(super) fn padded<T: Stored, const SIZE: usize>(rest: &[T]) -> [T; SIZE] {
    let mut vector = [T::default(); SIZE];
    for place in 0..SIZE - 1 {
        if place < rest.len() {
            vector[place] = rest[place];
        }
    }
    vector
}

/// Writes the first elements of a padded vector back.
#[inline(always)]
pub(super) fn write_part<T: Stored, const SIZE: usize>(vector: &[T; SIZE], rest: &mut [T]) {
    for place in 0..SIZE - 1 {
        if place < rest.len() {
            rest[place] = vector[place];
        }
    }
}
