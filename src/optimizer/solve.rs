//! Computing a block's step from its sums, in k×k space: weights, centering, the vector to precondition, the
//! coefficients of the update, clipping. "Step n" in comments is step n of the update rule in the crate's
//! documentation.

use super::block::{Block, BlockStats, Pending};
use super::columns::{Weighted, general};
use super::norms::{Norms, Vectors};
use super::overflow;
use super::partials::{Layout, Scalar};
use super::ring::Ring;
use super::step::{Step, bias};
use super::taken_field::TakenField;
use super::weights;
use crate::config::{Clip, Config, Momentum};
use crate::error::{Error, Result};
use crate::gram::Candidate;
use crate::kernels::NATIVE_COLUMNS;
use crate::memory::Buffer;
use crate::spectral::{Preconditioner, Spectrum, Vector, Workspace};

/// A thread's scratch for solving a block.
pub(crate) struct Solver {
    workspace: Workspace,
    /// The sums with weighted columns.
    weighted: Buffer<f64>,
    weights: Buffer<f64>,
    span: Buffer<f64>,
    products: Buffer<f64>,
    means: Buffer<f64>,
    norms: Norms,
}

impl Solver {
    /// Reserves scratch for a configuration, and for an element type with unit roundoff `roundoff`.
    pub fn new(config: &Config, roundoff: f64) -> Result<Self> {
        let history_size = config.history_size as usize;
        let buffer = || Buffer::zeroed(history_size, "the k×k solver");
        // Norms may be of combinations of the gradients, m and ē.
        let vectors = if config.clip_kind.is_on() { history_size + 2 } else { 0 };
        Ok(Self {
            weighted: Buffer::zeroed(Layout::new(config).len(), "the k×k solver")?,
            workspace: Workspace::new(history_size, roundoff)?,
            weights: buffer()?,
            span: buffer()?,
            products: buffer()?,
            means: buffer()?,
            norms: Norms::new(vectors, roundoff)?,
        })
    }

    pub fn bytes(&self) -> usize {
        let buffers = [&self.weighted, &self.weights, &self.span, &self.products, &self.means];
        self.workspace.bytes() + self.norms.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
    }

    /// Computes the pending step of `block` from its sums, which have been checked. On failure the pending step is
    /// unspecified.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the step is not finite.
    pub fn solve(&mut self, step: &Step<'_>, block: &mut Block, partials: &[f64]) -> Result<()> {
        if !step.weighs {
            return self.solve_weighted(step, block, partials);
        }
        weights::apply(step, partials, &mut self.weighted);
        if !self.weighted.iter().all(|sum| sum.is_finite()) {
            return Err(Error::non_finite("an inner product of gradients"));
        }
        let taken = TakenField::new(self, |solver| &mut solver.weighted);
        taken.owner.solve_weighted(step, block, &taken.field)
    }

    /// Does the work of `solve`. The columns in `partials` are weighted.
    fn solve_weighted(&mut self, step: &Step<'_>, block: &mut Block, partials: &[f64]) -> Result<()> {
        let Step { config, layout, ring, .. } = *step;
        let held = ring.held;
        let gradient = &partials[layout.gradient()][..held];
        block.pending.row[..held].copy_from_slice(gradient);
        let gram = block.gram.with(ring.newest, gradient);
        let vector = self.vector(step, partials, gram);
        let pending = &mut block.pending;
        pending.vector = vector;
        pending.coefficients.fill(0.0);
        pending.stats = self.coefficients(step, partials, gram, &mut pending.coefficients[..held])?;
        leave_out_underflow(gram, &mut pending.coefficients[..held]);
        // In a centered window the complement of v is added to coefficients that contain its negative.
        let centered = config.centered && held > 1 && !config.momentum_kind.averages_gradients();
        let complement = if centered { config.orthogonal_scale } else { 0.0 };
        let length = |(slot, a): (usize, &f64)| a.abs() * gram.norm(slot);
        pending.cancelling = complement * self.span[..held].iter().enumerate().map(length).sum::<f64>();
        let vectors = Vectors::new(gram, partials, layout, held);
        if config.clip_kind.is_on() {
            pending.stats.update_norm = self.update_norm(step, &vectors, pending);
        }
        let norm = pending.stats.update_norm;
        let average_norm = if config.clips_by_vector() { self.average_norm(step, &vectors) } else { 0.0 };
        let input_norm = if config.clip_kind.grafts_input() { self.input_norm(step, &vectors) } else { 0.0 };
        let reference = match config.clip_kind {
            Clip::None => None,
            Clip::Norm => Some(config.clip_norm),
            Clip::EmaNorm => block.norms.value(config.clip_beta).map(|r| config.clip_factor * r),
            Clip::GraftEmaNorm => block.norms.value(config.clip_beta),
            Clip::EmaVector => Some(config.clip_factor * average_norm),
            Clip::GraftEmaVector => Some(average_norm),
            Clip::GraftInput => (input_norm > 0.0).then_some(input_norm),
        };
        let scale = match reference {
            Some(reference) if norm > 0.0 => {
                // The rounding errors of an update that cancels may be longer than the update.
                let longest = norm.max(rounding(gram, &pending.coefficients[..held]));
                scale(config.clip_kind, reference / longest)
            }
            _ => 1.0,
        };
        let counts_norms = config.clip_kind.averages_norms();
        pending.norms = if counts_norms { block.norms.with(norm, config.clip_beta) } else { block.norms };
        pending.scale = scale;
        pending.stats.scale = scale;
        pending.stats.grad_norm = partials[layout.scalar(Scalar::GradNorm2)].sqrt();
        // The norms above are those of Mc. From here on the coefficients include κ.
        let kappa = kappa(step, partials);
        let coefficients = &mut pending.coefficients[..held];
        if kappa != 1.0 {
            coefficients.iter_mut().for_each(|c| *c *= kappa);
            pending.vector *= kappa;
        }
        pending.element_sums = element_sums_are_enough(step, gram, coefficients, kappa * norm);
        overflow::check(step, gram, partials, pending, kappa * norm, block.momentum_bound)?;
        weigh_coefficients(step, pending)
    }

    /// Computes the coefficients that precondition a vector outside the step: those of the stored columns, then that of
    /// the vector itself. `products` are the inner products of the vector with the stored columns, `norm2` is its
    /// squared norm, and `kappa` is a factor on all coefficients. The result is in `block.pending.coefficients`.
    ///
    /// # Errors
    /// The errors of the eigensolver; [`Error::NonFinite`].
    pub fn precondition(
        &mut self,
        step: &Step<'_>,
        block: &mut Block,
        products: &[f64],
        norm2: f64,
        kappa: f64,
    ) -> Result<()> {
        let Step { config, ring, .. } = *step;
        let held = ring.held;
        let pending = &mut block.pending;
        let gram = block.gram.current(ring.newest, held);
        let matrix = Weighted::new(config, ring, gram, &mut self.weights, &mut self.means);
        for ((target, product), weight) in self.products[..held].iter_mut().zip(products).zip(step.weights) {
            *target = product * weight;
        }
        pending.coefficients.fill(0.0);
        let coefficients = &mut pending.coefficients[..held];
        general(config, &matrix, &mut self.products[..held], norm2, &mut self.workspace, coefficients)?;
        leave_out_underflow(gram, coefficients);
        coefficients.iter_mut().for_each(|c| *c *= kappa);
        // `reach` bounds the absolute value of every element of the result.
        let columns: f64 = coefficients.iter().enumerate().map(|(slot, c)| c.abs() * gram.norm(slot)).sum();
        let complement = kappa * config.orthogonal_scale;
        pending.coefficients[held] = complement;
        let reach = columns + complement * norm2.sqrt();
        let rescaled = if config.is_diagonal() { reach * config.diagonal_eps.powf(-0.25) } else { reach };
        if rescaled.is_nan() || rescaled > step.largest / 2.0 {
            return Err(Error::non_finite("the preconditioned vector"));
        }
        weigh_coefficients(step, pending)
    }

    /// Step 3: computes the vector to precondition. A combination of columns is written to `span` (with centering its
    /// products to `products` too); m is written as `products`. Returns the coefficient of m in the update.
    fn vector(&mut self, step: &Step<'_>, partials: &[f64], gram: Candidate<'_>) -> f64 {
        let Step { config, layout, ring, .. } = *step;
        let beta = config.momentum;
        let span = &mut self.span[..ring.held];
        span.fill(0.0);
        match config.momentum_kind {
            Momentum::Gradient => {
                let correction = if config.bias_correction { 1.0 / bias(beta, step.number) } else { 1.0 };
                let (with_g, with_m) = (&partials[layout.gradient()], &partials[layout.momentum()]);
                for (slot, product) in self.products[..ring.held].iter_mut().enumerate() {
                    *product = correction * (beta * with_m[slot] + (1.0 - beta) * with_g[slot]);
                }
                return config.orthogonal_scale * correction;
            }
            Momentum::Window => window_average(step, span),
            Momentum::None | Momentum::Update => span[ring.newest] = 1.0,
        }
        if config.centered {
            for (slot, product) in self.products[..ring.held].iter_mut().enumerate() {
                *product = gram.row_times(slot, span);
            }
        }
        0.0
    }

    /// Computes ‖u‖ before clipping. Leaves the coefficients of u in `norms`.
    fn update_norm(&mut self, step: &Step<'_>, vectors: &Vectors<'_>, pending: &Pending) -> f64 {
        let Step { config, ring, .. } = *step;
        self.norms.begin();
        let combination = &mut self.norms.combination;
        combination.fill(0.0);
        combination[..ring.held].copy_from_slice(&pending.coefficients[..ring.held]);
        if pending.vector != 0.0 {
            combination[ring.newest] += pending.vector * (1.0 - config.momentum);
            combination[vectors.momentum()] = pending.vector * config.momentum;
        }
        self.norms.norm(vectors)
    }

    /// Computes ‖ē‖ with this update included, bias-corrected. The coefficients of u are in `norms`.
    fn average_norm(&mut self, step: &Step<'_>, vectors: &Vectors<'_>) -> f64 {
        let beta = step.config.clip_beta;
        let combination = &mut self.norms.combination;
        combination.iter_mut().for_each(|x| *x *= 1.0 - beta);
        combination[vectors.average()] = beta;
        self.norms.norm(vectors) / bias(beta, step.number)
    }

    /// Computes ‖v‖ of step 3.
    fn input_norm(&mut self, step: &Step<'_>, vectors: &Vectors<'_>) -> f64 {
        let Step { config, ring, .. } = *step;
        let beta = config.momentum;
        let combination = &mut self.norms.combination;
        combination.fill(0.0);
        match config.momentum_kind {
            Momentum::Gradient => {
                combination[ring.newest] = 1.0 - beta;
                combination[vectors.momentum()] = beta;
                let correction = if config.bias_correction { bias(beta, step.number) } else { 1.0 };
                self.norms.norm(vectors) / correction
            }
            Momentum::Window => {
                window_average(step, combination);
                self.norms.norm(vectors)
            }
            Momentum::None | Momentum::Update => {
                combination[ring.newest] = 1.0;
                self.norms.norm(vectors)
            }
        }
    }

    /// Steps 2, 4 and 5: computes the coefficients of the stored columns. Returns the statistics of the update.
    fn coefficients(
        &mut self,
        step: &Step<'_>,
        partials: &[f64],
        gram: Candidate<'_>,
        coefficients: &mut [f64],
    ) -> Result<BlockStats> {
        let Step { config, ring, .. } = *step;
        let held = ring.held;
        let general = config.momentum_kind.averages_gradients();
        let matrix = Weighted::new(config, ring, gram, &mut self.weights, &mut self.means);
        let (span, products) = (&mut self.span[..held], &mut self.products[..held]);
        let centered = matrix.centering.is_some();
        let norm2 = if general {
            momentum_norm2(step, partials)
        } else if centered {
            dot(span, products)
        } else {
            0.0
        };
        let solution = if centered || general {
            self::general(config, &matrix, products, norm2, &mut self.workspace, coefficients)?
        } else {
            // Coefficients of the weighted columns. Window momentum decays no faster than the weights.
            matrix.weigh(span, |a, weight| if a == 0.0 { 0.0 } else { a / weight });
            let solution =
                self.workspace.solve(&Preconditioner::new(config), &matrix, &Vector::Span(span), coefficients)?;
            matrix.weigh(coefficients, |c, weight| c * weight);
            solution
        };
        if centered && !general {
            // v is a combination of columns, so its complement is too.
            for (c, a) in coefficients.iter_mut().zip(span.iter()) {
                *c += config.orthogonal_scale * a;
            }
        }
        Ok(BlockStats {
            update_norm: solution.norm2.sqrt(),
            spectrum: solution.spectrum.map(Ok),
            ..BlockStats::default()
        })
    }

    /// Computes the spectrum of the window with the Gram matrix `gram`.
    ///
    /// # Errors
    /// The errors of the eigensolver.
    pub fn spectrum(&mut self, config: &Config, ring: Ring, gram: Candidate<'_>) -> Result<Spectrum> {
        let matrix = Weighted::new(config, ring, gram, &mut self.weights, &mut self.means);
        let leaves_span = matrix.centering.is_some() || config.momentum_kind.averages_gradients();
        self.workspace.spectrum(&Preconditioner::new(config), &matrix, ring.held, leaves_span)
    }
}

/// A gradient whose squared norm, weighted, is below this number counts as 0.
const UNDERFLOW: f64 = 1e-290;

/// Sets the coefficients of tiny gradients to 0. Their inner products may have underflowed, so no norm and no check
/// would see their true length.
fn leave_out_underflow(gram: Candidate<'_>, coefficients: &mut [f64]) {
    for (slot, c) in coefficients.iter_mut().enumerate() {
        if gram.at(slot, slot) < UNDERFLOW {
            *c = 0.0;
        }
    }
}

/// Turns coefficients of weighted columns into coefficients of the stored columns.
///
/// # Errors
/// [`Error::NonFinite`] if a coefficient overflows.
fn weigh_coefficients(step: &Step<'_>, pending: &mut Pending) -> Result<()> {
    if !step.weighs {
        return Ok(());
    }
    for (c, weight) in pending.coefficients.iter_mut().zip(step.weights) {
        *c *= weight;
        // Sums in the element type only far from overflow and from subnormal numbers.
        pending.element_sums &= *c == 0.0 || (1e-20..1e20).contains(&c.abs());
        if !c.is_finite() {
            return Err(Error::non_finite("the update"));
        }
    }
    Ok(())
}

/// Computes κ, the factor on an update with diagonal preconditioning. With κ the update is as long as Adam's step, in
/// any unit of the loss. κ is 1 without diagonal preconditioning and with [`Clip::GraftInput`].
pub(super) fn kappa(step: &Step<'_>, partials: &[f64]) -> f64 {
    let Step { config, layout, number, .. } = *step;
    if !config.is_diagonal() || config.clip_kind.grafts_input() {
        return 1.0;
    }
    // Σ√q̂, where q̂ is q/(1 − β₂^t).
    (partials[layout.scalar(Scalar::Roots)] / bias(config.diagonal_beta, number).sqrt()).sqrt()
}

/// Computes ‖v‖² of gradient momentum.
fn momentum_norm2(step: &Step<'_>, partials: &[f64]) -> f64 {
    let Step { config, layout, ring, .. } = *step;
    let beta = config.momentum;
    let mixed = partials[layout.momentum()][ring.newest];
    let (g2, m2) = (partials[layout.gradient()][ring.newest], partials[layout.scalar(Scalar::MomentumNorm2)]);
    let norm2 = beta * beta * m2 + 2.0 * beta * (1.0 - beta) * mixed + (1.0 - beta) * (1.0 - beta) * g2;
    let correction = if config.bias_correction { bias(beta, step.number) } else { 1.0 };
    norm2.max(0.0) / (correction * correction)
}

/// Computes the coefficients of v, with window momentum, on the stored columns.
fn window_average(step: &Step<'_>, coefficients: &mut [f64]) {
    let Step { config, ring, .. } = *step;
    let beta = config.momentum;
    let correction = if config.bias_correction { bias(beta, ring.held as u64) } else { 1.0 };
    for (slot, a) in coefficients[..ring.held].iter_mut().enumerate() {
        *a = (1.0 - beta) * beta.powi(ring.age(slot) as i32) / correction;
    }
}

/// Step 6: computes s. `ratio` is the reference norm divided by the update's norm.
fn scale(kind: Clip, ratio: f64) -> f64 {
    match kind {
        Clip::GraftEmaNorm | Clip::GraftEmaVector | Clip::GraftInput => ratio,
        Clip::None | Clip::Norm | Clip::EmaNorm | Clip::EmaVector => ratio.min(1.0),
    }
}

/// Whether the products of [`NATIVE_COLUMNS`] columns may be summed in the element type before they are added up in f64.
///
/// Each product then has a rounding error of its coefficient, and at most one for each sum it is in. So the error of u
/// is at most `(NATIVE_COLUMNS + 1)·roundoff·Σ|cⱼ|‖gⱼ‖`, over the older columns. (The product of the newest gradient is
/// summed in f64.) This error may be half of the 2·10⁻⁶ that are promised for f32.
fn element_sums_are_enough(step: &Step<'_>, gram: Candidate<'_>, coefficients: &[f64], norm: f64) -> bool {
    // Only far from overflow and from subnormal numbers.
    let ordinary = |x: f64| (1e-20..1e20).contains(&x);
    let older = coefficients.iter().enumerate().filter(|&(slot, &c)| slot != step.ring.newest && c != 0.0);
    let mut reach = 0.0;
    for (slot, c) in older {
        if !ordinary(c.abs()) {
            return false;
        }
        reach += c.abs() * gram.norm(slot);
    }
    ordinary(norm) && (NATIVE_COLUMNS + 1) as f64 * step.roundoff * reach <= 1e-6 * norm
}

/// Returns an upper bound of the rounding error of `M c`, summed in f64.
fn rounding(gram: Candidate<'_>, coefficients: &[f64]) -> f64 {
    let reach = |(slot, c): (usize, &f64)| c.abs() * gram.norm(slot);
    coefficients.len() as f64 * f64::EPSILON * coefficients.iter().enumerate().map(reach).sum::<f64>()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
