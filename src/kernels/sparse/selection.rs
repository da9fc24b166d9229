//! The entries of a tile that are largest in magnitude.
//!
//! The entries of `a = feedback + given` are compared by their bits without the sign, which lie in the order of `|a|`.
//! One pass over the tile computes `a` in registers and writes the places whose keys reach a bound: the candidates. The
//! m-th largest of their keys is found by halving the range that it lies in and counting the keys above: a loop without
//! branches that depend on the data, of at most 31 turns.
//!
//! The last selection of the same tile leaves the bound, so that about 2m keys reach it: a gradient changes little of
//! the feedback, so the next selection has about as many candidates. If fewer than m keys reach the bound, the pass is
//! repeated with a lower one. So the bound decides how long a selection takes, never what it selects.

use super::super::TILE;
use super::super::lanes::BLOCK;
use super::super::stored::Bf16;
use super::filter::write_places;
use super::{COUNTED, KEY, Sparse, WORD};

/// How much a bound is lowered if too few keys reach it: the first time, by 3 to 6 %. Twice as much each further time.
const FIRST_STEP: u32 = 1 << 19;
/// How far the next bound lies below the least selected key, at most: half of it.
const LARGEST_MARGIN: u64 = 1 << 23;

/// Numbers of scratch that `select` needs: the candidates' indices and keys.
pub(crate) const SELECTION: usize = 2 * CANDIDATES;
/// Indices of candidates: those of a whole tile, and a few that are written beyond the last.
const CANDIDATES: usize = TILE + WORD;

#[inline(always)]
pub(in crate::kernels) fn select<L: Sparse>(
    lanes: L,
    given: &[f32],
    feedback: &[f32],
    bound: &mut u32,
    scratch: &mut [u32],
    indices: &mut [u16],
    values: &mut [u16],
) -> f64 {
    let (len, kept) = (given.len(), indices.len());
    assert!(len <= TILE && feedback.len() == len && scratch.len() >= SELECTION, "a tile of {len} that does not fit");
    assert!((1..=len).contains(&kept) && values.len() == kept, "{kept} of {len} entries");
    let (places, keys) = scratch.split_at_mut(CANDIDATES);
    *bound = (*bound).min(KEY);
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
        *key = (feedback[place as usize] + given[place as usize]).to_bits() & KEY;
        largest = largest.max(*key);
    }
    let padded = count.next_multiple_of(COUNTED);
    keys[count..padded].fill(0);
    let chunks = keys[..padded].as_chunks().0;
    let threshold = threshold(lanes, chunks, kept, *bound, largest);
    // Of those that equal the threshold, the first.
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
        *value = Bf16::from_f32(feedback[index] + given[index]).0;
    }
    *bound = next_bound(*bound, threshold, kept, count);
    norm2
}

/// The bound that twice `kept` keys reach if keys lie evenly: `count` of them reach `bound`, `kept` reach `threshold`.
#[inline(always)]
fn next_bound(bound: u32, threshold: u32, kept: usize, count: usize) -> u32 {
    let margin = u64::from(threshold - bound) * kept as u64 / (count - kept).max(1) as u64;
    threshold.saturating_sub(margin.min(LARGEST_MARGIN) as u32)
}

/// A key that at least `kept` of the keys reach, as they do `low`: the largest such, or one that just as many reach.
/// Whole blocks of keys, none of which is above `largest`.
#[inline(always)]
fn threshold<L: Sparse>(lanes: L, keys: &[[u32; COUNTED]], kept: usize, low: u32, largest: u32) -> u32 {
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
fn candidates<L: Sparse>(lanes: L, given: &[f32], feedback: &[f32], bound: u32, places: &mut [u32]) -> (usize, f64) {
    let mut found = Found { places, count: 0, norm2: [lanes.splat(0.0); 2] };
    let (given, last_given) = given.as_chunks::<WORD>();
    let (feedback, last_feedback) = feedback.as_chunks::<WORD>();
    for (index, (given, feedback)) in given.iter().zip(feedback).enumerate() {
        found.look(lanes, index * WORD, given, feedback, bound, u64::MAX);
    }
    if !last_given.is_empty() {
        let mut padded = [[0.0; WORD]; 2];
        padded[0][..last_given.len()].copy_from_slice(last_given);
        padded[1][..last_feedback.len()].copy_from_slice(last_feedback);
        let counted = (1 << last_given.len()) - 1;
        found.look(lanes, given.len() * WORD, &padded[0], &padded[1], bound, counted);
    }
    (found.count, lanes.total(lanes.add(found.norm2[0], found.norm2[1])))
}

/// What a pass over a tile finds.
struct Found<'a, L: Sparse> {
    places: &'a mut [u32],
    count: usize,
    /// In two sums, so that an addition need not wait for the one before.
    norm2: [L::Wide; 2],
}

impl<L: Sparse> Found<'_, L> {
    /// Takes in the word at `start`. `counted` has a bit for each number that belongs to the tile.
    #[inline(always)]
    fn look(&mut self, lanes: L, start: usize, given: &[f32; WORD], feedback: &[f32; WORD], bound: u32, counted: u64) {
        for blocks in given.as_chunks::<BLOCK>().0.as_chunks::<2>().0 {
            for (norm2, block) in self.norm2.iter_mut().zip(blocks) {
                let block = lanes.load(block);
                *norm2 = lanes.mul_add(block, block, *norm2);
            }
        }
        let word = lanes.reach(given, feedback, bound) & counted;
        self.count = write_places(word, start, self.places, self.count);
    }
}
