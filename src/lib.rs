//! lmada: limited-memory full-matrix Adagrad. A step is exact and takes two passes over the last k gradients.
//!
//! This is the safe Rust interface: [`Optimizer`] and its [`Config`]. Programs in other languages use the C interface
//! in `include/lmada.h`, whose functions are in [`capi`].
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
//! Notation: t is the number of the step, w are the parameters, g is the gradient. The last `h = min(t, k)` gradients
//! are the columns of M.
//!
//! 0. *Gradient.* With `grad_scale` and `grad_clip_norm`, `γ·g` replaces g, where
//!    `γ = grad_scale·min(1, grad_clip_norm/(grad_scale·‖g‖))`. ‖g‖ is the norm of g as stored, over all blocks. γ is a
//!    weight of g's column. (*Sparse*: `a = e + grad_scale·g`, and only the clip is a weight.)
//! 1. *History.* g is appended to M. The oldest gradient is dropped if M would hold more than k. A column of age a has
//!    the weight `history_decay^a`. From here on g is the gradient as stored (see *Storage*).
//! 2. *Centering*, if `centered` and `h ≥ 2`: M becomes `M J`, with `J = I − 11ᵀ/h`. v below is not centered.
//! 3. *Vector.* `v = g`. With gradient momentum: `m ← βm + (1−β)g` and `v = m`. With window momentum:
//!    `v = Σ (1−β)β^age·g_age` over the window. With bias correction, m and the sum are divided by the sum of their
//!    weights.
//! 4. *Spectrum.* `M = U Σ Vᵀ` and `ε' = ε + eps_relative·σ²max`. Direction i is below the noise floor if
//!    `σ²ᵢ ≤ nᵢ = h·2⁻⁵²·(Σⱼ |Vⱼᵢ|·‖Mⱼ‖)²`. Such a direction is left out if `ε' ≤ nᵢ`, or if v may leave the span
//!    of M (gradient momentum, centering). If v may leave the span, or `ε' = 0`, directions with `σ² ≤ rank_tol·σ²max`
//!    are left out too. `‖Mⱼ‖` is the norm before centering; with centering the norm of the mean column is added to
//!    each.
//! 5. *Direction.* `u = U f(Σ²) Uᵀv + orthogonal_scale·(v − UUᵀv)`, with `f(λ) = (λ + ε')^(−power)`, or
//!    `f(λ) = 1/(λ^power + ε + eps_relative·(σ²max)^power)` with `eps_on_root`. f is 0 for directions that are left out.
//! 6. *Clip or graft.* `u ← s·u`; [`Clip`] defines s.
//! 7. *Update momentum*, if on: `b ← βb + (1−β)u`, and b (bias-corrected) replaces u.
//! 8. *Weight decay*: `w ← w·(1 − lr·weight_decay)`. `lr·weight_decay` above 1 is refused.
//! 9. `w ← w − lr·u`.
//!
//! In a parameter group ([`Group`]) steps 8 and 9 use `lr·lr_scale` and `weight_decay·weight_decay_scale`. If
//! `lr_scale` is 0, the gradient counts as zeros too, and w keeps its bits. With `average_beta` (β),
//! `p̄ ← βp̄ + (1−β)w` follows each step.
//!
//! A gradient `γ·g` whose squared norm in a block is below 1e-290 counts as 0 in u, because its inner products
//! underflow. A step is refused if `max(1, lr)` times the norm of the vector that step 9 subtracts, or
//! `max(1, lr)·s·‖u‖`, may exceed half the largest number of the element type. So no finite parameter becomes infinite, unless
//! it is near overflow itself.
//!
//! With the k×k Gram matrix `C = MᵀM`, `f(MMᵀ)M = M f(C)`. So a step is one pass over the window for `Mᵀg`, k×k work,
//! and one pass for `M c`. Full-matrix Adagrad is from Duchi, Hazan, Singer (JMLR 2011); its windowed form, GGT, is
//! from Agarwal et al. (ICML 2019, arXiv 1806.02958).
//!
//! # Diagonal preconditioning
//!
//! With `diagonal_beta` (β₂) the gradients are scaled by the root of their second moment before and after the window.
//! The second moment and its bias correction are those of Adam (Kingma and Ba, ICLR 2015). For each parameter
//! `q ← β₂q + (1−β₂)(grad_scale·g)²` and `S = (q/(1−β₂ᵗ) + diagonal_eps)^(−1/4)`. The column appended to M is `S g`, with the S
//! of its own step. v is made of these columns, or is `S m` with the S of the present step. After step 6, u is
//! multiplied by the S of the present step and by κ.
//!
//! `κ = (Σᵢ √(qᵢ/(1−β₂ᵗ)))^(1/2)`, over the parameters of the block, with the q of this step; κ = 1 with
//! [`Clip::GraftInput`]. Because of κ the direction has no units: a loss times a constant gives the same steps (if ε is
//! 0 and `diagonal_eps` is small), and `lr` means what it means in Adam, about the RMS change of a parameter in a step.
//! With k = 1, u has the direction of Adam's step without momentum, and its length smoothed over steps; with
//! [`Clip::GraftInput`] it is exactly Adam's step.
//!
//! The norms of clips and grafts and [`Stats::update_norm`] are taken before S and κ; the promised precision holds for
//! this u. The optimizer keeps √q instead of q. S is computed in the element type. With `f32`, a `diagonal_eps` below
//! 2·10⁻⁷⁵ counts as 2·10⁻⁷⁵, and a root below 10⁻¹⁹·√diagonal_eps may count as 0, in κ too. A step is refused if
//! `max(1, lr)·κ·diagonal_eps^(−1/4)·s·‖u‖` exceeds half the largest number of the element type.
//!
//! # Storage
//!
//! [`HistoryFormat`] is the number format of a column. The update rule holds exactly for the gradient as stored: it is
//! the g of v, m, C and `M c`. Only [`Stats::grad_norm`] is the norm of g as given. Rounding is to nearest, ties to
//! even.
//!
//! - *Full*: g itself, in the optimizer's element type. The only format for `f64`.
//! - *Bf16*: `bf16(g)`, 8 significant bits. Numbers beyond the largest bfloat16 saturate.
//! - *F16*: `s·f16(g/s)`, 11 significant bits. Each group of 256 numbers has a power of two as its scale s. With L the
//!   largest magnitude of the group, `s = 2^(⌊log₂ L⌋ − 14)`, at least 2⁻¹²⁶.
//! - *Int8*: `s·round(g·s⁻¹)`. Each group of 256 numbers has the scale `s = L/127`, truncated to 16 significant bits.
//!   `s⁻¹` and the product are rounded to `f32`.
//! - *Sparse*: with error feedback e, 0 at first, let `a = e + g`. Of each group of 4,096 numbers (`len` numbers in a
//!   shorter group) the `max(1, ⌈density·len⌉)` entries of a that are largest in magnitude are stored as `c = bf16(a)`;
//!   of equal magnitudes, the entry of the lower index. The other entries of c are 0, and `e ← a − c`. This is EFCP's
//!   window (Modoranu et al., ICML 2024, arXiv 2306.06098).
//!
//! Groups of 256 and 4,096 are counted from the start of each block of the optimizer. Tensors and pieces may cut
//! groups. If parameters are split over processes, shares that start at multiples of 4,096 from the start of the block
//! store the same numbers as one process would. A step is refused if a stored number would not be finite: an `a` that
//! overflows, or an f16 that rounds beyond the largest `f32`.
//!
//! # The modules
//!
//! A call goes through [`capi`], [`Optimizer`], the window and the kernels, the Gram matrix, and the k×k solver. See
//! `ARCHITECTURE.md`.

#![deny(missing_docs, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
// Public types may grow in later versions without breaking programs.
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
