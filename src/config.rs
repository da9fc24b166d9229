//! Every option with its default and its range. No other file repeats them.
//!
//! The update rule in the crate's documentation defines the meaning of each option. The C interface has the same fields
//! and leaves all checks to [`Config::validate`].

mod kinds;

pub use kinds::{Clip, Dtype, HistoryFormat, Momentum};

use crate::error::{Error, Result, Value};
use kinds::Word;

/// The expected format of an `f64` optimizer, in errors.
pub(crate) const FULL_WITH_F64: &str = "HistoryFormat::Full with f64: the others store 32-bit numbers";

/// Makes everything that depends on the list of options: the struct, its defaults, a `with_` method for each option,
/// and the saved form.
macro_rules! options {
    (
        $(#[$of_config:meta])*
        pub struct Config {
            $($(#[$of_option:meta])* pub $option:ident ($with:ident): $type:ty = $default:expr,)*
        }
    ) => {
        $(#[$of_config])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct Config {
            $($(#[$of_option])* pub $option: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($option: $default,)* }
            }
        }

        /// The saved form: a word for each option, in the order of the list.
        impl Config {
            /// Number of options.
            pub(crate) const OPTIONS: usize = Self::NAMES.len();

            /// Names of the options.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($option)),*];

            pub(crate) fn to_words(self) -> [u64; Self::OPTIONS] {
                [$(self.$option.to_word()),*]
            }

            /// Returns the options of a saved form, not validated; `None` if no option has one of the words.
            pub(crate) fn from_words(words: &[u64; Self::OPTIONS]) -> Option<Self> {
                let [$($option),*] = *words;
                Some(Self { $($option: Word::from_word($option)?,)* })
            }
        }

        /// Methods that set one option.
        impl Config {
            $(
                #[doc = concat!("A copy with [`", stringify!($option), "`](Self::", stringify!($option), ") set.")]
                #[must_use]
                pub const fn $with(self, $option: $type) -> Self {
                    Self { $option, ..self }
                }
            )*
        }
    };
}

options! {
    /// All options of an optimizer. `Config::default()` is plain windowed full-matrix Adagrad.
    ///
    /// The symbols are those of the update rule in the [crate's documentation](crate#the-update). Every option is
    /// checked when an optimizer is created, whether the option is used or not. Later versions add options. So start
    /// with `Config::default()` or [`Config::recommended`], and set options by `with_` methods or by assignment.
    ///
    /// ```
    /// use lmada::{Config, HistoryFormat};
    ///
    /// let config = Config::recommended().with_history_size(100).with_history_format(HistoryFormat::F16);
    /// assert!(config.validate().is_ok());
    /// assert!(config.with_lr(f64::NAN).validate().is_err());
    /// ```
    pub struct Config {
        /// Element type. [`crate::Optimizer`] ignores it: its type parameter decides. The C interface uses it.
        pub dtype (with_dtype): Dtype = Dtype::F32,
        /// k, the number of gradients in the window: 1 to [`Config::MAX_HISTORY`]. Default 10. A longer window covers
        /// more directions of curvature, and takes k numbers of memory a parameter.
        pub history_size (with_history_size): u32 = 10,
        /// Number format of the window. Default [`HistoryFormat::Full`], the only format that [`Dtype::F64`] allows.
        pub history_format (with_history_format): HistoryFormat = HistoryFormat::Full,
        /// Fraction of a gradient's entries that [`HistoryFormat::Sparse`] keeps, rounded up in each group of 4,096:
        /// (0, 1]. Default 0.01.
        pub density (with_density): f64 = 0.01,
        /// Learning rate: finite, ≥ 0. Default 1e-2. Tune it first, in factors of 3. [`Optimizer::set_lr`] changes it
        /// between steps. With `diagonal_beta` it means what it means in Adam: about the RMS change of a parameter in a
        /// step.
        ///
        /// [`Optimizer::set_lr`]: crate::Optimizer::set_lr
        pub lr (with_lr): f64 = 1e-2,
        /// ε, added to the eigenvalues of `MMᵀ`: finite, ≥ 0. Default 1e-6. Towards the squared norm of the gradients,
        /// the method becomes more like plain gradient descent.
        pub eps (with_eps): f64 = 1e-6,
        /// Fraction of the largest eigenvalue that is added to ε: finite, ≥ 0. Default 0. Use it instead of ε if the
        /// size of the gradients is unknown or falls: unlike ε, it does not depend on the units of the loss.
        pub eps_relative (with_eps_relative): f64 = 0.0,
        /// Exponent p of the preconditioner `(MMᵀ + ε'I)^(−p)`: (0, 1]. Default 1/2, which is Adagrad.
        pub power (with_power): f64 = 0.5,
        /// Uses `f(λ) = 1/(λ^p + ε + eps_relative·σ_max^2p)` instead of `(λ + ε')^(−p)`, as EFCP and TensorFlow's GGT
        /// do. Default false.
        pub eps_on_root (with_eps_on_root): bool = false,
        /// Directions with `σ² ≤ rank_tol·σ²max` are left out if v may leave the window's span or ε' is 0: [0, 1).
        /// Default 1e-14.
        pub rank_tol (with_rank_tol): f64 = 1e-14,
        /// Subtracts the mean of the window's gradients from each of them. Default false.
        pub centered (with_centered): bool = false,
        /// Factor on the weight of a stored gradient for each step of its age: (0, 1]. Default 1.
        pub history_decay (with_history_decay): f64 = 1.0,
        /// Factor on the part of v outside the span of the window: finite, ≥ 0. Default 0.
        pub orthogonal_scale (with_orthogonal_scale): f64 = 0.0,
        /// Kind of momentum. Default [`Momentum::None`].
        pub momentum_kind (with_momentum_kind): Momentum = Momentum::None,
        /// β of the momentum: [0, 1). Default 0.9.
        pub momentum (with_momentum): f64 = 0.9,
        /// Divides the momentum by the sum of its weights. Default true.
        pub bias_correction (with_bias_correction): bool = true,
        /// Kind of clipping or grafting. Default [`Clip::None`].
        pub clip_kind (with_clip_kind): Clip = Clip::None,
        /// Largest norm of an update, for [`Clip::Norm`]: finite, ≥ 0. Default 1.
        pub clip_norm (with_clip_norm): f64 = 1.0,
        /// Factor on the reference norm of [`Clip::EmaNorm`] and [`Clip::EmaVector`]: finite, ≥ 0. Default 1.
        pub clip_factor (with_clip_factor): f64 = 1.0,
        /// β of the moving averages of the EMA clips: [0, 1). Default 0.99.
        pub clip_beta (with_clip_beta): f64 = 0.99,
        /// Decoupled weight decay: finite, ≥ 0; `lr·weight_decay` is at most 1. Default 0.
        pub weight_decay (with_weight_decay): f64 = 0.0,
        /// Largest number of threads of a step, the calling thread included. Default 0: one thread for each processor
        /// of the process, or fewer if its control group has a quota. All optimizers of a process share one pool of
        /// worker threads. The results have the same bits for any number of threads.
        pub threads (with_threads): u32 = 0,
        /// β₂ of diagonal preconditioning: [0, 1). Default 0: off. It scales gradients by the root of their second
        /// moment before they enter the window, and `lr` then means what it means in Adam. Try Adam's values, 0.95 to
        /// 0.999. It takes one more buffer of the model's length.
        pub diagonal_beta (with_diagonal_beta): f64 = 0.0,
        /// Number added to the second moment in diagonal preconditioning: finite, > 0. Default 1e-16, the square of
        /// Adam's usual 1e-8. It should be far below the squares of all gradients that matter.
        pub diagonal_eps (with_diagonal_eps): f64 = 1e-16,
        /// Factor on every gradient, applied before anything else: finite, ≥ 0. Default 1. Use it to undo the scale of
        /// a loss (f16 gradients), or to average a gradient that was summed over several batches.
        /// [`Optimizer::set_grad_scale`](crate::Optimizer::set_grad_scale) changes it between steps. It takes no pass
        /// over memory.
        pub grad_scale (with_grad_scale): f64 = 1.0,
        /// Largest norm of a gradient, over all blocks: finite, ≥ 0. Default 0: off. A longer gradient is scaled down
        /// to this norm. The norm is that of the gradient as stored, after `grad_scale`. It takes no pass over memory.
        pub grad_clip_norm (with_grad_clip_norm): f64 = 0.0,
        /// β of an average of the parameters, `p̄ ← βp̄ + (1−β)w` after each step: [0, 1). Default 0: off. If the
        /// learning rate does not fall, evaluate the average:
        /// [`Optimizer::averaged_params`](crate::Optimizer::averaged_params) writes it. It takes one more buffer of the
        /// model's length.
        pub average_beta (with_average_beta): f64 = 0.0,
    }
}

impl Config {
    /// Largest `history_size`.
    pub const MAX_HISTORY: u32 = 4096;

    /// Returns the setting that trained best in the measurements of `docs/evidence.md`. No option is in units of the
    /// loss: a loss times a constant trains as the loss itself.
    pub fn recommended() -> Self {
        Self {
            history_size: 30,
            lr: 0.01,
            // ε is in units of the loss.
            eps: 0.0,
            eps_relative: 1e-9,
            momentum_kind: Momentum::Update,
            momentum: 0.8,
            diagonal_beta: 0.99,
            diagonal_eps: 1e-30,
            ..Self::default()
        }
    }

    /// Returns the best setting without diagonal preconditioning, for programs whose header does not have it.
    /// `docs/evidence.md` compares it with the others.
    pub fn recommended_in_plain_coordinates() -> Self {
        Self {
            history_size: 30,
            lr: 0.1,
            momentum_kind: Momentum::Update,
            clip_kind: Clip::GraftEmaNorm,
            ..Self::default()
        }
    }

    /// Checks every option, used or not, and refuses combinations of options that exclude each other.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the field, as `config.<field>`.
    pub fn validate(&self) -> Result<()> {
        if self.history_size < 1 || self.history_size > Self::MAX_HISTORY {
            let value = Value::Count(self.history_size.into());
            return Err(Error::invalid("config.history_size", value, "1 to 4096"));
        }
        let closed_below = |x: f64| (0.0..1.0).contains(&x);
        let closed_above = |x: f64| x > 0.0 && x <= 1.0;
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let checks = [
            ("config.density", self.density, closed_above(self.density), "a number in (0, 1]"),
            ("config.lr", self.lr, not_negative(self.lr), "a finite number >= 0"),
            ("config.eps", self.eps, not_negative(self.eps), "a finite number >= 0"),
            ("config.eps_relative", self.eps_relative, not_negative(self.eps_relative), "a finite number >= 0"),
            ("config.power", self.power, closed_above(self.power), "a number in (0, 1]"),
            ("config.rank_tol", self.rank_tol, closed_below(self.rank_tol), "a number in [0, 1)"),
            ("config.history_decay", self.history_decay, closed_above(self.history_decay), "a number in (0, 1]"),
            (
                "config.orthogonal_scale",
                self.orthogonal_scale,
                not_negative(self.orthogonal_scale),
                "a finite number >= 0",
            ),
            ("config.momentum", self.momentum, closed_below(self.momentum), "a number in [0, 1)"),
            ("config.clip_norm", self.clip_norm, not_negative(self.clip_norm), "a finite number >= 0"),
            ("config.clip_factor", self.clip_factor, not_negative(self.clip_factor), "a finite number >= 0"),
            ("config.clip_beta", self.clip_beta, closed_below(self.clip_beta), "a number in [0, 1)"),
            ("config.weight_decay", self.weight_decay, not_negative(self.weight_decay), "a finite number >= 0"),
            ("config.diagonal_beta", self.diagonal_beta, closed_below(self.diagonal_beta), "a number in [0, 1)"),
            (
                "config.diagonal_eps",
                self.diagonal_eps,
                self.diagonal_eps.is_finite() && self.diagonal_eps > 0.0,
                "a finite number > 0",
            ),
            ("config.grad_scale", self.grad_scale, not_negative(self.grad_scale), "a finite number >= 0"),
            ("config.grad_clip_norm", self.grad_clip_norm, not_negative(self.grad_clip_norm), "a finite number >= 0"),
            ("config.average_beta", self.average_beta, closed_below(self.average_beta), "a number in [0, 1)"),
        ];
        for (argument, value, good, expected) in checks {
            if !good {
                return Err(Error::invalid(argument, Value::Real(value), expected));
            }
        }
        if !self.is_decay_in_range(self.lr) {
            let expected = "at most 1/config.lr: with more, weight decay reverses parameters or makes them overflow";
            return Err(Error::invalid("config.weight_decay", Value::Real(self.weight_decay), expected));
        }
        if self.momentum_kind == Momentum::Window && self.history_decay < self.momentum {
            let value = Value::Real(self.history_decay);
            let expected = "at least config.momentum with window momentum: with less, its coefficients grow with age";
            return Err(Error::invalid("config.history_decay", value, expected));
        }
        if self.is_diagonal() && self.centered {
            let expected = "false with diagonal preconditioning (config.diagonal_beta): each column has its own scales";
            return Err(Error::invalid("config.centered", Value::Name("true"), expected));
        }
        if self.is_diagonal() && self.clips_by_vector() {
            let value = self.clip_kind.value();
            let expected = "no EMA of update vectors with diagonal preconditioning (config.diagonal_beta)";
            return Err(Error::invalid("config.clip_kind", value, expected));
        }
        if self.history_format != HistoryFormat::Full && self.dtype != Dtype::F32 {
            let value = self.history_format.value();
            return Err(Error::invalid("config.history_format", value, FULL_WITH_F64));
        }
        Ok(())
    }

    /// Whether `1 − lr·weight_decay` is at least 0.
    pub(crate) fn is_decay_in_range(&self, lr: f64) -> bool {
        lr * self.weight_decay <= 1.0
    }

    /// Whether the clip keeps ē, an average of the model's length.
    pub(crate) fn clips_by_vector(&self) -> bool {
        self.clip_kind.averages_updates()
    }

    /// Whether diagonal preconditioning is on. The root of the second moment is kept then.
    pub(crate) fn is_diagonal(&self) -> bool {
        self.diagonal_beta != 0.0
    }

    /// Whether the format has error feedback. A factor on gradients is then applied before storing; with other formats
    /// it is a weight of the column.
    pub(crate) fn has_feedback(&self) -> bool {
        match self.history_format {
            HistoryFormat::Sparse => true,
            HistoryFormat::Full | HistoryFormat::Bf16 | HistoryFormat::F16 | HistoryFormat::Int8 => false,
        }
    }

    /// Whether an average of the parameters is kept.
    pub(crate) fn averages_params(&self) -> bool {
        self.average_beta != 0.0
    }

    /// Whether a momentum buffer of the model's length is kept.
    pub(crate) fn keeps_momentum(&self) -> bool {
        self.momentum_kind.averages_gradients() || self.momentum_kind.averages_updates()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_a_saved_state() {
        let mut config = Config::recommended();
        config.eps = -0.0;
        config.threads = u32::MAX;
        config.centered = true;
        for &dtype in Dtype::ALL {
            for &history_format in HistoryFormat::ALL {
                for (&momentum_kind, &clip_kind) in Momentum::ALL.iter().cycle().zip(Clip::ALL) {
                    let config = Config { dtype, history_format, momentum_kind, clip_kind, ..config };
                    let loaded = Config::from_words(&config.to_words()).unwrap();
                    assert_eq!(loaded, config);
                    assert!(loaded.eps.is_sign_negative());
                }
            }
        }
    }

    #[test]
    fn words_that_no_option_has_are_refused() {
        let words = Config::default().to_words();
        let with = |index: usize, word: u64| {
            let mut words = words;
            words[index] = word;
            Config::from_words(&words)
        };
        // dtype, history_size, history_format and eps_on_root.
        for (index, word) in [(0, 2), (0, u64::MAX), (1, 1 << 32), (2, 5), (8, 2), (8, 1 << 63)] {
            assert_eq!(with(index, word), None, "option {index}: {word}");
        }
        assert!(with(8, 1).is_some_and(|config| config.eps_on_root));
    }
}
