//! Every table that this machine can run, against rounding by search, sums without rounding errors, and each other.

use super::super::encode::EncodeKernels;
use super::super::products::ProductKernels;
use super::*;
use crate::simd::in_two;

/// Numbers of all magnitudes and of both signs, the same in every run: the top bits of a linear congruence as they lie.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from_bits((state >> 32) as u32)
    };
    (0..).map(|_| next()).filter(|x| x.is_finite()).take(count).collect()
}

/// Numbers that are halfway between two neighbours or next to it, for formats with a step of `2^shift` of the last bit.
fn near_ties(shift: u32) -> Vec<f32> {
    let half = 1_u32 << (shift - 1);
    let starts = [0, 1, 0x0000_8000, 0x0080_0000, 0x3380_0000, 0x3f80_0000, 0x477f_0000, 0x7f00_0000];
    (starts.into_iter())
        .flat_map(|start| (0..40).map(move |i: u32| start + i * half))
        .flat_map(|bits| [bits.saturating_sub(1), bits, bits + 1])
        .flat_map(|bits| [bits, bits | 0x8000_0000])
        .map(f32::from_bits)
        .filter(|x| x.is_finite())
        .collect()
}

/// What is nearest to `x` of the finite values, by bisection; of two as near the one with an even code.
fn nearest(x: f64, largest: u16, value: impl Fn(u16) -> f64) -> u16 {
    let (mut below, mut above) = (0, largest);
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if value(middle) <= x.abs() { below = middle } else { above = middle }
    }
    let (down, up) = (x.abs() - value(below), value(above) - x.abs());
    let chosen = if down < up || down == up && below.is_multiple_of(2) { below } else { above };
    chosen | if x.is_sign_negative() { 0x8000 } else { 0 }
}

#[test]
fn bf16_rounds_to_the_nearest_and_saturates() {
    for x in numbers(20_000).into_iter().chain(near_ties(16)).chain([f32::MAX, f32::MIN, 0.0, -0.0]) {
        let expected = nearest(x.into(), 0x7f7f, |code| Bf16(code).to_f32().into());
        assert_eq!(Bf16::from_f32(x), Bf16(expected), "{x:e}");
    }
    for x in [f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(Bf16::from_f32(x).to_f32(), x);
    }
    for nan in [0x7f80_0001, 0x7fff_ffff, 0xff80_0001] {
        assert!(Bf16::from_f32(f32::from_bits(nan)).to_f32().is_nan());
    }
    for code in 0..=u16::MAX {
        assert_eq!(Bf16(code).to_f32().to_bits(), u32::from(code) << 16);
    }
}

/// A value of half precision by its definition.
fn half(code: u16) -> f64 {
    let (exponent, fraction) = (i32::from(code >> 10 & 0x1f), f64::from(code & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if code & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[test]
fn f16_rounds_to_the_nearest() {
    for code in (0..=u16::MAX).filter(|code| code & 0x7c00 != 0x7c00) {
        assert_eq!(f64::from(F16(code).to_f32()).to_bits(), half(code).to_bits(), "{code:x}");
        assert_eq!(F16::from_f32(F16(code).to_f32()), F16(code));
    }
    let small = numbers(60_000).into_iter().filter(|x| x.abs() < 65520.0);
    for x in small.chain(near_ties(13).into_iter().filter(|x| x.abs() < 65520.0)) {
        assert_eq!(
            F16::from_f32(x),
            F16(nearest(x.into(), 0x7c00, |code| if code == 0x7c00 { 65536.0 } else { half(code) }))
        );
    }
    assert_eq!(F16::from_f32(65519.0), F16(0x7bff));
    for x in [65520.0, 1e30, f32::MAX, f32::INFINITY] {
        assert_eq!((F16::from_f32(x), F16::from_f32(-x)), (F16(0x7c00), F16(0xfc00)));
        assert_eq!(F16(0x7c00).to_f32(), f32::INFINITY);
    }
    assert!(F16::from_f32(f32::NAN).to_f32().is_nan() && F16(0xfc01).to_f32().is_nan());
}

/// Encodes with each table, at lengths with and without whole blocks, and expects what `expected` makes of each number.
fn encodes<S: Stored + PartialEq + core::fmt::Debug>(
    tables: impl Iterator<Item = &'static EncodeKernels<f32, S>>,
    scale: f64,
    given: &[f32],
    expected: impl Fn(f32) -> (S, f32),
) {
    for table in tables {
        for len in (0..40).chain([given.len()]) {
            let given = &given[given.len() - len..];
            let (mut codes, mut stored) = (vec![S::default(); len], vec![0.0; len]);
            (table.encode)(given, scale, &mut codes, &mut stored);
            for (i, &x) in given.iter().enumerate() {
                let (code, value) = expected(x);
                assert_eq!(codes[i], code, "{}: {x:e}", table.name);
                assert_eq!(stored[i].to_bits(), value.to_bits(), "{}: {x:e}", table.name);
            }
            let (mut codes_again, mut stored_again) = (vec![S::default(); len], vec![0.0; len]);
            let norm2 = (table.measure)(given, scale, &mut codes_again, &mut stored_again);
            assert_eq!((&codes, &stored), (&codes_again, &stored_again));
            let exact: f64 = given.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            assert!((norm2 - exact).abs() <= 1e-13 * exact, "{}: {norm2} for {exact}", table.name);
        }
    }
}

#[test]
fn every_table_rounds_alike() {
    let given: Vec<f32> =
        numbers(3000).into_iter().chain(near_ties(16)).chain([f32::MAX, f32::MIN, 0.0, -0.0]).collect();
    encodes(EncodeKernels::<f32, Bf16>::available(), 1.0, &given, |x| (Bf16::from_f32(x), Bf16::from_f32(x).to_f32()));
    for exponent in [-126, -100, -14, 0, 3, 113] {
        let scale = 2f32.powi(exponent);
        let fits: Vec<f32> = given.iter().copied().filter(|x| (x / scale).abs() < 32760.0).collect();
        encodes(EncodeKernels::<f32, F16>::available(), scale.into(), &fits, |x| {
            let code = F16::from_f32((f64::from(x) / f64::from(scale)) as f32);
            (code, code.to_f32() * scale)
        });
    }
    for scale in [f32::from_bits(1), f32::from_bits(0x1_2300), 1e-30, 1.0, 3.0, 0.0078125, 2.6e36] {
        let scale = f32::from_bits(scale.to_bits() & if scale.to_bits() > 0xffff { !0xff } else { !0 });
        let fits = given.iter().copied().chain((-254..=254).map(|half| half as f32 * 0.5 * scale));
        let fits: Vec<f32> = fits.filter(|x| (f64::from(*x) / f64::from(scale)).abs() <= 127.4).collect();
        encodes(EncodeKernels::<f32, i8>::available(), scale.into(), &fits, |x| {
            // The quotient is rounded to 32 bits first: at most that far beyond a half may be the other side of it.
            let [first, second] = in_two(1.0 / f64::from(scale));
            let quotient = x * first * second;
            assert!((f64::from(quotient) - f64::from(x) / f64::from(scale)).abs() <= 127.0 * 1.2e-7);
            let code = quotient.round_ties_even() as i8;
            (code, f32::from(code) * scale)
        });
    }
    encodes(EncodeKernels::<f32, i8>::available(), 0.0, &[0.0; 50], |_| (0, 0.0));
}

#[test]
fn the_largest_is_found_wherever_it_is() {
    for table in Kernels::<f32>::available() {
        for len in 0..300 {
            let mut x = vec![-0.5; len];
            assert_eq!((table.largest)(&x), if len == 0 { 0.0 } else { 0.5 });
            for place in [0, len / 2, len.saturating_sub(1)] {
                let Some(element) = x.get_mut(place) else { continue };
                *element = -2.0;
                assert_eq!((table.largest)(&x), 2.0, "{} at {place} of {len}", table.name);
                x[place] = 0.5;
            }
        }
    }
}

/// Columns of codes at scales, and what they stand for.
struct Sample<S> {
    codes: Vec<S>,
    scales: Vec<f64>,
    values: Vec<Vec<f64>>,
    stride: usize,
    groups: usize,
}

impl<S: Stored> Sample<S> {
    fn new(len: usize, count: usize, scales: &[f64], code: impl Fn(u32) -> S, value: impl Fn(S) -> f64) -> Self {
        let (stride, groups) = (len.next_multiple_of(16), len.div_ceil(GROUP));
        let mut state = 3_u32;
        let codes: Vec<S> = (0..stride * count + 16)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                code(state >> 8)
            })
            .collect();
        let scales: Vec<f64> = (0..groups * count).map(|i| scales[i % scales.len()]).collect();
        let scale = |j: usize, i: usize| if S::GROUP.is_some() { scales[j * groups + i / GROUP] } else { 1.0 };
        let column = |j: usize| (0..len).map(|i| value(codes[j * stride + i]) * scale(j, i)).collect();
        let values = (0..count).map(column).collect();
        Self { codes, scales, values, stride, groups }
    }

    fn columns(&self, omitted: usize) -> Columns<'_, S> {
        let columns = Columns::new(&self.codes, self.stride, omitted);
        let ahead = Ahead { runs: [(self.codes.as_ptr().addr(), 4 * self.stride), (usize::MAX - 70, 1000)] };
        let scales =
            if S::GROUP.is_some() { Scales { data: &self.scales, stride: self.groups } } else { Scales::default() };
        Columns { scales, ahead, ..columns }
    }
}

fn sums_and_combinations<S: Stored>(
    tables: impl Fn() -> Vec<&'static ColumnKernels<f32, S>>,
    scales: &[f64],
    code: impl Fn(u32) -> S,
    value: impl Fn(S) -> f64,
) {
    for (len, count) in [(1, 2), (7, 1), (8, 3), (255, 10), (256, 4), (300, 11), (777, 19), (4096, 10)] {
        let sample = Sample::new(len, count, scales, &code, &value);
        let omitted = count / 2;
        let x: Vec<f32> = (0..len).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.37).collect();
        let coefficients: Vec<f64> = (0..count).map(|j| 0.3 * j as f64 - 0.8).collect();
        for table in tables() {
            let mut sums = vec![1.0; count];
            (table.dots)(&x, sample.columns(omitted), &mut sums);
            for (j, sum) in sums.into_iter().enumerate() {
                let products = sample.values[j].iter().zip(&x).map(|(value, &x)| value * f64::from(x));
                let size: f64 = products.clone().map(f64::abs).sum();
                let exact = if j == omitted { 0.0 } else { products.sum() };
                assert!((sum - 1.0 - exact).abs() <= 1e-14 * (size + 1.0), "{}: {sum} for {exact}", table.name);
            }
            let scratch = || vec![f64::NAN; len.next_multiple_of(crate::kernels::LANES)];
            let (mut f64s, mut native) = (scratch(), scratch());
            (table.combine)(sample.columns(omitted), &x, &coefficients, &mut f64s);
            (table.combine_native)(sample.columns(omitted), &x, &coefficients, &mut native);
            for i in 0..len {
                let of = |j: usize| if j == omitted { f64::from(x[i]) } else { sample.values[j][i] };
                let exact: f64 = (0..count).map(|j| coefficients[j] * of(j)).sum();
                let size: f64 = (0..count).map(|j| (coefficients[j] * of(j)).abs()).sum();
                assert!((f64s[i] - exact).abs() <= 1e-14 * size, "{}: {} for {exact}", table.name, f64s[i]);
                // Ten roundings of 32 bits: a coefficient's, and those of nine products.
                assert!((native[i] - exact).abs() <= 10.0 * 6e-8 * size, "{}: {} for {exact}", table.name, native[i]);
            }
        }
    }
}

#[test]
fn columns_of_bf16() {
    sums_and_combinations(
        || ColumnKernels::available().collect(),
        &[1.0],
        |bits| Bf16::from_f32((bits % 2001) as f32 * 0.01 - 10.0),
        |code| code.to_f32().into(),
    );
}

#[test]
fn columns_of_f16() {
    let scales = [1.0, 0.0, 2f64.powi(-20), 2f64.powi(7)];
    sums_and_combinations(
        || ColumnKernels::available().collect(),
        &scales,
        |bits| F16::from_f32((bits % 2001) as f32 * 0.01 - 10.0),
        |code| half(code.0),
    );
}

#[test]
fn columns_of_int8() {
    let scales = [1.0, 0.0, 0.001953125, 3.7109375, 100.5];
    sums_and_combinations(
        || ColumnKernels::available().collect(),
        &scales,
        |bits| ((bits % 255) as i32 - 127) as i8,
        f64::from,
    );
}

/// Products of columns with a vector stored like them, against sums without rounding errors, and of all tables against
/// each other, bit for bit, since no product is rounded.
fn products<S: Stored>(
    tables: impl Fn() -> Vec<&'static ProductKernels<S>>,
    scales: &[f64],
    code: impl Fn(u32) -> S,
    value: impl Fn(S) -> f64,
    tolerance: f64,
) {
    for (len, count) in [(1, 2), (15, 3), (16, 2), (255, 10), (256, 4), (300, 11), (4096, 10), (4090, 8), (130, 21)] {
        let sample = Sample::new(len, count, scales, &code, &value);
        // The column left out is the vector, at scales of its own.
        let codes = &sample.codes[(count - 1) * sample.stride..][..len];
        let scales: Vec<f64> = (0..sample.groups).map(|group| 0.25 * group as f64 + 0.5).collect();
        let vector: Vec<f64> = (0..len).map(|i| value(codes[i]) * scales[i / GROUP]).collect();
        let mut first = None;
        for table in tables() {
            let mut sums = vec![0.0; count];
            (table.quantized_dots)(codes, &scales, sample.columns(count - 1), &mut sums);
            for (j, &sum) in sums.iter().enumerate() {
                let products = vector.iter().zip(&sample.values[j]).map(|(x, y)| x * y);
                let size: f64 = products.clone().map(f64::abs).sum();
                let exact = if j == count - 1 { 0.0 } else { products.sum() };
                assert!((sum - exact).abs() <= tolerance * size, "{}: {sum} for {exact}, {size}", table.name);
            }
            let bits: Vec<u64> = sums.iter().map(|sum| sum.to_bits()).collect();
            assert_eq!(*first.get_or_insert_with(|| bits.clone()), bits, "{}", table.name);
        }
    }
}

/// At both ends of the range of bfloat16, where products are beyond 32 bits, and with one element that outweighs all.
#[test]
fn products_of_bfloat16_columns() {
    let above = |x: f64| 2f64.powf(x.log2().floor() + 1.0).max(f32::MIN_POSITIVE.into());
    let norm = |numbers: &[Bf16]| numbers.iter().map(|x| f64::from(x.to_f32()).powi(2)).sum::<f64>().sqrt();
    let largest = |numbers: &[Bf16]| numbers.iter().fold(0.0, |largest: f64, x| largest.max(x.to_f32().abs().into()));
    let sizes = [3e38, 1e30, 1.0, 1e-20, 1e-30, 1e-38];
    for (first, second) in sizes.into_iter().flat_map(|x| sizes.map(|y| (x, y))) {
        for (len, spike) in [(1, 1.0), (9, 1.0), (300, 1.0), (300, 1e-6), (4090, 1e-3)] {
            let column = |size: f32, seed: usize| -> Vec<Bf16> {
                let number = |i: usize| ((i * seed + 31) % 101) as f32 / 50.0 - 1.0;
                let mut column: Vec<Bf16> = (0..4096).map(|i| Bf16::from_f32(size * spike * number(i))).collect();
                column[len / 2] = Bf16::from_f32(size * 0.99);
                column
            };
            let (x, y) = (&column(first, 37)[..len], column(second, 53));
            let products = x.iter().zip(&y).map(|(x, y)| f64::from(x.to_f32()) * f64::from(y.to_f32()));
            let (exact, size): (f64, f64) = (products.clone().sum(), products.map(f64::abs).sum());
            let ranges = [above(largest(&y)), 0.0];
            let columns = Columns { scales: Scales { data: &ranges, stride: 1 }, ..Columns::new(&y, 4096, 1) };
            let mut bits = None;
            for table in ProductKernels::<Bf16>::available() {
                let mut sums = [0.0; 2];
                (table.quantized_dots)(x, &[above(norm(x))], columns, &mut sums);
                // The vector is at most 2¹²² times itself, so that products of the least numbers lose their last bits.
                let limit = match first as f64 * spike as f64 * second as f64 * spike as f64 {
                    ..1e-72 => 1e-5,
                    ..1e-60 => 1e-9,
                    _ => 1e-11,
                };
                assert!((sums[0] - exact).abs() <= limit * size, "{}: {} for {exact:e}, {size:e}", table.name, sums[0]);
                // Products below the normal numbers are rounded where they are not fused with the addition.
                let normal = first as f64 * spike as f64 * second as f64 * spike as f64 > 1e-30;
                if normal {
                    assert_eq!(*bits.get_or_insert(sums[0].to_bits()), sums[0].to_bits(), "{}", table.name);
                }
            }
        }
    }
}

#[test]
fn products_of_half_precision_columns() {
    // All that a group holds: numbers up to 2¹⁵, and zeros and the least numbers among them.
    let code = |bits: u32| match bits % 8 {
        0 => F16((bits >> 8) as u16 & 0x8003),
        _ => F16::from_f32((bits % 2001) as f32 * 32.7 - 32700.0),
    };
    products(|| ProductKernels::available().collect(), &[1.0, 0.0, 0.001953125, 4.0], code, |code| half(code.0), 1e-13);
    // No sum of a group overflows or loses what is in it.
    let (largest, least) = (F16::from_f32(32768.0), F16(1));
    for x in [largest, F16(largest.0 | 0x8000)] {
        let mut column = [x; 520];
        column[7] = least;
        let columns = Columns { scales: Scales { data: &[1.0; 2], stride: 1 }, ..Columns::new(&column, 256, 1) };
        let mut codes = [largest; GROUP];
        codes[7] = F16::from_f32(1.0);
        let exact = 255.0 * 2f64.powi(30) * half(x.0).signum() + 2f64.powi(-24);
        for table in ProductKernels::<F16>::available() {
            let mut sums = [0.0; 2];
            (table.quantized_dots)(&codes, &[1.0], columns, &mut sums);
            assert_eq!(sums, [exact, 0.0], "{}", table.name);
        }
    }
}

#[test]
fn products_of_8_bit_columns() {
    products(
        || ProductKernels::available().collect(),
        &[1.0, 0.0, 0.001953125, 3.7109375],
        |bits| ((bits % 255) as i32 - 127) as i8,
        f64::from,
        1e-14,
    );
    // No sum of a group overflows.
    let codes = [-127; GROUP];
    let columns = Columns { scales: Scales { data: &[1.0; 2], stride: 1 }, ..Columns::new(&[-127; 520], 256, 1) };
    for table in ProductKernels::<i8>::available() {
        let mut sums = [0.0; 2];
        (table.quantized_dots)(&codes, &[1.0], columns, &mut sums);
        assert_eq!(sums, [256.0 * 127.0 * 127.0, 0.0]);
    }
}
