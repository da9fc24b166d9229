//! Checks of a saved state: the Gram matrix, of which each step replaced a row and a column, has to be that of the
//! stored columns, and every number has to be finite.

use crate::oracle::saved::{Bytes, Parts};
use lmada::{Clip, Config, Element, HistoryFormat, Momentum, Optimizer};

/// Largest error of an entry, relative to the norms of its two columns.
const TOLERANCE: f64 = 1e-12;

/// Buffers for a state and the columns of a block, so that checking allocates nothing.
pub struct Examiner {
    state: Vec<u8>,
    columns: Vec<f64>,
    /// Largest error seen, relative to the norms.
    pub worst: f64,
    /// Number of matrices checked.
    pub count: u64,
}

impl Examiner {
    pub fn new(state_size: usize, config: &Config, dims: &[usize]) -> Self {
        let longest = dims.iter().copied().max().unwrap_or(0);
        let columns = Vec::with_capacity(config.history_size as usize * longest);
        Self { state: vec![0; state_size], columns, worst: 0.0, count: 0 }
    }

    /// Saves the state and checks it. Returns a flaw, if there is one.
    pub fn examine<T: Element>(&mut self, optimizer: &Optimizer<T>, dims: &[usize]) -> Result<(), String> {
        optimizer.state_save(&mut self.state).expect("no step is open");
        let state = core::mem::take(&mut self.state);
        let found = self.look(&state, &optimizer.config(), dims);
        self.state = state;
        found
    }

    pub fn look(&mut self, state: &[u8], config: &Config, dims: &[usize]) -> Result<(), String> {
        let Parts { steps, dims: saved_dims, contents: mut bytes, .. } = Parts::of(state);
        assert!(saved_dims.iter().map(|&len| u64::from_le_bytes(len)).eq(dims.iter().map(|&len| len as u64)));
        dims.iter().try_for_each(|&len| self.block(&mut bytes, config, len, steps))?;
        assert!(bytes.0.is_empty());
        Ok(())
    }

    fn block(&mut self, bytes: &mut Bytes<'_>, config: &Config, len: usize, steps: u64) -> Result<(), String> {
        let k = config.history_size as usize;
        let vector = matches!(config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector);
        let momentum = matches!(config.momentum_kind, Momentum::Gradient | Momentum::Update);
        let mut gram = Bytes(bytes.0);
        let mut finite = read_finite(k * k + 1, || bytes.f64());
        assert!(bytes.u64() <= steps, "more norms than steps");
        finite &= read_finite(4, || bytes.f64());

        self.columns.clear();
        for _ in 0..k {
            bytes.column(config, len, |number, scale| self.columns.push(number * scale));
        }
        finite &= self.columns.iter().all(|x| x.is_finite());
        let sparse = config.history_format == HistoryFormat::Sparse;
        let others = [sparse, momentum, vector].iter().filter(|kept| **kept).count();
        finite &= read_finite(others * len, || bytes.element(config.dtype));
        if !finite {
            return Err("a number is not finite".into());
        }

        let held = steps.min(k as u64) as usize;
        let gram: Vec<f64> = (0..k * k).map(|_| gram.f64()).collect();
        let column = |slot: usize| &self.columns[slot * len..][..len];
        // The product of two f32 is exact in f64.
        let dot = if config.dtype == lmada::Dtype::F32 { dot::<true> } else { dot::<false> };
        for i in 0..held {
            for j in 0..=i {
                let (found, expected) = (gram[i * k + j], dot(column(i), column(j)));
                if found.to_bits() != gram[j * k + i].to_bits() {
                    return Err(format!("C is not symmetric at {i}, {j}"));
                }
                let norms = (gram[i * (k + 1)] * gram[j * (k + 1)]).sqrt();
                let error = if found == expected { 0.0 } else { (found - expected).abs() / norms };
                if error > TOLERANCE || error.is_nan() {
                    return Err(format!("C is {found:e} at {i}, {j}, its columns' product {expected:e}"));
                }
                self.worst = self.worst.max(error);
            }
        }
        self.count += 1;
        Ok(())
    }
}

/// Reads numbers, and returns whether all are finite.
fn read_finite(count: usize, mut read: impl FnMut() -> f64) -> bool {
    (0..count).fold(true, |finite, _| finite & read().is_finite())
}

const LANES: usize = 8;

/// Computes xᵀy as if summed in twice the precision (Ogita, Rump, Oishi, SIAM J. Sci. Comput. 2005), lane by lane.
fn dot<const EXACT_PRODUCTS: bool>(x: &[f64], y: &[f64]) -> f64 {
    let (mut sums, mut errors) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |lane: usize, x: f64, y: f64| {
        let product = x * y;
        let product_error = if EXACT_PRODUCTS { 0.0 } else { x.mul_add(y, -product) };
        let (sum, error) = two_sum(sums[lane], product);
        sums[lane] = sum;
        errors[lane] += error + product_error;
    };
    let (heads, rest) = x.as_chunks::<LANES>();
    let (other_heads, other_rest) = y.as_chunks::<LANES>();
    for (x, y) in heads.iter().zip(other_heads) {
        (0..LANES).for_each(|lane| add(lane, x[lane], y[lane]));
    }
    rest.iter().zip(other_rest).for_each(|(&x, &y)| add(0, x, y));
    let (mut total, mut error) = (0.0, errors.iter().sum::<f64>());
    for sum in sums {
        let (next, lost) = two_sum(total, sum);
        total = next;
        error += lost;
    }
    total + error
}

/// Returns a + b rounded, and the rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}
