//! Single options, each with the values that may cause errors.

// Every test file is a separate crate and uses a part of this module.
#![allow(dead_code)]

use lmada::{Clip, Config, Momentum};
use proptest::prelude::*;

/// One option away from its default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    Eps(f64),
    EpsRelative(f64),
    Power(f64),
    /// `eps_on_root` with an eps.
    EpsOnRoot(f64),
    RankTol(f64),
    Centered,
    HistoryDecay(f64),
    OrthogonalScale(f64),
    Momentum(Momentum, f64),
    NoBiasCorrection,
    ClipNorm(f64),
    ClipEma(Clip, f64, f64),
    GraftInput,
    GradScale(f64),
    GradClip(f64),
}

impl Setting {
    pub fn apply(self, config: &mut Config) {
        match self {
            Self::Eps(x) => config.eps = x,
            Self::EpsRelative(x) => config.eps_relative = x,
            Self::Power(x) => config.power = x,
            Self::EpsOnRoot(eps) => (config.eps_on_root, config.eps) = (true, eps),
            Self::RankTol(x) => config.rank_tol = x,
            Self::Centered => config.centered = true,
            Self::HistoryDecay(x) => config.history_decay = x,
            Self::OrthogonalScale(x) => config.orthogonal_scale = x,
            Self::Momentum(kind, beta) => (config.momentum_kind, config.momentum) = (kind, beta),
            Self::NoBiasCorrection => config.bias_correction = false,
            Self::ClipNorm(x) => (config.clip_kind, config.clip_norm) = (Clip::Norm, x),
            Self::ClipEma(kind, factor, beta) => {
                (config.clip_kind, config.clip_factor, config.clip_beta) = (kind, factor, beta);
            }
            Self::GraftInput => config.clip_kind = Clip::GraftInput,
            Self::GradScale(x) => config.grad_scale = x,
            Self::GradClip(x) => config.grad_clip_norm = x,
        }
    }

    /// Returns every option at values far apart, bounds included.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Centered, Self::NoBiasCorrection];
        all.extend([0.0, 1e-12, 1e-2, 1.0, 1e6].map(Self::Eps));
        all.extend([1e-8, 1e-3, 1.0].map(Self::EpsRelative));
        all.extend([0.1, 0.25, 0.75, 1.0].map(Self::Power));
        all.extend([0.0, 1e-6, 1e-2].map(Self::EpsOnRoot));
        all.extend([0.0, 1e-8, 0.3].map(Self::RankTol));
        all.extend([0.999, 0.9, 0.5].map(Self::HistoryDecay));
        all.extend([0.1, 1.0, 30.0].map(Self::OrthogonalScale));
        for kind in [Momentum::Gradient, Momentum::Update, Momentum::Window] {
            all.extend([0.0, 0.5, 0.9].map(|beta| Self::Momentum(kind, beta)));
        }
        all.extend([0.0, 0.3, 1e3].map(Self::ClipNorm));
        for kind in [Clip::EmaNorm, Clip::GraftEmaNorm, Clip::EmaVector, Clip::GraftEmaVector] {
            all.extend([(1.0, 0.99), (0.1, 0.5), (2.0, 0.0)].map(|(factor, beta)| Self::ClipEma(kind, factor, beta)));
        }
        all.push(Self::GraftInput);
        all.extend([0.0, 1e-3, 0.3, 40.0].map(Self::GradScale));
        all.extend([1e-3, 0.8, 1e4].map(Self::GradClip));
        all
    }
}

/// Returns the configuration of some settings, on one thread, with a window of `k`. `None` if the settings exclude each
/// other.
pub fn configuration(k: usize, settings: &[Setting]) -> Option<Config> {
    let mut config = Config::default().with_history_size(k as u32).with_threads(1);
    settings.iter().for_each(|setting| setting.apply(&mut config));
    let grows = config.momentum_kind == Momentum::Window && config.history_decay < config.momentum;
    assert_eq!(config.validate().is_err(), grows, "{settings:?}");
    (!grows).then_some(config)
}

/// Returns any option at any value of its range.
pub fn any_setting() -> impl Strategy<Value = Setting> {
    let decades = |from: f64, to: f64| (from..to).prop_map(|x| 10f64.powf(x));
    let ema =
        prop_oneof![Just(Clip::EmaNorm), Just(Clip::GraftEmaNorm), Just(Clip::EmaVector), Just(Clip::GraftEmaVector)];
    let momentum = prop_oneof![Just(Momentum::Gradient), Just(Momentum::Update), Just(Momentum::Window)];
    prop_oneof![
        decades(-16.0, 6.0).prop_map(Setting::Eps),
        decades(-16.0, 2.0).prop_map(Setting::EpsRelative),
        (0.01..=1.0).prop_map(Setting::Power),
        decades(-12.0, 2.0).prop_map(Setting::EpsOnRoot),
        decades(-16.0, -0.1).prop_map(Setting::RankTol),
        Just(Setting::Centered),
        (0.05..=1.0).prop_map(Setting::HistoryDecay),
        decades(-3.0, 3.0).prop_map(Setting::OrthogonalScale),
        (momentum, 0.0..0.99).prop_map(|(kind, beta)| Setting::Momentum(kind, beta)),
        Just(Setting::NoBiasCorrection),
        decades(-3.0, 3.0).prop_map(Setting::ClipNorm),
        Just(Setting::GraftInput),
        decades(-6.0, 6.0).prop_map(Setting::GradScale),
        decades(-4.0, 4.0).prop_map(Setting::GradClip),
        (ema, decades(-2.0, 2.0), 0.0..0.999).prop_map(|(kind, factor, beta)| Setting::ClipEma(kind, factor, beta)),
    ]
}
