//! Products of columns with a sparse vector: the newest column.
//!
//! Few entries of a column have an index that the vector has too. With 41 entries in a tile of 4,096, that is one entry in
//! a hundred. So a filter in vector registers tests 32 indices at a time. It passes every index that the vector has, and
//! about as many others. Only the entries that pass are multiplied.

use super::{Next, Sparse, SparseColumns, dots, entries, from_bf16};

/// Indices that are looked up in a [`Filter`] at a time.
pub(super) const MET: usize = 32;
/// More places than this let more than one index in seven through: then a filter does not pay.
pub(super) const FILTERED: usize = 128;
/// Entries that are collected before they are multiplied.
const FOUND: usize = 256;

/// Two sets of 256 bits: which low eight bits occur among places, and which high eight of their twelve. An index passes
/// where it is in both. Both sets fit vector registers; a set of all 4,096 places would not.
pub(in crate::kernels) struct Filter {
    pub low: [u8; 32],
    pub high: [u8; 32],
}

impl Filter {
    #[inline(always)]
    fn new(places: &[u16]) -> Self {
        let (mut low, mut high) = ([0; 32], [0; 32]);
        for &place in places {
            Self::mark(&mut low, place as u8);
            Self::mark(&mut high, (place >> 4) as u8);
        }
        Self { low, high }
    }

    #[inline(always)]
    fn mark(bits: &mut [u8; 32], number: u8) {
        bits[usize::from(number / 8)] |= 1 << (number % 8);
    }

    /// [`Sparse::meet`], one index after another.
    #[inline(always)]
    pub fn meet(&self, indices: &[u16; MET]) -> u32 {
        let mut word = 0;
        for (place, &index) in indices.iter().enumerate() {
            let (low, high) = (index as u8, (index >> 4) as u8);
            let bits = self.low[usize::from(low / 8)] >> (low % 8) & self.high[usize::from(high / 8)] >> (high % 8);
            word |= u32::from(bits & 1) << place;
        }
        word
    }
}

#[inline(always)]
pub(in crate::kernels) fn meet<L: Sparse>(
    lanes: L,
    x: &[f32],
    places: &[u16],
    columns: SparseColumns<'_>,
    sums: &mut [f64],
) {
    if places.len() > FILTERED {
        return dots(lanes, x, columns, sums);
    }
    let (indices, values) = entries(columns, sums.len());
    let filter = Filter::new(places);
    let mut next = Next::new(columns.ahead, indices.len().div_ceil(MET));
    let (mut found, mut count) = ([0; FOUND], 0);
    for (number, some) in indices.chunks(MET).enumerate() {
        next.bring(lanes);
        let word = match some.try_into() {
            Ok(some) => lanes.meet(&filter, some),
            Err(_) => u32::MAX >> (MET - some.len()),
        };
        count = write_places(word.into(), number * MET, &mut found, count);
        if count > FOUND - MET || (number + 1) * MET >= indices.len() {
            for &entry in &found[..count] {
                let column = (entry / columns.kept as u32) as usize;
                if column != columns.omitted {
                    let (index, value) = (indices[entry as usize], values[entry as usize]);
                    sums[column] += f64::from(x[usize::from(index)]) * f64::from(from_bf16(value));
                }
            }
            count = 0;
        }
    }
}

/// Appends the places of a word's set bits to the `count` that are there; bit 0 has place `first`. Returns the new
/// count. `places` holds `count` and all bits of a word.
#[inline(always)]
pub(super) fn write_places(mut word: u64, first: usize, places: &mut [u32], count: usize) -> usize {
    /// Places written at a time, whether there are so many or not: the processor would mispredict a loop with one turn
    /// a place at almost every word.
    const FEW: usize = 4;
    let end = count + word.count_ones() as usize;
    let mut written = count;
    loop {
        for place in &mut places[written..written + FEW] {
            *place = first as u32 + word.trailing_zeros();
            word &= word.wrapping_sub(1);
        }
        written += FEW;
        if written >= end {
            return end;
        }
    }
}
