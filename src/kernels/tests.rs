//! Every table that this machine can run, against sums without rounding errors and formulas one element at a time.

use super::*;

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

/// Runs `$test::<f32>` and `$test::<f64>` with each table.
macro_rules! for_all_tables {
    ($($test:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                for kernels in f32::available() {
                    checks::$test(kernels, &mut Numbers(1));
                }
                for kernels in f64::available() {
                    checks::$test(kernels, &mut Numbers(2));
                }
            }
        )*
    };
}

for_all_tables!(
    widens_and_squares,
    dots_two_vectors,
    dots_columns,
    dots_do_not_depend_on_the_group,
    combines,
    combines_one_after_another,
    scales,
    streams,
    adds_multiples,
    averages,
    descends,
    narrows,
    elements_do_not_depend_on_their_place,
    refuses_lengths_that_do_not_fit,
);

mod checks {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    pub(super) fn widens_and_squares<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let mut source = numbers.vec::<T>(len);
            let mut target = vec![f64::NAN; len];
            let squares = (kernels.widen)(&source, &mut target);
            assert_eq!(bits(&source), bits(&target));
            assert_sum(squares, exact_dot(&target, target.iter().copied()), kernels.name);
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for place in [0, len / 2, len.saturating_sub(1)] {
                    let Some(&good) = source.get(place) else { continue };
                    source[place] = T::from_f64(bad);
                    assert!(!(kernels.widen)(&source, &mut target).is_finite());
                    assert!(target[place] == bad || bad.is_nan() && target[place].is_nan());
                    source[place] = good;
                }
            }
        }
    }

    pub(super) fn dots_two_vectors<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, y) = (numbers.vec::<f64>(len), numbers.vec::<f64>(len));
            assert_sum((kernels.dot)(&x, &y), exact_dot(&x, y.iter().copied()), kernels.name);
        }
    }

    pub(super) fn dots_columns<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, gap, omitted) in [(1, 3, 0), (2, 1, 0), (3, 0, 2), (4, 5, 1), (7, 1, 5), (10, 0, 9), (11, 0, 0)]
            {
                let stride = len + gap;
                let (x, columns) = (numbers.vec::<f64>(len), numbers.vec::<T>(stride * count));
                // The last column need not be followed by a gap.
                let used = Columns { data: &columns[..columns.len() - gap], stride, omitted, ahead: true };
                let mut sums = vec![0.0; count];
                (kernels.dots)(&x, used, &mut sums);
                for (j, &sum) in sums.iter().enumerate() {
                    let column = columns[j * stride..][..len].iter().map(|y| y.to_f64());
                    let exact = if j == omitted { (0.0, 0.0) } else { exact_dot(&x, column) };
                    assert_sum(sum, exact, kernels.name);
                }
                let once = sums.clone();
                (kernels.dots)(&x, used, &mut sums);
                assert!(sums.iter().zip(&once).all(|(twice, once)| *twice == once + once), "sums are added to");
            }
        }
    }

    pub(super) fn dots_do_not_depend_on_the_group<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let stride = len + 3;
            let (x, columns) = (numbers.vec::<f64>(len), numbers.vec::<T>(stride * 7 + 1));
            let mut together = [0.0; 7];
            (kernels.dots)(&x, Columns { data: &columns, stride, omitted: 3, ahead: true }, &mut together);
            for (j, sum) in together.iter().enumerate().filter(|&(j, _)| j != 3) {
                // Alone, and at another address: the only one that is not omitted.
                let moved: Vec<T> = [T::default()].into_iter().chain(columns[j * stride..][..len].to_vec()).collect();
                let twice: Vec<T> = moved.iter().chain(&moved[1..]).copied().collect();
                let mut alone = [0.0; 2];
                (kernels.dots)(&x, Columns { data: &twice[1..], stride: len, omitted: 0, ahead: true }, &mut alone);
                assert_eq!((alone[0], alone[1].to_bits()), (0.0, sum.to_bits()));
            }
        }
    }

    pub(super) fn combines<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, omitted) in [(1, 0), (2, 0), (3, 1), (4, 3), (5, 0), (9, 4), (17, 8), (18, 17)] {
                let stride = len + 2;
                let data = &numbers.vec::<T>(stride * count)[..];
                let (mut coefficients, start) = (numbers.vec::<f64>(count), numbers.vec::<f64>(len));
                let columns = Columns { data, stride, omitted, ahead: true };
                let (mut sum, mut narrow) = (start.clone(), start.clone());
                (kernels.combine)(columns, &coefficients, &mut sum);
                (kernels.combine_narrow)(columns, &coefficients, &mut narrow);
                coefficients[omitted] = 0.0;
                for i in 0..len {
                    let row = (0..count).map(|j| data[j * stride + i].to_f64());
                    let (dot, magnitude) = exact_dot(&coefficients, row);
                    assert_sum(sum[i], (start[i] + dot, start[i].abs() + magnitude), kernels.name);
                    let allowed = (NARROW_GROUP + 1) as f64 * T::UNIT * magnitude + 1e-14 * start[i].abs();
                    assert!((narrow[i] - start[i] - dot).abs() <= allowed, "{} {len} {count}", kernels.name);
                }
            }
        }
    }

    pub(super) fn combines_one_after_another<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (data, coefficients) = (&numbers.vec::<T>(len * 12)[..], numbers.vec::<f64>(12));
            let mut sum = numbers.vec::<f64>(len);
            let mut stepwise = sum.clone();
            (kernels.combine)(Columns { data, stride: len, omitted: 0, ahead: true }, &coefficients, &mut sum);
            for j in 1..12 {
                let pair = Columns { data: &data[(j - 1) * len..], stride: len, omitted: 0, ahead: true };
                (kernels.combine)(pair, &coefficients[j - 1..=j], &mut stepwise);
            }
            // What is between two groups is kept to the last bit.
            assert_eq!(bits(&sum), bits(&stepwise));
        }
    }

    pub(super) fn scales<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (source, factor) = (numbers.vec::<T>(len), numbers.next());
            let mut target = vec![f64::NAN; len];
            (kernels.scale)(&source, factor, &mut target);
            let expected: Vec<f64> = source.iter().map(|x| x.to_f64() * factor).collect();
            assert_eq!(bits(&target), bits(&expected));
        }
    }

    pub(super) fn streams<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for shift in [0, 1, 4] {
                let source = numbers.vec::<T>(len);
                let mut target = vec![T::default(); len + shift + 1];
                (kernels.stream)(&source, &mut target[shift..shift + len]);
                (kernels.settle)();
                assert_eq!(bits(&source), bits(&target[shift..shift + len]));
                assert!(target[..shift].iter().chain(&target[shift + len..]).all(|&x| x == T::default()));
            }
        }
    }

    pub(super) fn adds_multiples<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, start, a) = (numbers.vec::<f64>(len), numbers.vec::<f64>(len), numbers.next());
            let mut sum = start.clone();
            (kernels.axpy)(a, &x, &mut sum);
            for i in 0..len {
                assert_rounded(sum[i], start[i] + a * x[i], start[i].abs() + (a * x[i]).abs(), kernels.name);
            }
        }
    }

    pub(super) fn averages<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for beta in [0.0, 0.9, 0.999] {
                let (x, start) = (numbers.vec::<f64>(len), numbers.vec::<T>(len));
                let (mut buffer, mut new) = (start.clone(), vec![f64::NAN; len]);
                (kernels.average)(&mut buffer, beta, &x, &mut new);
                for i in 0..len {
                    let (old, add) = (beta * start[i].to_f64(), (1.0 - beta) * x[i]);
                    assert_rounded(new[i], old + add, old.abs() + add.abs(), kernels.name);
                    assert_eq!(buffer[i], T::from_f64(new[i]));
                }
            }
        }
    }

    pub(super) fn descends<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (keep, rate) in [(1.0, 0.01), (0.999, 3.7), (1.0, 0.0)] {
                let (start, direction) = (numbers.vec::<T>(len), numbers.vec::<f64>(len));
                let mut params = start.clone();
                (kernels.descend)(&mut params, keep, rate, &direction);
                for i in 0..len {
                    let (kept, moved) = (keep * start[i].to_f64(), rate * direction[i]);
                    assert_rounded(params[i], kept - moved, kept.abs() + moved.abs(), kernels.name);
                }
                if rate == 0.0 {
                    assert_eq!(bits(&params), bits(&start));
                }
            }
        }
    }

    pub(super) fn narrows<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (source, scale) = (numbers.vec::<f64>(len), numbers.next());
            let mut target = vec![T::default(); len];
            (kernels.narrow)(&source, scale, &mut target);
            let expected: Vec<T> = source.iter().map(|&x| T::from_f64(scale * x)).collect();
            assert_eq!(bits(&target), bits(&expected));
        }
    }

    /// Whole slices against slices of one element, which are all padding but one.
    pub(super) fn elements_do_not_depend_on_their_place<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, y) = (numbers.vec::<f64>(len), numbers.vec::<f64>(len));
            let (p, columns) = (numbers.vec::<T>(len), numbers.vec::<T>(len * 5));
            let c = numbers.vec::<f64>(5);

            let (mut sum, mut axpy, mut average) = (y.clone(), y.clone(), (p.clone(), y.clone()));
            let (mut descend, mut narrow, mut wide) = (p.clone(), p.clone(), y.clone());
            let at = |i: usize| Columns { data: &columns[i..], stride: len, omitted: 2, ahead: true };
            let mut narrow_sum = y.clone();
            (kernels.combine)(at(0), &c, &mut sum);
            (kernels.combine_narrow)(at(0), &c, &mut narrow_sum);
            (kernels.axpy)(0.3, &x, &mut axpy);
            (kernels.average)(&mut average.0, 0.7, &x, &mut average.1);
            (kernels.descend)(&mut descend, 0.99, 0.3, &x);
            (kernels.narrow)(&x, 0.3, &mut narrow);
            (kernels.widen)(&p, &mut wide);
            for i in 0..len {
                let one = i..i + 1;
                let (mut new, mut element) = ([y[i]], [p[i]]);
                (kernels.combine)(at(i), &c, &mut new);
                assert_eq!(bits(&new), bits(&sum[one.clone()]));
                new = [y[i]];
                (kernels.combine_narrow)(at(i), &c, &mut new);
                assert_eq!(bits(&new), bits(&narrow_sum[one.clone()]));
                new = [y[i]];
                (kernels.axpy)(0.3, &x[one.clone()], &mut new);
                assert_eq!(bits(&new), bits(&axpy[one.clone()]));
                (kernels.average)(&mut element, 0.7, &x[one.clone()], &mut new);
                assert_eq!(bits(&element), bits(&average.0[one.clone()]));
                assert_eq!(bits(&new), bits(&average.1[one.clone()]));
                element = [p[i]];
                (kernels.descend)(&mut element, 0.99, 0.3, &x[one.clone()]);
                assert_eq!(bits(&element), bits(&descend[one.clone()]));
                (kernels.narrow)(&x[one.clone()], 0.3, &mut element);
                assert_eq!(bits(&element), bits(&narrow[one.clone()]));
                (kernels.widen)(&p[one.clone()], &mut new);
                assert_eq!(bits(&new), bits(&wide[one]));
            }
        }
    }

    pub(super) fn refuses_lengths_that_do_not_fit<T: Element>(kernels: &Kernels<T>, _: &mut Numbers) {
        let (x, columns) = ([1.0; 9], [T::default(); 27]);
        let refused = |call: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        let of = |len: usize, stride, omitted| Columns { data: &columns[..len], stride, omitted, ahead: true };
        refused(&mut || (kernels.dots)(&x, of(26, 9, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(27, 8, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(27, usize::MAX / 2 + 5, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(27, 9, 3), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(27, 9, 0), &mut []));
        for combine in [kernels.combine, kernels.combine_narrow] {
            refused(&mut || combine(of(27, 9, 0), &x[..4], &mut [0.0; 9]));
            refused(&mut || combine(of(27, 9, 3), &x[..3], &mut [0.0; 9]));
        }
        refused(&mut || (kernels.scale)(&columns, 1.0, &mut [0.0; 26]));
        refused(&mut || (kernels.stream)(&columns, &mut [T::default(); 28]));
        refused(&mut || assert!((kernels.dot)(&x, &x[1..]).is_finite()));
        refused(&mut || (kernels.axpy)(1.0, &x, &mut [0.0; 10]));
        refused(&mut || assert!((kernels.widen)(&columns, &mut [0.0; 26]).is_finite()));
        refused(&mut || (kernels.average)(&mut [T::default(); 9], 0.5, &x, &mut [0.0; 8]));
        refused(&mut || (kernels.descend)(&mut [T::default(); 8], 1.0, 0.5, &x));
        refused(&mut || (kernels.narrow)(&x, 1.0, &mut [T::default(); 10]));
    }
}

/// Products of widened 32-bit numbers are exact, so that all machines sum them to the same bits.
#[test]
fn all_instruction_sets_agree_on_f32() {
    let mut numbers = Numbers(3);
    let names: Vec<_> = f32::available().map(|kernels| kernels.name).collect();
    println!("instruction sets tested: {names:?}");
    assert_eq!(names.last(), Some(&"portable"));
    for len in lengths() {
        let (x, columns) = (numbers.vec::<f32>(len), numbers.vec::<f32>(len * 6));
        let sums = f32::available().map(|kernels| {
            let (mut wide, mut sums) = (vec![0.0; len], vec![0.0; 6]);
            let squares = (kernels.widen)(&x, &mut wide);
            (kernels.dots)(&wide, Columns { data: &columns, stride: len, omitted: 4, ahead: true }, &mut sums);
            sums.push(squares);
            sums.push((kernels.dot)(&wide, &wide));
            bits(&sums)
        });
        let all: Vec<_> = sums.collect();
        assert!(all.iter().all(|sums| *sums == all[0]));
        assert_eq!(all[0][6], all[0][7]);
    }
}

#[test]
fn the_best_loops_are_chosen() {
    assert!(core::ptr::eq(f32::kernels(), f32::available().next().unwrap()));
    assert!(core::ptr::eq(f64::kernels(), f64::available().next().unwrap()));
    assert_eq!((f32::DTYPE, f64::DTYPE), (Dtype::F32, Dtype::F64));
    assert_eq!((f32::MAX.to_f64(), f64::from_f64(f64::MAX)), (<f32 as Element>::LARGEST, <f64 as Element>::LARGEST));
}
