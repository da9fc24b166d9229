//! The types of the C interface, laid out as in the header. Enums are `int32_t` with named constants, so that a value
//! no version knows is an error and not undefined behaviour.

#![allow(non_camel_case_types)]

use super::boolean::CBool;

/// Result of a call: `LMADA_OK` or one of the `LMADA_ERROR_` values. A number is never reused; later versions may add
/// some at the end. After a failure `lmada_last_error()` says in words which argument was wrong and what it was.
pub type lmada_status_t = i32;

/// The call did what it says.
pub const LMADA_OK: lmada_status_t = 0;
/// A pointer that has to point at something is NULL.
pub const LMADA_ERROR_NULL_POINTER: lmada_status_t = 1;
/// A value out of range, overlapping memory, an unknown enum value, the other element type, and the like.
pub const LMADA_ERROR_INVALID_ARGUMENT: lmada_status_t = 2;
/// A length that does not fit the optimizer.
pub const LMADA_ERROR_DIMENSION_MISMATCH: lmada_status_t = 3;
/// A NaN or an infinity in the gradient or in what `history_format` would store of it, or a step whose result would not
/// be finite. The step was refused whole; the next good gradient steps on.
pub const LMADA_ERROR_NON_FINITE: lmada_status_t = 4;
/// Memory could not be had.
pub const LMADA_ERROR_OUT_OF_MEMORY: lmada_status_t = 5;
/// Another thread is inside a call on the same handle, or holds it.
pub const LMADA_ERROR_BUSY: lmada_status_t = 6;
/// The call does not belong at this point of a step in phases.
pub const LMADA_ERROR_WRONG_PHASE: lmada_status_t = 7;
/// A saved state is damaged, truncated, or none of this library.
pub const LMADA_ERROR_BAD_STATE: lmada_status_t = 8;
/// A defect of the library: please report what `lmada_last_error` says. What the call was writing, parameters too, may be
/// half written. The handle answers with this until `lmada_reset`, which makes it as new.
pub const LMADA_ERROR_INTERNAL: lmada_status_t = 9;
/// A callback supplied by the caller failed: `write` of `lmada_state_write`, `read` of `lmada_create_from_state`, or MPI
/// in the functions of `lmada_mpi.h`.
pub const LMADA_ERROR_CALLBACK: lmada_status_t = 10;

/// Element type of parameters, gradients and stored state: `LMADA_F32` or `LMADA_F64`.
pub type lmada_dtype_t = i32;
/// `float`: the functions without a suffix.
pub const LMADA_F32: lmada_dtype_t = 0;
/// `double`: the functions that end in `_f64`.
pub const LMADA_F64: lmada_dtype_t = 1;

/// How the stored gradients are kept. With `LMADA_F64` only `LMADA_HISTORY_FULL`: `lmada_create` refuses the others
/// with `LMADA_ERROR_INVALID_ARGUMENT`.
///
/// The optimizer works with the gradient as stored, in v, momentum, MM' and the update alike. So in every format the
/// update is exact for the gradients stored; for those given it differs from that of `LMADA_HISTORY_FULL`. Only
/// `grad_norm` in the stats is of g as given. What would be stored has to be finite, else the step is refused with
/// `LMADA_ERROR_NON_FINITE`.
///
/// Units are the numbers that are stored together: 1 (`FULL`, `BF16`), 256 (`F16`, `INT8`) or 4,096 (`SPARSE`), counted
/// from the start of each block of the optimizer, so that the last of a block may be shorter. Tensors and pieces of a
/// step in phases may cut them: a unit that pieces cut waits for its other parts in memory reserved at create, which
/// has room for 16 such units at a time. More of them grow it, and `lmada_feed` may then say
/// `LMADA_ERROR_OUT_OF_MEMORY`; pieces in order, forwards or backwards, leave one unit open at most. Processes that
/// share a block store what one process would if their shares start at multiples of 4,096 from the block's start.
pub type lmada_history_format_t = i32;
/// As given, in the optimizer's own element type: 4 bytes a number, 8 with `LMADA_F64`. Choose it wherever there is
/// memory for it, and for small models, where the others save no time.
pub const LMADA_HISTORY_FULL: lmada_history_format_t = 0;
/// bfloat16, 8 significant bits: 2 bytes a number. Rounded to the nearest, of two as near the even one, so off by at
/// most half a unit in the last place; what is beyond the largest bfloat16 becomes that. Choose it in place of
/// `LMADA_HISTORY_F16` where numbers side by side differ by more than nine decades.
pub const LMADA_HISTORY_BF16: lmada_history_format_t = 1;
/// IEEE half precision, 11 significant bits, relative to a power of two for each 256 numbers, so that gradients may be
/// tiny: 2 bytes a number and 8 for each 256. Rounded to the nearest, of two as near the even one, so off by at most
/// half a unit in the last place, or 2^-39 of the largest of the 256 where that is more. A number of magnitude
/// `(1 - 2^-12)*2^128` or more, which rounds beyond the largest `float`, is `LMADA_ERROR_NON_FINITE`. Choose it first
/// where memory is short or a step too long.
pub const LMADA_HISTORY_F16: lmada_history_format_t = 2;
/// Whole numbers from -127 to 127, relative to a scale for each 256 numbers, the largest of their magnitudes over 127:
/// 1 byte a number and 8 for each 256. Off by at most half a step of the scale, so that numbers below 1/254 of the
/// largest of their 256 are lost. Choose it where `LMADA_HISTORY_F16` takes too much memory.
pub const LMADA_HISTORY_INT8: lmada_history_format_t = 3;
/// The largest entries only, with error feedback e, which starts at 0. With `a = e + g`, of each unit of 4,096 numbers
/// (`len` of them, where it is shorter) those `max(1, ceil(density*len))` of a that are largest in magnitude, of two as
/// large that of the lower index, are stored as c, rounded as in `LMADA_HISTORY_BF16`; the others are 0 in c, and
/// `e <- a - c`. An entry takes 4 bytes, 2 for its value and 2 for its index: `4*density*(k + 1)` bytes a parameter, as
/// one column is spare. e is one more buffer of `dim` elements and part of the state. A step where e + g overflows is
/// `LMADA_ERROR_NON_FINITE`. Choose it for long windows of large models and for long runs: it takes some 1/density
/// steps for an entry to have its turn.
pub const LMADA_HISTORY_SPARSE: lmada_history_format_t = 4;

/// What is averaged over time, with weight `momentum` (beta) a step.
pub type lmada_momentum_t = i32;
/// Nothing: the newest gradient is preconditioned.
pub const LMADA_MOMENTUM_NONE: lmada_momentum_t = 0;
/// The gradients, before preconditioning: `m <- beta*m + (1 - beta)*g`. One more buffer of `dim` elements.
pub const LMADA_MOMENTUM_GRADIENT: lmada_momentum_t = 1;
/// The updates, after preconditioning and clipping: `b <- beta*b + (1 - beta)*u`. One more buffer of `dim` elements.
pub const LMADA_MOMENTUM_UPDATE: lmada_momentum_t = 2;
/// The gradients that are in the window: `sum of (1 - beta)*beta^age*g`. Costs no memory and no time. Needs
/// `history_decay >= momentum`.
pub const LMADA_MOMENTUM_WINDOW: lmada_momentum_t = 3;

/// How the length of an update u is bounded or set: u becomes `s*u`. r is the bias-corrected moving average (weight
/// `clip_beta`) of the norms of past unclipped updates, the present one not in it; e is that of the unclipped updates
/// themselves, the present one in it. An update of norm 0 has s = 1 and does not enter r.
pub type lmada_clip_t = i32;
/// s = 1.
pub const LMADA_CLIP_NONE: lmada_clip_t = 0;
/// s = min(1, clip_norm/|u|).
pub const LMADA_CLIP_NORM: lmada_clip_t = 1;
/// s = min(1, clip_factor*r/|u|); 1 while there is no r.
pub const LMADA_CLIP_EMA_NORM: lmada_clip_t = 2;
/// s = r/|u|; 1 while there is no r.
pub const LMADA_GRAFT_EMA_NORM: lmada_clip_t = 3;
/// s = min(1, clip_factor*|e|/|u|). One more buffer of `dim` elements.
pub const LMADA_CLIP_EMA_VECTOR: lmada_clip_t = 4;
/// s = |e|/|u|. One more buffer of `dim` elements.
pub const LMADA_GRAFT_EMA_VECTOR: lmada_clip_t = 5;
/// s = |v|/|u|; 1 where v is 0. A step is as long as without preconditioning. With `diagonal_beta` that is exactly as
/// long as Adam's, without the smoothing of `kappa`.
pub const LMADA_GRAFT_INPUT: lmada_clip_t = 6;

/// How a learning rate goes on after the warm-up of `lmada_schedule`.
pub type lmada_schedule_t = i32;
/// It stays at the peak.
pub const LMADA_SCHEDULE_CONSTANT: lmada_schedule_t = 0;
/// It falls to 0 at the last step, by as much each step.
pub const LMADA_SCHEDULE_LINEAR: lmada_schedule_t = 1;
/// It falls to 0 at the last step, along half a period of a cosine.
pub const LMADA_SCHEDULE_COSINE: lmada_schedule_t = 2;

/// Parameters with factors of their own on learning rate and weight decay, for `lmada_set_groups`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct lmada_group_t {
    /// The first parameter.
    pub offset: usize,
    /// How many there are.
    pub len: usize,
    /// Factor on the learning rate, >= 0. 0 freezes: the gradient there is not read and counts as zeros, and the
    /// parameters keep their bits.
    pub lr_scale: f64,
    /// Factor on the weight decay, >= 0.
    pub weight_decay_scale: f64,
}

/// Options of an optimizer. Fill it with `lmada_config_init` or `lmada_config_recommended`, then change what you want;
/// never set it field by field from nothing.
///
/// The struct grows at the end only: a program compiled against an older header passes a smaller `struct_size`, and
/// the options it does not know take their defaults. Every value is checked by `lmada_create`, used or not; one out of
/// range or not finite is `LMADA_ERROR_INVALID_ARGUMENT`, and `lmada_last_error()` names the field.
///
/// Notation: w are the parameters, g the gradient, M the d x k matrix of stored gradients, U S V' its thin SVD,
/// u = U f(S^2) U' v the update, with v = g or a momentum of g; g as `history_format` stores it.
///
/// ```c
/// lmada_config_t config;
/// lmada_config_init(&config, sizeof config);
/// config.lr = 0.05;
/// config.history_size = 30;
/// config.history_format = LMADA_HISTORY_F16;
/// if (lmada_create(&config, dim, &opt) != LMADA_OK) fail(lmada_last_error());
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct lmada_config_t {
    /// Size in bytes of this struct as the caller knows it; set by the init functions. 8 to
    /// `sizeof(lmada_config_t)`; larger is refused.
    pub struct_size: usize,
    /// Element type of parameters, gradients and stored state. Default `LMADA_F32`. `LMADA_F64` doubles memory and
    /// time; choose it where the parameters themselves are `double`.
    pub dtype: lmada_dtype_t,
    /// k, the number of gradients kept: 1 to 4096. Default 10. Memory is k numbers a parameter, in as many bytes as
    /// `history_format` has for them. More sees more directions of curvature; 10 to 30 serve small and stochastic
    /// problems, 100 long ones.
    pub history_size: u32,
    /// How the gradients are kept; see `lmada_history_format_t`. Default `LMADA_HISTORY_FULL`, which is the only one
    /// with `LMADA_F64`. The others keep a window in less memory.
    pub history_format: lmada_history_format_t,
    /// Share of a gradient's entries that `LMADA_HISTORY_SPARSE` keeps, rounded up in each 4,096: (0, 1]. Default 0.01.
    /// More takes more memory and time, and leaves less of a gradient to later steps.
    pub density: f64,
    /// Learning rate: >= 0. Default 1e-2. With the default power and no momentum |u| <= 1, so that lr bounds the
    /// length of a step. With `diagonal_beta` lr is Adam's: about the RMS change of a parameter in a step. The first
    /// thing to tune, over factors of 3. `lmada_set_lr` changes it between steps.
    pub lr: f64,
    /// eps, added to the eigenvalues of MM': >= 0. Default 1e-6. Raise it towards the squared norm of the gradients
    /// to make the method more like plain gradient descent. 0 is fine: directions that are absent are left out.
    pub eps: f64,
    /// Adds this part of the largest eigenvalue of MM' to eps: >= 0. Default 0. Use it (1e-9 to 1e-2) in place of eps
    /// where the gradients' scale is unknown or falls during training: unlike eps it does not depend on the units of
    /// the loss.
    pub eps_relative: f64,
    /// p in f(x) = (x + eps)^-p: (0, 1]. Default 0.5, Adagrad. 1 makes the step that of a natural gradient over the
    /// window; small values make it more like gradient descent.
    pub power: f64,
    /// f(x) = 1/(x^p + eps + eps_relative*max^p) in place of (x + eps')^-p, as some other implementations have it.
    /// Default false. Set it to carry over an eps tuned for one of those.
    pub eps_on_root: CBool,
    /// Eigenvalues at or below rank_tol times the largest are taken as absent, where v may leave the span of the window
    /// (gradient momentum, centering) or eps is 0: [0, 1). Default 1e-14. Raise it if such runs are noisy.
    pub rank_tol: f64,
    /// Subtract the mean of the stored gradients from each of them (not from v). Default false. Makes the
    /// preconditioner a covariance: for stochastic gradients whose mean is large against their spread.
    pub centered: CBool,
    /// Weight of a stored gradient, for each step of its age: (0, 1]. Default 1. Below 1 old gradients fade instead
    /// of falling out at age k.
    pub history_decay: f64,
    /// Factor on the part of v that the stored gradients do not span: >= 0. Default 0. Of effect with gradient
    /// momentum or centering only, since v lies in the span otherwise.
    pub orthogonal_scale: f64,
    /// What is averaged over time. Default `LMADA_MOMENTUM_NONE`.
    pub momentum_kind: lmada_momentum_t,
    /// beta of the momentum: [0, 1). Default 0.9.
    pub momentum: f64,
    /// Divide the momentum by the sum of its weights, so that early steps are not short. Default true.
    pub bias_correction: CBool,
    /// How the length of an update is bounded or set. Default `LMADA_CLIP_NONE`.
    pub clip_kind: lmada_clip_t,
    /// Largest norm of an update, for `LMADA_CLIP_NORM`: >= 0. Default 1.
    pub clip_norm: f64,
    /// Factor on the reference norm, for `LMADA_CLIP_EMA_NORM` and `LMADA_CLIP_EMA_VECTOR`: >= 0. Default 1.
    pub clip_factor: f64,
    /// beta of the moving averages behind the `EMA` clips: [0, 1). Default 0.99.
    pub clip_beta: f64,
    /// Decoupled weight decay: each step first multiplies the parameters by 1 - lr*weight_decay. >= 0; lr*weight_decay,
    /// with any learning rate that is set or loaded later too, is at most 1. Default 0.
    pub weight_decay: f64,
    /// Threads of a step at most, the calling one included: 0 for as many as the process has processors, or fewer where
    /// its control group has a quota; 1 for the calling thread only. Default 0. The results are the same bits for any
    /// number. Small models use one whatever it says.
    ///
    /// All handles share one pool of worker threads, fewer than there are processors. A step takes the workers that are
    /// free at that moment, and has them run where its calling thread may run. Workers that the system does not give
    /// are done without. With 0, the first create of a large model reads the quota from files in /proc and /sys; not
    /// with another number, and not under a seccomp filter with `no_new_privs`, where quotas are not known.
    pub threads: u32,
    /// beta2 of diagonal preconditioning, after which Adam is spherical: [0, 1). Default 0: off. Otherwise
    /// q <- beta2*q + (1 - beta2)*g^2 is kept for each parameter, s = (q/(1 - beta2^t) + diagonal_eps)^(-1/4), and the
    /// window, v and M are of gradients times the s of their own step; u is multiplied by today's s and by kappa on its
    /// way out. kappa = (sum of sqrt(q/(1 - beta2^t)))^(1/2), over the parameters of the block; 1 with
    /// `LMADA_GRAFT_INPUT`. With kappa the step has no units: a loss times a number takes the same steps (if eps is 0),
    /// and lr is Adam's. With k = 1 that is Adam's direction, its length smoothed. Norms (clips, grafts, `update_norm`)
    /// are those before s and kappa. One more buffer of `dim` elements. For deep networks, whose parameters' gradients
    /// differ by orders of magnitude: 0.95 to 0.999, with eps 0, eps_relative 1e-9 and diagonal_eps 1e-30. Not with
    /// `centered`, nor with the clips by EMA vectors: `lmada_create` refuses them.
    pub diagonal_beta: f64,
    /// What is added to q, finite and > 0. Default 1e-16, the square of Adam's usual 1e-8. Choose it far below the
    /// squares of all gradients that matter: 1e-30 with losses of any scale. With `LMADA_F32` gradients below
    /// 1e-19*sqrt(diagonal_eps) may count as 0 in q. Steps are refused with `LMADA_ERROR_NON_FINITE` where
    /// kappa*diagonal_eps^(-1/4)*|u| may overflow.
    pub diagonal_eps: f64,
    /// Factor on every gradient before anything is done with it, >= 0. Default 1. To undo the scale of a loss (gradients
    /// in half precision), or to average a gradient that was summed over several batches. `lmada_set_grad_scale` changes
    /// it between steps. It costs no pass over memory. `grad_norm` in the stats is of g as given, without it. A gradient
    /// that it makes shorter than 1e-145 counts as 0.
    pub grad_scale: f64,
    /// Largest norm of a gradient, >= 0; a longer one is scaled down to it. Default 0: off. The norm is that of the
    /// gradient as stored (with `diagonal_beta`: as scaled), after `grad_scale`, over all blocks together. The stored
    /// column keeps its numbers and gets a weight, so it costs no pass over memory. Against single gradients that are
    /// orders of magnitude too long: one of them would dominate the window for k steps.
    pub grad_clip_norm: f64,
    /// beta of an average of the parameters, `p <- beta*p + (1 - beta)*w` after each step: [0, 1). Default 0: off.
    /// `lmada_averaged_params` gives it, bias-corrected. What to evaluate where the learning rate does not fall: 0.99 to
    /// 0.999. One more buffer of `dim` elements, of the handle's type: with `LMADA_F32` the average is known to about
    /// 6e-8/(1 - beta) of its size, since smaller changes round to none. A parameter that was infinite or NaN stays in it
    /// until `lmada_reset`. Not with `lmada_direction`, which does not see the parameters.
    pub average_beta: f64,
}

/// What the last step looked like. Between `lmada_solve` and `lmada_end` it is the step under way. Over several blocks
/// the norms are root-sum-squares, `scale` is the least, `rank` the sum, `eig_max` and `eig_min` the extremes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct lmada_stats_t {
    /// Bytes of this struct that were filled in: the `stats_size` given.
    pub struct_size: usize,
    /// Steps accepted since creation, reset or the start of the loaded run; the one under way included.
    pub steps: u64,
    /// Gradients in the window: min(steps, k).
    pub history_len: u32,
    /// Directions that the preconditioner acts on: at most `history_len` for each block.
    pub rank: u32,
    /// |g| as given, whatever is stored of it. 0 before the first step.
    pub grad_norm: f64,
    /// |u| before clipping and update momentum. 0 before the first step.
    pub update_norm: f64,
    /// s, the factor that clipping or grafting put on u. 1 before the first step.
    pub scale: f64,
    /// Largest eigenvalue of MM' (weighted, centered where on), without eps; 0 where rank is 0.
    pub eig_max: f64,
    /// Smallest eigenvalue of MM' that counts as present, without eps; 0 where rank is 0.
    pub eig_min: f64,
    /// Memory that the handle holds, in bytes.
    pub state_bytes: u64,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Steps refused with `LMADA_ERROR_NON_FINITE` since creation or reset. It is not part of a saved state.
    pub refused: u64,
    /// The first element that was NaN or infinite in the last gradient that was refused, counted over this handle's
    /// parameters; `UINT64_MAX` where there is none: no gradient was refused, or not for an element of this handle.
    pub non_finite_index: u64,
}
