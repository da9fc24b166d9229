//! The entries of a tile that are largest in magnitude.
//!
//! The entries of `a = feedback + given` are compared by their keys, which order them by `|a|`. One pass over the tile
//! computes `a` in registers and writes the indices whose keys reach a bound: the candidates. The m-th largest key
//! among them is found by bisection: a loop of at most 31 turns that counts the keys above the middle of a range,
//! without branches that depend on the data.
//!
//! The last selection of the same tile leaves a bound that about 2m keys reach. A gradient changes little of the
//! feedback, so the next selection has about as many candidates. If fewer than m keys reach the bound, the pass is
//! repeated with a lower bound. The bound decides how long a selection takes, never what it selects.

use super::bits::append_set_bits;
use crate::simd::{COUNTED, KEYS, LANES, LARGEST_KEY, Lanes, Number, Sparse, kernels};

/// How much a bound is lowered if too few keys reach it: the first time, by 3 to 6 %. Twice as much each further time.
const FIRST_STEP: u32 = 1 << 19;
/// How far the next bound lies below the least selected key, at most. A key that is smaller by this belongs to a number
/// half as large.
const LARGEST_MARGIN: u64 = 1 << 23;

/// Numbers of scratch that a selection from a tile of `len` elements needs: indices and keys of candidates, of each as
/// many as the tile has elements, and those that [`append_set_bits`] writes in excess.
pub(crate) const fn selection_scratch(len: usize) -> usize {
    2 * (len + KEYS)
}

kernels! {
    /// The selection of a tile's largest entries. All tables give the same bits. Panics if lengths do not fit.
    struct SelectionKernels[T: Number] on Sparse<T>;

    /// Writes the entries of `given + feedback` that are largest in magnitude to `indices` and `values`, as many as
    /// they hold; of equal entries, the earlier. Infinities and NaN are larger than all finite numbers. Returns the
    /// squared norm of `given`.
    ///
    /// `scratch` holds [`selection_scratch`] numbers. `bound` may be any number; it changes only how long the selection
    /// takes. The time is least with what the last selection of the same tile left there.
    fn select(
        lanes,
        given: &[T],
        feedback: &[T],
        bound: &mut u32,
        scratch: &mut [u32],
        indices: &mut [u16],
        values: &mut [u16],
    ) -> f64 {
        let (len, kept) = (given.len(), indices.len());
        assert!(feedback.len() == len && scratch.len() >= selection_scratch(len), "a tile of {len} that does not fit");
        assert!((1..=len).contains(&kept) && values.len() == kept, "{kept} of {len} entries");
        let (places, keys) = scratch.split_at_mut(len + KEYS);
        *bound = (*bound).min(LARGEST_KEY);
        let mut step = FIRST_STEP;
        let (count, norm2) = loop {
            let (count, norm2) = candidates(lanes, given, feedback, *bound, places);
            if count >= kept {
                break (count, norm2);
            }
            *bound = bound.saturating_sub(step);
            step = step.saturating_mul(2);
        };
        let mut largest = 0;
        for (key, &place) in keys.iter_mut().zip(&places[..count]) {
            *key = L::key(feedback[place as usize] + given[place as usize]);
            largest = largest.max(*key);
        }
        let padded = count.next_multiple_of(COUNTED);
        keys[count..padded].fill(0);
        let chunks = keys[..padded].as_chunks().0;
        let threshold = threshold::<L, T>(lanes, chunks, kept, *bound, largest);
        // Of the keys that equal the threshold, the first ones are taken.
        let mut equal = kept - (lanes.count(chunks, threshold + 1) as usize).min(kept);
        let mut taken = 0;
        for (&key, &place) in keys[..count].iter().zip(&places[..count]) {
            if taken == kept {
                break;
            }
            indices[taken] = place as u16;
            let tied = key == threshold && equal > 0;
            equal -= usize::from(tied);
            taken += usize::from(tied | (key > threshold));
        }
        for (value, &index) in values.iter_mut().zip(&*indices) {
            let index = usize::from(index);
            *value = (feedback[index] + given[index]).to_bf16().0;
        }
        *bound = next_bound(*bound, threshold, kept, count);
        norm2
    }
}

/// The bound that twice `kept` keys reach if keys are evenly distributed. `count` keys reach `bound`, `kept` keys reach
/// `threshold`.
#[inline(always)]
fn next_bound(bound: u32, threshold: u32, kept: usize, count: usize) -> u32 {
    let margin = u64::from(threshold - bound) * kept as u64 / (count - kept).max(1) as u64;
    threshold.saturating_sub(margin.min(LARGEST_MARGIN) as u32)
}

/// The largest key that at least `kept` of the keys reach, or a smaller key that as many reach. At least `kept` reach
/// `low`, and no key is above `largest`.
#[inline(always)]
fn threshold<L: Sparse<T>, T: Number>(lanes: L, keys: &[[u32; COUNTED]], kept: usize, low: u32, largest: u32) -> u32 {
    let (mut low, mut high) = (low, largest + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let count = lanes.count(keys, middle) as usize;
        if count >= kept {
            low = middle;
        } else {
            high = middle;
        }
        if count == kept {
            break;
        }
    }
    low
}

/// Writes the places, ascending, of the sums whose keys reach `bound`. Returns their count, and the squared norm of
/// `given`.
#[inline(always)]
fn candidates<L: Sparse<T>, T: Number>(
    lanes: L,
    given: &[T],
    feedback: &[T],
    bound: u32,
    places: &mut [u32],
) -> (usize, f64) {
    let mut found = Found { places, count: 0, norm2: [lanes.splat(0.0); 2] };
    let (given, last_given) = given.as_chunks::<KEYS>();
    let (feedback, last_feedback) = feedback.as_chunks::<KEYS>();
    for (index, (given, feedback)) in given.iter().zip(feedback).enumerate() {
        found.look(lanes, index * KEYS, given, feedback, bound, u64::MAX);
    }
    if !last_given.is_empty() {
        let mut padded = [[T::default(); KEYS]; 2];
        padded[0][..last_given.len()].copy_from_slice(last_given);
        padded[1][..last_feedback.len()].copy_from_slice(last_feedback);
        let counted = (1 << last_given.len()) - 1;
        found.look(lanes, given.len() * KEYS, &padded[0], &padded[1], bound, counted);
    }
    (found.count, lanes.total(lanes.add(found.norm2[0], found.norm2[1])))
}

/// The results of a pass over a tile.
struct Found<'a, L: Lanes> {
    places: &'a mut [u32],
    count: usize,
    /// Two sums, so that an addition need not wait for the one before.
    norm2: [L::F64s; 2],
}

impl<L: Lanes> Found<'_, L> {
    /// Takes in the sums from `start` on. `counted` has a bit for each sum that belongs to the tile.
    #[inline(always)]
    fn look<T: Number>(
        &mut self,
        lanes: L,
        start: usize,
        given: &[T; KEYS],
        feedback: &[T; KEYS],
        bound: u32,
        counted: u64,
    ) where
        L: Sparse<T>,
    {
        for two in given.as_chunks::<LANES>().0.as_chunks::<2>().0 {
            for (norm2, vector) in self.norm2.iter_mut().zip(two) {
                let x = lanes.load(vector);
                *norm2 = lanes.mul_add(x, x, *norm2);
            }
        }
        let reached = lanes.reach(given, feedback, bound) & counted;
        self.count = append_set_bits(reached, start, self.places, self.count);
    }
}
