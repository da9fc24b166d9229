//! Every table that this machine can run, against sorting, and sums one entry at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// The length of a tile, as windows have it.
const TILE: usize = 4096;

/// The same numbers in every run (an LCG's high bits).
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn number(&mut self) -> f32 {
        (self.next() as f32 / u32::MAX as f32 - 0.5) * [1.0, 1e-3, 1e3, 7.0][self.next() as usize % 4]
    }

    fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.number()).collect()
    }

    /// `kept` indices below `len`, ascending.
    fn indices(&mut self, kept: usize, len: usize) -> Vec<u16> {
        let mut left = kept;
        let chosen = (0..len).filter(|place| {
            let taken = self.next() as usize % (len - place) < left;
            left -= usize::from(taken);
            taken
        });
        chosen.map(|place| place as u16).collect()
    }

    fn values(&mut self, count: usize) -> Vec<u16> {
        (0..count).map(|_| Bf16::from_f32(self.number()).0).collect()
    }
}

fn bf16(value: u16) -> f32 {
    Bf16(value).to_f32()
}

/// The nearest bfloat16, found among the two next to it in exact arithmetic.
fn nearest_bf16(number: f32) -> u16 {
    let down = (number.to_bits() >> 16) as u16;
    if !number.is_finite() {
        return if number.is_nan() { down | 0x40 } else { down };
    }
    let up = if down & 0x7fff == 0x7f7f { down } else { down + 1 };
    let distance = |value: u16| (f64::from(bf16(value)) - f64::from(number)).abs();
    match distance(down).total_cmp(&distance(up)) {
        core::cmp::Ordering::Less => down,
        core::cmp::Ordering::Greater => up,
        core::cmp::Ordering::Equal => down + (down & 1) * u16::from(up != down),
    }
}

#[test]
fn rounds_to_the_nearest_bf16() {
    let mut bits = Bits(1);
    let edges =
        [0x7f7f_7fff, 0x7f7f_8000, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fff_ffff, 0x3f80_8000, 0x3f81_8000];
    for number in edges.into_iter().chain([0, 1, 0x7fff, 0x8000, 0x8001]).chain((0..100_000).map(|_| bits.next())) {
        for number in [number, number | 0x8000_0000].map(f32::from_bits) {
            assert_eq!(Bf16::from_f32(number).0, nearest_bf16(number), "{number:e}, {:x}", number.to_bits());
        }
    }
}

/// The selection by sorting.
fn sorted(given: &[f32], feedback: &[f32], kept: usize) -> (Vec<u16>, Vec<u16>) {
    let sums: Vec<f32> = given.iter().zip(feedback).map(|(given, feedback)| feedback + given).collect();
    let mut places: Vec<usize> = (0..sums.len()).collect();
    let key = |place: &usize| sums[*place].to_bits() & 0x7fff_ffff;
    places.sort_by(|a, b| key(b).cmp(&key(a)).then(a.cmp(b)));
    places.truncate(kept);
    places.sort_unstable();
    (
        places.iter().map(|&place| place as u16).collect(),
        places.iter().map(|&place| nearest_bf16(sums[place])).collect(),
    )
}

/// Tiles of every nature.
fn tiles(bits: &mut Bits, len: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut tiles: Vec<(&'static str, Vec<f32>)> = vec![
        ("random", bits.vec(len)),
        ("zeros of both signs", (0..len).map(|_| if bits.next() & 4 == 0 { 0.0 } else { -0.0 }).collect()),
        ("equal", vec![-2.5; len]),
        ("few values", (0..len).map(|_| (bits.next() >> 30) as f32 - 1.5).collect()),
        ("ascending", (0..len).map(|place| place as f32).collect()),
        ("descending", (0..len).map(|place| -((len - place) as f32)).collect()),
        ("denormal", (0..len).map(|_| f32::from_bits(bits.next() >> 12 | bits.next() & 0x8000_0000)).collect()),
        ("any bits that are finite", (0..len).map(|_| f32::from_bits(bits.next() & 0xbfff_ffff)).collect()),
        ("large at the end", (0..len).map(|place| bits.number() * if place + 50 > len { 1e9 } else { 1.0 }).collect()),
        (
            "large in one group",
            (0..len).map(|place| bits.number() * if place % 128 == 3 { 1e9 } else { 1.0 }).collect(),
        ),
        ("any bits at all", (0..len).map(|_| f32::from_bits(bits.next())).collect()),
    ];
    for bad in
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0xff80_0001), f32::from_bits(u32::MAX), f32::MAX]
    {
        let mut tile = bits.vec(len);
        tile[bits.next() as usize % len] = bad;
        tiles.push(("one extreme number", tile));
    }
    tiles
}

#[test]
fn selects_what_sorting_does() {
    let mut bits = Bits(2);
    let names: Vec<_> = SelectionKernels::available().map(|kernels| kernels.name).collect();
    println!("instruction sets tested: {names:?}");
    let mut scratch = vec![u32::MAX; selection_scratch(TILE)];
    for len in (1..=20).chain([63, 64, 65, 127, 128, 129, 255, 256, 500, 1000, 2047, 4000, 4095, 4096]) {
        let mut left = bits.next();
        for (nature, given) in tiles(&mut bits, len) {
            let zeros = vec![0.0; len];
            let norm2: f64 = given.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            for feedback in [zeros, bits.vec(len)] {
                for kept in [1, 2, 7, 41, 60, 205, 410, 1000, 2048, 4095, 4096] {
                    let kept = kept.min(len);
                    let expected = sorted(&given, &feedback, kept);
                    // What a selection from another tile left, from this one, and what none leaves.
                    for bound in [Some(left), None, Some(0), Some(bits.next())] {
                        let mut norms = Vec::new();
                        let before = left;
                        for kernels in SelectionKernels::available() {
                            let mut found = (vec![u16::MAX; kept], vec![u16::MAX; kept]);
                            left = bound.unwrap_or(before);
                            let (indices, values) = (&mut found.0, &mut found.1);
                            norms.push((kernels.select)(&given, &feedback, &mut left, &mut scratch, indices, values));
                            assert!(found == expected, "{} of {len}, {nature}, {}, {bound:?}", kept, kernels.name);
                            // Whatever was there before does not matter.
                            scratch.fill(bits.next());
                        }
                        if norm2.is_finite() {
                            assert!(norms.iter().all(|norm| norm.to_bits() == norms[0].to_bits()), "{nature}");
                            assert!((norms[0] - norm2).abs() <= 1e-13 * norm2, "{nature}: {} for {norm2}", norms[0]);
                        } else {
                            assert!(norms.iter().all(|norm| !norm.is_finite()), "{nature}");
                        }
                    }
                }
            }
        }
    }
}

/// A bound decides how many candidates there are. After some steps there are about twice as many as are kept.
#[test]
fn bounds_follow_the_tiles() {
    let mut bits = Bits(6);
    let (len, kept) = (TILE, 41);
    let mut scratch = vec![0; selection_scratch(TILE)];
    for (selection, kernels) in SelectionKernels::available().zip(SparseKernels::available()) {
        let (mut feedback, mut bound) = (vec![0.0; len], 0);
        let (mut least, mut most) = (len, 0);
        for step in 0..600 {
            let given: Vec<f32> = (0..len).map(|_| bits.next() as f32 / u32::MAX as f32 - 0.5).collect();
            let sums = given.iter().zip(&feedback).map(|(given, feedback)| (feedback + given).to_bits() & 0x7fff_ffff);
            let count = sums.filter(|&key| key >= bound).count();
            if step >= 300 {
                (least, most) = (least.min(count), most.max(count));
            }
            let (mut indices, mut values) = (vec![0; kept], vec![0; kept]);
            (selection.select)(&given, &feedback, &mut bound, &mut scratch, &mut indices, &mut values);
            let run = SparseRun { indices: &indices, values: &values, first: 0 };
            (kernels.feed_back)(&given, run, &mut feedback);
        }
        assert!((kept..=8 * kept).contains(&least) && most <= 8 * kept, "{}: {least} to {most}", kernels.name);
    }
}

#[test]
fn entries_are_spread_and_taken_from_the_feedback() {
    let mut bits = Bits(3);
    for len in [1, 5, 64, 1000, 4096] {
        for kept in [1, 3, len / 7 + 1, len] {
            let kept = kept.min(len);
            let (indices, values) = (bits.indices(kept, len), bits.values(kept));
            let (given, feedback) = (bits.vec(len), bits.vec(len));
            let mut dense = vec![0.0; len];
            for (&index, &value) in indices.iter().zip(&values) {
                dense[usize::from(index)] = bf16(value);
            }
            for kernels in SparseKernels::available() {
                // In two runs, the second of which is empty or not.
                let (mut found, mut fed) = (vec![f32::NAN; len], feedback.clone());
                let cut = bits.next() as usize % len + 1;
                for (first, end) in [(0, cut), (cut, len)] {
                    let (start, stop) = run_of(&indices, first, end - first);
                    let run = SparseRun { indices: &indices[start..stop], values: &values[start..stop], first };
                    (kernels.spread)(run, &mut found[first..end]);
                    (kernels.feed_back)(&given[first..end], run, &mut fed[first..end]);
                }
                assert_eq!(found, dense, "{}", kernels.name);
                for place in 0..len {
                    let expected = (feedback[place] + given[place]) - dense[place];
                    assert_eq!(fed[place].to_bits(), expected.to_bits(), "{}", kernels.name);
                }
            }
        }
    }
}

/// Columns of `kept` entries below `len`.
fn columns(bits: &mut Bits, count: usize, kept: usize, len: usize) -> (Vec<u16>, Vec<u16>) {
    let indices = (0..count).flat_map(|_| bits.indices(kept, len)).collect();
    (indices, bits.values(count * kept))
}

#[test]
fn products_of_columns() {
    let mut bits = Bits(4);
    for (len, kept) in [(1, 1), (9, 2), (100, 8), (100, 100), (4096, 41), (3000, 30), (4096, 410), (4096, 4096)] {
        let (count, held) = (9, 7);
        let (indices, values) = columns(&mut bits, count, kept, len);
        let x = bits.vec(len);
        for omitted in [0, 3, held - 1] {
            let columns = SparseColumns { indices: &indices, values: &values, kept, omitted, ahead: [(0, 0); 4] };
            let all = SparseKernels::available().map(|kernels| {
                let mut sums = vec![0.5; held];
                (kernels.dots)(&x, columns, &mut sums);
                sums
            });
            let all: Vec<Vec<f64>> = all.collect();
            for sums in &all {
                assert!(sums.iter().zip(&all[0]).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
            let last = (held - 1) * kept..held * kept;
            for kernels in SparseKernels::available().filter(|_| omitted != held - 1) {
                let dot = (kernels.dot)(&x, &indices[last.clone()], &values[last.clone()]);
                assert_eq!(0.5 + dot, all[0][held - 1], "{}", kernels.name);
            }
            for (j, &sum) in all[0].iter().enumerate() {
                let (mut exact, mut magnitude) = (0.5, 0.5);
                for entry in j * kept..(j + 1) * kept {
                    let product = f64::from(x[usize::from(indices[entry])]) * f64::from(bf16(values[entry]));
                    exact += product;
                    magnitude += product.abs();
                }
                let exact = if j == omitted { 0.5 } else { exact };
                assert!((sum - exact).abs() <= 1e-14 * magnitude, "column {j}: {sum} for {exact}");
            }
        }
    }
}

#[test]
fn products_with_few_numbers() {
    let mut bits = Bits(7);
    for (len, kept) in [(1, 1), (9, 2), (100, 8), (100, 100), (4096, 41), (3000, 30), (4096, 410)] {
        let held = 101;
        let (indices, values) = columns(&mut bits, held + 1, kept, len);
        for few in [0, 1, 41, FILTERED, FILTERED + 1, len] {
            let places = bits.indices(few.min(len), len);
            let mut x = vec![0.0; len];
            for &place in &places {
                x[usize::from(place)] = bits.number();
            }
            for omitted in [0, 3, held] {
                let columns = SparseColumns { indices: &indices, values: &values, kept, omitted, ahead: [(0, 0); 4] };
                let held = held + usize::from(omitted == held);
                let mut first: Option<Vec<f64>> = None;
                for kernels in SparseKernels::available() {
                    let (mut sums, mut expected) = (vec![0.5; held], vec![0.5; held]);
                    (kernels.meet)(&x, &places, columns, &mut sums);
                    (kernels.dots)(&x, columns, &mut expected);
                    for (j, (&sum, &expected)) in sums.iter().zip(&expected).enumerate() {
                        assert!(
                            (sum - expected).abs() <= 1e-9 * expected.abs().max(1.0),
                            "column {j}: {sum}, {expected}"
                        );
                    }
                    let first = first.get_or_insert_with(|| sums.clone());
                    assert!(sums.iter().zip(first).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", kernels.name);
                }
            }
        }
    }
}

#[test]
fn combinations_of_columns() {
    let mut bits = Bits(5);
    for (len, kept) in [(1, 1), (9, 2), (100, 8), (100, 100), (4096, 41), (3000, 30), (4096, 410), (4096, 4096)] {
        let (count, held) = (9, 7);
        let (indices, values) = columns(&mut bits, count, kept, len);
        let coefficients: Vec<f64> = (0..held).map(|_| f64::from(bits.number()) * 1.1).collect();
        let newest = bits.vec(len);
        for omitted in [0, 3, held - 1] {
            let mut expected: Vec<f64> = newest.iter().map(|&x| coefficients[omitted] * f64::from(x)).collect();
            for j in (0..held).filter(|&j| j != omitted) {
                for entry in j * kept..(j + 1) * kept {
                    expected[usize::from(indices[entry])] += coefficients[j] * f64::from(bf16(values[entry]));
                }
            }
            let columns = SparseColumns {
                indices: &indices,
                values: &values,
                kept,
                omitted,
                ahead: [(usize::MAX - 70, 1000); 4],
            };
            for kernels in SparseKernels::available() {
                // Whole, and in two runs.
                for cut in [len, bits.next() as usize % len, len / 2] {
                    for (first, end) in [(0, cut), (cut, len)] {
                        let mut sum = vec![f64::NAN; (end - first).next_multiple_of(LANES)];
                        (kernels.combine)(columns, &newest[first..end], first, &coefficients, &mut sum);
                        let (sum, padding) = sum.split_at(end - first);
                        let same = sum.iter().zip(&expected[first..end]).all(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(same, "{kept} of {len}, {first}..{end}, {}", kernels.name);
                        assert!(padding.iter().all(|&x| x == 0.0));
                    }
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |call: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    for (selection, kernels) in SelectionKernels::available().zip(SparseKernels::available()) {
        let (x, mut scratch) = ([1.0; 20], vec![0; selection_scratch(20)]);
        let mut select = |len: usize, kept: usize, values: usize, numbers: usize| {
            let (mut indices, mut chosen) = (vec![0; kept], vec![0; values]);
            (selection.select)(&x, &[0.0; 21][..len], &mut 0, &mut scratch[..numbers], &mut indices, &mut chosen);
        };
        select(20, 20, 20, selection_scratch(20));
        refused(&mut || select(21, 2, 2, selection_scratch(20)));
        refused(&mut || select(20, 21, 21, selection_scratch(20)));
        refused(&mut || select(20, 0, 0, selection_scratch(20)));
        refused(&mut || select(20, 2, 3, selection_scratch(20)));
        refused(&mut || select(20, 2, 2, selection_scratch(20) - 1));
        // An index in one of the columns that is none of the tile's.
        let (mut indices, values) = ([3; 30], [0; 30]);
        indices[17] = 20;
        let of = |count: usize, omitted| SparseColumns {
            indices: &indices[..count * 10],
            values: &values,
            kept: 10,
            omitted,
            ahead: [(0, 0); 4],
        };
        (kernels.dots)(&x, of(3, 0), &mut [0.0; 1]);
        refused(&mut || (kernels.dots)(&x, of(3, 0), &mut [0.0; 2]));
        refused(&mut || (kernels.dots)(&x, of(2, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(3, 1), &mut [0.0; 1]));
        (kernels.meet)(&x, &[3], of(3, 0), &mut [0.0; 1]);
        refused(&mut || (kernels.meet)(&x, &[20], of(3, 0), &mut [0.0; 2]));
        refused(&mut || (kernels.meet)(&x, &[3], of(2, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.meet)(&x, &[3], of(3, 1), &mut [0.0; 1]));
        refused(&mut || assert!((kernels.dot)(&x, &indices, &values).is_finite()));
        refused(&mut || assert!((kernels.dot)(&x, &[0], &[]).is_finite()));
        (kernels.combine)(of(3, 0), &x, 0, &[0.0; 1], &mut [0.0; 24]);
        refused(&mut || (kernels.combine)(of(3, 1), &x, 0, &[0.0; 1], &mut [0.0; 24]));
        refused(&mut || (kernels.combine)(of(3, 0), &x, 0, &[0.0; 1], &mut [0.0; 23]));
        refused(&mut || (kernels.spread)(SparseRun { indices: &[20], values: &[0], first: 0 }, &mut [0.0; 20]));
        refused(&mut || (kernels.spread)(SparseRun { indices: &[3], values: &[0], first: 4 }, &mut [0.0; 20]));
        let mut feedback = [0.0; 20];
        let run = SparseRun { indices: &[20], values: &[0], first: 0 };
        refused(&mut || (kernels.feed_back)(&x, run, &mut feedback));
        refused(&mut || (kernels.feed_back)(&x[1..], run, &mut feedback));
    }
}
