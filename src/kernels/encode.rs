//! Loops that quantize a gradient.

use super::each::{each_vector, padded, write_part};
use super::prefetch::DISTANCE;
use crate::simd::{Encode, LANES, Lanes, Load, Number, Stored, kernels};

/// Vectors taken in a turn of [`EncodeKernels::measure`].
const TURN: usize = 2;

kernels! {
    /// Loops that store elements of type `T` as `S`.
    struct EncodeKernels[T: Number, S: Stored] on Encode<S, T>,
        on x86 also [crate::simd::x86::Avx512Bf16, "avx512bf16" "avx512f,avx512vl,avx512bf16,popcnt,bmi1"];

    /// Sets `codes` to the `S` nearest to the elements divided by `scale` (of two equally near, the even one; zeros
    /// where the scale is 0), and `stored` to `scale` times the codes, which is exact in `T`. Elementwise.
    fn encode(lanes, given: &[T], scale: f64, codes: &mut [S], stored: &mut [T]) {
        let (factor, scale) = (inverse(scale), lanes.splat_native(scale));
        each_vector!(given.len(), [given], [codes, stored], [], [], {
            prefetch_ahead(lanes, given);
            let code = lanes.encode(lanes.load_native(given), factor, codes);
            lanes.store_native(decoded::<L, T, S>(lanes, code, scale), stored);
        });
    }

    /// As [`EncodeKernels::encode`]. Returns the squared norm of the elements.
    fn measure(lanes, given: &[T], scale: f64, codes: &mut [S], stored: &mut [T]) -> f64 {
        assert!(codes.len() == given.len() && stored.len() == given.len());
        let (factor, scale) = (inverse(scale), lanes.splat_native(scale));
        // Two sums, each of every other vector, so that an addition need not wait for the one before.
        let mut norms = [lanes.splat(0.0); TURN];
        let (vectors, rest) = given.as_chunks::<LANES>();
        let (code_vectors, code_rest) = codes.as_chunks_mut::<LANES>();
        let (stored_vectors, stored_rest) = stored.as_chunks_mut::<LANES>();
        let mut index = 0;
        while index + TURN <= vectors.len() {
            for turn in 0..TURN {
                let (vector, code) = (&vectors[index + turn], &mut code_vectors[index + turn]);
                let stored = &mut stored_vectors[index + turn];
                norms[turn] = measure_vector::<L, T, S>(lanes, vector, factor, scale, code, stored, norms[turn]);
            }
            index += TURN;
        }
        while index < vectors.len() {
            let (code, stored) = (&mut code_vectors[index], &mut stored_vectors[index]);
            norms[0] = measure_vector::<L, T, S>(lanes, &vectors[index], factor, scale, code, stored, norms[0]);
            index += 1;
        }
        if !rest.is_empty() {
            let (mut code, mut stored) = ([S::default(); LANES], [T::default(); LANES]);
            let vector = padded(rest);
            norms[1] = measure_vector::<L, T, S>(lanes, &vector, factor, scale, &mut code, &mut stored, norms[1]);
            write_part(&code, code_rest);
            write_part(&stored, stored_rest);
        }
        let [first, second] = norms;
        lanes.total(lanes.add(first, second))
    }
}

/// Encodes a vector. Returns `norm` plus the squares of its elements.
#[inline(always)]
fn measure_vector<L, T, S>(
    lanes: L,
    given: &[T; LANES],
    factor: f64,
    scale: L::Native,
    code: &mut [S; LANES],
    stored: &mut [T; LANES],
    norm: L::F64s,
) -> L::F64s
where
    L: Encode<S, T>,
    S: Stored,
{
    prefetch_ahead(lanes, given);
    let x = lanes.load_native(given);
    let rounded = decoded::<L, T, S>(lanes, lanes.encode(x, factor, code), scale);
    lanes.store_native(rounded, stored);
    let x = lanes.load(given);
    lanes.mul_add(x, x, norm)
}

/// Prefetches what lies [`DISTANCE`] bytes after a vector.
#[inline(always)]
fn prefetch_ahead<L: Lanes, T>(lanes: L, vector: &[T; LANES]) {
    lanes.prefetch(vector.as_ptr().addr().wrapping_add(DISTANCE));
}

/// Codes times their scale.
#[inline(always)]
fn decoded<L: Load<T>, T, S: Stored>(lanes: L, code: L::Native, scale: L::Native) -> L::Native {
    if S::GROUP.is_some() { lanes.mul_native(scale, code) } else { code }
}

/// The factor that divides numbers by a scale; 0 for the scale 0.
#[inline(always)]
fn inverse(scale: f64) -> f64 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
