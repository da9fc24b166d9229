//! Parameter groups: ranges of parameters with their own factors on learning rate and weight decay.

use core::ops::Range;

use super::Optimizer;
use crate::config::Config;
use crate::error::{Argument, Error, Result, Value};
use crate::kernels::Element;
use crate::memory::try_vec;

/// A parameter group: a range of parameters with its own factors on learning rate and weight decay. Outside the groups
/// both factors are 1.
///
/// ```
/// # use lmada::{Config, Group, Optimizer};
/// # fn main() -> lmada::Result<()> {
/// let mut optimizer = Optimizer::<f32>::new(&Config::recommended().with_weight_decay(0.1), &[110])?;
/// // 100 weights and 10 biases: no weight decay on the biases.
/// optimizer.set_groups(&[Group::new(100..110).with_weight_decay_scale(0.0)])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// Index of the first parameter.
    pub offset: usize,
    /// Number of parameters.
    pub len: usize,
    /// Factor on the learning rate, finite and ≥ 0. 0 freezes the group: its gradient is not read and counts as zeros,
    /// and its parameters keep their bits.
    pub lr_scale: f64,
    /// Factor on the weight decay, finite and ≥ 0.
    pub weight_decay_scale: f64,
}

impl Group {
    /// Creates a group of these parameters, with both factors 1.
    pub const fn new(range: Range<usize>) -> Self {
        let len = range.end.saturating_sub(range.start);
        Self { offset: range.start, len, lr_scale: 1.0, weight_decay_scale: 1.0 }
    }

    /// Returns the group with this factor on the learning rate.
    #[must_use]
    pub const fn with_lr_scale(self, lr_scale: f64) -> Self {
        Self { lr_scale, ..self }
    }

    /// Returns the group with this factor on the weight decay.
    #[must_use]
    pub const fn with_weight_decay_scale(self, weight_decay_scale: f64) -> Self {
        Self { weight_decay_scale, ..self }
    }

    /// Returns the group with frozen parameters (`lr_scale` 0).
    #[must_use]
    pub const fn frozen(self) -> Self {
        Self { lr_scale: 0.0, ..self }
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.lr_scale == 0.0
    }
}

/// The factors of a run of parameters.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    /// Number of parameters.
    pub len: usize,
    pub lr_scale: f64,
    pub weight_decay_scale: f64,
}

/// Returns the factors at the start of `range`, and how many parameters share them. `groups` are sorted.
pub(super) fn rates(groups: &[Group], range: &Range<usize>) -> Rates {
    let elsewhere = |end: usize| Rates { len: end - range.start, lr_scale: 1.0, weight_decay_scale: 1.0 };
    if groups.is_empty() {
        return elsewhere(range.end);
    }
    let next = groups.partition_point(|group| group.range().end <= range.start);
    match groups.get(next) {
        Some(&Group { offset, len, lr_scale, weight_decay_scale }) if offset <= range.start => {
            Rates { len: range.end.min(offset + len) - range.start, lr_scale, weight_decay_scale }
        }
        Some(group) => elsewhere(range.end.min(group.offset)),
        None => elsewhere(range.end),
    }
}

/// Whether weight decay keeps the sign of every parameter: `lr·weight_decay`, with the factors of each group, is at
/// most 1.
pub(super) fn is_decay_in_range(groups: &[Group], config: &Config, lr: f64) -> bool {
    let in_range = |group: &Group| lr * group.lr_scale * (config.weight_decay * group.weight_decay_scale) <= 1.0;
    config.is_decay_in_range(lr) && groups.iter().all(in_range)
}

/// Returns the largest `lr_scale` minus 1; 0 if it is below 1.
pub(super) fn excess(groups: &[Group]) -> f64 {
    groups.iter().fold(1.0, |most: f64, group| most.max(group.lr_scale)) - 1.0
}

impl<T: Element> Optimizer<T> {
    /// Sets the parameter groups of all further steps. The new groups replace the old ones. Groups of length 0 are
    /// ignored.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a group is out of range or overlaps another, a factor is negative or not finite,
    /// or `lr·lr_scale·weight_decay·weight_decay_scale` is above 1; [`Error::WrongPhase`] in an open step;
    /// [`Error::OutOfMemory`].
    pub fn set_groups(&mut self, groups: &[Group]) -> Result<()> {
        self.check_idle("set_groups")?;
        let sorted = sorted(groups, self.dim)?;
        if let Some((index, product)) = too_much_decay(groups, &self.config, self.lr) {
            let argument = Argument::element("groups", index);
            let expected = "factors with which lr*lr_scale*weight_decay*weight_decay_scale is at most 1";
            return Err(Error::invalid(argument, Value::Real(product), expected));
        }
        self.frozen.reserve(sorted.len())?;
        self.groups = sorted;
        Ok(())
    }

    /// Returns the parameter groups, in the order of their parameters.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
}

fn too_much_decay(groups: &[Group], config: &Config, lr: f64) -> Option<(usize, f64)> {
    let products = groups.iter().map(|group| lr * group.lr_scale * (config.weight_decay * group.weight_decay_scale));
    products.enumerate().find(|(_, product)| product.is_nan() || *product > 1.0)
}

/// Checks the groups, and returns those that are not empty, sorted.
pub(super) fn sorted(groups: &[Group], dim: usize) -> Result<Vec<Group>> {
    let mut sorted = try_vec(groups.len(), "the parameter groups")?;
    for (index, group) in groups.iter().enumerate() {
        let Group { offset, len, lr_scale, weight_decay_scale } = *group;
        let refused = |value, expected| Err(Error::invalid(Argument::element("groups", index), value, expected));
        if offset.checked_add(len).is_none_or(|end| end > dim) {
            let value = Value::Range(offset as u64, (offset as u64).saturating_add(len as u64));
            return refused(value, "a range that ends at the last parameter or before");
        }
        for (factor, expected) in [
            (lr_scale, "an lr_scale that is finite and >= 0"),
            (weight_decay_scale, "a weight_decay_scale that is finite and >= 0"),
        ] {
            if !(factor.is_finite() && factor >= 0.0) {
                return refused(Value::Real(factor), expected);
            }
        }
        if len > 0 {
            sorted.push(*group);
        }
    }
    sorted.sort_unstable_by_key(|group: &Group| group.offset);
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].range().end > pair[1].offset) {
        let index = groups.iter().position(|group| group == &pair[1]).unwrap_or_default();
        let value = Value::Range(pair[1].offset as u64, pair[1].range().end as u64);
        return Err(Error::invalid(Argument::element("groups", index), value, "a range that overlaps no other group"));
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_each_other() {
        let groups = [Group::new(2..5).with_lr_scale(0.5), Group::new(5..6).frozen(), Group::new(9..12)];
        let mut found = Vec::new();
        let mut next = 0;
        while next < 14 {
            let Rates { len, lr_scale, .. } = rates(&groups, &(next..14));
            found.push((next, len, lr_scale));
            next += len;
        }
        assert_eq!(found, [(0, 2, 1.0), (2, 3, 0.5), (5, 1, 0.0), (6, 3, 1.0), (9, 3, 1.0), (12, 2, 1.0)]);
    }
}
