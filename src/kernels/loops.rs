//! The loops, once for all element types and instruction sets.
//!
//! All are `#[inline(always)]`, so that they are compiled inside the functions of a table, for its instruction set.

use super::Element;
use super::lanes::{BLOCK, Load};

/// Columns taken at a time: their sums fit the registers of every instruction set, and share the loads of the vector.
const GROUP: usize = 4;

/// Runs `$body` for each block of the slices `$input` and `$output`, which in it are blocks under the same names. What is
/// left at the end is padded with zeros to a block, of which only the part that exists is written back.
macro_rules! each_block {
    ([$first:ident $(, $input:ident)*], [$($output:ident),*], $body:block) => {
        $(assert_eq!($input.len(), $first.len());)*
        $(assert_eq!($output.len(), $first.len());)*
        let $first = $first.as_chunks::<BLOCK>();
        $(let $input = $input.as_chunks::<BLOCK>();)*
        $(let $output = $output.as_chunks_mut::<BLOCK>();)*
        for index in 0..$first.0.len() {
            let $first = &$first.0[index];
            $(let $input = &$input.0[index];)*
            $(let $output = &mut $output.0[index];)*
            $body
        }
        if !$first.1.is_empty() {
            let $first = &padded($first.1);
            $(let $input = &padded($input.1);)*
            $(let mut $output = (padded($output.1), $output.1);)*
            {
                $(let $output = &mut $output.0;)*
                $body
            }
            $($output.1.copy_from_slice(&$output.0[..$output.1.len()]);)*
        }
    };
}

#[inline(always)]
fn padded<T: Element>(rest: &[T]) -> [T; BLOCK] {
    let mut block = [T::default(); BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// The sum of a block's numbers, in the one order.
#[inline(always)]
fn total<L: Load<f64>>(lanes: L, wide: L::Wide) -> f64 {
    let mut block = [0.0; BLOCK];
    lanes.store(wide, &mut block);
    let [a, b, c, d, e, f, g, h] = block;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[inline(always)]
pub(super) fn widen<L: Load<T> + Load<f64>, T: Element>(lanes: L, source: &[T], target: &mut [f64]) -> f64 {
    let mut squares = lanes.splat(0.0);
    each_block!([source], [target], {
        let wide = lanes.load(source);
        squares = lanes.mul_add(wide, wide, squares);
        lanes.store(wide, target);
    });
    total(lanes, squares)
}

#[inline(always)]
pub(super) fn dot<L: Load<f64>>(lanes: L, x: &[f64], y: &[f64]) -> f64 {
    let mut sum = lanes.splat(0.0);
    each_block!([x, y], [], {
        sum = lanes.mul_add(lanes.load(x), lanes.load(y), sum);
    });
    total(lanes, sum)
}

/// Runs `$body` for columns `$first..$first + $size`, four at a time and then the rest at once; `$size` is a constant.
macro_rules! each_group {
    ($count:expr, $first:ident, $size:ident, $body:block) => {
        let count = $count;
        let mut $first = 0;
        while count - $first >= GROUP {
            const $size: usize = GROUP;
            $body
            $first += GROUP;
        }
        match count - $first {
            3 => {
                const $size: usize = 3;
                $body
            }
            2 => {
                const $size: usize = 2;
                $body
            }
            1 => {
                const $size: usize = 1;
                $body
            }
            _ => {}
        }
    };
}

#[inline(always)]
pub(super) fn dots<L, T>(lanes: L, x: &[f64], columns: &[T], stride: usize, sums: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    check_columns(columns.len(), stride, sums.len(), x.len());
    let (x_blocks, x_rest) = x.as_chunks::<BLOCK>();
    each_group!(sums.len(), first, SIZE, {
        let columns = group_at::<T, SIZE>(columns, stride, first, x.len());
        let mut products = [lanes.splat(0.0); SIZE];
        for (index, x) in x_blocks.iter().enumerate() {
            let x = lanes.load(x);
            for j in 0..SIZE {
                products[j] = lanes.mul_add(x, lanes.load(&columns[j].0[index]), products[j]);
            }
        }
        if !x_rest.is_empty() {
            let x = lanes.load(&padded(x_rest));
            for j in 0..SIZE {
                products[j] = lanes.mul_add(x, lanes.load(&padded(columns[j].1)), products[j]);
            }
        }
        for j in 0..SIZE {
            sums[first + j] += total(lanes, products[j]);
        }
    });
}

#[inline(always)]
pub(super) fn combine<L, T>(lanes: L, columns: &[T], stride: usize, coefficients: &[f64], sum: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    check_columns(columns.len(), stride, coefficients.len(), sum.len());
    let len = sum.len();
    let (sum_blocks, sum_rest) = sum.as_chunks_mut::<BLOCK>();
    each_group!(coefficients.len(), first, SIZE, {
        let columns = group_at::<T, SIZE>(columns, stride, first, len);
        let mut factors = [lanes.splat(0.0); SIZE];
        for j in 0..SIZE {
            factors[j] = lanes.splat(coefficients[first + j]);
        }
        for (index, sum) in sum_blocks.iter_mut().enumerate() {
            let mut wide = lanes.load(sum);
            for j in 0..SIZE {
                wide = lanes.mul_add(factors[j], lanes.load(&columns[j].0[index]), wide);
            }
            lanes.store(wide, sum);
        }
        if !sum_rest.is_empty() {
            let mut block = padded(sum_rest);
            let mut wide = lanes.load(&block);
            for j in 0..SIZE {
                wide = lanes.mul_add(factors[j], lanes.load(&padded(columns[j].1)), wide);
            }
            lanes.store(wide, &mut block);
            sum_rest.copy_from_slice(&block[..sum_rest.len()]);
        }
    });
}

/// Refuses columns that do not lie inside the slice, or that overlap.
#[inline(always)]
fn check_columns(available: usize, stride: usize, count: usize, len: usize) {
    assert!(stride >= len, "columns of {len} overlap at stride {stride}");
    if let Some(before) = count.checked_sub(1) {
        let needed = before.checked_mul(stride).and_then(|start| start.checked_add(len));
        assert!(needed.is_some_and(|needed| needed <= available), "{count} columns do not fit");
    }
}

/// Columns `first..first + SIZE`, each as blocks and a rest.
#[inline(always)]
fn group_at<T, const SIZE: usize>(
    columns: &[T],
    stride: usize,
    first: usize,
    len: usize,
) -> [(&[[T; BLOCK]], &[T]); SIZE] {
    core::array::from_fn(|j| columns[(first + j) * stride..][..len].as_chunks())
}

#[inline(always)]
pub(super) fn axpy<L: Load<f64>>(lanes: L, a: f64, x: &[f64], sum: &mut [f64]) {
    let a = lanes.splat(a);
    each_block!([x], [sum], {
        lanes.store(lanes.mul_add(a, lanes.load(x), lanes.load(sum)), sum);
    });
}

#[inline(always)]
pub(super) fn average<L, T>(lanes: L, buffer: &mut [T], beta: f64, x: &[f64], new: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let (old_share, new_share) = (lanes.splat(beta), lanes.splat(1.0 - beta));
    each_block!([x], [buffer, new], {
        let old = lanes.mul(old_share, lanes.load(buffer));
        let wide = lanes.mul_add(new_share, lanes.load(x), old);
        lanes.store(wide, buffer);
        lanes.store(wide, new);
    });
}

#[inline(always)]
pub(super) fn descend<L, T>(lanes: L, params: &mut [T], keep: f64, rate: f64, direction: &[f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let (keep, rate) = (lanes.splat(keep), lanes.splat(rate));
    each_block!([direction], [params], {
        let kept = lanes.mul(keep, lanes.load(params));
        lanes.store(lanes.mul_sub_from(rate, lanes.load(direction), kept), params);
    });
}

#[inline(always)]
pub(super) fn narrow<L, T>(lanes: L, source: &[f64], scale: f64, target: &mut [T])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let scale = lanes.splat(scale);
    each_block!([source], [target], {
        lanes.store(lanes.mul(scale, lanes.load(source)), target);
    });
}
