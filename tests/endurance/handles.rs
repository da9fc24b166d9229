//! Creates, uses and frees handles through the C interface, with every kind of configuration.

use crate::memory::{Usage, Watch};
use crate::oracle::streams::Random;
use crate::progress::Progress;
use lmada::capi::*;

/// Number of handles before the first measurement of memory: by then most sizes have occurred.
const WARM_SHARE: u64 = 5;

/// Creates and frees `count` handles. Returns the growth of memory, and the number of refused creates.
pub fn run(count: u64, progress: &mut Progress) -> (Usage, u64) {
    let mut random = Random(3);
    let numbers: Vec<f64> = (0..2 * LONGEST).map(|_| random.uniform() - 0.5).collect();
    let mut buffers = Buffers {
        narrow: numbers.iter().map(|&x| x as f32).collect(),
        wide: numbers,
        state: vec![1; 2 * 8 * LONGEST * MOST as usize],
    };
    let (mut watch, mut refused) = (Watch::new(count / WARM_SHARE, count - 1), 0);
    for number in 0..count {
        refused += u64::from(!one(&mut random, &mut buffers));
        watch.look_after(number);
        progress.tell("handles", number, count);
    }
    assert!(refused > 0 && refused < count / 4, "{refused} of {count} creates were refused");
    (watch.growth().expect("memory that handles gave back"), refused)
}

const LONGEST: usize = 5000;
/// The largest k.
const MOST: u32 = 40;

/// Parameters and gradients of both types, and a buffer for any saved state.
struct Buffers {
    narrow: Vec<f32>,
    wide: Vec<f64>,
    state: Vec<u8>,
}

/// Creates, uses and frees a handle. Returns false if create refused the configuration, as it should.
fn one(random: &mut Random, buffers: &mut Buffers) -> bool {
    let mut config = core::mem::MaybeUninit::<lmada_config_t>::uninit();
    // SAFETY: `config` has the size given, and a call that succeeds fills it.
    let mut config = unsafe {
        assert_eq!(lmada_config_init(config.as_mut_ptr(), size_of::<lmada_config_t>()), LMADA_OK);
        config.assume_init()
    };
    config.dtype = i32::from(random.below(4) == 0);
    config.history_size = 1 + random.below(MOST as usize) as u32;
    config.history_format = if config.dtype == LMADA_F32 { random.below(5) as i32 } else { LMADA_HISTORY_FULL };
    config.density = random.uniform();
    config.momentum_kind = random.below(4) as i32;
    config.clip_kind = random.below(6) as i32;
    // Starting threads takes longer than everything else.
    config.threads = if random.below(20) == 0 { 3 } else { 1 };
    let wrong = random.below(20) == 0;
    if wrong {
        config.momentum = 1.0;
    }
    let dims: Vec<usize> = (0..1 + random.below(3)).map(|_| random.below(LONGEST / 3)).collect();
    let dim = dims.iter().sum();
    let mut handle = core::ptr::null_mut();
    // SAFETY: all pointers are to live memory of the sizes given; the handle is freed once.
    unsafe {
        let status = lmada_create_blocks(&config, dims.as_ptr(), dims.len(), &mut handle);
        if wrong {
            assert!(status == LMADA_ERROR_INVALID_ARGUMENT && handle.is_null());
            return false;
        }
        assert_eq!(status, LMADA_OK);
        for _ in 0..random.below(3) {
            assert_eq!(buffers.step(handle, config.dtype, dim), LMADA_OK);
        }
        if random.below(10) == 0 {
            let mut size = 0;
            assert_eq!(lmada_state_size(handle, &mut size), LMADA_OK);
            let state = &mut buffers.state[..size];
            assert_eq!(lmada_state_save(handle, state.as_mut_ptr().cast(), size), LMADA_OK);
            assert_eq!(lmada_state_load(handle, state.as_ptr().cast(), size), LMADA_OK);
        }
        if random.below(10) == 0 {
            assert_eq!(lmada_begin(handle), LMADA_OK); // freed inside a step
        }
        lmada_free(handle);
    }
    true
}

impl Buffers {
    /// # Safety
    /// `handle` is a live handle of this element type, with `dim` parameters, at most `LONGEST`.
    unsafe fn step(&mut self, handle: *mut lmada_t, dtype: lmada_dtype_t, dim: usize) -> lmada_status_t {
        // SAFETY: the caller's promise; both halves have `LONGEST` elements.
        unsafe {
            if dtype == LMADA_F32 {
                let (params, grads) = self.narrow.split_at_mut(LONGEST);
                lmada_step(handle, params.as_mut_ptr(), grads.as_ptr(), dim)
            } else {
                let (params, grads) = self.wide.split_at_mut(LONGEST);
                lmada_step_f64(handle, params.as_mut_ptr(), grads.as_ptr(), dim)
            }
        }
    }
}
