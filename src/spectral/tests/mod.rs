//! The fast way against an independent truth and against the general way, over the whole range of conditioning.

mod reference;

use super::*;
use crate::kernels::symmetric::SymmetricKernels;
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
enum Window {
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
    Zeros,
}

const WINDOWS: [Window; 15] = [
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
    Window::Zeros,
];

impl Window {
    /// The Gram matrix of `size` gradients.
    fn gram(self, size: usize, seed: u64) -> Vec<f64> {
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
                    Self::Orthogonal => (0..dim).map(|i| if i == j { f64::from(1 + (j % 2) as u8) } else { 0.0 }).collect(),
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
    let with = |kernels| {
        let mut workspace = Workspace::new(size).unwrap();
        workspace.tridiagonal.kernels = kernels;
        workspace
    };
    SymmetricKernels::available().map(with).collect()
}

/// Coefficients and ‖u‖² against the truth.
fn ratios(truth: &Truth, reference: &Reference, coefficients: &[f64], norm2: f64) -> (f64, f64) {
    let error = reference.distance(&truth.coefficients, coefficients);
    let norm_error = (norm2 - truth.norm * truth.norm).abs();
    let floor = f64::MIN_POSITIVE;
    (
        error / (1e-13 * truth.norm + truth.limit + floor),
        norm_error / (2e-13 * truth.norm * truth.norm + truth.square_limit + 2.0 * truth.norm * truth.limit + floor),
    )
}

#[test]
fn measure() {
    for size in [1, 2, 3, 4, 7, 8, 9, 10, 17, 24, 40] {
        let mut spaces = workspaces(size);
        let mut worst: Vec<(f64, f64, f64, f64)> = vec![];
        for (seed, window) in WINDOWS.into_iter().enumerate() {
            let entries = window.gram(size, seed as u64);
            let trace = trace(size, &entries);
            let reference = Reference::new(size, &entries);
            let mut w = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
            for relative in [1.01 * size as f64 * f64::EPSILON, 1e-13, 1e-10, 1e-6, 1e-3, 1.0, 1e3, 1e12] {
                let shift = if trace > 0.0 { relative * trace } else { relative };
                for a in vectors(size, seed as u64) {
                    let truth = reference.truth(shift, &a);
                    for workspace in &mut spaces {
                        let mut c = vec![f64::NAN; size];
                        let entries = Matrix { size, entries: &entries };
                        let solution = workspace.solve(&preconditioner(shift), &entries, &Vector::Span(&a), &mut c).unwrap();
                        if shift > size as f64 * f64::EPSILON * trace && solution.spectrum.is_some() {
                            println!("{window:?} {size} {relative:e} not taken");
                            continue;
                        }
                        let r = ratios(&truth, &reference, &c, solution.norm2);
                        w.0 = w.0.max(r.0);
                        w.1 = w.1.max(r.1);
                        workspace.eigen.decompose(&workspace.order[..size], &entries).unwrap();
                        let s = workspace.eigen.solve(&preconditioner(shift), &workspace.order[..size], &Vector::Span(&a), &mut c);
                        let r = ratios(&truth, &reference, &c, s.norm2);
                        w.2 = w.2.max(r.0);
                        w.3 = w.3.max(r.1);
                    }
                }
            }
            println!("{size} {window:?} {w:.3?}");
            worst.push(w);
        }
    }
}

#[test]
#[ignore]
fn bench() {
    for size in [1, 2, 3, 10, 30, 64, 100, 200] {
        let entries = Window::White.gram(size, 3);
        let trace = trace(size, &entries);
        let [a, _] = vectors(size, size as u64 - 1);
        let mut workspace = Workspace::new(size).unwrap();
        let mut c = vec![0.0; size];
        let matrix = Matrix { size, entries: &entries };
        for relative in [1e-3, 1e-7, 1e-13] {
            let p = preconditioner(relative * trace);
            let rounds = 200_000_000 / (size * size * size + 300 * size + 2000) / 40;
            let mut best = f64::INFINITY;
            for _ in 0..10 {
                let start = std::time::Instant::now();
                for _ in 0..rounds {
                    workspace.solve(&p, &matrix, &Vector::Span(std::hint::black_box(&a)), &mut c).unwrap();
                }
                best = best.min(start.elapsed().as_secs_f64() / rounds as f64);
            }
            println!("{size} {relative:e}: {:.3} us", best * 1e6);
        }
    }
}

#[test]
#[ignore]
fn profile() {
    let size: usize = std::env::var("K").unwrap().parse().unwrap();
    let entries = Window::White.gram(size, 3);
    let trace = trace(size, &entries);
    let [a, _] = vectors(size, size as u64 - 1);
    let mut workspace = Workspace::new(size).unwrap();
    let mut c = vec![0.0; size];
    let matrix = Matrix { size, entries: &entries };
    let p = preconditioner(1e-7 * trace);
    let rounds = 2_000_000_000 / (size * size * size + 300 * size + 2000) / 40;
    for _ in 0..rounds {
        workspace.solve(&p, &matrix, &Vector::Span(std::hint::black_box(&a)), &mut c).unwrap();
    }
    println!("{rounds}");
}
