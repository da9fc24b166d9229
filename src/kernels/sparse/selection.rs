//! The entries of a tile that are largest in magnitude.
//!
//! The entries of `a` are compared by their bits without the sign, which lie in the order of `|a|`. The m-th largest of
//! n such keys is found by halving the range that it lies in and counting the keys above: a loop without branches that
//! depend on the data, at most 31 times whatever the data are. To have few keys to count, a tile is first cut into
//! groups, some more than twice m; what the m-th largest of their maxima reaches, m entries reach at least, and not
//! many more. So a tile is read twice, once for `a` and the maxima and once for the candidates.

use super::super::TILE;
use super::super::stored::Bf16;
use super::{COUNTED, KEY, Sparse, WORD};

/// Groups of which the maxima are taken: at most.
const MOST_GROUPS: usize = 1024;
/// Halvings in search of a bound that need not be exact.
const ROUNDS: usize = 12;

/// Numbers of room that `select` needs: `a`, the candidates' indices and keys, the groups' maxima.
pub(crate) const SELECTION: usize = TILE + 2 * CANDIDATES + MOST_GROUPS;
/// Room for the candidates of a tile, whose indices are written a few too many.
const CANDIDATES: usize = TILE + WORD;

#[inline(always)]
pub(in crate::kernels) fn select<L: Sparse>(
    lanes: L,
    given: &[f32],
    feedback: &[f32],
    room: &mut [u32],
    indices: &mut [u16],
    values: &mut [u16],
) {
    let (len, kept) = (given.len(), indices.len());
    assert!(len <= TILE && feedback.len() == len && room.len() >= SELECTION, "a tile of {len} that does not fit");
    assert!((1..=len).contains(&kept) && values.len() == kept, "{kept} of {len} entries");
    let (sums, room) = room.split_at_mut(TILE);
    let (places, room) = room.split_at_mut(CANDIDATES);
    let (keys, maxima) = room.split_at_mut(CANDIDATES);
    let groups = (2 * kept + kept / 4).next_power_of_two().max(WORD);
    let (bound, largest) = if groups <= MOST_GROUPS && groups * 2 <= len {
        let maxima = &mut maxima[..groups];
        add_by_groups(given, feedback, sums, maxima);
        let (least, largest) = extremes(maxima);
        // All groups, which are more than `kept`, reach the least maximum.
        (threshold(lanes, maxima.as_chunks().0, kept, least, largest, ROUNDS), largest)
    } else {
        let maxima = &mut maxima[..WORD];
        add_by_groups(given, feedback, sums, maxima);
        (0, extremes(maxima).1)
    };
    let count = candidates(lanes, &sums[..len.next_multiple_of(WORD)], len, bound, places);
    for (key, &place) in keys.iter_mut().zip(&places[..count]) {
        *key = sums[place as usize % TILE] & KEY;
    }
    let padded = count.next_multiple_of(COUNTED);
    keys[count..padded].fill(0);
    let chunks = keys[..padded].as_chunks().0;
    let threshold = threshold(lanes, chunks, kept, bound, largest, usize::MAX);
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
        *value = Bf16::from_f32(f32::from_bits(sums[usize::from(index) % TILE])).0;
    }
}

/// `sums` are the bits of `given + feedback`, and `maxima` the largest key in each group: of all numbers whose places
/// leave the same rest.
#[inline(always)]
fn add_by_groups(given: &[f32], feedback: &[f32], sums: &mut [u32], maxima: &mut [u32]) {
    maxima.fill(0);
    let groups = maxima.len();
    let rows = given.chunks(groups).zip(feedback.chunks(groups)).zip(sums.chunks_mut(groups));
    for ((given, feedback), sums) in rows {
        for (((given, feedback), sum), most) in given.iter().zip(feedback).zip(sums).zip(&mut *maxima) {
            *sum = (feedback + given).to_bits();
            *most = (*most).max(*sum & KEY);
        }
    }
}

/// The least and the largest.
#[inline(always)]
fn extremes(keys: &[u32]) -> (u32, u32) {
    let (mut least, mut largest) = (u32::MAX, 0);
    for &key in keys {
        least = least.min(key);
        largest = largest.max(key);
    }
    (least, largest)
}

/// A bound that at least `kept` of the keys reach, as they do `low`: the largest such, or one that just as many reach,
/// if `rounds` of halving are enough. Whole blocks of keys, none of which is above `largest`.
#[inline(always)]
fn threshold<L: Sparse>(lanes: L, keys: &[[u32; COUNTED]], kept: usize, low: u32, largest: u32, rounds: usize) -> u32 {
    let (mut low, mut high) = (low, largest + 1);
    let mut round = 0;
    while high - low > 1 && round < rounds {
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
        round += 1;
    }
    low
}

/// The places, ascending, of the numbers whose keys reach `bound`, and how many there are. `numbers` are whole words,
/// of which `len` count.
#[inline(always)]
fn candidates<L: Sparse>(lanes: L, numbers: &[u32], len: usize, bound: u32, places: &mut [u32]) -> usize {
    /// Places written at a time, whether there are so many or not: a loop of as many turns as there are would be
    /// mispredicted at almost every word.
    const FEW: usize = 4;
    let mut count = 0;
    for (index, numbers) in numbers.as_chunks::<WORD>().0.iter().enumerate() {
        let start = index * WORD;
        let mut word = lanes.reach(numbers, bound);
        if len - start < WORD {
            word &= (1 << (len - start)) - 1;
        }
        let end = count + word.count_ones() as usize;
        while count < end {
            for place in &mut places[count..count + FEW] {
                *place = start as u32 + word.trailing_zeros();
                word &= word.wrapping_sub(1);
            }
            count += FEW;
        }
        count = end;
    }
    count
}
