//! An independent implementation of the history formats: one number at a time, in f64, where every f32, every scale and
//! every product of the two is exact.

use lmada::{Config, HistoryFormat};

/// Number of elements that share a scale.
pub const SCALED: usize = 256;

/// Number of elements in a group of the sparse format.
pub const SPARSE: usize = 4096;

/// The state of a format. Only sparse has one, the feedback e.
#[derive(Clone)]
pub struct Store {
    format: HistoryFormat,
    density: f64,
    feedback: Vec<f64>,
}

impl Store {
    pub fn new(config: &Config, dim: usize) -> Self {
        let feedback = if config.history_format == HistoryFormat::Sparse { vec![0.0; dim] } else { Vec::new() };
        Self { format: config.history_format, density: config.density, feedback }
    }

    /// e of the sparse format.
    pub fn feedback(&self) -> &[f64] {
        &self.feedback
    }

    /// Returns the gradient as stored. `None`, with nothing changed, if a stored number or the feedback would not be a
    /// finite f32.
    pub fn take(&mut self, g: &[f64]) -> Option<Vec<f64>> {
        let stored = match self.format {
            HistoryFormat::Full => Some(g.to_vec()),
            HistoryFormat::Bf16 => Some(g.iter().map(|&x| bf16(x)).collect()),
            HistoryFormat::F16 => Some(g.chunks(SCALED).flat_map(f16_unit).collect()),
            HistoryFormat::Int8 => Some(g.chunks(SCALED).flat_map(int8_unit).collect()),
            HistoryFormat::Sparse => self.take_sparse(g),
            other => unreachable!("{other:?} is not known here"),
        };
        // Compressed formats store f32. The largest f32, rounded to 11 bits, is 2^128.
        let finite = |x: &f64| if self.format == HistoryFormat::Full { x.is_finite() } else { (*x as f32).is_finite() };
        stored.filter(|stored| stored.iter().all(finite))
    }

    fn take_sparse(&mut self, g: &[f64]) -> Option<Vec<f64>> {
        let a: Vec<f64> = self.feedback.iter().zip(g).map(|(e, g)| f64::from((e + g) as f32)).collect();
        if !a.iter().all(|a| a.is_finite()) {
            return None;
        }
        let density = self.density;
        let stored: Vec<f64> = a.chunks(SPARSE).flat_map(|a| sparse_unit(a, density)).collect();
        self.feedback = a.iter().zip(&stored).map(|(a, c)| f64::from((a - c) as f32)).collect();
        Some(stored)
    }
}

/// Rounds to nearest, ties to even, to numbers with `bits` significant bits and exponents of at least `least`,
/// subnormal numbers included.
pub fn round_to(x: f64, bits: i32, least: i32) -> f64 {
    if x == 0.0 {
        return x;
    }
    let quantum = 2f64.powi(exponent(x).max(least) - (bits - 1));
    (x / quantum).round_ties_even() * quantum
}

/// Returns e with `2^e ≤ |x| < 2^(e+1)`, for normal f64.
pub fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// Largest bf16.
pub const BF16_MAX: f64 = (2.0 - 1.0 / 128.0) * (1u128 << 127) as f64;

pub fn bf16(x: f64) -> f64 {
    round_to(x, 8, -126).clamp(-BF16_MAX, BF16_MAX)
}

pub fn absmax(unit: &[f64]) -> f64 {
    unit.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// Returns the scale of an f16 group: the power of two with which the group's largest number is in `[2^14, 2^15)`; at
/// least the smallest normal f32.
pub fn f16_scale(unit: &[f64]) -> f64 {
    let most = absmax(unit);
    if most == 0.0 { 0.0 } else { 2f64.powi((exponent(most) - 14).max(-126)) }
}

fn f16_unit(unit: &[f64]) -> Vec<f64> {
    let scale = f16_scale(unit);
    unit.iter().map(|&x| if scale == 0.0 { 0.0 } else { round_to(x / scale, 11, -14) * scale }).collect()
}

/// Returns the scale of an int8 group: a 127th of the group's largest number, as f32, truncated to 16 significant bits.
/// The smallest numbers have fewer bits; there the scale is the next multiple of the smallest f32 above.
pub fn int8_scale(unit: &[f64]) -> f64 {
    let most = absmax(unit);
    let scale = f64::from((most / 127.0) as f32);
    if scale >= 2f64.powi(-133) {
        let quantum = 2f64.powi(exponent(scale).max(-126) - 15);
        (scale / quantum).floor() * quantum
    } else if scale * 127.0 < most {
        scale + 2f64.powi(-149)
    } else {
        scale
    }
}

fn int8_unit(unit: &[f64]) -> Vec<f64> {
    let scale = int8_scale(unit);
    // As documented, the product with the inverse in f32 is rounded, not the quotient.
    // The inverse of the smallest scales overflows f32.
    let shift = if scale < 2f64.powi(-100) { 2f64.powi(90) } else { 1.0 };
    let inverse = (1.0 / (scale * shift)) as f32;
    let code = |x: f64| f64::from((x * shift) as f32 * inverse).round_ties_even();
    unit.iter().map(|&x| if scale == 0.0 { 0.0 } else { code(x) * scale }).collect()
}

/// Returns the number of entries kept of a group.
pub fn kept(density: f64, len: usize) -> usize {
    ((density * len as f64).ceil() as usize).clamp(1, len)
}

/// Returns the largest entries, rounded, and zeros elsewhere. Of equal magnitudes the first is kept.
fn sparse_unit(a: &[f64], density: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..a.len()).collect();
    order.sort_by(|&i, &j| a[j].abs().total_cmp(&a[i].abs()).then(i.cmp(&j)));
    let mut stored = vec![0.0; a.len()];
    for &i in &order[..kept(density, a.len())] {
        stored[i] = bf16(a[i]);
    }
    stored
}
