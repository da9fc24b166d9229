//! lmada: limited-memory full-matrix Adagrad, exact, at the cost of two passes over the last k gradients.
//!
//! This is the safe Rust interface: [`Optimizer`] and its [`Config`]. Programs in other languages use the same through
//! the C interface in `include/lmada.h`, whose functions live in [`capi`].
//!
//! ```
//! use lmada::{Config, Optimizer};
//!
//! # fn main() -> lmada::Result<()> {
//! let mut optimizer = Optimizer::<f32>::new(&Config::default(), &[2])?;
//! let mut w = [3.0, -2.0];
//! for step in 0..200 {
//!     optimizer.set_lr(0.3 * 0.97_f64.powi(step))?;
//!     let gradient = [200.0 * w[0], w[1]]; // of 100 w₀² + w₁²/2
//!     optimizer.step(&mut w, &gradient)?;
//! }
//! assert!(w[0].abs() < 1e-2 && w[1].abs() < 1e-2);
//! # Ok(())
//! # }
//! ```
//!
//! # The update
//!
//! Step t, parameters w, gradient g, `h = min(t, k)` gradients held as the columns of M.
//!
//! 0. *Gradient.* With `grad_scale` and `grad_clip_norm`, `γ·g` takes g's place, where
//!    `γ = grad_scale·min(1, grad_clip_norm/(grad_scale·‖g‖))`, ‖g‖ of g as stored, over all blocks. γ is a weight of g's
//!    column. (*Sparse*: `a = e + grad_scale·g`, and only the clip is a weight.)
//! 1. *History.* g is appended, the oldest forgotten when more than k are held. A column of age a has weight
//!    `history_decay^a`. From here on g is the gradient as stored (see *Storage*).
//! 2. *Centering*, where on and `h ≥ 2`: M becomes `M J`, `J = I − 11ᵀ/h`. v below is not centered.
//! 3. *Vector.* `v = g`; with gradient momentum `m ← βm + (1−β)g`, `v = m`; with window momentum
//!    `v = Σ (1−β)β^age·g_age` over the window; either divided by the sum of its weights where bias correction is on.
//! 4. *Spectrum.* `M = U Σ Vᵀ`, `ε' = ε + eps_relative·σ²max`. Direction i is noise where
//!    `σ²ᵢ ≤ nᵢ = h·2⁻⁵²·(Σⱼ |Vⱼᵢ|·‖Mⱼ‖)²`; noise is absent where `ε' ≤ nᵢ` or v may leave the span of M (gradient
//!    momentum, centering). Where v may leave the span or `ε' = 0`, so is what has `σ² ≤ rank_tol·σ²max`. The norms
//!    `‖Mⱼ‖` are those before centering; with centering that of the mean column is added to each.
//! 5. *Direction.* `u = U f(Σ²) Uᵀv + orthogonal_scale·(v − UUᵀv)`, `f(λ) = (λ + ε')^(−power)`, or
//!    `1/(λ^power + ε + eps_relative·(σ²max)^power)` with `eps_on_root`; f is 0 for absent directions.
//! 6. *Clip or graft.* `u ← s·u`, by kind; see [`Clip`].
//! 7. *Update momentum*, where on: `b ← βb + (1−β)u`, and b (bias-corrected) takes u's place.
//! 8. *Weight decay*: `w ← w·(1 − lr·weight_decay)`. `lr·weight_decay` above 1 is refused.
//! 9. `w ← w − lr·u`.
//!
//! In a [`Group`] of parameters steps 8 and 9 go with `lr·lr_scale` and `weight_decay·weight_decay_scale`; with an
//! `lr_scale` of 0 the gradient counts as zeros too, and w keeps its bits. With `average_beta` (β), `p̄ ← βp̄ + (1−β)w`
//! follows each step.
//!
//! A gradient, as seen in step 0, whose squared norm in a block is below 1e-290 counts as 0 in u: its products underflow.
//! A step is refused where `max(1, lr)` times the length of what step 9 subtracts, or `max(1, lr)·s·‖u‖`, may be above
//! half the largest number of the element type: no finite parameter becomes infinite, unless it is near overflow itself.
//!
//! Since `f(MMᵀ)M = M f(C)` with the k×k Gram matrix `C = MᵀM`, all of it happens in k×k space: one pass over the
//! window for `Mᵀg`, one for `M c`. Full-matrix Adagrad is Duchi, Hazan, Singer (JMLR 2011); its windowed form GGT is
//! Agarwal et al. (ICML 2019, arXiv 1806.02958).
//!
//! # Diagonal preconditioning
//!
//! Where `diagonal_beta` is on (β₂), all of this happens in coordinates in which Adam is spherical (Kingma and Ba, ICLR
//! 2015: its second moment, its correction). Element by element `q ← β₂q + (1−β₂)(grad_scale·g)²` and
//! `S = (q/(1−β₂ᵗ) + diagonal_eps)^(−1/4)`; the column appended is `S g`, with the S of its own step, and so v is made of
//! such columns, or is `S m` with today's S. u, once it is `s·u`, is multiplied by today's S and by κ before it is
//! averaged or moves parameters.
//!
//! `κ = (Σᵢ √(qᵢ/(1−β₂ᵗ)))^(1/2)`, over the parameters of the block and with the q of this step; κ = 1 with
//! [`Clip::GraftInput`]. κ makes the direction free of units: a loss times a number gives the same steps (if ε is 0 and
//! `diagonal_eps` is small), and `lr` is Adam's, about the RMS change of a parameter. With k = 1 u is Adam's direction
//! without momentum, its length smoothed over steps; with [`Clip::GraftInput`] it is exactly Adam's.
//!
//! Norms, those of clips and grafts and [`Stats::update_norm`], are those in the coordinates of the columns, without κ,
//! where the promised precision holds too. q is kept as its root. S is computed in the precision of the elements. With
//! `f32` a `diagonal_eps` below 2·10⁻⁷⁵ counts as that, and a root below 10⁻¹⁹·√diagonal_eps may be taken for 0, in κ
//! too. A step is refused if `max(1, lr)·κ·diagonal_eps^(−1/4)·s·‖u‖` is above half the largest number of the element
//! type.
//!
//! # Storage
//!
//! [`HistoryFormat`] says in which numbers a column is kept. The rule holds exactly for the gradient as stored, which
//! stands for g in v, m, C and `M c` alike; [`Stats::grad_norm`] alone is of g as given. Rounding is to the nearest, of
//! two as near to the even one.
//!
//! - *Full*: g itself, in the optimizer's element type. With `f64` the only one.
//! - *Bf16*: `bf16(g)`, 8 significant bits; beyond the largest bfloat16, that.
//! - *F16*: `s·f16(g/s)`, 11 significant bits, for each 256 numbers a power of two s. With L the largest of their
//!   magnitudes, `s = 2^(⌊log₂ L⌋ − 14)`, at least 2⁻¹²⁶.
//! - *Int8*: `s·round(g·s⁻¹)`, for each 256 numbers `s = L/127`, cut to 16 significant bits; `s⁻¹` and the product are
//!   rounded to `f32`.
//! - *Sparse*: with error feedback e, 0 at first, `a = e + g`. Of each 4,096 numbers (`len` of them, where there are
//!   fewer) the `max(1, ⌈density·len⌉)` entries of a that are largest in magnitude (of two as large that of the lower
//!   index) are stored as `c = bf16(a)`, zeros elsewhere; `e ← a − c`. That is EFCP's window (Modoranu et al., ICML
//!   2024, arXiv 2306.06098).
//!
//! 256 and 4,096 are counted from the start of each block of the optimizer. Tensors and pieces may cut such units;
//! where parameters are split over processes, shares that start at multiples of 4,096 from the start of the block store
//! what one process would. A step for which a stored number would not be finite is refused: an `a` that overflows, or
//! an f16 that rounds beyond the largest `f32`.
//!
//! # The rooms
//!
//! One way in, one way through: [`capi`] → [`Optimizer`] → window and kernels → gram → spectral → kernels. See
//! `ARCHITECTURE.md`.

#![deny(missing_docs, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
// Public types can grow without breaking a program.
#![deny(clippy::exhaustive_enums, clippy::exhaustive_structs)]

pub mod capi;
mod checkpoint;
mod config;
mod error;
mod fault;
mod gram;
mod kernels;
mod memory;
mod optimizer;
mod parallel;
mod schedule;
mod simd;
mod spectral;
mod tensors;
mod window;

pub use config::{Clip, Config, Dtype, HistoryFormat, Momentum};
pub use error::{Argument, Error, Place, Result, Value};
pub use kernels::Element;
pub use optimizer::{Group, Optimizer, Stats};
pub use schedule::Schedule;
