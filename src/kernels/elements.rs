//! Loops over one array of elements, or over several arrays element by element.
//!
//! Elements come in slices of any length, and the `f64` that accompany them in scratch ([`super::each`]). A kernel that
//! writes scratch fills up the last vector with zeros, or with its results for zeros. Kernels panic if lengths do not
//! fit. *Elementwise* kernels give an element the same bits wherever in the slice it lies.

use super::diagonal::{Diagonal, DiagonalSums, Scaled, scale_pair, store_scaled};
use super::each::{each_of, each_vector, padded};
use super::prefetch::{Ahead, DISTANCE, SideBySide};
use crate::simd::{LANES, Lanes, Load, Number, PAIR, Paired, Pairs, halves, kernels};

/// How an exponential moving average takes in a new value.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Smoothing {
    /// Share of the old average in the new one.
    pub beta: f64,
    /// Factor on the value that is taken in.
    pub before: f64,
    /// Factor on the new average as it is passed on. The buffer keeps the average without it.
    pub after: f64,
}

/// A [`Smoothing`] in registers.
#[derive(Clone, Copy)]
struct SmoothingLanes<L: Lanes> {
    old_share: L::F64s,
    new_share: L::F64s,
    before: L::F64s,
    after: L::F64s,
}

impl<L: Lanes> SmoothingLanes<L> {
    #[inline(always)]
    fn new(lanes: L, smoothing: &Smoothing) -> Self {
        let Smoothing { beta, before, after } = *smoothing;
        Self {
            old_share: lanes.splat(beta),
            new_share: lanes.splat(1.0 - beta),
            before: lanes.splat(before),
            after: lanes.splat(after),
        }
    }

    /// Takes `x` into a vector of the buffer. Returns the average that is passed on.
    #[inline(always)]
    fn take_in<T: Number>(self, lanes: L, x: L::F64s, buffer: &mut [T; LANES]) -> L::F64s
    where
        L: Load<T>,
    {
        let old = lanes.mul(self.old_share, lanes.load(buffer));
        let new = lanes.mul_add(self.new_share, lanes.mul(self.before, x), old);
        lanes.store(new, buffer);
        lanes.mul(self.after, new)
    }
}

kernels! {
    /// Loops over elements of type `T`.
    struct Kernels[T: Number] on Paired<T>;

    /// Copies `source` to `target`.
    fn widen(lanes, source: &[T], target: &mut [f64]) {
        each_vector!(source.len(), [source], [], [], [target], {
            lanes.store_f64s(lanes.load(source), target);
        });
    }

    /// The dot product.
    fn dot(lanes, x: &[T], y: &[T]) -> f64 {
        let mut sum = lanes.splat(0.0);
        each_vector!(x.len(), [x, y], [], [], [], {
            sum = lanes.mul_add(lanes.load(x), lanes.load(y), sum);
        });
        lanes.total(sum)
    }

    /// The largest magnitude. Any number if an element is NaN.
    fn largest(lanes, x: &[T]) -> f64 {
        // Four maxima, each of every fourth vector, so that a comparison need not wait for the one before.
        let mut largest = [lanes.splat_native(0.0); 4];
        let (fours, rest) = x.as_chunks::<LANES>().0.as_chunks::<4>();
        for four in fours {
            for (largest, vector) in largest.iter_mut().zip(four) {
                lanes.prefetch(vector.as_ptr().addr().wrapping_add(DISTANCE));
                *largest = lanes.max_abs_native(lanes.load_native(vector), *largest);
            }
        }
        for (largest, vector) in largest.iter_mut().zip(rest) {
            *largest = lanes.max_abs_native(lanes.load_native(vector), *largest);
        }
        largest[3] = lanes.max_abs_native(lanes.load_native(&padded(x.as_chunks::<LANES>().1)), largest[3]);
        let [a, b, c, d] = largest;
        let largest = lanes.max_abs_native(lanes.max_abs_native(a, b), lanes.max_abs_native(c, d));
        let mut vector = [T::default(); LANES];
        lanes.store_native(largest, &mut vector);
        let mut largest = 0.0;
        for x in vector {
            let x: f64 = x.into();
            largest = if x > largest { x } else { largest };
        }
        largest
    }

    /// `sum += a·x`. Elementwise.
    fn axpy(lanes, a: f64, x: &[f64], sum: &mut [f64]) {
        let a = lanes.splat(a);
        each_vector!(x.len(), [x], [sum], [], [], {
            lanes.store_f64s(lanes.mul_add(a, lanes.load_f64s(x), lanes.load_f64s(sum)), sum);
        });
    }

    /// `sum = factor·sum`. Elementwise.
    fn multiply_by(lanes, factor: f64, sum: &mut [f64]) {
        let factor = lanes.splat(factor);
        each_vector!(sum.len(), [], [sum], [], [], {
            lanes.store_f64s(lanes.mul(factor, lanes.load_f64s(sum)), sum);
        });
    }

    /// `target = factor·source`, rounded. Elementwise.
    fn round(lanes, source: &[f64], factor: f64, target: &mut [T]) {
        let factor = lanes.splat(factor);
        each_vector!(target.len(), [], [target], [source], [], {
            lanes.store(lanes.mul(factor, lanes.load_f64s(source)), target);
        });
    }

    /// Copies `source` to `target` by non-temporal stores where the machine has them: they leave the caches alone, and
    /// do not read the old contents of `target`. Call [`Kernels::fence`] before another thread may look at `target`.
    fn copy_non_temporal(lanes, source: &[T], target: &mut [T]) {
        each_vector!(source.len(), [source], [target], [], [], {
            lanes.store_non_temporal(lanes.load_native(source), target);
        });
    }

    /// Orders the stores of [`Kernels::copy_non_temporal`] before it ahead of the stores after it.
    fn fence(lanes) {
        lanes.fence();
    }

    /// `new = beta·buffer + (1 − beta)·x`, and `buffer` takes `new`, rounded. Elementwise.
    fn average(lanes, buffer: &mut [T], beta: f64, x: &[f64], new: &mut [f64]) {
        smooth(lanes, buffer, &Smoothing { beta, before: 1.0, after: 1.0 }, x, new);
    }

    /// `buffer` takes `beta·buffer + (1 − beta)·(before·x)`, rounded, and `new` takes `after` times that, not rounded.
    /// Elementwise.
    fn smooth(lanes, buffer: &mut [T], smoothing: &Smoothing, x: &[f64], new: &mut [f64]) {
        let smoothing = SmoothingLanes::new(lanes, smoothing);
        each_vector!(buffer.len(), [], [buffer], [x], [new], {
            lanes.store_f64s(smoothing.take_in(lanes, lanes.load_f64s(x), buffer), new);
        });
    }

    /// [`Kernels::smooth`] of `scale·x` in place of `x`. Elementwise.
    fn smooth_rescaled(
        lanes,
        buffer: &mut [T],
        smoothing: &Smoothing,
        scale: &[T],
        x: &[f64],
        new: &mut [f64],
    ) {
        let smoothing = SmoothingLanes::new(lanes, smoothing);
        each_vector!(buffer.len(), [scale], [buffer], [x], [new], {
            let x = lanes.mul(lanes.load(scale), lanes.load_f64s(x));
            lanes.store_f64s(smoothing.take_in(lanes, x, buffer), new);
        });
    }

    /// `params = keep·params − rate·direction`, rounded once. Elementwise.
    fn apply_update(lanes, params: &mut [T], keep: f64, rate: f64, direction: &[f64]) {
        let (keep, rate) = (lanes.splat(keep), lanes.splat(rate));
        each_vector!(params.len(), [], [params], [direction], [], {
            let kept = lanes.mul(keep, lanes.load(params));
            lanes.store(lanes.mul_sub_from(rate, lanes.load_f64s(direction), kept), params);
        });
    }

    /// `product = x·y`, rounded. Elementwise.
    fn multiply(lanes, x: &[T], y: &[T], product: &mut [T]) {
        each_vector!(x.len(), [x, y], [product], [], [], {
            lanes.store_native(lanes.mul_native(lanes.load_native(x), lanes.load_native(y)), product);
        });
    }

    /// `quotient = x/y`. Elementwise.
    fn divide(lanes, x: &[T], y: &[T], quotient: &mut [f64]) {
        each_vector!(x.len(), [x, y], [], [], [quotient], {
            lanes.store_f64s(lanes.div(lanes.load(x), lanes.load(y)), quotient);
        });
    }

    /// `sum = factor·(scale·sum)`. Elementwise.
    fn rescale(lanes, scale: &[T], factor: f64, sum: &mut [f64]) {
        let factor = lanes.splat(factor);
        each_vector!(scale.len(), [scale], [], [], [sum], {
            lanes.store_f64s(lanes.mul(factor, lanes.mul(lanes.load(scale), lanes.load_f64s(sum))), sum);
        });
    }

    /// Computes the scales of diagonal preconditioning for a gradient, and the gradient times its scales, both rounded.
    /// `root` is the root of the average of squared gradients before this gradient. Returns the gradient's squared
    /// norm, and the sum of the roots that [`Kernels::advance_root`] will store. Elementwise, except for the sums.
    fn diagonal_scales(
        lanes,
        root: &[T],
        given: &[T],
        diagonal: &Diagonal,
        ahead: Ahead,
        target: Scaled<'_, T>,
    ) -> DiagonalSums {
        let Scaled { scale, scaled } = target;
        let mut next = SideBySide::new(ahead, given.len() / PAIR);
        let (mut norm2, mut roots) = (lanes.splat(0.0), lanes.splat(0.0));
        each_of!(PAIR, given.len(), [root, given], [scale, scaled], [], [], {
            for given in halves(given) {
                norm2 = lanes.mul_add(lanes.load(given), lanes.load(given), norm2);
            }
            next.prefetch(lanes);
            let (scales, new_root) = scale_pair(Paired::<T>::pairs(lanes), root, given, diagonal);
            store_scaled(Paired::<T>::pairs(lanes), scales, given, scale, scaled);
            let mut new_roots = [T::default(); PAIR];
            Paired::<T>::pairs(lanes).store(new_root, &mut new_roots);
            for new_root in halves(&new_roots) {
                roots = lanes.add(lanes.load(new_root), roots);
            }
        });
        DiagonalSums { norm2: lanes.total(norm2), roots: lanes.total(roots) }
    }

    /// [`Kernels::diagonal_scales`] without the sums, and `root` takes the gradient in. Elementwise.
    fn advance_root(
        lanes,
        root: &mut [T],
        given: &[T],
        diagonal: &Diagonal,
        ahead: Ahead,
        target: Scaled<'_, T>,
    ) {
        let Scaled { scale, scaled } = target;
        let mut next = SideBySide::new(ahead, given.len() / PAIR);
        each_of!(PAIR, given.len(), [given], [root, scale, scaled], [], [], {
            next.prefetch(lanes);
            let (scales, new_root) = scale_pair(Paired::<T>::pairs(lanes), root, given, diagonal);
            Paired::<T>::pairs(lanes).store(new_root, root);
            store_scaled(Paired::<T>::pairs(lanes), scales, given, scale, scaled);
        });
    }
}
