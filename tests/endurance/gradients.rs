//! Gradients that are difficult for a Gram matrix, and cheap to compute.

use crate::oracle::streams::Random;
use lmada::Element;

/// Number of steps after which the kind of gradient changes.
const STRETCH: u64 = 700;

pub struct Gradients {
    random: Random,
    /// A direction that changes slowly.
    base: Vec<f32>,
    count: u64,
}

impl Gradients {
    pub fn new(dim: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let base = (0..dim).map(|_| noise(&mut random) as f32).collect();
        Self { random, base, count: 0 }
    }

    /// Writes the next gradient.
    pub fn draw<T: Element>(&mut self, grads: &mut [T]) {
        let random = &mut self.random;
        let kind = self.count / STRETCH % 4;
        self.count += 1;
        match kind {
            // Norms over sixteen decades, in random order.
            0 => {
                let norm = 10f64.powf(16.0 * random.uniform() - 8.0);
                grads.iter_mut().for_each(|g| *g = T::from_f64(norm * noise(random)));
            }
            // Each gradient is close to the one before.
            1 => {
                for (g, base) in grads.iter_mut().zip(&mut self.base) {
                    *base = (0.95 * f64::from(*base) + 0.3 * noise(random)) as f32;
                    *g = T::from_f64((*base).into());
                }
            }
            // One direction, and a millionth of noise.
            2 => {
                for (g, base) in grads.iter_mut().zip(&self.base) {
                    *g = T::from_f64(f64::from(*base) + 1e-6 * noise(random));
                }
            }
            // Independent gradients, and sometimes zeros.
            _ => {
                let size = if random.below(5) == 0 { 0.0 } else { 1.0 };
                grads.iter_mut().for_each(|g| *g = T::from_f64(size * noise(random)));
            }
        }
    }
}

/// Returns a number, uniform in (−1, 1).
fn noise(random: &mut Random) -> f64 {
    (random.bits() as i64 >> 11) as f64 / (1u64 << 52) as f64
}
