//! The loops that make what a window stores of a gradient.

use super::Element;
use super::columns::DISTANCE;
use super::lanes::{BLOCK, Encoder, Lanes, Load};
use super::loops::{each_block, padded, write_part};
use super::stored::Stored;

/// Blocks taken in a turn of [`measure`].
const TURN: usize = 2;

#[inline(always)]
pub(super) fn encode<L, T, S, E>(lanes: L, given: &[T], scale: f64, codes: &mut [S], stored: &mut [T])
where
    L: Load<T>,
    T: Element,
    S: Stored,
    E: Encoder<L, S, T>,
{
    let (factor, scale) = (inverse(scale), lanes.splat_narrow(scale));
    each_block!(given.len(), [given], [codes, stored], [], [], {
        fetch_ahead(lanes, given);
        let code = E::encode(lanes, lanes.load_narrow(given), factor, codes);
        lanes.store_narrow(decoded::<L, T, S>(lanes, code, scale), stored);
    });
}

#[inline(always)]
pub(super) fn measure<L, T, S, E>(lanes: L, given: &[T], scale: f64, codes: &mut [S], stored: &mut [T]) -> f64
where
    L: Load<T>,
    T: Element,
    S: Stored,
    E: Encoder<L, S, T>,
{
    assert!(codes.len() == given.len() && stored.len() == given.len());
    let (factor, scale) = (inverse(scale), lanes.splat_narrow(scale));
    // Sums of every other block, so that an addition need not wait for the one before.
    let mut norms = [lanes.splat(0.0); TURN];
    let (blocks, rest) = given.as_chunks::<BLOCK>();
    let (code_blocks, code_rest) = codes.as_chunks_mut::<BLOCK>();
    let (stored_blocks, stored_rest) = stored.as_chunks_mut::<BLOCK>();
    let mut index = 0;
    while index + TURN <= blocks.len() {
        for turn in 0..TURN {
            let (block, code) = (&blocks[index + turn], &mut code_blocks[index + turn]);
            let stored = &mut stored_blocks[index + turn];
            norms[turn] = measure_block::<L, T, S, E>(lanes, block, factor, scale, code, stored, norms[turn]);
        }
        index += TURN;
    }
    while index < blocks.len() {
        let (code, stored) = (&mut code_blocks[index], &mut stored_blocks[index]);
        norms[0] = measure_block::<L, T, S, E>(lanes, &blocks[index], factor, scale, code, stored, norms[0]);
        index += 1;
    }
    if !rest.is_empty() {
        let (mut code, mut stored) = ([S::default(); BLOCK], [T::default(); BLOCK]);
        let block = padded(rest);
        norms[1] = measure_block::<L, T, S, E>(lanes, &block, factor, scale, &mut code, &mut stored, norms[1]);
        write_part(&code, code_rest);
        write_part(&stored, stored_rest);
    }
    let [first, second] = norms;
    lanes.total(lanes.add(first, second))
}

/// Rounds a block, and adds the squares of what is given to a norm.
#[inline(always)]
fn measure_block<L, T, S, E>(
    lanes: L,
    given: &[T; BLOCK],
    factor: f64,
    scale: L::Narrow,
    code: &mut [S; BLOCK],
    stored: &mut [T; BLOCK],
    norm: L::Wide,
) -> L::Wide
where
    L: Load<T>,
    S: Stored,
    E: Encoder<L, S, T>,
{
    fetch_ahead(lanes, given);
    let x = lanes.load_narrow(given);
    let rounded = decoded::<L, T, S>(lanes, E::encode(lanes, x, factor, code), scale);
    lanes.store_narrow(rounded, stored);
    let x = lanes.load(given);
    lanes.mul_add(x, x, norm)
}

/// Prefetches what lies [`DISTANCE`] bytes after a block.
#[inline(always)]
fn fetch_ahead<L: Lanes, T>(lanes: L, block: &[T; BLOCK]) {
    lanes.fetch(block.as_ptr().addr().wrapping_add(DISTANCE));
}

/// Stored numbers times their scale.
#[inline(always)]
fn decoded<L: Load<T>, T, S: Stored>(lanes: L, code: L::Narrow, scale: L::Narrow) -> L::Narrow {
    if S::UNIT.is_some() { lanes.mul_narrow(scale, code) } else { code }
}

/// By which numbers are multiplied to be relative to a scale.
#[inline(always)]
fn inverse(scale: f64) -> f64 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

#[inline(always)]
pub(super) fn largest<L: Load<T>, T: Element>(lanes: L, x: &[T]) -> f64 {
    // Of every fourth block, so that a comparison need not wait for the one before.
    let mut largest = [lanes.splat_narrow(0.0); 4];
    let (groups, blocks) = x.as_chunks::<BLOCK>().0.as_chunks::<4>();
    for group in groups {
        for (largest, block) in largest.iter_mut().zip(group) {
            fetch_ahead(lanes, block);
            *largest = lanes.max_abs_narrow(lanes.load_narrow(block), *largest);
        }
    }
    for (largest, block) in largest.iter_mut().zip(blocks) {
        *largest = lanes.max_abs_narrow(lanes.load_narrow(block), *largest);
    }
    largest[3] = lanes.max_abs_narrow(lanes.load_narrow(&padded(x.as_chunks::<BLOCK>().1)), largest[3]);
    let [a, b, c, d] = largest;
    let largest = lanes.max_abs_narrow(lanes.max_abs_narrow(a, b), lanes.max_abs_narrow(c, d));
    let mut block = [T::default(); BLOCK];
    lanes.store_narrow(largest, &mut block);
    let mut largest = 0.0;
    for x in block {
        largest = if x.to_f64() > largest { x.to_f64() } else { largest };
    }
    largest
}
