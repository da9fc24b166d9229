//! Options across the boundary: reads structs of any known size, and writes the defaults.

use core::mem::offset_of;

use super::boolean::CBool;
use super::guard::guard;
use super::types::*;
use crate::config::{Clip, Config, Dtype, HistoryFormat, Momentum};
use crate::error::{Error, Result, Value};

/// Fills `config` with the defaults: plain windowed full-matrix Adagrad (k = 10, `LMADA_HISTORY_FULL`, lr 1e-2, eps
/// 1e-6, no momentum, no clipping).
///
/// @param config       struct to fill; nothing is written beyond `config_size` bytes
/// @param config_size  `sizeof(lmada_config_t)`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if `config_size` is below 8 or larger
///         than this library's struct, or if `config` is not aligned
///
/// # Safety
/// `config` is NULL or points at `config_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_config_init(config: *mut lmada_config_t, config_size: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    guard(|| unsafe { write_prefix("config", "config_size", config, config_size, config_to_c(&Config::default())) })
}

/// Fills `config` with the setting that trained best in this library's measurements (docs/evidence.md). All other
/// options are those of `lmada_config_init`, the history format too.
///
/// The setting uses diagonal preconditioning, which excludes `centered` and the clips by EMA vectors. None of its
/// options is in units of the loss: a loss times 1e-4 or 1e4 trains as the loss itself. lr (0.01) means what it means
/// in Adam, about the RMS change of a parameter in a step. If `config_size` ends before `diagonal_beta`, the struct
/// cannot hold this setting and gets a setting without diagonal preconditioning: k = 30, lr 0.1,
/// `LMADA_MOMENTUM_UPDATE` with momentum 0.9, and `LMADA_GRAFT_EMA_NORM`.
///
/// @param config       struct to fill; nothing is written beyond `config_size` bytes
/// @param config_size  `sizeof(lmada_config_t)`
/// @return as `lmada_config_init`
///
/// # Safety
/// `config` is NULL or points at `config_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_config_recommended(config: *mut lmada_config_t, config_size: usize) -> lmada_status_t {
    let knows_diagonal = config_size >= offset_of!(lmada_config_t, diagonal_beta) + size_of::<f64>();
    let setting = if knows_diagonal { Config::recommended() } else { Config::recommended_in_plain_coordinates() };
    // SAFETY: the caller's promise is passed on.
    guard(|| unsafe { write_prefix("config", "config_size", config, config_size, config_to_c(&setting)) })
}

/// A struct of the interface whose first member is its size. It grows at the end only.
pub(super) trait SizedStruct: Copy {
    fn set_size(&mut self, size: usize);
}

impl SizedStruct for lmada_config_t {
    fn set_size(&mut self, size: usize) {
        self.struct_size = size;
    }
}

impl SizedStruct for lmada_stats_t {
    fn set_size(&mut self, size: usize) {
        self.struct_size = size;
    }
}

/// Sets the size of `value` to `size` and writes its first `size` bytes to `target`.
///
/// # Safety
/// `target` is NULL or points at `size` writable bytes.
pub(super) unsafe fn write_prefix<S: SizedStruct>(
    name: &'static str,
    size_name: &'static str,
    target: *mut S,
    size: usize,
    mut value: S,
) -> Result<()> {
    check_struct(name, target, size_name, size)?;
    value.set_size(size);
    // SAFETY: `target` is not NULL and has `size` bytes by the caller's promise; `value` has at least `size` bytes.
    unsafe { core::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), target.cast::<u8>(), size) };
    Ok(())
}

fn check_struct<S>(name: &'static str, pointer: *const S, size_name: &'static str, size: usize) -> Result<()> {
    if pointer.is_null() {
        return Err(Error::null(name));
    }
    if !pointer.is_aligned() {
        let value = Value::Count(pointer.addr() as u64);
        return Err(Error::invalid(name, value, "an address aligned for a struct"));
    }
    if size < size_of::<usize>() || size > size_of::<S>() {
        let expected = "8 to the size of the struct in this library";
        return Err(Error::invalid(size_name, Value::Count(size as u64), expected));
    }
    Ok(())
}

/// Reads and checks the caller's options; NULL means the defaults.
///
/// # Safety
/// `config` is NULL or points at as many bytes as its first member says.
pub(super) unsafe fn read_config(config: *const lmada_config_t) -> Result<Config> {
    if config.is_null() {
        return Ok(Config::default());
    }
    // SAFETY: the caller's promise is passed on.
    unsafe { read_config_over(config, &Config::default()) }
}

/// Reads and checks the caller's options. Options that do not lie wholly inside the struct are taken from `others`.
///
/// # Safety
/// `config` points at as many bytes as its first member says.
pub(super) unsafe fn read_config_over(config: *const lmada_config_t, others: &Config) -> Result<Config> {
    check_struct("config", config, "config.struct_size", size_of::<usize>())?;
    // SAFETY: not NULL and aligned; its first member is readable by the caller's promise.
    let size = unsafe { (&raw const (*config).struct_size).read() };
    check_struct("config", config, "config.struct_size", size)?;
    let mut known = config_to_c(others);
    // SAFETY: `size` bytes are readable by the caller's promise and fit in `known`, whose fields may hold any bits.
    // `from_c` ignores a field that lies only partly inside.
    unsafe { core::ptr::copy_nonoverlapping(config.cast::<u8>(), (&raw mut known).cast::<u8>(), size) };
    let config = from_c(&known, size, others)?;
    config.validate()?;
    Ok(config)
}

/// Converts options to the C struct.
pub(super) fn config_to_c(config: &Config) -> lmada_config_t {
    // SAFETY: every field is a number, for which zeros are a valid value. Zeroing clears the padding too, so that no
    // uninitialised byte is copied out.
    let mut c: lmada_config_t = unsafe { core::mem::zeroed() };
    c.struct_size = size_of::<lmada_config_t>();
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
    c
}

/// Converts the first `size` bytes of the C struct to options. Fields that do not lie wholly inside are taken from
/// `others`.
fn from_c(c: &lmada_config_t, size: usize, others: &Config) -> Result<Config> {
    macro_rules! field {
        ($name:ident) => {
            field!($name, |value| Ok(value))
        };
        ($name:ident, $convert:expr) => {
            if offset_of!(lmada_config_t, $name) + size_of_val(&c.$name) <= size {
                #[allow(clippy::redundant_closure_call)]
                ($convert)(c.$name)?
            } else {
                others.$name
            }
        };
    }
    Ok(Config {
        dtype: field!(dtype, |value| one_of("config.dtype", value, Dtype::ALL, "LMADA_F32 (0) or LMADA_F64 (1)")),
        history_size: field!(history_size),
        history_format: field!(history_format, history_format),
        density: field!(density),
        lr: field!(lr),
        eps: field!(eps),
        eps_relative: field!(eps_relative),
        power: field!(power),
        eps_on_root: field!(eps_on_root, |value| boolean("config.eps_on_root", value)),
        rank_tol: field!(rank_tol),
        centered: field!(centered, |value| boolean("config.centered", value)),
        history_decay: field!(history_decay),
        orthogonal_scale: field!(orthogonal_scale),
        momentum_kind: field!(momentum_kind, momentum_kind),
        momentum: field!(momentum),
        bias_correction: field!(bias_correction, |value| boolean("config.bias_correction", value)),
        clip_kind: field!(clip_kind, clip_kind),
        clip_norm: field!(clip_norm),
        clip_factor: field!(clip_factor),
        clip_beta: field!(clip_beta),
        weight_decay: field!(weight_decay),
        threads: field!(threads),
        diagonal_beta: field!(diagonal_beta),
        diagonal_eps: field!(diagonal_eps),
        grad_scale: field!(grad_scale),
        grad_clip_norm: field!(grad_clip_norm),
        average_beta: field!(average_beta),
    })
}

/// Returns the variant of number `value`; `variants` are in the order of their numbers.
fn one_of<E: Copy>(name: &'static str, value: i32, variants: &[E], expected: &'static str) -> Result<E> {
    let variant = usize::try_from(value).ok().and_then(|index| variants.get(index));
    variant.copied().ok_or(Error::invalid(name, Value::Integer(value.into()), expected))
}

fn history_format(value: i32) -> Result<HistoryFormat> {
    one_of("config.history_format", value, HistoryFormat::ALL, "a value of lmada_history_format_t")
}

fn momentum_kind(value: i32) -> Result<Momentum> {
    one_of("config.momentum_kind", value, Momentum::ALL, "a value of lmada_momentum_t")
}

fn clip_kind(value: i32) -> Result<Clip> {
    one_of("config.clip_kind", value, Clip::ALL, "a value of lmada_clip_t")
}

fn boolean(name: &'static str, value: CBool) -> Result<bool> {
    match value.0 {
        0 => Ok(false),
        1 => Ok(true),
        byte => Err(Error::invalid(name, Value::Count(byte.into()), "a bool: 0 or 1")),
    }
}
