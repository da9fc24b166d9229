//! Functions other than steps: parameter groups, changing options, averaged parameters, preconditioned vectors.

use core::mem::{offset_of, zeroed};
use core::ops::Range;

use lmada::capi::*;
use lmada::{Clip, Config, Dtype, HistoryFormat, Momentum};

use super::pieces::{halves, widened};
use super::{Subject, World, expect, gradients};
use crate::config::takes;
use crate::handle::{Handle, Real, Status, checked};
use crate::input::Input;
use crate::options;
use crate::oracle::number::bits;

/// The rates of one parameter in one step.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub lr_scale: f64,
    pub weight_decay_scale: f64,
}

impl Rates {
    pub fn is_frozen(&self) -> bool {
        self.lr_scale == 0.0
    }
}

/// The average of the parameters, in f64.
#[derive(Clone, Default)]
pub(super) struct Average {
    steps: u64,
    sums: Vec<f64>,
    /// The largest parameter that entered the average.
    peak: f64,
    /// Whether `average_beta` changed since the first step.
    lost: bool,
}

impl Average {
    pub fn take_in<T: Real>(&mut self, beta: f64, params: &[T]) {
        self.steps += 1;
        self.sums.resize(params.len(), 0.0);
        for (sum, w) in self.sums.iter_mut().zip(params) {
            *sum = beta * *sum + (1.0 - beta) * w.widen();
            // A NaN stays in the average.
            self.peak = if w.widen().abs() <= self.peak { self.peak } else { w.widen().abs() };
        }
    }

    pub fn forget(&mut self) {
        self.lost = true;
    }

    fn check<T: Real>(&self, beta: f64, found: &[T]) {
        if self.lost || self.peak.is_nan() || self.peak > T::MAX / 4.0 {
            return;
        }
        let weight = 1.0 - beta.powf(self.steps as f64);
        // Each step rounds the sum and both factors. Dividing by the sum of the weights makes the errors larger.
        let allowed = 16.0 * (T::UNIT * self.peak + T::LEAST) / (1.0 - beta);
        for (index, (sum, found)) in self.sums.iter().zip(found).enumerate() {
            let off = (found.widen() - sum / weight).abs();
            assert!(off <= allowed, "the average of parameter {index} is off by {off:e}, allowed {allowed:e}");
        }
    }
}

/// Whether the learning rate times the weight decay is at most 1 for every parameter.
pub(super) fn decay_in_range(groups: &[lmada_group_t], lr: f64, decay: f64) -> bool {
    let good = |group: &lmada_group_t| lr * group.lr_scale * (decay * group.weight_decay_scale) <= 1.0;
    lr * decay <= 1.0 && groups.iter().all(good)
}

fn group(range: &Range<usize>, lr_scale: f64, weight_decay_scale: f64) -> lmada_group_t {
    // SAFETY: all fields are numbers, for which zeros are a value.
    let mut group: lmada_group_t = unsafe { zeroed() };
    (group.offset, group.len) = (range.start, range.len());
    (group.lr_scale, group.weight_decay_scale) = (lr_scale, weight_decay_scale);
    group
}

/// Returns the groups with one more that freezes `range` and replaces the others there.
pub(super) fn with_frozen(groups: &[lmada_group_t], range: &Range<usize>) -> Vec<lmada_group_t> {
    let mut all = vec![group(range, 0.0, 1.0)];
    for own in groups {
        let end = own.offset + own.len;
        for part in [own.offset..end.min(range.start), own.offset.max(range.end)..end] {
            if !part.is_empty() {
                all.push(group(&part, own.lr_scale, own.weight_decay_scale));
            }
        }
    }
    all
}

impl<T: Real> World<T> {
    pub(super) fn around(&mut self, call: u8, input: &mut Input<'_>) {
        match call {
            0..2 => self.set_groups(input),
            2 => self.bad_groups(input),
            3..5 => self.set_config(input),
            5 => self.set_grad_scale(input),
            6..8 => self.observe(input),
            8 => self.precondition(input),
            9 => self.averaged_params(),
            10..12 => self.step_bf16(input),
            12..14 => self.step_without_some(input),
            14 => self.memory(input),
            _ => self.check_config(),
        }
    }

    /// Returns the rates of all parameters. Those in `missing` have no gradient.
    pub(super) fn rates(&self, missing: &Range<usize>) -> Vec<Rates> {
        let mut rates = vec![Rates { lr_scale: 1.0, weight_decay_scale: 1.0 }; self.dim];
        for &lmada_group_t { offset, len, lr_scale, weight_decay_scale, .. } in &self.known.groups {
            rates[offset..offset + len].fill(Rates { lr_scale, weight_decay_scale });
        }
        rates[missing.clone()].fill(Rates { lr_scale: 0.0, weight_decay_scale: 1.0 });
        rates
    }

    /// Returns the gradient with zeros for parameters whose gradient is not read.
    pub(super) fn seen(&self, rates: &[Rates]) -> impl Iterator<Item = T> {
        self.gradient.iter().zip(rates).map(|(g, rates)| if rates.is_frozen() { T::of(0.0) } else { *g })
    }

    /// Counts a step that both handles refused.
    pub(super) fn count_refusal(&mut self, status: Status, rates: &[Rates]) {
        if status == LMADA_ERROR_NON_FINITE {
            self.refused.iter_mut().for_each(|count| *count += 1);
            let bad = self.seen(rates).position(|g| !g.widen().is_finite()).map(|index| index as u64);
            // A finite number may be stored as infinity; it is the element at fault then.
            let as_given = self.config.history_format == HistoryFormat::Full && self.config.diagonal_beta == 0.0;
            self.bad = bad.or(as_given.then_some(u64::MAX));
        }
    }

    fn set_groups(&mut self, input: &mut Input<'_>) {
        let count = usize::from(input.byte() % 4);
        let mut places: Vec<usize> = (0..2 * count).map(|_| input.below(self.dim + 1)).collect();
        places.sort_unstable();
        let mut groups: Vec<lmada_group_t> = places
            .chunks_exact(2)
            .map(|ends| {
                let lr_scale = input.pick(&[1.0, 0.0, 0.5, 0.0, 1e-3, 2.0, 1e3, 1e30]);
                group(&(ends[0]..ends[1]), lr_scale, input.pick(&[1.0, 0.0, 0.5, 3.0, 1e30]))
            })
            .collect();
        if input.rarely(2) {
            groups.reverse();
        }
        let mut errors = self.unless_idle();
        if !decay_in_range(&groups, self.known.lr, self.config.weight_decay) {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        if expect(self.subject.handle.set_groups(&groups), &errors) {
            assert_eq!(self.twin.handle.set_groups(&groups), LMADA_OK);
            groups.retain(|group| group.len > 0);
            self.known.groups = groups;
        }
    }

    /// Sets groups that are refused, after a valid one.
    fn bad_groups(&mut self, input: &mut Input<'_>) {
        let before = self.subject.handle.save();
        let cut = input.below(self.dim + 1);
        let good = group(&(0..cut), 0.5, 1.0);
        let mut bad = group(&(cut..self.dim), 1.0, 1.0);
        let mut size = size_of::<lmada_group_t>();
        let kind = input.byte() % 6;
        match kind {
            0 => bad.len = input.pick(&[self.dim - cut + 1, usize::MAX, usize::MAX - cut]),
            1 => bad.offset = input.pick(&[self.dim + 1, usize::MAX]),
            2 => bad.lr_scale = input.pick(&[f64::NAN, -1.0, f64::INFINITY, -1e-300]),
            3 => bad.weight_decay_scale = input.pick(&[f64::NAN, -1.0, f64::INFINITY, -1e-300]),
            4 => size = input.pick(&[0, 8, 12, 33, 40, usize::MAX]),
            _ if cut > 0 => (bad.offset, bad.len) = (cut - 1, 1 + self.dim - cut),
            _ => return,
        }
        let groups = if input.rarely(2) { [good, bad] } else { [bad, good] };
        // SAFETY: the handle is live; there are two structs, or the size is refused.
        let status = checked(unsafe { lmada_set_groups(self.subject.handle.raw(), groups.as_ptr(), size, 2) });
        let mut errors = self.unless_idle();
        errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        expect(status, &errors);
        assert!(before == self.subject.handle.save(), "refused groups changed the state");
    }

    fn set_config(&mut self, input: &mut Input<'_>) {
        let now = self.config.with_lr(self.known.lr);
        let mut new = now;
        for _ in 0..1 + input.byte() % 3 {
            change(&mut new, input);
        }
        let (mut c, mut twins) = (options::to_c(&new), options::to_c(&new.with_threads(2)));
        // Options beyond the caller's struct do not change.
        if input.rarely(4) {
            let size = offset_of!(lmada_config_t, diagonal_beta);
            (c.struct_size, twins.struct_size) = (size, size);
            (new.diagonal_beta, new.diagonal_eps) = (now.diagonal_beta, now.diagonal_eps);
            (new.grad_scale, new.grad_clip_norm) = (now.grad_scale, now.grad_clip_norm);
            new.average_beta = now.average_beta;
        }
        let whole = options::to_c(&new);
        let size = size_of::<lmada_config_t>();
        // SAFETY: init has filled the struct, padding included.
        let bytes = unsafe { core::slice::from_raw_parts((&raw const whole).cast::<u8>(), size) };
        let vectors = |config: &Config| matches!(config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector);
        let shape = |config: &Config| {
            let Config { dtype, history_size, history_format, density, momentum_kind, .. } = *config;
            let on = (config.diagonal_beta == 0.0, config.average_beta == 0.0, vectors(config));
            (dtype, history_size, history_format, density.to_bits(), momentum_kind, on)
        };
        let mut errors = self.unless_idle();
        let decays = decay_in_range(&self.known.groups, new.lr, new.weight_decay);
        if !takes(bytes, size) || !decays || shape(&new) != shape(&now) {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        // SAFETY: the handle is live, and the struct is as long as it says.
        let set = |subject: &Subject<T>, c| checked(unsafe { lmada_set_config(subject.handle.raw(), c) });
        let before = self.subject.handle.save();
        if !expect(set(&self.subject, &c), &errors) {
            assert!(before == self.subject.handle.save(), "refused options changed the state");
            self.check_config();
            return;
        }
        assert_eq!(set(&self.twin, &twins), LMADA_OK);
        let followed = |config: Config| config.with_lr(0.0).with_weight_decay(0.0).with_threads(1);
        if followed(new) != followed(now) {
            self.known.rule = None;
        }
        if new.average_beta != now.average_beta {
            self.known.average.forget();
        }
        (self.config, self.known.lr) = (new, new.lr);
        self.check_config();
    }

    /// Checks that the options are those that were set.
    fn check_config(&self) {
        let found = self.subject.handle.config();
        let mut set = options::to_c(&self.config.with_lr(self.known.lr));
        set.threads = found.threads;
        assert_eq!(format!("{found:?}"), format!("{set:?}"));
        set.threads = self.twin.handle.config().threads;
        assert_eq!(format!("{:?}", self.twin.handle.config()), format!("{set:?}"));
    }

    fn set_grad_scale(&mut self, input: &mut Input<'_>) {
        let scale = input.pick(&[1.0, 0.5, 1e-3, 30.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 1e30, 1e-300, f64::MAX]);
        let mut errors = self.unless_idle();
        if !(scale.is_finite() && scale >= 0.0) {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        // SAFETY: the handle is live.
        let set = |subject: &Subject<T>| checked(unsafe { lmada_set_grad_scale(subject.handle.raw(), scale) });
        if expect(set(&self.subject), &errors) {
            assert_eq!(set(&self.twin), LMADA_OK);
            if scale != self.config.grad_scale {
                self.known.rule = None;
            }
            self.config.grad_scale = scale;
        }
    }

    fn observe(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        let (grads, dim) = (self.gradient.as_ptr(), self.dim);
        // SAFETY: the handle is live, and the gradient has `dim` elements.
        let observe = |subject: &Subject<T>| unsafe { T::observe(subject.handle.raw(), grads, dim) };
        let status = observe(&self.subject);
        if self.open.is_some() {
            assert_eq!(status, LMADA_ERROR_WRONG_PHASE);
            return;
        }
        let rates = self.rates(&(0..0));
        let (rule, _) = self.judge(status, &rates);
        self.count_refusal(status, &rates);
        assert_eq!(observe(&self.twin), status, "the twin answers otherwise");
        if status == LMADA_OK {
            self.accept(rule);
        }
    }

    /// Preconditions a vector. It changes nothing; the twin's stats are read before.
    fn precondition(&mut self, input: &mut Input<'_>) {
        let mut v = self.gradient.clone();
        gradients::next(input, &mut v);
        let dim = self.dim;
        let untouched = T::of(0.125);
        let before = self.subject.handle.save();
        let stats = format!("{:?}", self.twin.handle.stats());
        let (mut found, mut other) = (vec![untouched; dim], vec![untouched; dim]);
        // SAFETY: the handle is live, and the arrays have `dim` elements.
        let call = |subject: &Subject<T>, out: &mut [T]| unsafe {
            T::precondition(subject.handle.raw(), out.as_mut_ptr(), v.as_ptr(), dim)
        };
        let status = call(&self.subject, &mut found);
        assert_eq!(call(&self.twin, &mut other), status, "the twin answers otherwise");
        assert!(bits(&found) == bits(&other), "the vectors differ");
        if self.open.is_some() || self.known.steps == 0 {
            assert_eq!(status, LMADA_ERROR_WRONG_PHASE);
        } else if v.iter().all(|x| x.widen().is_finite()) {
            expect(status, &[LMADA_OK, LMADA_ERROR_NON_FINITE]);
        } else {
            assert_eq!(status, LMADA_ERROR_NON_FINITE);
        }
        if status == LMADA_OK {
            assert!(self.known.spoilt || found.iter().all(|x| x.widen().is_finite()), "u is not finite");
        } else {
            assert!(found.iter().all(|x| *x == untouched), "a refused vector was written");
        }
        assert!(before == self.subject.handle.save(), "precondition changed the state");
        assert_eq!(stats, format!("{:?}", self.twin.handle.stats()), "precondition changed the stats");
        self.stats();
    }

    fn averaged_params(&mut self) {
        let dim = self.dim;
        let untouched = T::of(0.125);
        let (mut found, mut other) = (vec![untouched; dim], vec![untouched; dim]);
        // SAFETY: the handle is live, and the array has `dim` elements.
        let call = |subject: &Subject<T>, out: &mut [T]| unsafe {
            T::averaged_params(subject.handle.raw(), out.as_mut_ptr(), dim)
        };
        let mut errors = self.unless_idle();
        if self.config.average_beta == 0.0 || self.known.average.steps == 0 {
            errors.push(LMADA_ERROR_WRONG_PHASE);
        }
        let status = call(&self.subject, &mut found);
        assert_eq!(call(&self.twin, &mut other), status, "the twin answers otherwise");
        assert!(bits(&found) == bits(&other), "the averages differ");
        if expect(status, &errors) {
            self.known.average.check(self.config.average_beta, &found);
        } else {
            assert!(found.iter().all(|x| *x == untouched), "a refused average was written");
        }
    }

    /// Takes a step with a gradient in bfloat16. The twin gets the same numbers in `f32`.
    fn step_bf16(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        let halves = halves(&self.gradient);
        let dim = self.dim;
        if T::DTYPE != Dtype::F32 {
            let mut params = vec![0.5f32; dim];
            let (opt, start) = (self.subject.handle.raw(), params.as_mut_ptr());
            // SAFETY: the handle is live, and the arrays have `dim` elements.
            let status = checked(unsafe { lmada_step_bf16(opt, start, core::ptr::null_mut(), halves.as_ptr(), dim) });
            assert!(status == LMADA_ERROR_INVALID_ARGUMENT || !self.unless_idle().is_empty(), "status {status}");
            assert!(status != LMADA_OK && params.iter().all(|w| *w == 0.5));
            return;
        }
        if self.open.is_none() {
            self.gradient = widened(&halves);
        }
        let with_copy = input.rarely(2);
        let before = 0x1234;
        self.take_step(0..0, |subject, _| {
            let mut copy = vec![before; dim];
            let place = if with_copy { copy.as_mut_ptr() } else { core::ptr::null_mut() };
            let params = subject.params.as_mut_ptr().cast::<f32>();
            // SAFETY: the handle is live, `T` is `f32`, and the arrays have `dim` elements.
            let status = checked(unsafe { lmada_step_bf16(subject.handle.raw(), params, place, halves.as_ptr(), dim) });
            for (copy, w) in copy.into_iter().zip(&subject.params) {
                let written = with_copy && status == LMADA_OK;
                let nearest = if written { nearest_bf16(w.widen() as f32) } else { before };
                assert!(copy == nearest || !w.widen().is_finite(), "{w:?} as bfloat16 is {copy:#x}");
            }
            status
        });
    }

    /// Takes a step over three tensors; the middle one has no gradient.
    fn step_without_some(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        let (one, other) = (input.below(self.dim + 1), input.below(self.dim + 1));
        let mut missing = one.min(other)..one.max(other);
        // With rates above 1 the overflow check uses all groups, also those without a gradient.
        if self.known.groups.iter().any(|group| group.lr_scale > 1.0) {
            missing = 0..0;
        }
        let ends = [missing.start, missing.end, self.dim];
        self.take_step(missing, |subject, gradient| {
            subject.handle.step_tensors(&mut subject.params, gradient, &ends, if ends[0] < ends[1] { 2 } else { 0 })
        });
    }

    /// Checks that the predicted memory is that of a new handle.
    fn memory(&mut self, input: &mut Input<'_>) {
        let dim = input.pick(&[self.dim, 1, 5, 300, 4097]);
        let config = options::to_c(&self.config.with_threads(input.pick(&[1, 2, 3])));
        let mut bytes = 7;
        // SAFETY: both point at their types.
        let status = checked(unsafe { lmada_memory(&config, dim, &mut bytes) });
        if dim == 0 {
            assert_eq!((status, bytes), (LMADA_ERROR_INVALID_ARGUMENT, 7));
        } else {
            assert_eq!(status, LMADA_OK);
            assert_eq!(bytes, Handle::<T>::new(&config, &[dim]).stats().state_bytes);
        }
    }
}

/// Changes an option, mostly to a valid value.
fn change(config: &mut Config, input: &mut Input<'_>) {
    match input.byte() % 26 {
        0 => config.eps = input.pick(&[0.0, 1e-6, 1.0, 1e6, -1.0, f64::NAN]),
        1 => config.eps_relative = input.pick(&[0.0, 1e-8, 1.0, -1.0]),
        2 => config.power = input.pick(&[0.5, 1.0, 0.25, 0.0, 1.1]),
        3 => config.eps_on_root = !config.eps_on_root,
        4 => config.rank_tol = input.pick(&[0.0, 1e-14, 0.3, 1.0]),
        5 => config.centered = !config.centered,
        6 => config.history_decay = input.pick(&[1.0, 0.9, 0.5, 0.0, 1.5]),
        7 => config.orthogonal_scale = input.pick(&[0.0, 1.0, 30.0, -1.0]),
        8 => config.momentum = input.pick(&[0.9, 0.0, 0.5, 0.99, 1.0]),
        9 => config.bias_correction = !config.bias_correction,
        10 => {
            let kinds = [Clip::None, Clip::Norm, Clip::EmaNorm, Clip::GraftEmaNorm, Clip::GraftInput];
            config.clip_kind = input.pick(&kinds);
        }
        11 => config.clip_kind = input.pick(&[Clip::EmaVector, Clip::GraftEmaVector]),
        12 => config.clip_norm = input.pick(&[1.0, 0.0, 0.3, 1e3, -1.0]),
        13 => config.clip_factor = input.pick(&[1.0, 0.0, 0.1, 2.0, f64::INFINITY]),
        14 => config.clip_beta = input.pick(&[0.99, 0.0, 0.5, 1.0]),
        15 => config.weight_decay = input.pick(&[0.0, 0.1, 1.0, 1e3, -1.0, 1e300]),
        16 => config.lr = input.pick(&[1e-2, 0.0, 1.0, 1e3, -1.0, f64::NAN]),
        17 => config.threads = input.pick(&[1, 2, 3]),
        18 => config.diagonal_beta = input.pick(&[0.9, 0.0, 0.99, 1.0]),
        19 => config.diagonal_eps = input.pick(&[1e-16, 1e-2, 1e-60, 0.0]),
        20 => config.grad_scale = input.pick(&[1.0, 0.5, 30.0, 0.0, -1.0]),
        21 => config.grad_clip_norm = input.pick(&[0.0, 0.5, 1e3, -1.0]),
        22 => config.average_beta = input.pick(&[0.9, 0.0, 0.5, 0.999, 1.0]),
        23 => config.history_size = input.pick(&[1, 2, 3, 4, 0, 4097]),
        24 => {
            config.momentum_kind = input.pick(&[Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window])
        }
        _ => {
            config.history_format = input.pick(&[HistoryFormat::Full, HistoryFormat::F16, HistoryFormat::Sparse]);
            config.density = input.pick(&[config.density, 0.5, 0.0]);
        }
    }
}

/// Returns the nearest bfloat16, ties to even; saturates.
pub(super) fn nearest_bf16(w: f32) -> u16 {
    let bits = w.to_bits();
    let nearest = ((bits.wrapping_add(0x7FFF + (bits >> 16 & 1))) >> 16) as u16;
    if nearest & 0x7FFF >= 0x7F80 { nearest & 0x8000 | 0x7F7F } else { nearest }
}
