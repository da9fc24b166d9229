//! Tests of defects: a panic at any [`fault::point`] of any call is a status, and `lmada_reset` then makes the handle
//! as new.
//!
//! The choice of the point is a global of the process, so the test runs in its own process.

use core::ops::Range;
use core::ptr::null_mut;
use std::collections::BTreeSet;
use std::process::Command;

use super::boolean::CBool;
use super::message::message;
use super::*;
use crate::fault;
use crate::kernels::Element;

const ALONE: &str = "LMADA_DEFECTS_ALONE";

type Step<T> = unsafe extern "C" fn(*mut lmada_t, *mut T, *const T, usize) -> lmada_status_t;
type Tensors<T> =
    unsafe extern "C" fn(*mut lmada_t, *const *mut T, *const *const T, *const usize, usize) -> lmada_status_t;
type Feed<T> = unsafe extern "C" fn(*mut lmada_t, usize, *const T, usize) -> lmada_status_t;
type Apply<T> = unsafe extern "C" fn(*mut lmada_t, usize, *mut T, *const T, usize) -> lmada_status_t;

/// The C functions of an element type.
trait Real: Element {
    const STEP: Step<Self>;
    const DIRECTION: Step<Self>;
    const TENSORS: Tensors<Self>;
    const FEED: Feed<Self>;
    const APPLY: Apply<Self>;
}

impl Real for f32 {
    const STEP: Step<f32> = lmada_step;
    const DIRECTION: Step<f32> = lmada_direction;
    const TENSORS: Tensors<f32> = lmada_step_tensors;
    const FEED: Feed<f32> = lmada_feed;
    const APPLY: Apply<f32> = lmada_apply;
}

impl Real for f64 {
    const STEP: Step<f64> = lmada_step_f64;
    const DIRECTION: Step<f64> = lmada_direction_f64;
    const TENSORS: Tensors<f64> = lmada_step_tensors_f64;
    const FEED: Feed<f64> = lmada_feed_f64;
    const APPLY: Apply<f64> = lmada_apply_f64;
}

/// A call on a handle. The first number is that of the gradient, the second that of the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Create,
    Step(usize),
    Direction(usize),
    Tensors(usize),
    Begin,
    Feed(usize, usize),
    Partials,
    Solve,
    Apply(usize, usize),
    End,
    Save,
    Load,
    LoadShares,
    Reset,
}

/// A sequence of calls that all succeed.
fn script() -> Vec<Call> {
    use Call::*;
    let fed = (0..PIECES).map(|piece| Feed(4, piece));
    let applied = (0..PIECES).rev().map(|piece| Apply(4, piece));
    let mut calls = vec![Create, Step(0), Step(1), Step(2), Step(3), Begin];
    calls.extend(fed);
    calls.extend([Partials, Solve]);
    calls.extend(applied);
    calls.extend([End, Tensors(5), Direction(6), Save, Step(7), Load, LoadShares, Reset]);
    calls
}

const PIECES: usize = 4;

/// A handle and its parameters.
struct Model<T> {
    opt: *mut lmada_t,
    config: lmada_config_t,
    dims: [usize; 2],
    params: Vec<T>,
    state: Vec<u8>,
}

impl<T: Real> Model<T> {
    fn new(config: &lmada_config_t, dims: [usize; 2]) -> Self {
        let params = gradient(dims[0] + dims[1], 99);
        Self { opt: null_mut(), config: *config, dims, params, state: Vec::new() }
    }

    /// Returns a piece. The pieces are out of order and cut groups of every history format, so that some groups wait
    /// for their rest.
    fn piece(&self, piece: usize) -> Range<usize> {
        let dim = self.params.len();
        [dim / 2..dim - 100, 0..1000, dim - 100..dim, 1000..dim / 2][piece].clone()
    }

    fn call(&mut self, call: Call) -> lmada_status_t {
        let (opt, dim, params) = (self.opt, self.params.len(), self.params.as_mut_ptr());
        let of = |number| gradient::<T>(dim, number);
        let (mut values, mut count) = (null_mut(), 0);
        // SAFETY: the handle is NULL or live, and every array has the length that is passed.
        unsafe {
            match call {
                Call::Create => lmada_create_blocks(&raw const self.config, self.dims.as_ptr(), 2, &raw mut self.opt),
                Call::Step(number) => T::STEP(opt, params, of(number).as_ptr(), dim),
                Call::Direction(number) => T::DIRECTION(opt, params, of(number).as_ptr(), dim),
                Call::Tensors(number) => {
                    let (grads, lens) = (of(number), [700, dim - 700]);
                    let targets = [params, params.add(700)];
                    let gradients = [grads.as_ptr(), grads.as_ptr().add(700)];
                    T::TENSORS(opt, targets.as_ptr(), gradients.as_ptr(), lens.as_ptr(), 2)
                }
                Call::Begin => lmada_begin(opt),
                Call::Feed(number, piece) => {
                    let piece = self.piece(piece);
                    T::FEED(opt, piece.start, of(number).as_ptr().add(piece.start), piece.len())
                }
                Call::Partials => lmada_partials(opt, &raw mut values, &raw mut count),
                Call::Solve => lmada_solve(opt),
                Call::Apply(number, piece) => {
                    let piece = self.piece(piece);
                    let grads = of(number);
                    T::APPLY(opt, piece.start, params.add(piece.start), grads.as_ptr().add(piece.start), piece.len())
                }
                Call::End => lmada_end(opt),
                Call::Save => {
                    let status = lmada_state_size(opt, &raw mut count);
                    if status != LMADA_OK {
                        return status;
                    }
                    self.state.resize(count, 0);
                    lmada_state_save(opt, self.state.as_mut_ptr().cast(), count)
                }
                Call::Load => lmada_state_load(opt, self.state.as_ptr().cast(), self.state.len()),
                Call::LoadShares => {
                    let (states, bytes) = ([self.state.as_ptr().cast()], [self.state.len()]);
                    lmada_state_load_shares(opt, [0, 0].as_ptr(), states.as_ptr(), bytes.as_ptr(), 1)
                }
                Call::Reset => lmada_reset(opt),
            }
        }
    }

    /// Runs the calls until one panics, and returns that call; `None` if none panics.
    fn breaks_off_at(&mut self, point: u32) -> Option<Call> {
        fault::panic_at(point);
        let found = script().into_iter().find(|&call| {
            let status = self.call(call);
            assert!(status == LMADA_OK || status == LMADA_ERROR_INTERNAL, "{call:?}: {}", message());
            status != LMADA_OK
        });
        let happened = fault::disarm();
        assert_eq!(happened, found.is_some(), "{found:?}");
        if let Some(call) = found {
            let kept = ["an injected defect", "a worker thread panicked"];
            assert!(kept.iter().any(|text| message().contains(text)), "{call:?}: {}", message());
        }
        found
    }

    fn free(self) {
        // SAFETY: the handle is NULL or live, and nobody uses it afterwards.
        unsafe { lmada_free(self.opt) }
    }

    /// Runs the calls, and returns parameters, state and stats after each that leaves no step open.
    fn life(&mut self) -> Vec<(Vec<u64>, Vec<u8>, [u64; 7])> {
        let life = script().into_iter().skip(1).filter_map(|call| {
            assert_eq!(self.call(call), LMADA_OK, "{call:?}: {}", message());
            let open = matches!(call, Call::Begin | Call::Feed(..) | Call::Partials | Call::Solve | Call::Apply(..));
            (!open).then(|| {
                let state = core::mem::take(&mut self.state);
                assert_eq!(self.call(Call::Save), LMADA_OK);
                let saved = core::mem::replace(&mut self.state, state);
                (self.params.iter().map(|x| x.to_f64().to_bits()).collect(), saved, self.stats())
            })
        });
        life.collect()
    }

    fn stats(&self) -> [u64; 7] {
        // SAFETY: every field is a number; the handle is live.
        let stats = unsafe {
            let mut stats: lmada_stats_t = core::mem::zeroed();
            assert_eq!(lmada_stats(self.opt, &raw mut stats, size_of::<lmada_stats_t>()), LMADA_OK);
            stats
        };
        let numbers = [stats.grad_norm, stats.update_norm, stats.scale, stats.eig_max, stats.eig_min];
        let [a, b, c, d, e] = numbers.map(f64::to_bits);
        [a, b, c, d, e, stats.steps, (u64::from(stats.rank) << 32) + u64::from(stats.history_len)]
    }
}

fn gradient<T: Real>(dim: usize, number: usize) -> Vec<T> {
    let number_of = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (number as u64) << 40) >> 40;
    (0..dim).map(|i| T::from_f64(number_of(i) as f64 / 8_388_608.0 - 1.0)).collect()
}

/// Tries every point with one configuration. Returns the calls in which a point panicked.
fn every_point<T: Real>(what: &str, config: &lmada_config_t, dims: [usize; 2]) -> BTreeSet<Call> {
    let mut fresh = Model::<T>::new(config, dims);
    assert_eq!(fresh.call(Call::Create), LMADA_OK);
    let expected = fresh.life();
    fresh.free();
    let mut broken = BTreeSet::new();
    for point in 0.. {
        let mut model = Model::<T>::new(config, dims);
        let Some(call) = model.breaks_off_at(point) else {
            assert!(point > 60, "{what}: {point} points are few");
            model.free();
            return broken;
        };
        broken.insert(call);
        let place = format!("{what}, point {point}, in {call:?}");
        if call == Call::Create {
            assert!(model.opt.is_null(), "{place}");
            continue;
        }
        assert_eq!(model.call(Call::Step(0)), LMADA_ERROR_INTERNAL, "{place}");
        assert!(message().contains("lmada_reset"), "{place}: {}", message());
        if point % 2 == 0 {
            assert_eq!(model.call(Call::Reset), LMADA_OK, "{place}");
            model.params = gradient(model.params.len(), 99);
            assert!(model.life() == expected, "{place}: not as new");
        }
        model.free();
    }
    unreachable!()
}

fn every_configuration() {
    // SAFETY: the struct has the size that is passed.
    let default = unsafe {
        let mut config: lmada_config_t = core::mem::zeroed();
        assert_eq!(lmada_config_init(&raw mut config, size_of::<lmada_config_t>()), LMADA_OK);
        lmada_config_t { history_size: 3, density: 0.3, ..config }
    };
    let plain = lmada_config_t { momentum_kind: LMADA_MOMENTUM_GRADIENT, clip_kind: LMADA_CLIP_EMA_VECTOR, ..default };
    let sparse = lmada_config_t { history_format: LMADA_HISTORY_SPARSE, centered: CBool(1), ..plain };
    let int8 = lmada_config_t {
        history_format: LMADA_HISTORY_INT8,
        momentum_kind: LMADA_MOMENTUM_UPDATE,
        clip_kind: LMADA_GRAFT_EMA_NORM,
        diagonal_beta: 0.9,
        ..default
    };
    for (threads, dims) in [(1, [5000, 700]), (4, [20000, 9000])] {
        let on = |config: lmada_config_t| lmada_config_t { threads, ..config };
        let mut broken = every_point::<f32>(&format!("f32, {threads} threads"), &on(plain), dims);
        broken.extend(every_point::<f64>(
            &format!("f64, {threads} threads"),
            &on(lmada_config_t { dtype: LMADA_F64, ..plain }),
            dims,
        ));
        broken.extend(every_point::<f32>(&format!("sparse, {threads} threads"), &on(sparse), dims));
        broken.extend(every_point::<f32>(&format!("int8, {threads} threads"), &on(int8), dims));
        for call in script() {
            // These three may have no point: they change nothing that a panic could leave half changed.
            if !matches!(call, Call::Partials | Call::LoadShares | Call::Reset) || broken.contains(&call) {
                assert!(broken.contains(&call), "no point of {call:?} was reached: {broken:?}");
            }
        }
    }
}

#[test]
fn reset_makes_a_handle_as_new_after_any_defect() {
    if std::env::var_os(ALONE).is_some() {
        return every_configuration();
    }
    let name = "capi::defects::reset_makes_a_handle_as_new_after_any_defect";
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program).args(["--exact", name, "--test-threads=1"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
}
