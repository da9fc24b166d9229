//! Preconditioning a vector of the caller with the present window. The state does not change.

use core::ops::Range;

use super::Optimizer;
use super::chunk::{Chunk, Scratch};
use super::partials::{Layout, Scalar};
use super::ring::Ring;
use super::solve::kappa;
use super::step::{Step, bias};
use crate::config::Config;
use crate::error::{Error, Place, Result};
use crate::kernels::{Ahead, Diagonal, Element, Kernels, Scaled};
use crate::parallel::Order;
use crate::tensors::{One, OneMut, Tensors, TensorsMut};
use crate::window::Factors;

impl<T: Element> Optimizer<T> {
    /// Preconditions a vector with the present window: writes `U f(Σ²) Uᵀv + orthogonal_scale·(v − UUᵀv)`, step 5 of
    /// the update rule. No state changes. If v is the newest gradient, the result is the direction of the last step
    /// without clip and momentum, up to rounding.
    ///
    /// With diagonal preconditioning, v is scaled before and the result after, as in a step.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`]; [`Error::NonFinite`] if v is not finite or the result may not be;
    /// [`Error::WrongPhase`] in an open step and before the first step.
    pub fn precondition(&mut self, out: &mut [T], v: &[T]) -> Result<()> {
        self.check_len("the length of out", out.len())?;
        self.check_len("the length of v", v.len())?;
        self.check_idle("precondition")?;
        if self.steps == 0 {
            return Err(Error::WrongPhase { call: "precondition", reason: "no gradient is in the window" });
        }
        let ring = Ring::after(self.steps - 1, self.config.history_size as usize);
        let Config { diagonal_beta, diagonal_eps: eps, .. } = self.config;
        // With β = 1 and factor 0, q stays as it is.
        let correction = 1.0 / bias(diagonal_beta, self.steps);
        let diagonal = self.config.is_diagonal().then_some(Diagonal { beta: 1.0, correction, eps, factor: 0.0 });
        let (v, out) = (One::new(v), OneMut::new(out));
        let work = Work {
            kernels: T::kernels(),
            layout: self.layout,
            held: ring.held,
            diagonal,
            vector: Tensors::new(&v, &[], 0),
            out: TensorsMut::new(&out, &[], 0),
        };
        let threads = self.threads_for(self.dim);
        self.chunks.iter_mut().for_each(Chunk::open);
        self.pool.for_each(threads, Order::Forward, &mut self.chunks, &mut self.scratch, |_, chunk, scratch| {
            chunk.products(&work, scratch);
        });
        self.add_up();
        self.check_vector()?;
        let weights = &self.weights[..ring.held];
        let step = Step::new::<T>(&self.config, self.layout, ring, self.steps, self.lr, weights);
        let (partials, layout) = (&self.partials, self.layout);
        self.pool.for_each(threads, Order::Forward, &mut self.blocks, &mut self.solvers, |index, block, solver| {
            let sums = &partials[index * layout.len()..][..layout.len()];
            block.pending.result = solver.precondition(
                &step,
                block,
                &sums[layout.gradient()][..ring.held],
                sums[layout.scalar(Scalar::GradNorm2)],
                kappa(&step, sums),
            );
        });
        self.blocks.iter().try_for_each(|block| block.pending.result)?;
        let blocks = &self.blocks;
        self.pool.for_each(threads, Order::Backward, &mut self.chunks, &mut self.scratch, |_, chunk, scratch| {
            let coefficients = &blocks[chunk.block].pending.coefficients[..ring.held + 1];
            // SAFETY: chunks are disjoint, so that no other thread is at these positions.
            unsafe { chunk.precondition(&work, coefficients, scratch) };
        });
        Ok(())
    }

    /// Refuses a vector with a NaN or an infinity, from its sums.
    fn check_vector(&self) -> Result<()> {
        let scalar = |which| self.partials.chunks_exact(self.layout.len()).map(move |b| b[self.layout.scalar(which)]);
        let count: f64 = scalar(Scalar::NonFinite).sum();
        if count != 0.0 {
            let first = self.chunks.iter().map(|chunk| chunk.first_bad).min().unwrap_or_default();
            let first = Some(Place { index: first as u64, tensor: None });
            return Err(Error::NonFinite { what: "v", count: count as u64, first });
        }
        if !self.partials.iter().all(|sum| sum.is_finite()) {
            return Err(Error::non_finite("an inner product of v"));
        }
        Ok(())
    }
}

/// The inputs of the two passes over the caller's vector.
struct Work<'a, T: Element> {
    kernels: &'static Kernels<T>,
    layout: Layout,
    /// Number of columns in the window.
    held: usize,
    diagonal: Option<Diagonal>,
    vector: Tensors<'a, T>,
    out: TensorsMut<'a, T>,
}

impl<T: Element> Chunk<T> {
    /// Adds the products of the vector with every column to the sums, where a step has those of the gradient.
    fn products(&mut self, work: &Work<'_, T>, scratch: &mut Scratch<T>) {
        let Work { kernels, layout, held, .. } = *work;
        for tile in self.tiles(&self.range.clone()) {
            let place = self.range.start + tile.start;
            let given = work.vector.read(place, tile.len(), &mut scratch.staging);
            let bad = self.count_bad(place, given);
            if bad > 0 {
                self.sums[layout.scalar(Scalar::NonFinite)] += bad as f64;
                continue;
            }
            let (scale, scaled) = (&mut scratch.scale, &mut scratch.scaled);
            let mut x = given;
            if let Some(diagonal) = &work.diagonal {
                self.sums[layout.scalar(Scalar::Roots)] += self.rescale(kernels, diagonal, &tile, given, scale, scaled);
                x = &scaled[..tile.len()];
            }
            self.sums[layout.scalar(Scalar::GradNorm2)] += (kernels.dot)(x, x);
            // `dots` leaves out slot `held`, which is after the last column. The sum at that place does not change.
            self.window.dots(held, tile.start, x, &mut self.sums[layout.gradient().start..][..held + 1]);
        }
    }

    /// Writes the linear combination of the columns and the vector with these coefficients.
    ///
    /// # Safety
    /// No other call touches the chunk's positions of `work.out` at the same time.
    unsafe fn precondition(&mut self, work: &Work<'_, T>, coefficients: &[f64], scratch: &mut Scratch<T>) {
        let Work { kernels, held, .. } = *work;
        for tile in self.tiles(&self.range.clone()) {
            let (place, len) = (self.range.start + tile.start, tile.len());
            let given = work.vector.read(place, len, &mut scratch.staging);
            let (scale, scaled) = (&mut scratch.scale, &mut scratch.scaled);
            let mut x = given;
            if let Some(diagonal) = &work.diagonal {
                self.rescale(kernels, diagonal, &tile, given, scale, scaled);
                x = &scaled[..len];
            }
            let u = &mut scratch.update;
            let factors = Factors { coefficients, native_sums: false };
            self.window.combine(held, x, tile.start, factors, Ahead::default(), u);
            if work.diagonal.is_some() {
                (kernels.rescale)(&scale[..len], 1.0, u);
            }
            // SAFETY: the caller's promise is passed on.
            unsafe { work.out.write(place, len, |first, out| (kernels.round)(&u[first..], 1.0, out)) };
        }
    }

    /// Scales a tile of the vector by q as it is. Returns the sum of the roots of q.
    fn rescale(
        &self,
        kernels: &Kernels<T>,
        diagonal: &Diagonal,
        tile: &Range<usize>,
        given: &[T],
        scale: &mut [T],
        scaled: &mut [T],
    ) -> f64 {
        let root = &self.root[tile.clone()];
        let (scale, scaled) = (&mut scale[..tile.len()], &mut scaled[..tile.len()]);
        // The roots are passed as the gradient too: with factor 0 the gradient does not matter.
        let target = Scaled { scale: &mut *scale, scaled: &mut *scaled };
        let sums = (kernels.diagonal_scales)(root, root, diagonal, Ahead::default(), target);
        (kernels.multiply)(scale, given, scaled);
        sums.roots
    }
}
