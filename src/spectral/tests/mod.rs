//! The fast way against an independent truth and against the general way, over the whole range of conditioning.

mod reference;

use super::tridiagonal::{ReductionKernels, ShiftedKernels};
use super::*;
use crate::config::Config;
use crate::error::Error;
use reference::{Reference, Truth};

/// A matrix as it lies.
pub(super) struct Matrix<'a> {
    pub size: usize,
    pub entries: &'a [f64],
}

impl Entries for Matrix<'_> {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[i * self.size + j]
    }

    fn norm(&self, j: usize) -> f64 {
        self.at(j, j).sqrt()
    }
}

/// Numbers between −1 and 1, the same in every run (an LCG's high bits).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn vec(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// Kinds of windows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Window {
    White,
    /// Nearly parallel gradients, apart by so many decades less than they are long.
    Collinear(i32),
    /// Norms over so many decades, in no order.
    Graded(i32),
    /// Both: nearly parallel by 6 decades.
    GradedCollinear(i32),
    /// The same three over and over.
    Cyclic,
    /// Every third is zero.
    Sparse,
    /// In fewer dimensions than there are gradients.
    Flat,
    /// Pairwise orthogonal, of norms 1 and 2.
    Orthogonal,
    /// Long ones, pairwise orthogonal, and among them short ones in no such order: so many decades.
    Between(i32),
    Zeros,
}

pub(super) const WINDOWS: [Window; 18] = [
    Window::White,
    Window::Collinear(2),
    Window::Collinear(4),
    Window::Collinear(8),
    Window::Graded(4),
    Window::Graded(8),
    Window::Graded(12),
    Window::GradedCollinear(4),
    Window::GradedCollinear(8),
    Window::GradedCollinear(12),
    Window::Cyclic,
    Window::Sparse,
    Window::Flat,
    Window::Orthogonal,
    Window::Between(4),
    Window::Between(8),
    Window::Between(12),
    Window::Zeros,
];

impl Window {
    /// The Gram matrix of `size` gradients.
    pub fn gram(self, size: usize, seed: u64) -> Vec<f64> {
        let mut random = Random(seed);
        let dim = if matches!(self, Self::Flat) { size.div_ceil(2) } else { 2 * size };
        let common = random.vec(dim);
        let columns: Vec<Vec<f64>> = (0..size)
            .map(|j| {
                let own = random.vec(dim);
                let length = |decades: i32| 10f64.powf(f64::from(decades) * ((7 * j + 3) % size) as f64 / size as f64);
                let near = |decades: i32| 10f64.powi(-decades);
                let mix = |near: f64, length: f64| -> Vec<f64> {
                    common.iter().zip(&own).map(|(common, own)| length * (common + near * own)).collect()
                };
                let only = |length: f64| own.iter().map(|own| length * own).collect();
                match self {
                    Self::White | Self::Flat => own,
                    Self::Collinear(decades) => mix(near(decades), 1.0),
                    Self::Graded(decades) => only(length(decades)),
                    Self::GradedCollinear(decades) => mix(near(6), length(decades)),
                    Self::Cyclic => Random((j % 3) as u64).vec(dim),
                    Self::Sparse => only(f64::from(u8::from(j % 3 != 0))),
                    Self::Orthogonal => {
                        (0..dim).map(|i| if i == j { f64::from(1 + (j % 2) as u8) } else { 0.0 }).collect()
                    }
                    Self::Between(decades) if j % 3 != 2 => {
                        (0..dim).map(|i| if i == j { 10f64.powi(decades) } else { 0.0 }).collect()
                    }
                    Self::Between(_) => own,
                    Self::Zeros => vec![0.0; dim],
                }
            })
            .collect();
        let mut entries = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let entry = columns[i].iter().zip(&columns[j]).map(|(x, y)| x * y).sum();
                entries[i * size + j] = entry;
                entries[j * size + i] = entry;
            }
        }
        entries
    }
}

fn preconditioner(eps: f64) -> Preconditioner {
    Preconditioner::new(&Config { eps, ..Config::default() })
}

fn trace(size: usize, entries: &[f64]) -> f64 {
    (0..size).map(|i| entries[i * size + i]).sum()
}

/// The vector itself, or an average of all.
fn vectors(size: usize, seed: u64) -> [Vec<f64>; 2] {
    let mut newest = vec![0.0; size];
    newest[seed as usize % size] = 1.0;
    [newest, (0..size).map(|j| 0.1 * 0.9f64.powi(j as i32)).collect()]
}

/// A workspace for each instruction set.
fn workspaces(size: usize) -> Vec<Workspace> {
    let with = |(reduction, shifted): (_, &'static ShiftedKernels)| {
        let mut workspace = Workspace::new(size, ROUNDOFF).unwrap();
        workspace.reduction.kernels = reduction;
        workspace.poles.kernels = shifted;
        workspace
    };
    ReductionKernels::available().zip(ShiftedKernels::available()).map(with).collect()
}

/// What "about" stands for in the documented limit, as in the tests of the library against an SVD.
const ABOUT: f64 = 16.0;

/// ε' in units of tr C.
fn shifts(size: usize) -> [f64; 8] {
    [1.01 * size as f64 * f64::EPSILON, 1e-13, 1e-10, 1e-6, 1e-3, 1.0, 1e3, 1e12]
}

/// The unit roundoff of f64.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// The relative error that the fast way makes of itself: that of the poles, and half as much for rounding.
const POLES: f64 = 1.5 * rational::LEAST_ERROR;

/// A tenth of what is promised of f64 directions.
const GENERAL: f64 = 1e-11;

/// Coefficients and ‖u‖² against the truth, up to a relative error and the limit that no arithmetic on C removes.
fn check(truth: &Truth, reference: &Reference, (coefficients, norm2): (&[f64], f64), relative: f64, case: &str) {
    let error = reference.distance(&truth.coefficients, coefficients);
    let radius = relative * truth.norm + ABOUT * truth.limit;
    assert!(error <= radius, "{case}: u is off by {error:e}, allowed {radius:e}");
    let error = (norm2 - truth.norm * truth.norm).abs();
    let radius = 2.0 * truth.norm * radius + ABOUT * truth.square_limit;
    assert!(error <= radius, "{case}: |u|^2 is off by {error:e}, allowed {radius:e}");
}

/// Both ways against the truth. The fast one has to be taken.
fn check_window(window: Window, size: usize, seed: u64) {
    let entries = window.gram(size, seed);
    let trace = trace(size, &entries);
    let reference = Reference::new(size, &entries);
    let matrix = Matrix { size, entries: &entries };
    let mut workspaces = workspaces(size);
    for relative in shifts(size) {
        let shift = if trace > 0.0 { relative * trace } else { relative };
        let preconditioner = preconditioner(shift);
        for a in vectors(size, seed) {
            let truth = reference.truth(shift, &a);
            let vector = Vector::Span(&a);
            let mut c = vec![f64::NAN; size];
            for workspace in &mut workspaces {
                let solution = workspace.solve(&preconditioner, &matrix, &vector, &mut c).unwrap();
                let name = workspace.reduction.kernels.name;
                let case = format!("{window:?}, {size} rows, eps {relative:e} tr C, {name}");
                assert_eq!(solution.spectrum, None, "{case}: the fast way is not taken");
                check(&truth, &reference, (&c, solution.norm2), POLES, &case);
                // Where columns are graded and nearly parallel too, only the fast way keeps to their own limit.
                if !matches!(window, Window::GradedCollinear(_)) {
                    let order = workspace.reduction.order();
                    workspace.eigen.decompose(&mut workspace.dense, order, &matrix).unwrap();
                    let solution = workspace.eigen.solve(&preconditioner, order, &vector, &mut c);
                    check(&truth, &reference, (&c, solution.norm2), GENERAL, &format!("{case}, the general way"));
                }
            }
        }
    }
}

#[test]
fn the_fast_way_is_right_over_the_whole_range_of_conditioning() {
    for size in [1, 2, 3, 4, 7, 8, 9, 10, 16, 17, 24, 33, 40] {
        for (seed, window) in WINDOWS.into_iter().enumerate() {
            check_window(window, size, seed as u64);
        }
    }
}

#[test]
fn the_fast_way_is_right_at_large_sizes() {
    for size in [64, 100, 128] {
        for window in [Window::White, Window::Collinear(4), Window::Graded(12), Window::Cyclic] {
            check_window(window, size, 5);
        }
    }
}

#[test]
fn the_fast_way_is_taken_just_above_the_noise_and_not_below() {
    for size in [1, 2, 5, 10, 30] {
        for window in [Window::White, Window::Collinear(4), Window::Graded(8), Window::Cyclic] {
            let entries = window.gram(size, 7);
            let reference = Reference::new(size, &entries);
            let noise = size as f64 * f64::EPSILON * trace(size, &entries);
            let matrix = Matrix { size, entries: &entries };
            let [a, _] = vectors(size, 3);
            let mut workspace = Workspace::new(size, ROUNDOFF).unwrap();
            for (factor, fast) in [(1.0 + 1e-9, true), (1.0 - 1e-9, false)] {
                let mut c = vec![f64::NAN; size];
                let shift = factor * noise;
                let solution = workspace.solve(&preconditioner(shift), &matrix, &Vector::Span(&a), &mut c).unwrap();
                assert_eq!(solution.spectrum.is_none(), fast);
                let case = format!("{window:?}, {size} rows, fast: {fast}");
                let relative = if fast { POLES } else { GENERAL };
                check(&reference.truth(shift, &a), &reference, (&c, solution.norm2), relative, &case);
            }
        }
    }
}

#[test]
fn other_functions_and_vectors_take_the_general_way() {
    let size = 6;
    let entries = Window::White.gram(size, 1);
    let matrix = Matrix { size, entries: &entries };
    let [a, _] = vectors(size, 3);
    let mut workspace = Workspace::new(size, ROUNDOFF).unwrap();
    let mut general = |config: Config, vector: Vector<'_>| {
        let mut c = vec![f64::NAN; size];
        let solution = workspace.solve(&Preconditioner::new(&config), &matrix, &vector, &mut c).unwrap();
        assert!(c.iter().all(|c| c.is_finite()));
        solution.spectrum.is_some()
    };
    let default = Config::default();
    assert!(!general(default, Vector::Span(&a)));
    assert!(general(default, Vector::Products { products: &a, norm2: 1.0, orthogonal_scale: 0.0 }));
    assert!(general(Config { power: 0.4, ..default }, Vector::Span(&a)));
    assert!(general(Config { eps_on_root: true, ..default }, Vector::Span(&a)));
    assert!(general(Config { eps: 0.0, ..default }, Vector::Span(&a)));
    assert!(general(Config { eps: 0.0, eps_relative: 1e-17, ..default }, Vector::Span(&a)));
    assert!(general(Config { eps: 1e300, ..default }, Vector::Span(&a)));
}

#[test]
fn relative_regularisation_knows_the_largest_eigenvalue() {
    for size in [1, 2, 3, 9, 10, 30] {
        for (seed, window) in WINDOWS.into_iter().enumerate() {
            let entries = window.gram(size, seed as u64);
            let reference = Reference::new(size, &entries);
            let matrix = Matrix { size, entries: &entries };
            let [a, _] = vectors(size, 2);
            for (eps, eps_relative) in [(0.0, 1e-10), (0.0, 0.3), (1e-3, 1e-6)] {
                let shift = eps + eps_relative * reference.largest();
                if shift == 0.0 {
                    continue;
                }
                let mut workspace = Workspace::new(size, ROUNDOFF).unwrap();
                let mut c = vec![f64::NAN; size];
                let preconditioner = Preconditioner::new(&Config { eps, eps_relative, ..Config::default() });
                let solution = workspace.solve(&preconditioner, &matrix, &Vector::Span(&a), &mut c).unwrap();
                let case = format!("{window:?}, {size} rows, eps {eps:e} + {eps_relative:e} max");
                assert_eq!(solution.spectrum, None, "{case}");
                check(&reference.truth(shift, &a), &reference, (&c, solution.norm2), POLES, &case);
            }
        }
    }
}

#[test]
fn scale_changes_nothing_but_the_exponent() {
    let size = 12;
    let entries = Window::Graded(8).gram(size, 2);
    let [a, _] = vectors(size, 5);
    let solve = |factor: f64| {
        let entries: Vec<f64> = entries.iter().map(|entry| entry * factor * factor).collect();
        let mut c = vec![f64::NAN; size];
        let solution = (Workspace::new(size, ROUNDOFF).unwrap())
            .solve(
                &preconditioner(1e5 * factor * factor),
                &Matrix { size, entries: &entries },
                &Vector::Span(&a),
                &mut c,
            )
            .unwrap();
        assert_eq!(solution.spectrum, None);
        let c: Vec<u64> = c.iter().map(|c| (c * factor).to_bits()).collect();
        (c, solution.norm2.to_bits())
    };
    for exponent in [-400, -150, -1, 1, 150, 400] {
        assert_eq!(solve(2f64.powi(exponent)), solve(1.0), "gradients times 2^{exponent}");
    }
}

/// Squares of the small columns' products with the large one are too small for a number.
#[test]
fn columns_may_be_a_hundred_decades_apart() {
    let (t, eps) = (1e-95, 1e-4f64);
    let entries = [1.0, 0.3 * t, 0.5 * t, 0.3 * t, t * t, 0.2 * t * t, 0.5 * t, 0.2 * t * t, t * t];
    for mut workspace in workspaces(3) {
        let mut c = [f64::NAN; 3];
        let vector = Vector::Span(&[0.0, 0.0, 1.0]);
        let solution =
            workspace.solve(&preconditioner(eps), &Matrix { size: 3, entries: &entries }, &vector, &mut c).unwrap();
        assert_eq!(solution.spectrum, None);
        // To first order f(C) between two rows is the entry times f's divided difference between their diagonals.
        let (x, y) = ((1.0 + eps).sqrt(), eps.sqrt());
        let expected = [-0.5 * t / (x * y * (x + y)), -0.2 * t * t / (2.0 * eps * y), 1.0 / y];
        // u is as long as t/√ε.
        for ((c, expected), norm) in c.iter().zip(expected).zip([1.0, t, t]) {
            assert!((c - expected).abs() * norm < 1e-12 * t / y, "{c:e} for {expected:e}");
        }
    }
}

#[test]
fn a_used_workspace_gives_the_same_bits() {
    let mut used = Workspace::new(20, ROUNDOFF).unwrap();
    for (round, size) in [20, 3, 9, 9, 16, 2, 20, 20, 1].into_iter().enumerate() {
        let entries = WINDOWS[round].gram(size, round as u64);
        let matrix = Matrix { size, entries: &entries };
        let [a, _] = vectors(size, 1);
        let solve = |workspace: &mut Workspace| {
            let mut c = vec![f64::NAN; size];
            let solution = workspace.solve(&preconditioner(1e-6), &matrix, &Vector::Span(&a), &mut c).unwrap();
            (c.iter().map(|c| c.to_bits()).collect::<Vec<_>>(), solution.norm2.to_bits())
        };
        assert_eq!(solve(&mut used), solve(&mut Workspace::new(20, ROUNDOFF).unwrap()), "{size} rows");
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY] {
        for place in [0, 1, 4] {
            let mut entries = [2.0, 1.0, 0.5, 1.0, 2.0, 1.0, 0.5, 1.0, 2.0];
            entries[place] = bad;
            entries[place % 3 * 3 + place / 3] = bad;
            let mut workspace = Workspace::new(3, ROUNDOFF).unwrap();
            let matrix = Matrix { size: 3, entries: &entries };
            let found = workspace.solve(&preconditioner(1e-6), &matrix, &Vector::Span(&[0.0, 0.0, 1.0]), &mut [0.0; 3]);
            assert!(matches!(found, Err(Error::NonFinite { .. })), "{bad} at {place}");
            // And nothing of it stays behind.
            let entries = [2.0, 1.0, 0.5, 1.0, 2.0, 1.0, 0.5, 1.0, 2.0];
            let matrix = Matrix { size: 3, entries: &entries };
            let mut c = [f64::NAN; 3];
            workspace.solve(&preconditioner(1e-6), &matrix, &Vector::Span(&[0.0, 0.0, 1.0]), &mut c).unwrap();
            assert!(c.iter().all(|c| c.is_finite()));
        }
    }
}
