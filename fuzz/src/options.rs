//! Options from an input. All are valid, and each may be anywhere in its range.

use core::mem::MaybeUninit;

use lmada::capi::{CBool, LMADA_OK, lmada_config_init, lmada_config_t};
use lmada::{Clip, Config, Dtype, HistoryFormat, Momentum};

use crate::input::Input;

const FORMATS: [HistoryFormat; 5] =
    [HistoryFormat::Full, HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];
const MOMENTA: [Momentum; 4] = [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window];
const CLIPS: [Clip; 6] =
    [Clip::None, Clip::Norm, Clip::EmaNorm, Clip::GraftEmaNorm, Clip::EmaVector, Clip::GraftEmaVector];

/// Draws a valid configuration, for one thread.
pub fn good(input: &mut Input<'_>, dtype: Dtype) -> Config {
    // The first byte has two meanings, so that older inputs mostly keep theirs.
    let first = input.byte();
    let mut config = Config::default()
        .with_dtype(dtype)
        .with_history_size([3, 1, 2, 4, 5, 6][usize::from(first % 6)])
        .with_history_format(if dtype == Dtype::F32 { input.pick(&FORMATS) } else { HistoryFormat::Full })
        .with_momentum_kind(input.pick(&MOMENTA))
        .with_clip_kind(input.pick(&CLIPS))
        .with_threads(1);
    // One byte chooses the other options that differ from their defaults.
    let others = input.byte();
    if others & 1 != 0 {
        config.eps = input.pick(&[0.0, 1e-12, 1e-2, 1.0, 1e6]);
        config.eps_relative = input.pick(&[0.0, 1e-8, 1e-3, 1.0]);
    }
    if others & 2 != 0 {
        config.power = input.pick(&[1.0, 0.25, 0.1, 0.75]);
        config.eps_on_root = input.rarely(2);
    }
    if others & 4 != 0 {
        config.rank_tol = input.pick(&[0.0, 1e-8, 0.3]);
        config.orthogonal_scale = input.pick(&[0.5, 1.0, 30.0]);
    }
    config.centered = others & 8 != 0;
    if others & 16 != 0 {
        config.history_decay = input.pick(&[0.99, 0.9, 0.5]);
    }
    if others & 32 != 0 {
        config.momentum = input.pick(&[0.0, 0.5, 0.99]);
        config.bias_correction = input.rarely(2);
    }
    if others & 64 != 0 {
        config.clip_norm = input.pick(&[0.0, 0.3, 1e3]);
        config.clip_factor = input.pick(&[0.0, 0.1, 2.0]);
        config.clip_beta = input.pick(&[0.0, 0.5, 0.9]);
        config.density = input.pick(&[1.0, 0.3, 0.5]);
    }
    if others & 128 != 0 {
        config.weight_decay = input.pick(&[0.1, 1e3]);
        config.lr = input.pick(&[0.0, 1.0, 1e3, 1e30]);
        config.weight_decay = config.weight_decay.min(1.0 / config.lr);
    }
    if first >= 192 && first % 3 > 0 {
        config.clip_kind = Clip::GraftInput;
    }
    if first >= 192 && first % 3 < 2 {
        (config.diagonal_beta, config.diagonal_eps) =
            [(0.99, 1e-16), (0.5, 1e-2), (0.999, 1e-60)][usize::from(first % 7 % 3)];
        config.centered = false;
        if matches!(config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector) {
            config.clip_kind = Clip::None;
        }
    }
    if others & 192 == 64 {
        config.grad_scale = input.pick(&[1.0, 0.5, 1e-3, 30.0, 0.0]);
        config.grad_clip_norm = input.pick(&[0.0, 0.5, 1e3, 1e-6]);
    }
    if config.momentum_kind == Momentum::Window {
        config.history_decay = config.history_decay.max(config.momentum);
    }
    config
}

/// Returns the options as the C struct.
pub fn to_c(config: &Config) -> lmada_config_t {
    let mut c = MaybeUninit::<lmada_config_t>::uninit();
    // SAFETY: the struct has the size given, and init fills it, padding included.
    let mut c = unsafe {
        assert_eq!(lmada_config_init(c.as_mut_ptr(), size_of::<lmada_config_t>()), LMADA_OK);
        c.assume_init()
    };
    // options: generated from src/config.rs by `make option-lists`
    c.dtype = config.dtype as i32;
    c.history_size = config.history_size;
    c.history_format = config.history_format as i32;
    c.density = config.density;
    c.lr = config.lr;
    c.eps = config.eps;
    c.eps_relative = config.eps_relative;
    c.power = config.power;
    c.eps_on_root = CBool(config.eps_on_root.into());
    c.rank_tol = config.rank_tol;
    c.centered = CBool(config.centered.into());
    c.history_decay = config.history_decay;
    c.orthogonal_scale = config.orthogonal_scale;
    c.momentum_kind = config.momentum_kind as i32;
    c.momentum = config.momentum;
    c.bias_correction = CBool(config.bias_correction.into());
    c.clip_kind = config.clip_kind as i32;
    c.clip_norm = config.clip_norm;
    c.clip_factor = config.clip_factor;
    c.clip_beta = config.clip_beta;
    c.weight_decay = config.weight_decay;
    c.threads = config.threads;
    c.diagonal_beta = config.diagonal_beta;
    c.diagonal_eps = config.diagonal_eps;
    c.grad_scale = config.grad_scale;
    c.grad_clip_norm = config.grad_clip_norm;
    c.average_beta = config.average_beta;
    // options: end
    c
}

/// Draws lengths of blocks: mostly one short block, sometimes about as long as a group of a format.
pub fn dims(input: &mut Input<'_>) -> Vec<usize> {
    match input.byte() {
        kind @ 0..224 => {
            let count = [1, 1, 2, 3][usize::from(kind % 4)];
            (0..count).map(|_| input.pick(&[5, 1, 2, 3, 4, 7, 8, 9, 12, 0])).collect()
        }
        224..240 => vec![input.pick(&[17, 31, 64, 100])],
        240..248 => vec![input.pick(&[255, 256, 257, 300, 513])],
        248..252 => vec![3, input.pick(&[255, 256, 257, 300, 513]), 0, 2],
        252..255 => vec![input.pick(&[4095, 4096, 4097, 4200])],
        // Large enough for more than one thread, with enough columns.
        255 => vec![4096, 20000],
    }
}
