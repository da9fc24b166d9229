//! Changing options between steps.

use super::Optimizer;
use super::create::Threads;
use super::groups::{Group, is_decay_in_range};
use crate::config::Config;
use crate::error::{Error, Result, Value};
use crate::kernels::Element;

const SAME: &str = "the value that the optimizer was created with: the layout of the state depends on it";

impl<T: Element> Optimizer<T> {
    /// Returns the present options, with the present learning rate.
    pub fn config(&self) -> Config {
        Config { lr: self.lr, ..self.config }
    }

    /// Sets the options of all further steps. Options that fix the layout of the state cannot change: `dtype`,
    /// `history_size`, `history_format`, `density`, `momentum_kind`, whether `diagonal_beta` and `average_beta` are 0,
    /// and whether `clip_kind` keeps an average of updates. If a beta changes, its average keeps its present value.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names an option which is out of range or cannot change; [`Error::WrongPhase`] in
    /// an open step; [`Error::OutOfMemory`] if there is no scratch memory for more threads or another clip.
    pub fn set_config(&mut self, config: &Config) -> Result<()> {
        self.check_idle("set_config")?;
        let config = Config { dtype: T::DTYPE, ..*config };
        config.validate()?;
        self.check_shape(&config)?;
        if !is_decay_in_range(&self.groups, &config, config.lr) {
            let expected = "at most 1/(config.lr*lr_scale*weight_decay_scale) in every parameter group";
            return Err(Error::invalid("config.weight_decay", Value::Real(config.weight_decay), expected));
        }
        if config.threads != self.config.threads || config.clip_kind != self.config.clip_kind {
            let threads = Threads::new(&config, self.dim, self.blocks.len(), self.chunks.len())?;
            Threads { pool: self.pool, scratch: self.scratch, solvers: self.solvers } = threads;
        }
        let old = self.config;
        self.keep_averages(&old, &config);
        self.lr = config.lr;
        self.config = config;
        Ok(())
    }

    /// Refuses options for which the state would have another layout.
    fn check_shape(&self, new: &Config) -> Result<()> {
        let now = &self.config;
        let refused = |name: &'static str, value| Err(Error::invalid(name, value, SAME));
        if new.history_size != now.history_size {
            return refused("config.history_size", Value::Count(new.history_size.into()));
        }
        if new.history_format != now.history_format {
            return refused("config.history_format", new.history_format.value());
        }
        if new.density != now.density {
            return refused("config.density", Value::Real(new.density));
        }
        if new.momentum_kind != now.momentum_kind {
            return refused("config.momentum_kind", new.momentum_kind.value());
        }
        if new.is_diagonal() != now.is_diagonal() {
            return refused("config.diagonal_beta", Value::Real(new.diagonal_beta));
        }
        if new.averages_params() != now.averages_params() {
            return refused("config.average_beta", Value::Real(new.average_beta));
        }
        if new.clips_by_vector() != now.clips_by_vector() {
            return refused("config.clip_kind", new.clip_kind.value());
        }
        Ok(())
    }

    /// Sets the learning rate of all further steps: finite, ≥ 0, at most 1/`weight_decay`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]; [`Error::WrongPhase`] in an open step.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.check_idle("set_lr")?;
        self.check_option(Config { lr, weight_decay: 0.0, ..self.config }, "lr")?;
        self.check_decay("lr", &self.groups, lr)?;
        self.lr = lr;
        Ok(())
    }

    /// Sets the option `grad_scale`, the factor on the gradients of all further steps: finite, ≥ 0.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]; [`Error::WrongPhase`] in an open step.
    pub fn set_grad_scale(&mut self, scale: f64) -> Result<()> {
        self.check_idle("set_grad_scale")?;
        let config = Config { grad_scale: scale, lr: self.lr, ..self.config };
        self.check_option(config, "scale")?;
        self.config.grad_scale = scale;
        Ok(())
    }

    /// Checks options of which one is new. Errors call the new option `name`.
    fn check_option(&self, config: Config, name: &'static str) -> Result<()> {
        config.validate().map_err(|error| match error {
            Error::InvalidArgument { value, expected, .. } => Error::invalid(name, value, expected),
            other => other,
        })
    }

    /// Refuses a learning rate that is too large for the weight decay with these groups.
    pub(super) fn check_decay(&self, name: &'static str, groups: &[Group], lr: f64) -> Result<()> {
        if is_decay_in_range(groups, &self.config, lr) {
            return Ok(());
        }
        let expected = "at most 1/weight_decay: with more, weight decay reverses parameters or makes them overflow";
        Err(Error::invalid(name, Value::Real(lr), expected))
    }
}
