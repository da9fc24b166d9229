//! A saved state looked at from outside: is the Gram matrix, of which a step replaced a row and a column at a time, that
//! of the columns beside it? Is every number finite?

use crate::oracle::saved::Bytes;
use lmada::{Clip, Config, Element, HistoryFormat, Momentum, Optimizer};

/// How far an entry may be off, relative to the norms of its two columns.
const TOLERANCE: f64 = 1e-12;

/// Bytes before the dimensions of the blocks: magic, checksum and version; six options; density; number of blocks.
const BEFORE_DIMS: usize = 16 + 6 * 4 + 8 + 8;

/// Room for a state and the columns of a block, so that looking takes no memory.
pub struct Examiner {
    state: Vec<u8>,
    columns: Vec<f64>,
    /// The largest difference seen, relative to the norms.
    pub worst: f64,
    /// Matrices compared.
    pub count: u64,
}

impl Examiner {
    pub fn new(state_size: usize, config: &Config, dims: &[usize]) -> Self {
        let longest = dims.iter().copied().max().unwrap_or(0);
        let columns = Vec::with_capacity(config.history_size as usize * longest);
        Self { state: vec![0; state_size], columns, worst: 0.0, count: 0 }
    }

    pub fn examine<T: Element>(&mut self, optimizer: &Optimizer<T>, dims: &[usize]) {
        optimizer.state_save(&mut self.state).expect("no step is open");
        let state = core::mem::take(&mut self.state);
        let config = optimizer.config();
        let mut bytes = Bytes(&state[BEFORE_DIMS..]);
        dims.iter().for_each(|&len| assert_eq!(bytes.u64(), len as u64));
        let steps = bytes.u64();
        assert!(bytes.f64() == config.lr);
        for &len in dims {
            self.block(&mut bytes, &config, len, steps);
        }
        assert!(bytes.0.is_empty());
        self.state = state;
    }

    fn block(&mut self, bytes: &mut Bytes<'_>, config: &Config, len: usize, steps: u64) {
        let k = config.history_size as usize;
        let vector = matches!(config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector);
        let momentum = matches!(config.momentum_kind, Momentum::Gradient | Momentum::Update);
        let mut gram = Bytes(bytes.0);
        let mut finite = |bytes: &mut Bytes<'_>| assert!(bytes.f64().is_finite());
        (0..k * k + 1).for_each(|_| finite(bytes));
        assert!(bytes.u64() <= steps, "more norms than steps");
        (0..if vector { k + 3 } else { 3 }).for_each(|_| finite(bytes));

        self.columns.clear();
        for _ in 0..k {
            bytes.column(config, len, |number, scale| self.columns.push(number * scale));
        }
        assert!(self.columns.iter().all(|x| x.is_finite()), "a column is not finite");
        let sparse = config.history_format == HistoryFormat::Sparse;
        let others = [sparse, momentum, vector].iter().filter(|kept| **kept).count();
        (0..others * len).for_each(|_| assert!(bytes.element(config.dtype).is_finite()));

        let held = steps.min(k as u64) as usize;
        let gram: Vec<f64> = (0..k * k).map(|_| gram.f64()).collect();
        let column = |slot: usize| &self.columns[slot * len..][..len];
        // The product of two numbers of 32 bits is exact in 64.
        let dot = if config.dtype == lmada::Dtype::F32 { dot::<true> } else { dot::<false> };
        for i in 0..held {
            for j in 0..=i {
                let (found, expected) = (gram[i * k + j], dot(column(i), column(j)));
                assert!(found.to_bits() == gram[j * k + i].to_bits(), "C is not symmetric at {i}, {j}");
                let norms = (gram[i * (k + 1)] * gram[j * (k + 1)]).sqrt();
                let error = if found == expected { 0.0 } else { (found - expected).abs() / norms };
                assert!(error <= TOLERANCE, "C is {found:e} at {i}, {j} and not {expected:e}, after {steps} steps");
                self.worst = self.worst.max(error);
            }
        }
        self.count += 1;
    }
}

const LANES: usize = 8;

/// xᵀy as if summed in twice the precision (Ogita, Rump, Oishi, SIAM J. Sci. Comput. 2005), a lane at a time.
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

/// a + b rounded, and what that lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}
