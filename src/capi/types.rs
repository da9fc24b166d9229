//! The types of the C interface, laid out as in the header. Enums are `int32_t` with named constants: an unknown value
//! is then an error, not undefined behaviour.

#![allow(non_camel_case_types)]

use super::boolean::CBool;

/// The result of a call: `LMADA_OK` or one of the `LMADA_ERROR_` values. Later versions may add values at the end. No
/// number is ever reused. After a failure `lmada_last_error()` names the argument at fault and its value.
pub type lmada_status_t = i32;

/// The call succeeded.
pub const LMADA_OK: lmada_status_t = 0;
/// A required pointer is NULL.
pub const LMADA_ERROR_NULL_POINTER: lmada_status_t = 1;
/// An argument is invalid: out of range, not aligned, an unknown enum value, memory that overlaps another argument, or
/// a handle of the other element type.
pub const LMADA_ERROR_INVALID_ARGUMENT: lmada_status_t = 2;
/// A length differs from the optimizer's.
pub const LMADA_ERROR_DIMENSION_MISMATCH: lmada_status_t = 3;
/// The gradient, or the column that `history_format` would store of it, has a NaN or an infinity, or the result of the
/// step would not be finite. The step is refused and changes nothing. The next finite gradient can be used as usual.
pub const LMADA_ERROR_NON_FINITE: lmada_status_t = 4;
/// The system gave no memory.
pub const LMADA_ERROR_OUT_OF_MEMORY: lmada_status_t = 5;
/// Another thread is inside a call on the same handle, or holds the handle (`lmada_hold`).
pub const LMADA_ERROR_BUSY: lmada_status_t = 6;
/// The call is not allowed at this point of a step in phases.
pub const LMADA_ERROR_WRONG_PHASE: lmada_status_t = 7;
/// A saved state is damaged or truncated, or another program wrote it.
pub const LMADA_ERROR_BAD_STATE: lmada_status_t = 8;
/// The library has a defect. Please report the text of `lmada_last_error`. Parameters and other outputs of the call may
/// be half written. Every further call on the handle returns this status until `lmada_reset`, which makes the handle as
/// new.
pub const LMADA_ERROR_INTERNAL: lmada_status_t = 9;
/// A callback supplied by the caller failed: `write` of `lmada_state_write`, `read` of `lmada_create_from_state`, or a
/// call of MPI inside a function of `lmada_mpi.h`.
pub const LMADA_ERROR_CALLBACK: lmada_status_t = 10;

/// Element type of parameters, gradients and stored state: `LMADA_F32` or `LMADA_F64`.
pub type lmada_dtype_t = i32;
/// `float`, for the functions without a suffix.
pub const LMADA_F32: lmada_dtype_t = 0;
/// `double`, for the functions that end in `_f64`.
pub const LMADA_F64: lmada_dtype_t = 1;

/// The number format of the stored gradients. `LMADA_F64` allows only `LMADA_HISTORY_FULL`: `lmada_create` refuses the
/// others with `LMADA_ERROR_INVALID_ARGUMENT`.
///
/// The optimizer uses the gradient as stored everywhere: in v, in momentum, in MM' and in the update. In every format
/// the update is exact for the stored gradients. For the given gradients the update differs from that of
/// `LMADA_HISTORY_FULL`. Only `grad_norm` of the stats is the norm of g as given. Every stored number has to be finite,
/// or the step is refused with `LMADA_ERROR_NON_FINITE`.
///
/// A format stores numbers in groups: of 1 (`FULL`, `BF16`), of 256 (`F16`, `INT8`) or of 4,096 (`SPARSE`). Groups are
/// counted from the start of each block of the optimizer; the last group of a block may be shorter. Tensors, and pieces
/// of a step in phases, may cut groups. A group that a piece cuts waits until the rest of the group is fed, in memory
/// that `lmada_create` reserves for 16 such groups. More cut groups at a time need more memory, and `lmada_feed` may
/// then return `LMADA_ERROR_OUT_OF_MEMORY`. Pieces in order, forwards or backwards, cut at most one group at a time.
/// Processes that share a block store the same numbers as one process would if every share starts at a multiple of
/// 4,096 parameters from the start of the block.
pub type lmada_history_format_t = i32;
/// The numbers as given, in the optimizer's element type: 4 bytes a number, 8 with `LMADA_F64`. Choose this format if
/// there is memory for it, and for small models, where the other formats save no time.
pub const LMADA_HISTORY_FULL: lmada_history_format_t = 0;
/// bfloat16, 8 significant bits: 2 bytes a number. Rounding is to nearest, ties to even, so the error is at most half a
/// unit in the last place. Numbers beyond the largest bfloat16 saturate. Choose this format instead of
/// `LMADA_HISTORY_F16` if numbers side by side differ by more than nine decades.
pub const LMADA_HISTORY_BF16: lmada_history_format_t = 1;
/// IEEE half precision, 11 significant bits: 2 bytes a number, and 8 bytes for each group of 256. Each group has a
/// power of two as its scale, so that tiny gradients keep their bits. Rounding is to nearest, ties to even. The error
/// is at most half a unit in the last place or 2^-39 of the largest number of the group, whichever is more. A number of
/// magnitude `(1 - 2^-12)*2^128` or more would round beyond the largest `float` and is refused with
/// `LMADA_ERROR_NON_FINITE`. Try this format first if memory is short or a step takes too long.
pub const LMADA_HISTORY_F16: lmada_history_format_t = 2;
/// Whole numbers from -127 to 127: 1 byte a number, and 8 bytes for each group of 256. Each group has a scale, its
/// largest magnitude divided by 127. The error is at most half the scale, so numbers below 1/254 of the largest of
/// their group are stored as 0. Choose this format if `LMADA_HISTORY_F16` takes too much memory.
pub const LMADA_HISTORY_INT8: lmada_history_format_t = 3;
/// The largest entries of a gradient, with error feedback e, which starts at 0. Let `a = e + g`. Of each group of 4,096
/// numbers (`len` numbers in a shorter group) the format keeps the `max(1, ceil(density*len))` entries of a that are
/// largest in magnitude; of equal magnitudes, the entry of the lower index. They are stored as c, rounded as in
/// `LMADA_HISTORY_BF16`; the other entries of c are 0; then `e <- a - c`. An entry takes 4 bytes, 2 for its value and 2
/// for its index. The window has one spare column, so it takes `4*density*(k + 1)` bytes a parameter. e is one more
/// buffer of `dim` elements and part of the state. A step in which e + g overflows is refused with
/// `LMADA_ERROR_NON_FINITE`. Choose this format for long windows of large models and for long runs: an entry enters the
/// window about once in 1/density steps.
pub const LMADA_HISTORY_SPARSE: lmada_history_format_t = 4;

/// Which vectors momentum averages. Their weights fall by the factor `momentum` (beta) a step.
pub type lmada_momentum_t = i32;
/// No momentum: the newest gradient is preconditioned.
pub const LMADA_MOMENTUM_NONE: lmada_momentum_t = 0;
/// The gradients, before preconditioning: `m <- beta*m + (1 - beta)*g`. One more buffer of `dim` elements.
pub const LMADA_MOMENTUM_GRADIENT: lmada_momentum_t = 1;
/// The updates, after preconditioning and clipping: `b <- beta*b + (1 - beta)*u`. One more buffer of `dim` elements.
pub const LMADA_MOMENTUM_UPDATE: lmada_momentum_t = 2;
/// The gradients in the window: `v = sum of (1 - beta)*beta^age*g`. This takes no memory and no time. It requires
/// `history_decay >= momentum`.
pub const LMADA_MOMENTUM_WINDOW: lmada_momentum_t = 3;

/// How the norm of an update u is bounded (clipping) or set (grafting): u becomes `s*u`. r is the bias-corrected
/// exponential moving average (factor `clip_beta`) of the norms of the earlier unclipped updates. e is the
/// bias-corrected exponential moving average of the unclipped updates themselves, the present update included. An
/// update of norm 0 has s = 1 and does not enter r.
pub type lmada_clip_t = i32;
/// s = 1.
pub const LMADA_CLIP_NONE: lmada_clip_t = 0;
/// s = min(1, clip_norm/|u|).
pub const LMADA_CLIP_NORM: lmada_clip_t = 1;
/// s = min(1, clip_factor*r/|u|); 1 before the first update that is not 0.
pub const LMADA_CLIP_EMA_NORM: lmada_clip_t = 2;
/// s = r/|u|; 1 before the first update that is not 0.
pub const LMADA_GRAFT_EMA_NORM: lmada_clip_t = 3;
/// s = min(1, clip_factor*|e|/|u|). One more buffer of `dim` elements.
pub const LMADA_CLIP_EMA_VECTOR: lmada_clip_t = 4;
/// s = |e|/|u|. One more buffer of `dim` elements.
pub const LMADA_GRAFT_EMA_VECTOR: lmada_clip_t = 5;
/// s = |v|/|u|; 1 if v is 0. The update is as long as the vector that was preconditioned. With `diagonal_beta` that is
/// exactly the length of Adam's step, without the smoothing of `kappa`.
pub const LMADA_GRAFT_INPUT: lmada_clip_t = 6;

/// The course of a learning rate after the warm-up of `lmada_schedule`.
pub type lmada_schedule_t = i32;
/// The learning rate stays at its peak.
pub const LMADA_SCHEDULE_CONSTANT: lmada_schedule_t = 0;
/// The learning rate falls linearly to 0 at the last step.
pub const LMADA_SCHEDULE_LINEAR: lmada_schedule_t = 1;
/// The learning rate falls along half a period of a cosine to 0 at the last step.
pub const LMADA_SCHEDULE_COSINE: lmada_schedule_t = 2;

/// A parameter group: a range of parameters with its own factors on learning rate and weight decay, for
/// `lmada_set_groups`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct lmada_group_t {
    /// Index of the first parameter.
    pub offset: usize,
    /// Number of parameters.
    pub len: usize,
    /// Factor on the learning rate, finite and >= 0. 0 freezes the group: its gradient is not read and counts as zeros,
    /// and its parameters keep their bits.
    pub lr_scale: f64,
    /// Factor on the weight decay, finite and >= 0.
    pub weight_decay_scale: f64,
}

/// The options of an optimizer. Fill the struct with `lmada_config_init` or `lmada_config_recommended`, then change
/// single fields. Do not fill it field by field: later versions add fields.
///
/// The struct grows at the end only. A program compiled against an older header passes a smaller `struct_size`, and the
/// options beyond that size take their defaults. `lmada_create` checks every value, whether the value is used or not.
/// It refuses a value that is out of range or not finite with `LMADA_ERROR_INVALID_ARGUMENT`, and `lmada_last_error()`
/// names the field.
///
/// Notation: w are the parameters, g is the gradient as `history_format` stores it, M is the d x k matrix of stored
/// gradients, U S V' is the thin SVD of M, v is g or a momentum of g, and u = U f(S^2) U' v is the update.
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
    /// Size of this struct in bytes as the caller's header declares it: 8 to `sizeof(lmada_config_t)`. The init
    /// functions set it. A larger size is refused.
    pub struct_size: usize,
    /// Element type of parameters, gradients and stored state. Default `LMADA_F32`. `LMADA_F64` doubles memory and
    /// time; choose it if the parameters themselves are `double`.
    pub dtype: lmada_dtype_t,
    /// k, the number of gradients in the window: 1 to 4096. Default 10. The window takes k numbers a parameter, in the
    /// bytes that `history_format` says. A longer window covers more directions of curvature. 10 to 30 suit small and
    /// stochastic problems, 100 suits long runs.
    pub history_size: u32,
    /// Number format of the window; see `lmada_history_format_t`. Default `LMADA_HISTORY_FULL`, the only format that
    /// `LMADA_F64` allows. The others take less memory.
    pub history_format: lmada_history_format_t,
    /// Fraction of a gradient's entries that `LMADA_HISTORY_SPARSE` keeps, rounded up in each group of 4,096: (0, 1].
    /// Default 0.01. A larger density takes more memory and time, and leaves less of a gradient to later steps.
    pub density: f64,
    /// Learning rate: >= 0. Default 1e-2. With the default power and no momentum |u| <= 1, so lr bounds the length of a
    /// step. With `diagonal_beta`, lr means what it means in Adam: about the RMS change of a parameter in a step. Tune
    /// lr first, in factors of 3. `lmada_set_lr` changes lr between steps.
    pub lr: f64,
    /// eps, added to the eigenvalues of MM': >= 0. Default 1e-6. Towards the squared norm of the gradients, the method
    /// becomes more like plain gradient descent. With 0, directions below the noise floor are left out of the update.
    pub eps: f64,
    /// Fraction of the largest eigenvalue of MM' that is added to eps: >= 0. Default 0. Use it (1e-9 to 1e-2) instead
    /// of eps if the size of the gradients is unknown or falls during training: unlike eps, it does not depend on the
    /// units of the loss.
    pub eps_relative: f64,
    /// p in f(x) = (x + eps)^-p: (0, 1]. Default 0.5, which is Adagrad. 1 gives a natural-gradient step over the
    /// window; small values give steps more like gradient descent.
    pub power: f64,
    /// Uses f(x) = 1/(x^p + eps + eps_relative*max^p) instead of (x + eps')^-p, as EFCP and TensorFlow's GGT do.
    /// Default false. Set it to reuse an eps that was tuned for one of those.
    pub eps_on_root: CBool,
    /// Directions whose eigenvalue is at most rank_tol times the largest are left out, if v may leave the span of the
    /// window (gradient momentum, centering) or eps is 0: [0, 1). Default 1e-14. Raise it if such runs are noisy.
    pub rank_tol: f64,
    /// Subtracts the mean of the stored gradients from each of them, but not from v. Default false. The preconditioner
    /// is then a covariance. Use it for stochastic gradients whose mean is large compared with their spread.
    pub centered: CBool,
    /// Factor on the weight of a stored gradient for each step of its age: (0, 1]. Default 1. Below 1 old gradients
    /// fade before they leave the window at age k.
    pub history_decay: f64,
    /// Factor on the part of v outside the span of the stored gradients: >= 0. Default 0. It has an effect only with
    /// gradient momentum or centering: otherwise v lies in the span.
    pub orthogonal_scale: f64,
    /// Which vectors momentum averages. Default `LMADA_MOMENTUM_NONE`.
    pub momentum_kind: lmada_momentum_t,
    /// beta of the momentum: [0, 1). Default 0.9.
    pub momentum: f64,
    /// Divides the momentum by the sum of its weights, so that early steps are not too short. Default true.
    pub bias_correction: CBool,
    /// How the norm of an update is bounded or set. Default `LMADA_CLIP_NONE`.
    pub clip_kind: lmada_clip_t,
    /// Largest norm of an update, for `LMADA_CLIP_NORM`: >= 0. Default 1.
    pub clip_norm: f64,
    /// Factor on the reference norm, for `LMADA_CLIP_EMA_NORM` and `LMADA_CLIP_EMA_VECTOR`: >= 0. Default 1.
    pub clip_factor: f64,
    /// beta of the moving averages behind the `EMA` clips: [0, 1). Default 0.99.
    pub clip_beta: f64,
    /// Decoupled weight decay: each step first multiplies the parameters by 1 - lr*weight_decay. >= 0. Default 0.
    /// lr*weight_decay is at most 1; learning rates that are set or loaded later are checked too.
    pub weight_decay: f64,
    /// Largest number of threads of a step, the calling thread included. Default 0: one thread for each processor of
    /// the process, or fewer if the control group of the process has a quota. 1: the calling thread only. The results
    /// have the same bits for any number of threads. A small model uses one thread with every setting.
    ///
    /// All handles share one pool of worker threads, with fewer workers than the machine has processors. A step uses
    /// the workers that are free at that moment, on the processors that its calling thread may use. If the system
    /// refuses a thread, the step runs with fewer. With 0, the first create of a large model reads the quota from files
    /// in /proc and /sys. Other values read no file. Under a seccomp filter with `no_new_privs` no file is read either,
    /// and quotas are ignored.
    pub threads: u32,
    /// beta2 of diagonal preconditioning: [0, 1). Default 0: off. Use it for deep networks, whose gradients differ by
    /// orders of magnitude from parameter to parameter: 0.95 to 0.999, with eps 0, eps_relative 1e-9 and diagonal_eps
    /// 1e-30. It takes one more buffer of `dim` elements. `lmada_create` refuses it together with `centered` and with
    /// the clips by EMA vectors.
    ///
    /// For each parameter q <- beta2*q + (1 - beta2)*g^2 is kept, and S = (q/(1 - beta2^t) + diagonal_eps)^(-1/4). The
    /// window, v and M hold gradients times the S of their own step. The update u is multiplied by the S of the present
    /// step and by kappa before it moves parameters. kappa = (sum of sqrt(q/(1 - beta2^t)))^(1/2), over the parameters
    /// of the block; kappa is 1 with `LMADA_GRAFT_INPUT`. Because of kappa the update has no units: a loss times a
    /// constant gives the same steps (if eps is 0), and lr means what it means in Adam. With k = 1 the update has the
    /// direction of Adam's step, and a smoothed length. Norms (clips, grafts, `update_norm`) are taken before S and
    /// kappa.
    pub diagonal_beta: f64,
    /// Number added to q in diagonal preconditioning: finite, > 0. Default 1e-16, the square of Adam's usual 1e-8.
    /// Choose it far below the squares of all gradients that matter: 1e-30 suits losses in any unit. With `LMADA_F32`
    /// gradients below 1e-19*sqrt(diagonal_eps) may count as 0 in q. A step is refused with `LMADA_ERROR_NON_FINITE` if
    /// kappa*diagonal_eps^(-1/4)*|u| may overflow.
    pub diagonal_eps: f64,
    /// Factor on every gradient, applied before anything else: finite, >= 0. Default 1. Use it to undo the scale of a
    /// loss (gradients in half precision), or to average a gradient that was summed over several batches.
    /// `lmada_set_grad_scale` changes it between steps. It takes no pass over memory. `grad_norm` of the stats is the
    /// norm of g as given, without this factor. A gradient whose norm is below 1e-145 after this factor counts as 0.
    pub grad_scale: f64,
    /// Largest norm of a gradient: finite, >= 0. Default 0: off. A longer gradient is scaled down to this norm. Use it
    /// against single gradients that are orders of magnitude too long: such a gradient would dominate the window for k
    /// steps. The norm is taken over all blocks together, of the gradient as stored (with `diagonal_beta`: as scaled by
    /// S), after `grad_scale`. The stored column keeps its numbers and gets a weight, so this option takes no pass over
    /// memory.
    pub grad_clip_norm: f64,
    /// beta of an average of the parameters, `p <- beta*p + (1 - beta)*w` after each step: [0, 1). Default 0: off. Use
    /// 0.99 to 0.999 if the learning rate does not fall, and evaluate the average. `lmada_averaged_params` writes the
    /// average, bias-corrected. It takes one more buffer of `dim` elements of the handle's type. With `LMADA_F32` the
    /// average is accurate to about 6e-8/(1 - beta) of its size: smaller changes are lost to rounding. A parameter that
    /// was infinite or NaN stays in the average until `lmada_reset`. `lmada_direction` refuses this option, since it
    /// does not see the parameters.
    pub average_beta: f64,
}

/// Statistics of the last accepted step; between `lmada_solve` and `lmada_end`, of the step under way. Over several
/// blocks the norms are root-sum-squares, `scale` is the smallest, `rank` is the sum, `eig_max` is the largest and
/// `eig_min` the smallest.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct lmada_stats_t {
    /// Number of bytes of this struct that were filled: the `stats_size` of the call.
    pub struct_size: usize,
    /// Number of accepted steps since creation or reset, or since the start of the run whose state was loaded. The step
    /// under way is counted.
    pub steps: u64,
    /// Number of gradients in the window: min(steps, k).
    pub history_len: u32,
    /// Number of directions that the preconditioner acts on: at most `history_len` for each block.
    pub rank: u32,
    /// |g| of the gradient as given, in every history format. 0 before the first step.
    pub grad_norm: f64,
    /// |u| before clipping and update momentum. 0 before the first step.
    pub update_norm: f64,
    /// s, the factor of clipping or grafting on u. 1 before the first step.
    pub scale: f64,
    /// Largest eigenvalue of MM' (M weighted, and centered if `centered`), without eps. 0 if `rank` is 0.
    pub eig_max: f64,
    /// Smallest eigenvalue of the directions that `rank` counts, without eps. 0 if `rank` is 0.
    pub eig_min: f64,
    /// Memory that the handle holds, in bytes.
    pub state_bytes: u64,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Number of steps refused with `LMADA_ERROR_NON_FINITE` since creation or reset. Not part of a saved state.
    pub refused: u64,
    /// Index of the first NaN or infinite element in the last refused gradient, among this handle's parameters.
    /// `UINT64_MAX` if no gradient was refused, or if the element at fault is not one of this handle.
    pub non_finite_index: u64,
}
