//! Bytes that claim to be an `lmada_config_t`, of any size and at any address. The ranges of the header decide which
//! are accepted, and an accepted configuration can step.

use core::mem::offset_of;
use core::ptr::{null, null_mut};
use std::alloc::{Layout, alloc_zeroed, dealloc};

use lmada::capi::*;

use crate::handle::{Handle, Real, Status, checked, last_error};
use crate::input::Input;

const SIZE: usize = size_of::<lmada_config_t>();

/// The range of a field by the header.
enum Range {
    /// Values from 0 to below this number.
    Enum(i32),
    Count(u32, u32),
    Bool,
    Real(fn(f64) -> bool),
}

struct Field {
    offset: usize,
    range: Range,
}

macro_rules! fields {
    ($($name:ident: $range:expr),* $(,)?) => {
        &[$(Field { offset: offset_of!(lmada_config_t, $name), range: $range }),*]
    };
}

const NOT_NEGATIVE: Range = Range::Real(|x| (0.0..f64::INFINITY).contains(&x));
const UP_TO_ONE: Range = Range::Real(|x| x > 0.0 && x <= 1.0);
const POSITIVE: Range = Range::Real(|x| x > 0.0 && x < f64::INFINITY);
const BELOW_ONE: Range = Range::Real(|x| (0.0..1.0).contains(&x));

const FIELDS: &[Field] = fields! {
    dtype: Range::Enum(2),
    history_size: Range::Count(1, 4096),
    history_format: Range::Enum(5),
    density: UP_TO_ONE,
    lr: NOT_NEGATIVE,
    eps: NOT_NEGATIVE,
    eps_relative: NOT_NEGATIVE,
    power: UP_TO_ONE,
    eps_on_root: Range::Bool,
    rank_tol: BELOW_ONE,
    centered: Range::Bool,
    history_decay: UP_TO_ONE,
    orthogonal_scale: NOT_NEGATIVE,
    momentum_kind: Range::Enum(4),
    momentum: BELOW_ONE,
    bias_correction: Range::Bool,
    clip_kind: Range::Enum(7),
    clip_norm: NOT_NEGATIVE,
    clip_factor: NOT_NEGATIVE,
    clip_beta: BELOW_ONE,
    weight_decay: NOT_NEGATIVE,
    threads: Range::Count(0, u32::MAX),
    diagonal_beta: BELOW_ONE,
    diagonal_eps: POSITIVE,
    grad_scale: NOT_NEGATIVE,
    grad_clip_norm: NOT_NEGATIVE,
    average_beta: BELOW_ONE,
};

const REALS: [f64; 20] = [
    0.0,
    1.0,
    0.5,
    0.9,
    1e-300,
    -0.0,
    -1e-300,
    1.0 - f64::EPSILON / 2.0,
    1.0 + f64::EPSILON,
    2.0,
    1e300,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    -1.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e-8,
    1e8,
];

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 8 {
        0 => init(&mut input),
        1 => no_config(&mut input),
        _ => create(&mut input),
    }
}

/// Memory of an exact size, at an address that is a multiple of 8 plus `off`.
struct Exact {
    start: *mut u8,
    layout: Layout,
    off: usize,
}

impl Exact {
    fn new(bytes: usize, off: usize) -> Self {
        let layout = Layout::from_size_align(bytes + off + 1, 8).expect("a few hundred bytes");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        assert!(!start.is_null());
        Self { start, layout, off }
    }

    fn config(&self) -> *mut lmada_config_t {
        // SAFETY: `off` is within the memory.
        unsafe { self.start.add(self.off) }.cast()
    }

    fn bytes(&mut self) -> &mut [u8] {
        let len = self.layout.size() - self.off - 1;
        // SAFETY: `len` initialised bytes follow, and the borrow is exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(self.off), len) }
    }
}

impl Drop for Exact {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout.
        unsafe { dealloc(self.start, self.layout) }
    }
}

/// Calls the init functions with any size.
fn init(input: &mut Input<'_>) {
    let function = input.pick(&[0, 1]);
    let function = [lmada_config_init, lmada_config_recommended][function];
    let size = if input.rarely(8) { usize::MAX - input.below(256) } else { input.below(SIZE + 24) };
    let off = input.pick(&[0, 0, 0, 1, 4, 7]);
    let good = off == 0 && (8..=SIZE).contains(&size);
    // If the size is refused nothing may be written, so a small buffer is enough to check that.
    let mut buffer = Exact::new(if good { size } else { 8 }, off);
    buffer.bytes().fill(0x5A);
    // SAFETY: the buffer has a valid size; for any other size nothing is written.
    let status = checked(unsafe { function(buffer.config(), size) });
    assert_eq!(status, if good { LMADA_OK } else { LMADA_ERROR_INVALID_ARGUMENT }, "size {size}, off by {off}");
    if !good {
        assert!(buffer.bytes().iter().all(|&byte| byte == 0x5A), "a refused call has written");
        return;
    }
    // The recommended setting depends on whether the struct has the fields of diagonal preconditioning.
    let with_diagonal = offset_of!(lmada_config_t, diagonal_beta) + size_of::<f64>();
    let most = if size < with_diagonal { with_diagonal - 1 } else { SIZE };
    let mut whole = Exact::new(most, 0);
    // SAFETY: it has that size.
    assert_eq!(checked(unsafe { function(whole.config(), most) }), LMADA_OK);
    assert_eq!(buffer.bytes()[..8], size.to_le_bytes());
    assert_eq!(buffer.bytes()[8..], whole.bytes()[8..size]);
    // SAFETY: NULL is refused.
    assert_eq!(checked(unsafe { function(null_mut(), size) }), LMADA_ERROR_NULL_POINTER);
}

/// Draws a config: the defaults, changed and cut.
fn create(input: &mut Input<'_>) {
    let mut defaults = Exact::new(SIZE, 0);
    // SAFETY: it has that size.
    assert_eq!(checked(unsafe { lmada_config_init(defaults.config(), SIZE) }), LMADA_OK);
    let mut bytes = defaults.bytes().to_vec();
    let size = match input.byte() {
        0..192 => SIZE,
        192..248 => input.below(SIZE + 16),
        _ => input.u64() as usize,
    };
    bytes[..8].copy_from_slice(&size.to_le_bytes());
    let off = if input.rarely(32) { 1 + input.below(7) } else { 0 };
    let (dims, with_blocks) = lengths(input);
    if input.rarely(16) {
        let rest = input.rest();
        let count = rest.len().min(SIZE - 8);
        bytes[8..8 + count].copy_from_slice(&rest[..count]);
    }
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        change(input, &mut bytes);
    }
    let good_size = (8..=SIZE).contains(&size);
    let mut buffer = Exact::new(if good_size { size } else { 8 }, off);
    let held = buffer.bytes().len();
    buffer.bytes().copy_from_slice(&bytes[..held]);

    let mut errors = Vec::new();
    let fits = off == 0 && good_size && takes(&bytes, size);
    if !fits || dims.is_empty() || (!with_blocks && dims[0] == 0) {
        errors.push(LMADA_ERROR_INVALID_ARGUMENT);
    }
    let mut dims = dims;
    let history_size: u32 = field(&bytes, size, offset_of!(lmada_config_t, history_size), 10);
    if errors.is_empty() && history_size > 256 {
        // A solver of that size is too slow here: the dimension makes the window larger than any address space.
        dims[0] = 1 << 50;
    }
    let total = dims.iter().try_fold(0usize, |sum, &len| sum.checked_add(len));
    let huge = total.is_none_or(|total| total > 1 << 40);
    if errors.is_empty() && huge {
        errors.push(LMADA_ERROR_OUT_OF_MEMORY);
    }
    let mut opt = 0x5A5A_5A58 as *mut lmada_t;
    // SAFETY: the config has as many bytes as its size says, or is refused; the other arguments are valid.
    let status = checked(unsafe {
        if with_blocks {
            lmada_create_blocks(buffer.config(), dims.as_ptr(), dims.len(), &mut opt)
        } else {
            lmada_create(buffer.config(), dims.first().copied().unwrap_or(0), &mut opt)
        }
    });
    if let [error] = errors[..] {
        assert_eq!(status, error, "{} for {dims:?}, size {size}, {bytes:?}", last_error());
        assert!(opt.is_null(), "a failed create leaves a pointer");
        return;
    }
    assert_eq!(status, LMADA_OK, "{} for {dims:?}, size {size}, {bytes:?}", last_error());
    match field(&bytes, size, offset_of!(lmada_config_t, dtype), LMADA_F32) {
        LMADA_F32 => steps(Handle::<f32>::from_raw(opt), total.unwrap_or(0)),
        _ => steps(Handle::<f64>::from_raw(opt), total.unwrap_or(0)),
    }
}

/// NULL as config, as place for the handle, and as lengths.
fn no_config(input: &mut Input<'_>) {
    let dims = [1 + input.below(20), input.below(5)];
    let mut opt = null_mut();
    // SAFETY: NULL is allowed for the config, and refused for the others.
    unsafe {
        assert_eq!(checked(lmada_create(null(), dims[0], null_mut())), LMADA_ERROR_NULL_POINTER);
        assert_eq!(checked(lmada_create_blocks(null(), dims.as_ptr(), 2, null_mut())), LMADA_ERROR_NULL_POINTER);
        assert_eq!(checked(lmada_create_blocks(null(), null(), 1, &mut opt)), LMADA_ERROR_NULL_POINTER);
        assert!(opt.is_null());
        assert_eq!(checked(lmada_create_blocks(null(), dims.as_ptr(), 2, &mut opt)), LMADA_OK);
    }
    steps(Handle::<f32>::from_raw(opt), dims.iter().sum());
}

/// Draws lengths, and whether they are of blocks.
fn lengths(input: &mut Input<'_>) -> (Vec<usize>, bool) {
    let len =
        |input: &mut Input<'_>| input.pick(&[3, 1, 2, 5, 8, 0, 16, 300, 1 << 50, 1 << 62, usize::MAX, usize::MAX / 2]);
    match len(input) {
        5 => (vec![len(input), len(input), len(input)], true),
        8 => (vec![len(input), len(input)], true),
        16 => (vec![], true),
        one => (vec![one], input.rarely(2)),
    }
}

/// Changes a field, or any byte.
fn change(input: &mut Input<'_>, bytes: &mut [u8]) {
    let index = input.below(FIELDS.len() + 1);
    let Some(Field { offset, range }) = FIELDS.get(index) else {
        let place = 8 + input.below(SIZE - 8);
        bytes[place] = input.byte();
        return;
    };
    let mut put = |value: &[u8]| bytes[*offset..offset + value.len()].copy_from_slice(value);
    match range {
        Range::Enum(count) => put(&input.pick(&[1, 2, 3, 0, 4, 5, *count, -1, i32::MIN, i32::MAX]).to_le_bytes()),
        Range::Count(..) => put(&input.pick(&[1, 2, 3, 4, 64, 0, 4096, 4097, 1 << 31, u32::MAX]).to_le_bytes()),
        Range::Bool => put(&[input.pick(&[1, 0, 2, 0xFF])]),
        Range::Real(_) => {
            let number = if input.rarely(4) { f64::from_bits(input.u64()) } else { input.pick(&REALS) };
            put(&number.to_le_bytes());
        }
    }
}

/// Whether a config with these values is valid by the header.
pub(crate) fn takes(bytes: &[u8], size: usize) -> bool {
    let in_range = |Field { offset, range }: &Field| match range {
        Range::Enum(count) => (0..*count).contains(&field(bytes, size, *offset, 0)),
        Range::Count(least, most) => (*least..=*most).contains(&field(bytes, size, *offset, *least)),
        Range::Bool => offset + 1 > size || bytes[*offset] <= 1,
        Range::Real(good) => offset + 8 > size || good(f64::from_bits(field(bytes, size, *offset, 0))),
    };
    let real = |offset, default: f64| f64::from_bits(field(bytes, size, offset, default.to_bits()));
    let full = field(bytes, size, offset_of!(lmada_config_t, history_format), 0) == LMADA_HISTORY_FULL;
    let single = field(bytes, size, offset_of!(lmada_config_t, dtype), 0) == LMADA_F32;
    let window = field(bytes, size, offset_of!(lmada_config_t, momentum_kind), 0) == LMADA_MOMENTUM_WINDOW;
    let decay = real(offset_of!(lmada_config_t, history_decay), 1.0);
    let momentum = real(offset_of!(lmada_config_t, momentum), 0.9);
    let diagonal = real(offset_of!(lmada_config_t, diagonal_beta), 0.0) != 0.0;
    let clip = field(bytes, size, offset_of!(lmada_config_t, clip_kind), 0);
    let averages = clip == LMADA_CLIP_EMA_VECTOR || clip == LMADA_GRAFT_EMA_VECTOR;
    let centered = offset_of!(lmada_config_t, centered);
    let centered = centered < size && bytes[centered] != 0;
    let product = real(offset_of!(lmada_config_t, lr), 1e-2) * real(offset_of!(lmada_config_t, weight_decay), 0.0);
    let decays = product.is_nan() || product <= 1.0;
    let together =
        decays && (full || single) && (!window || decay >= momentum) && !(diagonal && (averages || centered));
    FIELDS.iter().all(in_range) && together
}

/// Returns the value of a field, or the default if it is not wholly inside the size given.
fn field<T: FromBytes>(bytes: &[u8], size: usize, offset: usize, default: T) -> T {
    if offset + size_of::<T>() <= size { T::from_bytes(&bytes[offset..]) } else { default }
}

trait FromBytes {
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! from_bytes {
    ($($number:ty),*) => {
        $(impl FromBytes for $number {
            fn from_bytes(bytes: &[u8]) -> Self {
                let (bytes, _) = bytes.split_first_chunk().expect("a field inside the struct");
                Self::from_le_bytes(*bytes)
            }
        })*
    };
}
from_bytes!(i32, u32, u64);

/// Takes one step with any options.
fn steps<T: Real>(mut handle: Handle<T>, dim: usize) {
    let (mut params, gradient) = (vec![T::of(1.0); dim], vec![T::of(-0.5); dim]);
    let status: Status = handle.step(&mut params, &gradient);
    let moved = params.iter().any(|w| *w != T::of(1.0));
    assert!(status == LMADA_OK || (status == LMADA_ERROR_NON_FINITE && !moved), "a step answers {status}");
    assert_eq!(handle.stats().steps, u64::from(status == LMADA_OK));
}
