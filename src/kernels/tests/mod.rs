//! Every table that this machine can run, against sums without rounding errors and formulas one element at a time.

mod diagonal;
mod quantized;

use super::prefetch::Ahead;
use super::*;
use crate::config::Dtype;

const LENGTHS: [usize; 4] = [300, 1000, 1023, 1024];

fn lengths() -> impl Iterator<Item = usize> {
    (0..=70).chain(LENGTHS)
}

/// Numbers of both signs over a few decades, the same in every run (an LCG's high bits).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (self.0 >> 40) as f64 / (1_u64 << 24) as f64 - 0.5;
        unit * [1.0, 1e-3, 1e3, 7.0][(self.0 >> 30) as usize % 4]
    }

    fn vec<T: Element>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| T::from_f64(self.next())).collect()
    }
}

/// The exact products summed with Neumaier's correction, and the sum of their magnitudes.
fn exact_dot(x: &[f64], y: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut sum, mut correction, mut magnitude) = (0.0_f64, 0.0, 0.0);
    for (&x, y) in x.iter().zip(y) {
        let product = x * y;
        for term in [product, x.mul_add(y, -product)] {
            let next = sum + term;
            correction += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
            sum = next;
        }
        magnitude += product.abs();
    }
    (sum + correction, magnitude)
}

fn assert_sum(found: f64, (exact, magnitude): (f64, f64), place: &str) {
    assert!((found - exact).abs() <= 1e-14 * magnitude, "{place}: {found} for {exact}");
}

/// `found` is what one rounding to `T`, of a value within a few roundings in `f64` of `exact`, may give.
fn assert_rounded<T: Element>(found: T, exact: f64, magnitude: f64, place: &str) {
    let slack = 4.0 * f64::EPSILON * magnitude;
    let (low, high) = (T::from_f64(exact - slack), T::from_f64(exact + slack));
    assert!(low <= found && found <= high, "{place}: {found:?} for {exact}");
}

fn bits<T: Element>(values: &[T]) -> Vec<u64> {
    values.iter().map(|value| value.to_f64().to_bits()).collect()
}

/// The tables of one instruction set.
struct Tables<T: Element> {
    kernels: &'static Kernels<T>,
    columns: &'static ColumnKernels<T, T>,
}

macro_rules! tables {
    ($number:ty) => {
        Kernels::<$number>::available()
            .zip(ColumnKernels::<$number, $number>::available())
            .map(|(kernels, columns)| Tables { kernels, columns })
    };
}

/// Runs `$test::<f32>` and `$test::<f64>` with each table.
macro_rules! for_all_tables {
    ($($test:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                tables!(f32).for_each(|tables| checks::$test(&tables, &mut Numbers(1)));
                tables!(f64).for_each(|tables| checks::$test(&tables, &mut Numbers(2)));
            }
        )*
    };
}

for_all_tables!(
    widens,
    dots_two_vectors,
    dots_columns,
    dots_do_not_depend_on_the_batch,
    combines,
    combines_one_after_another,
    copies_by_non_temporal_stores,
    adds_multiples,
    averages,
    smooths,
    multiplies_by_a_factor,
    applies_updates,
    rounds,
    elements_do_not_depend_on_their_place,
    refuses_lengths_that_do_not_fit,
);

mod checks {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Scratch for `len` numbers, filled with NaN.
    fn scratch(len: usize) -> Vec<f64> {
        vec![f64::NAN; len.next_multiple_of(LANES)]
    }

    /// `values` in scratch of whole vectors.
    fn in_scratch(values: &[f64]) -> Vec<f64> {
        let mut scratch = scratch(values.len());
        scratch[..values.len()].copy_from_slice(values);
        scratch
    }

    pub(super) fn widens<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (source, mut target) = (numbers.vec::<T>(len), scratch(len));
            (tables.kernels.widen)(&source, &mut target);
            assert_eq!(bits(&source), bits(&target[..len]));
            assert!(target[len..].iter().all(|&x| x == 0.0));
        }
    }

    pub(super) fn dots_two_vectors<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (mut x, y) = (numbers.vec::<T>(len), numbers.vec::<T>(len));
            let f64s: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
            assert_sum(
                (tables.kernels.dot)(&x, &y),
                exact_dot(&f64s, y.iter().map(|y| y.to_f64())),
                tables.kernels.name,
            );
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for place in [0, len / 2, len.saturating_sub(1)] {
                    let Some(&good) = x.get(place) else { continue };
                    x[place] = T::from_f64(bad);
                    assert!(!(tables.kernels.dot)(&x, &x).is_finite());
                    x[place] = good;
                }
            }
        }
    }

    /// `count` columns of `len` elements at a stride, each as many whole blocks, with elements between them.
    fn columns<T: Element>(numbers: &mut Numbers, len: usize, gap: usize, count: usize) -> (Vec<T>, usize) {
        let stride = len.next_multiple_of(LANES) + gap;
        // The last column need not be followed by a gap.
        (numbers.vec::<T>(stride * count - gap), stride)
    }

    pub(super) fn dots_columns<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, gap, omitted) in [(1, 3, 0), (2, 1, 0), (3, 0, 2), (4, 5, 1), (7, 1, 5), (10, 0, 9), (18, 0, 0)]
            {
                let x = numbers.vec::<T>(len);
                let (data, stride) = columns::<T>(numbers, len, gap, count);
                let f64s: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
                let columns = Columns::new(&data, stride, omitted);
                let mut sums = vec![0.0; count];
                (tables.columns.dots)(&x, columns, &mut sums);
                for (j, &sum) in sums.iter().enumerate() {
                    let column = data[j * stride..][..len].iter().map(|y| y.to_f64());
                    let exact = if j == omitted { (0.0, 0.0) } else { exact_dot(&f64s, column) };
                    assert_sum(sum, exact, tables.kernels.name);
                }
                let once = sums.clone();
                (tables.columns.dots)(&x, columns, &mut sums);
                assert!(sums.iter().zip(&once).all(|(twice, once)| *twice == once + once), "sums are added to");
            }
        }
    }

    pub(super) fn dots_do_not_depend_on_the_batch<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let x = numbers.vec::<T>(len);
            let (data, stride) = columns::<T>(numbers, len, 3, 8);
            let mut together = [0.0; 8];
            (tables.columns.dots)(&x, Columns::new(&data, stride, 3), &mut together);
            for (j, sum) in together.iter().enumerate().filter(|&(j, _)| j != 3) {
                // Alone, and at another address: the only one that is not omitted, followed by other numbers.
                let mut pair = vec![T::default(); 1 + stride];
                pair.extend(&data[j * stride..][..len]);
                pair.extend(numbers.vec::<T>(LANES));
                let mut alone = [0.0; 2];
                (tables.columns.dots)(&x, Columns::new(&pair[1..], stride, 0), &mut alone);
                assert_eq!((alone[0], alone[1].to_bits()), (0.0, sum.to_bits()));
            }
        }
    }

    pub(super) fn combines<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, omitted) in [(1, 0), (2, 0), (3, 1), (4, 3), (5, 0), (9, 4), (17, 8), (18, 17)] {
                let (newest, coefficients) = (numbers.vec::<T>(len), numbers.vec::<f64>(count));
                let (data, stride) = columns::<T>(numbers, len, 2, count);
                let columns = Columns::new(&data, stride, omitted);
                let (mut sum, mut native) = (scratch(len), scratch(len));
                (tables.columns.combine)(columns, &newest, &coefficients, &mut sum);
                (tables.columns.combine_native)(columns, &newest, &coefficients, &mut native);
                for i in 0..len {
                    let element = |j: usize| if j == omitted { newest[i] } else { data[j * stride + i] };
                    let exact = exact_dot(&coefficients, (0..count).map(|j| element(j).to_f64()));
                    assert_sum(sum[i], exact, tables.kernels.name);
                    let allowed = ((NATIVE_COLUMNS + 1) as f64 * T::ROUNDOFF + 1e-14) * exact.1;
                    assert!((native[i] - exact.0).abs() <= allowed, "{} {len} {count}", tables.kernels.name);
                }
            }
        }
    }

    /// The formula element by element, in the one order, with the roundings of the instruction set.
    pub(super) fn combines_one_after_another<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (newest, coefficients) = (numbers.vec::<T>(len), numbers.vec::<f64>(19));
            let (data, stride) = columns::<T>(numbers, len, 0, 19);
            let mut sum = scratch(len);
            (tables.columns.combine)(Columns::new(&data, stride, 4), &newest, &coefficients, &mut sum);
            for i in 0..len {
                let mut expected = coefficients[4] * newest[i].to_f64();
                for j in (0..19).filter(|&j| j != 4) {
                    let (a, b) = (coefficients[j], data[j * stride + i].to_f64());
                    expected =
                        if tables.kernels.name == "portable" { a * b + expected } else { a.mul_add(b, expected) };
                }
                assert_eq!(sum[i].to_bits(), expected.to_bits());
            }
        }
    }

    pub(super) fn copies_by_non_temporal_stores<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for shift in [0, 1, 4] {
                let source = numbers.vec::<T>(len);
                let mut target = vec![T::default(); len + shift + 1];
                (tables.kernels.copy_non_temporal)(&source, &mut target[shift..shift + len]);
                (tables.kernels.fence)();
                assert_eq!(bits(&source), bits(&target[shift..shift + len]));
                assert!(target[..shift].iter().chain(&target[shift + len..]).all(|&x| x == T::default()));
            }
        }
    }

    pub(super) fn adds_multiples<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, start, a) = (numbers.vec::<f64>(len), numbers.vec::<f64>(len), numbers.next());
            let mut sum = start.clone();
            (tables.kernels.axpy)(a, &x, &mut sum);
            for i in 0..len {
                assert_rounded(sum[i], start[i] + a * x[i], start[i].abs() + (a * x[i]).abs(), tables.kernels.name);
            }
        }
    }

    pub(super) fn averages<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for beta in [0.0, 0.9, 0.999] {
                let (x, start) = (numbers.vec::<f64>(len), numbers.vec::<T>(len));
                let (mut buffer, mut new) = (start.clone(), scratch(len));
                (tables.kernels.average)(&mut buffer, beta, &in_scratch(&x), &mut new);
                for i in 0..len {
                    let (old, add) = (beta * start[i].to_f64(), (1.0 - beta) * x[i]);
                    assert_rounded(new[i], old + add, old.abs() + add.abs(), tables.kernels.name);
                    assert_eq!(buffer[i], T::from_f64(new[i]));
                }
            }
        }
    }

    pub(super) fn smooths<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (beta, before, after) in [(0.0, 1.0, 1.0), (0.9, 0.3, 1.0), (0.999, -2.5, 1.7)] {
                let smoothing = Smoothing { beta, before, after };
                let (x, start, scale) = (numbers.vec::<f64>(len), numbers.vec::<T>(len), numbers.vec::<T>(len));
                for rescaled in [false, true] {
                    let smooth = |smoothing: &Smoothing| {
                        let (mut buffer, mut new) = (start.clone(), scratch(len));
                        if rescaled {
                            (tables.kernels.smooth_rescaled)(&mut buffer, smoothing, &scale, &in_scratch(&x), &mut new);
                        } else {
                            (tables.kernels.smooth)(&mut buffer, smoothing, &in_scratch(&x), &mut new);
                        }
                        (buffer, new)
                    };
                    let ((buffer, new), (_, kept)) =
                        (smooth(&smoothing), smooth(&Smoothing { after: 1.0, ..smoothing }));
                    for i in 0..len {
                        let taken = if rescaled { before * (scale[i].to_f64() * x[i]) } else { before * x[i] };
                        let (old, add) = (beta * start[i].to_f64(), (1.0 - beta) * taken);
                        assert_rounded(kept[i], old + add, old.abs() + add.abs(), tables.kernels.name);
                        assert_eq!(
                            buffer[i],
                            T::from_f64(kept[i]),
                            "{}: not multiplied by `after`",
                            tables.kernels.name
                        );
                        assert_eq!(new[i].to_bits(), (after * kept[i]).to_bits(), "{}", tables.kernels.name);
                    }
                }
            }
        }
    }

    pub(super) fn multiplies_by_a_factor<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (start, factor) = (numbers.vec::<f64>(len), numbers.next());
            let mut sum = start.clone();
            (tables.kernels.multiply_by)(factor, &mut sum);
            let expected: Vec<f64> = start.iter().map(|x| factor * x).collect();
            assert_eq!(bits(&sum), bits(&expected), "{}", tables.kernels.name);
        }
    }

    pub(super) fn applies_updates<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (keep, rate) in [(1.0, 0.01), (0.999, 3.7), (1.0, 0.0)] {
                let (start, direction) = (numbers.vec::<T>(len), numbers.vec::<f64>(len));
                let mut params = start.clone();
                (tables.kernels.apply_update)(&mut params, keep, rate, &in_scratch(&direction));
                for i in 0..len {
                    let (kept, moved) = (keep * start[i].to_f64(), rate * direction[i]);
                    assert_rounded(params[i], kept - moved, kept.abs() + moved.abs(), tables.kernels.name);
                }
                if rate == 0.0 {
                    assert_eq!(bits(&params), bits(&start));
                }
            }
        }
    }

    pub(super) fn rounds<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (source, scale) = (numbers.vec::<f64>(len), numbers.next());
            let mut target = vec![T::default(); len];
            (tables.kernels.round)(&in_scratch(&source), scale, &mut target);
            let expected: Vec<T> = source.iter().map(|&x| T::from_f64(scale * x)).collect();
            assert_eq!(bits(&target), bits(&expected));
        }
    }

    /// Whole slices against slices of one element, which are all padding but one.
    pub(super) fn elements_do_not_depend_on_their_place<T: Element>(tables: &Tables<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, y) = (in_scratch(&numbers.vec::<f64>(len)), numbers.vec::<f64>(len));
            let (p, c) = (numbers.vec::<T>(len), numbers.vec::<f64>(5));
            let (mut data, stride) = columns::<T>(numbers, len, 0, 5);
            data.extend(numbers.vec::<T>(LANES));
            let at = |i: usize| Columns::new(&data[i..], stride, 2);

            let (mut sum, mut native_sum, mut axpy) = (scratch(len), scratch(len), y.clone());
            let (mut average, mut new, mut apply_update, mut native) = (p.clone(), scratch(len), p.clone(), p.clone());
            (tables.columns.combine)(at(0), &p, &c, &mut sum);
            (tables.columns.combine_native)(at(0), &p, &c, &mut native_sum);
            (tables.kernels.axpy)(0.3, &x[..len], &mut axpy);
            (tables.kernels.average)(&mut average, 0.7, &x, &mut new);
            (tables.kernels.apply_update)(&mut apply_update, 0.99, 0.3, &x);
            (tables.kernels.round)(&x, 0.3, &mut native);
            for i in 0..len {
                let one = i..i + 1;
                let (mut scratch, mut element) = ([f64::NAN; LANES], [p[i]]);
                (tables.columns.combine)(at(i), &p[one.clone()], &c, &mut scratch);
                assert_eq!(scratch[0].to_bits(), sum[i].to_bits());
                (tables.columns.combine_native)(at(i), &p[one.clone()], &c, &mut scratch);
                assert_eq!(scratch[0].to_bits(), native_sum[i].to_bits());
                let mut number = [y[i]];
                (tables.kernels.axpy)(0.3, &x[one.clone()], &mut number);
                assert_eq!(bits(&number), bits(&axpy[one.clone()]));
                let mut given = [f64::NAN; LANES];
                given[0] = x[i];
                (tables.kernels.average)(&mut element, 0.7, &given, &mut scratch);
                assert_eq!((bits(&element), scratch[0].to_bits()), (bits(&average[one.clone()]), new[i].to_bits()));
                element = [p[i]];
                (tables.kernels.apply_update)(&mut element, 0.99, 0.3, &given);
                assert_eq!(bits(&element), bits(&apply_update[one.clone()]));
                (tables.kernels.round)(&given, 0.3, &mut element);
                assert_eq!(bits(&element), bits(&native[one]));
            }
        }
    }

    pub(super) fn refuses_lengths_that_do_not_fit<T: Element>(tables: &Tables<T>, _: &mut Numbers) {
        let (x, data) = ([T::default(); 9], [T::default(); 48]);
        let (c, nine) = ([1.0; 4], [1.0; 9]);
        let refused = |call: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        let of = |len: usize, stride, omitted| Columns::new(&data[..len], stride, omitted);
        (tables.columns.dots)(&x, of(48, 16, 0), &mut [0.0; 3]);
        refused(&mut || (tables.columns.dots)(&x, of(47, 16, 0), &mut [0.0; 3]));
        refused(&mut || (tables.columns.dots)(&x, of(48, 15, 0), &mut [0.0; 3]));
        refused(&mut || (tables.columns.dots)(&x, of(48, usize::MAX / 2 + 5, 0), &mut [0.0; 3]));
        refused(&mut || (tables.columns.dots)(&x, of(48, 16, 3), &mut [0.0; 3]));
        refused(&mut || (tables.columns.dots)(&x, of(48, 16, 0), &mut []));
        for combine in [tables.columns.combine, tables.columns.combine_native] {
            combine(of(48, 16, 0), &x, &c[..3], &mut [0.0; 16]);
            refused(&mut || combine(of(48, 16, 0), &x, &c, &mut [0.0; 16]));
            refused(&mut || combine(of(48, 16, 3), &x, &c[..3], &mut [0.0; 16]));
            refused(&mut || combine(of(48, 16, 0), &x, &c[..3], &mut [0.0; 15]));
        }
        refused(&mut || (tables.kernels.copy_non_temporal)(&x, &mut [T::default(); 10]));
        refused(&mut || assert!((tables.kernels.dot)(&x, &x[1..]).is_finite()));
        refused(&mut || (tables.kernels.axpy)(1.0, &nine, &mut [0.0; 10]));
        refused(&mut || (tables.kernels.widen)(&x, &mut [0.0; 15]));
        refused(&mut || (tables.kernels.average)(&mut [T::default(); 9], 0.5, &nine, &mut [0.0; 16]));
        refused(&mut || (tables.kernels.average)(&mut [T::default(); 9], 0.5, &[0.0; 16], &mut [0.0; 9]));
        let (at, mut new) = (Smoothing { beta: 0.5, before: 1.0, after: 1.0 }, [0.0; 16]);
        refused(&mut || (tables.kernels.smooth)(&mut [T::default(); 9], &at, &nine, &mut [0.0; 16]));
        refused(&mut || (tables.kernels.smooth)(&mut [T::default(); 9], &at, &[0.0; 16], &mut [0.0; 9]));
        refused(&mut || (tables.kernels.smooth_rescaled)(&mut [T::default(); 9], &at, &x[1..], &[0.0; 16], &mut new));
        refused(&mut || (tables.kernels.apply_update)(&mut [T::default(); 9], 1.0, 0.5, &nine));
        refused(&mut || (tables.kernels.round)(&nine, 1.0, &mut [T::default(); 9]));
    }
}

/// Products of widened 32-bit numbers are exact, so that all machines sum them to the same bits.
#[test]
fn all_instruction_sets_agree_on_f32() {
    let mut numbers = Numbers(3);
    let names: Vec<_> = Kernels::<f32>::available().map(|kernels| kernels.name).collect();
    println!("instruction sets tested: {names:?}");
    assert_eq!(names.last(), Some(&"portable"));
    for len in lengths() {
        let stride = len.next_multiple_of(LANES);
        let (x, data) = (numbers.vec::<f32>(len), numbers.vec::<f32>(stride * 6));
        let sums = tables!(f32).map(|tables| {
            let mut sums = vec![0.0; 6];
            (tables.columns.dots)(&x, Columns::new(&data, stride, 4), &mut sums);
            sums.push((tables.kernels.dot)(&x, &x));
            bits(&sums)
        });
        let all: Vec<_> = sums.collect();
        assert!(all.iter().all(|sums| *sums == all[0]));
    }
}

#[test]
fn the_best_kernels_are_chosen() {
    assert!(core::ptr::eq(f32::kernels(), Kernels::<f32>::available().next().unwrap()));
    assert!(core::ptr::eq(f64::kernels(), Kernels::<f64>::available().next().unwrap()));
    assert_eq!((f32::DTYPE, f64::DTYPE), (Dtype::F32, Dtype::F64));
    assert_eq!((f32::MAX.to_f64(), f64::from_f64(f64::MAX)), (<f32 as Element>::LARGEST, <f64 as Element>::LARGEST));
}
