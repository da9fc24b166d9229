//! From bits to the indices of those that are set.

/// Appends the places of the set bits of `bits` to the `count` places that are there. Bit 0 has place `first`. Returns
/// the new count. `places` has capacity for `count` places and 64 more.
#[inline(always)]
pub(super) fn append_set_bits(mut bits: u64, first: usize, places: &mut [u32], count: usize) -> usize {
    /// Places written at a time, even if fewer are left: the processor would mispredict the end of a loop with one turn
    /// a place almost every time.
    const FEW: usize = 4;
    let end = count + bits.count_ones() as usize;
    let mut written = count;
    loop {
        for place in &mut places[written..written + FEW] {
            *place = first as u32 + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
        written += FEW;
        if written >= end {
            return end;
        }
    }
}
