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
    widens,
    dots_two_vectors,
    dots_columns,
    dots_do_not_depend_on_the_group,
    combines,
    combines_one_after_another,
    streams,
    adds_multiples,
    averages,
    smooths,
    scales,
    descends,
    narrows,
    elements_do_not_depend_on_their_place,
    refuses_lengths_that_do_not_fit,
);

mod checks {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A room for so many numbers, with something in it that does not belong there.
    fn room(len: usize) -> Vec<f64> {
        vec![f64::NAN; len.next_multiple_of(BLOCK)]
    }

    /// `values`, as much room as they need in whole blocks.
    fn in_room(values: &[f64]) -> Vec<f64> {
        let mut room = room(values.len());
        room[..values.len()].copy_from_slice(values);
        room
    }

    pub(super) fn widens<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (source, mut target) = (numbers.vec::<T>(len), room(len));
            (kernels.widen)(&source, &mut target);
            assert_eq!(bits(&source), bits(&target[..len]));
            assert!(target[len..].iter().all(|&x| x == 0.0));
        }
    }

    pub(super) fn dots_two_vectors<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (mut x, y) = (numbers.vec::<T>(len), numbers.vec::<T>(len));
            let wide: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
            assert_sum((kernels.dot)(&x, &y), exact_dot(&wide, y.iter().map(|y| y.to_f64())), kernels.name);
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for place in [0, len / 2, len.saturating_sub(1)] {
                    let Some(&good) = x.get(place) else { continue };
                    x[place] = T::from_f64(bad);
                    assert!(!(kernels.dot)(&x, &x).is_finite());
                    x[place] = good;
                }
            }
        }
    }

    /// `count` columns of `len` elements at a stride, each as many whole blocks, with elements between them.
    fn columns<T: Element>(numbers: &mut Numbers, len: usize, gap: usize, count: usize) -> (Vec<T>, usize) {
        let stride = len.next_multiple_of(BLOCK) + gap;
        // The last column need not be followed by a gap.
        (numbers.vec::<T>(stride * count - gap), stride)
    }

    pub(super) fn dots_columns<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, gap, omitted) in [(1, 3, 0), (2, 1, 0), (3, 0, 2), (4, 5, 1), (7, 1, 5), (10, 0, 9), (18, 0, 0)]
            {
                let x = numbers.vec::<T>(len);
                let (data, stride) = columns::<T>(numbers, len, gap, count);
                let wide: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
                let columns = Columns::new(&data, stride, omitted);
                let mut sums = vec![0.0; count];
                (kernels.dots)(&x, columns, &mut sums);
                for (j, &sum) in sums.iter().enumerate() {
                    let column = data[j * stride..][..len].iter().map(|y| y.to_f64());
                    let exact = if j == omitted { (0.0, 0.0) } else { exact_dot(&wide, column) };
                    assert_sum(sum, exact, kernels.name);
                }
                let once = sums.clone();
                (kernels.dots)(&x, columns, &mut sums);
                assert!(sums.iter().zip(&once).all(|(twice, once)| *twice == once + once), "sums are added to");
            }
        }
    }

    pub(super) fn dots_do_not_depend_on_the_group<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let x = numbers.vec::<T>(len);
            let (data, stride) = columns::<T>(numbers, len, 3, 8);
            let mut together = [0.0; 8];
            (kernels.dots)(&x, Columns::new(&data, stride, 3), &mut together);
            for (j, sum) in together.iter().enumerate().filter(|&(j, _)| j != 3) {
                // Alone, and at another address: the only one that is not omitted, followed by other numbers.
                let mut pair = vec![T::default(); 1 + stride];
                pair.extend(&data[j * stride..][..len]);
                pair.extend(numbers.vec::<T>(BLOCK));
                let mut alone = [0.0; 2];
                (kernels.dots)(&x, Columns::new(&pair[1..], stride, 0), &mut alone);
                assert_eq!((alone[0], alone[1].to_bits()), (0.0, sum.to_bits()));
            }
        }
    }

    pub(super) fn combines<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (count, omitted) in [(1, 0), (2, 0), (3, 1), (4, 3), (5, 0), (9, 4), (17, 8), (18, 17)] {
                let (newest, coefficients) = (numbers.vec::<T>(len), numbers.vec::<f64>(count));
                let (data, stride) = columns::<T>(numbers, len, 2, count);
                let columns = Columns::new(&data, stride, omitted);
                let (mut sum, mut narrow) = (room(len), room(len));
                (kernels.combine)(columns, &newest, &coefficients, &mut sum);
                (kernels.combine_narrow)(columns, &newest, &coefficients, &mut narrow);
                for i in 0..len {
                    let element = |j: usize| if j == omitted { newest[i] } else { data[j * stride + i] };
                    let exact = exact_dot(&coefficients, (0..count).map(|j| element(j).to_f64()));
                    assert_sum(sum[i], exact, kernels.name);
                    let allowed = ((NARROW_GROUP + 1) as f64 * T::ROUNDOFF + 1e-14) * exact.1;
                    assert!((narrow[i] - exact.0).abs() <= allowed, "{} {len} {count}", kernels.name);
                }
            }
        }
    }

    /// The formula element by element, in the one order, with the roundings of the instruction set.
    pub(super) fn combines_one_after_another<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (newest, coefficients) = (numbers.vec::<T>(len), numbers.vec::<f64>(19));
            let (data, stride) = columns::<T>(numbers, len, 0, 19);
            let mut sum = room(len);
            (kernels.combine)(Columns::new(&data, stride, 4), &newest, &coefficients, &mut sum);
            for i in 0..len {
                let mut expected = coefficients[4] * newest[i].to_f64();
                for j in (0..19).filter(|&j| j != 4) {
                    let (a, b) = (coefficients[j], data[j * stride + i].to_f64());
                    expected = if kernels.name == "portable" { a * b + expected } else { a.mul_add(b, expected) };
                }
                assert_eq!(sum[i].to_bits(), expected.to_bits());
            }
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
                let (mut buffer, mut new) = (start.clone(), room(len));
                (kernels.average)(&mut buffer, beta, &in_room(&x), &mut new);
                for i in 0..len {
                    let (old, add) = (beta * start[i].to_f64(), (1.0 - beta) * x[i]);
                    assert_rounded(new[i], old + add, old.abs() + add.abs(), kernels.name);
                    assert_eq!(buffer[i], T::from_f64(new[i]));
                }
            }
        }
    }

    pub(super) fn smooths<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (beta, before, after) in [(0.0, 1.0, 1.0), (0.9, 0.3, 1.0), (0.999, -2.5, 1.7)] {
                let smoothing = Smoothing { beta, before, after };
                let (x, start, scale) = (numbers.vec::<f64>(len), numbers.vec::<T>(len), numbers.vec::<T>(len));
                for magnified in [false, true] {
                    let smooth = |smoothing: &Smoothing| {
                        let (mut buffer, mut new) = (start.clone(), room(len));
                        if magnified {
                            (kernels.smooth_magnified)(&mut buffer, smoothing, &scale, &in_room(&x), &mut new);
                        } else {
                            (kernels.smooth)(&mut buffer, smoothing, &in_room(&x), &mut new);
                        }
                        (buffer, new)
                    };
                    let ((buffer, new), (_, kept)) =
                        (smooth(&smoothing), smooth(&Smoothing { after: 1.0, ..smoothing }));
                    for i in 0..len {
                        let taken = if magnified { before * (scale[i].to_f64() * x[i]) } else { before * x[i] };
                        let (old, add) = (beta * start[i].to_f64(), (1.0 - beta) * taken);
                        assert_rounded(kept[i], old + add, old.abs() + add.abs(), kernels.name);
                        assert_eq!(buffer[i], T::from_f64(kept[i]), "{}: not multiplied by `after`", kernels.name);
                        assert_eq!(new[i].to_bits(), (after * kept[i]).to_bits(), "{}", kernels.name);
                    }
                }
            }
        }
    }

    pub(super) fn scales<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (start, factor) = (numbers.vec::<f64>(len), numbers.next());
            let mut sum = start.clone();
            (kernels.scale)(factor, &mut sum);
            let expected: Vec<f64> = start.iter().map(|x| factor * x).collect();
            assert_eq!(bits(&sum), bits(&expected), "{}", kernels.name);
        }
    }

    pub(super) fn descends<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            for (keep, rate) in [(1.0, 0.01), (0.999, 3.7), (1.0, 0.0)] {
                let (start, direction) = (numbers.vec::<T>(len), numbers.vec::<f64>(len));
                let mut params = start.clone();
                (kernels.descend)(&mut params, keep, rate, &in_room(&direction));
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
            (kernels.narrow)(&in_room(&source), scale, &mut target);
            let expected: Vec<T> = source.iter().map(|&x| T::from_f64(scale * x)).collect();
            assert_eq!(bits(&target), bits(&expected));
        }
    }

    /// Whole slices against slices of one element, which are all padding but one.
    pub(super) fn elements_do_not_depend_on_their_place<T: Element>(kernels: &Kernels<T>, numbers: &mut Numbers) {
        for len in lengths() {
            let (x, y) = (in_room(&numbers.vec::<f64>(len)), numbers.vec::<f64>(len));
            let (p, c) = (numbers.vec::<T>(len), numbers.vec::<f64>(5));
            let (mut data, stride) = columns::<T>(numbers, len, 0, 5);
            data.extend(numbers.vec::<T>(BLOCK));
            let at = |i: usize| Columns::new(&data[i..], stride, 2);

            let (mut sum, mut narrow_sum, mut axpy) = (room(len), room(len), y.clone());
            let (mut average, mut new, mut descend, mut narrow) = (p.clone(), room(len), p.clone(), p.clone());
            (kernels.combine)(at(0), &p, &c, &mut sum);
            (kernels.combine_narrow)(at(0), &p, &c, &mut narrow_sum);
            (kernels.axpy)(0.3, &x[..len], &mut axpy);
            (kernels.average)(&mut average, 0.7, &x, &mut new);
            (kernels.descend)(&mut descend, 0.99, 0.3, &x);
            (kernels.narrow)(&x, 0.3, &mut narrow);
            for i in 0..len {
                let one = i..i + 1;
                let (mut room, mut element) = ([f64::NAN; BLOCK], [p[i]]);
                (kernels.combine)(at(i), &p[one.clone()], &c, &mut room);
                assert_eq!(room[0].to_bits(), sum[i].to_bits());
                (kernels.combine_narrow)(at(i), &p[one.clone()], &c, &mut room);
                assert_eq!(room[0].to_bits(), narrow_sum[i].to_bits());
                let mut number = [y[i]];
                (kernels.axpy)(0.3, &x[one.clone()], &mut number);
                assert_eq!(bits(&number), bits(&axpy[one.clone()]));
                let mut given = [f64::NAN; BLOCK];
                given[0] = x[i];
                (kernels.average)(&mut element, 0.7, &given, &mut room);
                assert_eq!((bits(&element), room[0].to_bits()), (bits(&average[one.clone()]), new[i].to_bits()));
                element = [p[i]];
                (kernels.descend)(&mut element, 0.99, 0.3, &given);
                assert_eq!(bits(&element), bits(&descend[one.clone()]));
                (kernels.narrow)(&given, 0.3, &mut element);
                assert_eq!(bits(&element), bits(&narrow[one]));
            }
        }
    }

    pub(super) fn refuses_lengths_that_do_not_fit<T: Element>(kernels: &Kernels<T>, _: &mut Numbers) {
        let (x, data) = ([T::default(); 9], [T::default(); 48]);
        let (c, nine) = ([1.0; 4], [1.0; 9]);
        let refused = |call: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        let of = |len: usize, stride, omitted| Columns::new(&data[..len], stride, omitted);
        (kernels.dots)(&x, of(48, 16, 0), &mut [0.0; 3]);
        refused(&mut || (kernels.dots)(&x, of(47, 16, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(48, 15, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(48, usize::MAX / 2 + 5, 0), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(48, 16, 3), &mut [0.0; 3]));
        refused(&mut || (kernels.dots)(&x, of(48, 16, 0), &mut []));
        for combine in [kernels.combine, kernels.combine_narrow] {
            combine(of(48, 16, 0), &x, &c[..3], &mut [0.0; 16]);
            refused(&mut || combine(of(48, 16, 0), &x, &c, &mut [0.0; 16]));
            refused(&mut || combine(of(48, 16, 3), &x, &c[..3], &mut [0.0; 16]));
            refused(&mut || combine(of(48, 16, 0), &x, &c[..3], &mut [0.0; 15]));
        }
        refused(&mut || (kernels.stream)(&x, &mut [T::default(); 10]));
        refused(&mut || assert!((kernels.dot)(&x, &x[1..]).is_finite()));
        refused(&mut || (kernels.axpy)(1.0, &nine, &mut [0.0; 10]));
        refused(&mut || (kernels.widen)(&x, &mut [0.0; 15]));
        refused(&mut || (kernels.average)(&mut [T::default(); 9], 0.5, &nine, &mut [0.0; 16]));
        refused(&mut || (kernels.average)(&mut [T::default(); 9], 0.5, &[0.0; 16], &mut [0.0; 9]));
        let (at, mut new) = (Smoothing { beta: 0.5, before: 1.0, after: 1.0 }, [0.0; 16]);
        refused(&mut || (kernels.smooth)(&mut [T::default(); 9], &at, &nine, &mut [0.0; 16]));
        refused(&mut || (kernels.smooth)(&mut [T::default(); 9], &at, &[0.0; 16], &mut [0.0; 9]));
        refused(&mut || (kernels.smooth_magnified)(&mut [T::default(); 9], &at, &x[1..], &[0.0; 16], &mut new));
        refused(&mut || (kernels.descend)(&mut [T::default(); 9], 1.0, 0.5, &nine));
        refused(&mut || (kernels.narrow)(&nine, 1.0, &mut [T::default(); 9]));
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
        let stride = len.next_multiple_of(BLOCK);
        let (x, data) = (numbers.vec::<f32>(len), numbers.vec::<f32>(stride * 6));
        let sums = f32::available().map(|kernels| {
            let mut sums = vec![0.0; 6];
            (kernels.dots)(&x, Columns::new(&data, stride, 4), &mut sums);
            sums.push((kernels.dot)(&x, &x));
            bits(&sums)
        });
        let all: Vec<_> = sums.collect();
        assert!(all.iter().all(|sums| *sums == all[0]));
    }
}

#[test]
fn the_best_loops_are_chosen() {
    assert!(core::ptr::eq(f32::kernels(), f32::available().next().unwrap()));
    assert!(core::ptr::eq(f64::kernels(), f64::available().next().unwrap()));
    assert_eq!((f32::DTYPE, f64::DTYPE), (Dtype::F32, Dtype::F64));
    assert_eq!((f32::MAX.to_f64(), f64::from_f64(f64::MAX)), (<f32 as Element>::LARGEST, <f64 as Element>::LARGEST));
}
