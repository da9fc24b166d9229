//! Every table that this machine can run against the formula, one element at a time, in f64, over the range of the
//! type.

use super::super::diagonal::DiagonalSums;
use super::*;

/// Numbers of both signs and of every order of magnitude, zeros and the ends of the range among them.
fn numbers<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let most = T::LARGEST.log10().floor();
    let mut x = seed;
    let mut draw = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 11) as f64 / (1_u64 << 53) as f64
    };
    let any = (0..count).map(|i| match i % 17 {
        0 => 0.0,
        1 => T::LARGEST,
        2 => 10f64.powf(-most),
        _ => (draw() - 0.5) * 10f64.powf((2.0 * draw() - 1.0) * (most - 1.0)),
    });
    any.map(T::from_f64).collect()
}

fn scales_are_fourth_roots<T: Element>(kernels: &Kernels<T>) {
    for len in (0..40).chain([1000, 1023]) {
        for (beta, eps, steps) in [(0.99, 1e-16, 1), (0.9, 1e-8, 7), (0.5, 1.0, 3), (0.999, 1e-70, 1000)] {
            let correction = 1.0 / (1.0 - f64::powi(beta, steps));
            let diagonal = Diagonal { beta, correction, eps, factor: 1.0 };
            let given = numbers::<T>(len, 3);
            let root: Vec<T> = numbers::<T>(len, 4).iter().map(|r| T::from_f64(r.to_f64().abs())).collect();
            let (mut scale, mut scaled) = (vec![T::default(); len], vec![T::default(); len]);
            let DiagonalSums { norm2, roots } = (kernels.diagonal_scales)(
                &root,
                &given,
                &diagonal,
                Ahead::default(),
                Scaled { scale: &mut scale, scaled: &mut scaled },
            );
            let (mut advanced, mut again, mut twice) = (root.clone(), scale.clone(), scaled.clone());
            (kernels.advance_root)(
                &mut advanced,
                &given,
                &diagonal,
                Ahead::default(),
                Scaled { scale: &mut again, scaled: &mut twice },
            );
            assert!(again == scale && twice == scaled, "{}: both passes have the same scales", kernels.name);
            let (mut sum, mut advanced_sum) = (0.0, 0.0);
            for i in 0..len {
                let place = format!("{}, {i} of {len}, {diagonal:?}", kernels.name);
                let (g, r) = (given[i].to_f64(), root[i].to_f64());
                sum += g * g;
                advanced_sum += advanced[i].to_f64();
                let new = (beta.sqrt() * r).hypot((1.0 - beta).sqrt() * g);
                let x = (correction.sqrt() * new).hypot(eps.sqrt());
                let (expected, found) = (1.0 / x.sqrt(), scale[i].to_f64());
                let units = 8.0 * T::ROUNDOFF + 1e-15;
                let off = (found - expected).abs();
                assert!(off <= units * expected || x == f64::INFINITY, "{place}: {found:e} for {expected:e}");
                assert_eq!(scaled[i], scale[i] * given[i], "{place}");
                // What is nothing beside eps may be lost.
                let allowed = units * new + 1e-18 * eps.sqrt();
                let off = (advanced[i].to_f64() - new).abs();
                assert!(off <= allowed, "{place}: root {:?} for {new:e}", advanced[i]);
            }
            let near = |x: f64, y: f64| (x - y).abs() <= 1e-13 * y || !y.is_finite();
            assert!(near(roots, advanced_sum), "{}: {roots:e} for {advanced_sum:e}", kernels.name);
            assert!((norm2 - sum).abs() <= 1e-13 * sum || !sum.is_finite(), "{}: {norm2:e} for {sum:e}", kernels.name);
        }
    }
}

fn elements_do_not_depend_on_their_place<T: Element>(kernels: &Kernels<T>) {
    let diagonal = Diagonal { beta: 0.9, correction: 2.5, eps: 1e-12, factor: 1.0 };
    for len in [1, 7, 8, 9, 31, 100] {
        let (given, root) = (numbers::<T>(len, 5), vec![T::from_f64(0.25); len]);
        let (mut scale, mut scaled, mut advanced) = (given.clone(), given.clone(), root.clone());
        (kernels.advance_root)(
            &mut advanced,
            &given,
            &diagonal,
            Ahead::default(),
            Scaled { scale: &mut scale, scaled: &mut scaled },
        );
        let mut sum = vec![0.5; len.next_multiple_of(LANES)];
        let mut quotient = sum.clone();
        (kernels.rescale)(&scale, 3.0, &mut sum);
        (kernels.divide)(&scaled, &scale, &mut quotient);
        for i in 0..len {
            let (mut s, mut x, mut r) = ([T::default()], [T::default()], [root[i]]);
            (kernels.advance_root)(
                &mut r,
                &given[i..=i],
                &diagonal,
                Ahead::default(),
                Scaled { scale: &mut s, scaled: &mut x },
            );
            assert_eq!((s[0], x[0], r[0]), (scale[i], scaled[i], advanced[i]), "{}: {i} of {len}", kernels.name);
            (kernels.multiply)(&scale[i..=i], &given[i..=i], &mut x);
            assert_eq!(x[0], scaled[i]);
            let mut one = [0.5; LANES];
            (kernels.rescale)(&scale[i..=i], 3.0, &mut one);
            assert_eq!((one[0], sum[i]), (1.5 * scale[i].to_f64(), 1.5 * scale[i].to_f64()));
            (kernels.divide)(&scaled[i..=i], &scale[i..=i], &mut one);
            assert_eq!((one[0], quotient[i]), (scaled[i].to_f64() / scale[i].to_f64(), one[0]));
        }
    }
}

/// A NaN or an infinity stays one, and stays where it is.
fn what_is_not_finite_is_seen<T: Element>(kernels: &Kernels<T>) {
    let diagonal = Diagonal { beta: 0.99, correction: 100.0, eps: 1e-16, factor: 1.0 };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut given = vec![T::from_f64(1.0); 20];
        given[13] = T::from_f64(bad);
        let (root, mut scale, mut scaled) = (vec![T::default(); 20], given.clone(), given.clone());
        let DiagonalSums { norm2, .. } = (kernels.diagonal_scales)(
            &root,
            &given,
            &diagonal,
            Ahead::default(),
            Scaled { scale: &mut scale, scaled: &mut scaled },
        );
        assert!(!norm2.is_finite());
        let finite = |i: usize| scaled[i].to_f64().is_finite();
        assert!((0..20).all(|i| finite(i) != (i == 13)), "{}: {scaled:?}", kernels.name);
    }
}

macro_rules! for_all_tables {
    ($($test:ident),*) => {
        mod of_f32 { $(#[test] fn $test() { crate::kernels::Kernels::<f32>::available().for_each(super::$test); })* }
        mod of_f64 { $(#[test] fn $test() { crate::kernels::Kernels::<f64>::available().for_each(super::$test); })* }
    };
}
for_all_tables!(scales_are_fourth_roots, elements_do_not_depend_on_their_place, what_is_not_finite_is_seen);
