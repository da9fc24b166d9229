//! Wrong calls: they are refused with the right status, and change nothing.

use core::ptr::{null, null_mut};

use lmada::capi::*;

use super::World;
use crate::handle::{Real, Status, checked};
use crate::input::Input;
use crate::oracle::number::{Number, bits};

impl<T: Real> World<T> {
    pub(super) fn wrong_call(&mut self, input: &mut Input<'_>) {
        let before = bits(&self.subject.params);
        match input.byte() % 8 {
            0 => self.no_handle(),
            1 => self.null_arrays(),
            2 => self.another_dim(input),
            3 => self.another_type(),
            4 => self.overlapping(),
            5 => self.bad_lists(input),
            6 => self.bad_buffers(input),
            _ => self.bad_stats(input),
        }
        assert!(before == bits(&self.subject.params), "a refused call moved parameters");
    }

    /// Checks the status of a wrong call; in an open step it may be the wrong phase.
    fn refused(&self, status: Status, error: Status) {
        let mut errors = self.unless_idle();
        errors.push(error);
        assert!(errors.contains(&status), "{status}, but {errors:?}: {}", crate::handle::last_error());
    }

    fn no_handle(&mut self) {
        let (opt, params, grads, dim) =
            (null_mut::<lmada_t>(), self.subject.params.as_mut_ptr(), self.gradient.as_ptr(), self.dim);
        let (mut values, mut number) = (null_mut(), 0usize);
        // SAFETY: a handle may be NULL everywhere; the arrays have `dim` elements.
        let statuses = unsafe {
            [
                T::step(opt, params, grads, dim),
                T::step_tensors(opt, &params, &grads, &dim, 1),
                T::direction(opt, params, grads, dim),
                T::feed(opt, 0, grads, dim),
                T::apply(opt, 0, params, grads, dim),
                lmada_begin(opt),
                lmada_partials(opt, &mut values, &mut number),
                lmada_solve(opt),
                lmada_end(opt),
                lmada_cancel(opt),
                lmada_reset(opt),
                lmada_hold(opt),
                lmada_release(opt),
                T::apply_direction(opt, 0, params, grads, dim),
                lmada_feed_bf16(opt, 0, null(), 0),
                lmada_apply_bf16(opt, 0, null_mut(), null_mut(), null(), 0),
                lmada_set_lr(opt, 1.0),
                lmada_stats(opt, null_mut(), 8),
                lmada_state_size(opt, &mut number),
                lmada_state_save(opt, values.cast(), 0),
                lmada_state_load(opt, grads.cast(), 0),
                lmada_state_write(opt, None, null_mut()),
                lmada_create_from_state(None, null_mut(), null_mut()),
                lmada_memory(null(), 1, null_mut()),
                T::observe(opt, grads, dim),
                T::precondition(opt, params, grads, dim),
                T::averaged_params(opt, params, dim),
                lmada_step_bf16(opt, null_mut(), null_mut(), null(), 0),
                lmada_set_groups(opt, null(), size_of::<lmada_group_t>(), 0),
                lmada_get_config(opt, null_mut(), 0),
                lmada_set_config(opt, null()),
                lmada_set_grad_scale(opt, 1.0),
            ]
        };
        // SAFETY: as above.
        unsafe { lmada_free(opt) };
        assert!(statuses.iter().all(|&status| checked(status) == LMADA_ERROR_NULL_POINTER), "{statuses:?}");
        self.released_too_often();
    }

    /// A handle can be released as often as it is held, not more often.
    fn released_too_often(&mut self) {
        let handle = &mut self.subject.handle;
        for _ in 0..2 {
            assert_eq!(handle.call(lmada_hold), LMADA_OK);
        }
        handle.stats();
        for _ in 0..2 {
            assert_eq!(handle.call(lmada_release), LMADA_OK);
        }
        assert_eq!(handle.call(lmada_release), LMADA_ERROR_WRONG_PHASE);
    }

    fn null_arrays(&mut self) {
        if self.dim == 0 {
            return;
        }
        let (opt, dim) = (self.subject.handle.raw(), self.dim);
        let (params, grads) = (self.subject.params.as_mut_ptr(), self.gradient.as_ptr());
        let (mut values, mut count) = (null_mut(), 0usize);
        // SAFETY: arrays may be NULL.
        let statuses = unsafe {
            [
                T::step(opt, null_mut(), grads, dim),
                T::step(opt, params, null(), dim),
                T::step_tensors(opt, null(), &grads, &dim, 1),
                T::step_tensors(opt, &params, null(), &dim, 1),
                T::step_tensors(opt, &params, &grads, null(), 1),
                T::direction(opt, null_mut(), grads, dim),
                T::direction(opt, params, null(), dim),
                lmada_partials(opt, null_mut(), &mut count),
                lmada_partials(opt, &mut values, null_mut()),
                lmada_state_size(opt, null_mut()),
                lmada_state_save(opt, null_mut(), 100),
                lmada_state_load(opt, null(), 0),
                lmada_state_write(opt, None, null_mut()),
                lmada_stats(opt, null_mut(), size_of::<lmada_stats_t>()),
                T::observe(opt, null(), dim),
                T::precondition(opt, null_mut(), grads, dim),
                T::precondition(opt, params, null(), dim),
                T::averaged_params(opt, null_mut(), dim),
                lmada_set_groups(opt, null(), size_of::<lmada_group_t>(), 1),
                lmada_get_config(opt, null_mut(), size_of::<lmada_config_t>()),
                lmada_set_config(opt, null()),
            ]
        };
        statuses.into_iter().for_each(|status| self.refused(checked(status), LMADA_ERROR_NULL_POINTER));
        // SAFETY: as above.
        let statuses = unsafe {
            [
                T::feed(opt, 0, null(), 1),
                T::apply(opt, 0, params, null(), 1),
                T::apply_direction(opt, 0, null_mut(), grads, 1),
                T::apply_direction(opt, 0, params, null(), 1),
                lmada_feed_bf16(opt, 0, null(), 1),
                lmada_apply_bf16(opt, 0, null_mut(), null_mut(), null(), 1),
            ]
        };
        for status in statuses {
            let errors = [LMADA_ERROR_NULL_POINTER, LMADA_ERROR_WRONG_PHASE, LMADA_ERROR_INVALID_ARGUMENT];
            assert!(errors.contains(&status), "{status}");
        }
    }

    fn another_dim(&mut self, input: &mut Input<'_>) {
        let dim = input.pick(&[self.dim + 1, self.dim.wrapping_sub(1), 2 * self.dim + 1]);
        if dim > 2 * self.dim + 1 {
            return;
        }
        let (mut params, grads) = (vec![T::of(3.0); dim], vec![T::of(1.0); dim]);
        let opt = self.subject.handle.raw();
        let (start, given) = (params.as_mut_ptr(), grads.as_ptr());
        // SAFETY: the arrays have `dim` elements.
        let statuses = unsafe {
            [
                T::step(opt, start, given, dim),
                T::direction(opt, start, given, dim),
                T::step_tensors(opt, &start, &given, &dim, 1),
                T::observe(opt, given, dim),
                T::precondition(opt, start, given, dim),
                T::averaged_params(opt, start, dim),
            ]
        };
        statuses.into_iter().for_each(|status| self.refused(status, LMADA_ERROR_DIMENSION_MISMATCH));
        assert!(params.iter().all(|w| *w == T::of(3.0)));
    }

    fn another_type(&mut self) {
        let mut params = vec![T::Other::of(3.0); self.dim];
        let grads = vec![T::Other::of(1.0); self.dim];
        let (opt, dim) = (self.subject.handle.raw(), self.dim);
        let (start, given) = (params.as_mut_ptr(), grads.as_ptr());
        // SAFETY: the arrays have `dim` elements.
        let statuses = unsafe {
            [
                T::Other::step(opt, start, given, dim),
                T::Other::direction(opt, start, given, dim),
                T::Other::step_tensors(opt, &start, &given, &dim, 1),
                T::Other::observe(opt, given, dim),
                T::Other::precondition(opt, start, given, dim),
                T::Other::averaged_params(opt, start, dim),
                T::Other::feed(opt, 0, given, dim),
                T::Other::apply(opt, 0, start, given, dim),
                T::Other::apply_direction(opt, 0, start, given, dim),
            ]
        };
        let errors = [LMADA_ERROR_INVALID_ARGUMENT, LMADA_ERROR_WRONG_PHASE];
        assert!(statuses.iter().all(|status| errors.contains(status)), "{statuses:?}");
        assert!(self.open.is_some() || statuses[..6].iter().all(|&status| status == LMADA_ERROR_INVALID_ARGUMENT));
        assert!(params.iter().all(|w| *w == T::Other::of(3.0)));
    }

    /// Arrays that overlap, or are not aligned.
    fn overlapping(&mut self) {
        if self.dim == 0 {
            return;
        }
        let (opt, dim) = (self.subject.handle.raw(), self.dim);
        let mut buffer = vec![T::of(1.0); 2 * dim];
        let start = buffer.as_mut_ptr();
        let (same, last): (*const T, *const T) = (start, start.wrapping_add(dim - 1));
        let apart: *const T = start.wrapping_add(dim);
        let between = start.wrapping_byte_add(1);
        // SAFETY: all these arrays of `dim` elements are inside the buffer; they are refused before they are read.
        let statuses = unsafe {
            [
                T::step(opt, start, same, dim),
                T::step(opt, start, last, dim),
                T::direction(opt, start, same, dim),
                T::step_tensors(opt, &start, &same, &dim, 1),
                T::step(opt, between, apart, dim),
                T::step(opt, start.wrapping_add(dim), between, dim),
                T::direction(opt, between, apart, dim),
                T::precondition(opt, start, last, dim),
                T::precondition(opt, between, apart, dim),
                T::observe(opt, between, dim),
                T::averaged_params(opt, between, dim),
            ]
        };
        statuses.into_iter().for_each(|status| self.refused(status, LMADA_ERROR_INVALID_ARGUMENT));
        // SAFETY: as above.
        let statuses = unsafe {
            [
                T::apply(opt, 0, start, same, dim),
                T::apply_direction(opt, 0, start, last, dim),
                T::feed(opt, 0, between, 1),
                lmada_feed_bf16(opt, 0, between.cast(), 1),
                lmada_apply_bf16(opt, 0, start.cast(), null_mut(), start.cast(), 1),
                lmada_apply_bf16(opt, 0, start.cast(), start.cast(), apart.cast(), 1),
            ]
        };
        let errors = [LMADA_ERROR_INVALID_ARGUMENT, LMADA_ERROR_WRONG_PHASE];
        assert!(statuses.iter().all(|status| errors.contains(status)), "{statuses:?}");
        assert!(buffer.iter().all(|w| *w == T::of(1.0)));
    }

    fn bad_lists(&mut self, input: &mut Input<'_>) {
        if self.dim < 2 {
            return;
        }
        let opt = self.subject.handle.raw();
        let cut = 1 + input.below(self.dim - 1);
        let mut buffer = vec![T::of(1.0); 2 * self.dim];
        let start = buffer.as_mut_ptr();
        let good = [start, start.wrapping_add(cut)];
        let grads: [*const T; 2] = [start.wrapping_add(self.dim), start.wrapping_add(self.dim + cut)];
        let lens = [cut, self.dim - cut];
        let cases = [
            ([start, null_mut()], grads, lens, 2, LMADA_ERROR_NULL_POINTER),
            ([start, start.wrapping_add(cut - 1)], grads, lens, 2, LMADA_ERROR_INVALID_ARGUMENT),
            (good, [start, grads[1]], lens, 2, LMADA_ERROR_INVALID_ARGUMENT),
            (good, grads, [cut, 0], 2, LMADA_ERROR_DIMENSION_MISMATCH),
            (good, grads, lens, 0, LMADA_ERROR_DIMENSION_MISMATCH),
        ];
        for (params, grads, lens, count, error) in cases {
            // SAFETY: the tensors are inside the buffer; the lists are refused before they are read.
            let status = unsafe { T::step_tensors(opt, params.as_ptr(), grads.as_ptr(), lens.as_ptr(), count) };
            self.refused(status, error);
        }
        let lens = [cut, usize::MAX - input.below(40)];
        // SAFETY: no such array can exist, so it is refused before it is read.
        let status = unsafe { T::step_tensors(opt, good.as_ptr(), grads.as_ptr(), lens.as_ptr(), 2) };
        self.refused(status, LMADA_ERROR_INVALID_ARGUMENT);
        assert!(buffer.iter().all(|w| *w == T::of(1.0)));
    }

    /// States of a wrong size, or damaged.
    fn bad_buffers(&mut self, input: &mut Input<'_>) {
        let (opt, size) = (self.subject.handle.raw(), self.subject.handle.state_size());
        let bytes = input.pick(&[size + 1, size - 1, 0, 16]);
        let mut buffer = vec![7u8; bytes];
        // SAFETY: the buffer has this size.
        let status = checked(unsafe { lmada_state_save(opt, buffer.as_mut_ptr().cast(), bytes) });
        self.refused(status, LMADA_ERROR_DIMENSION_MISMATCH);
        assert!(buffer.iter().all(|&byte| byte == 7));
        self.refused(self.subject_loads(&buffer), LMADA_ERROR_BAD_STATE);
        let Some((state, ..)) = self.saved.last() else { return };
        let mut state = state.clone();
        if input.rarely(2) {
            state.truncate(input.below(state.len()));
        } else {
            let place = input.below(state.len());
            state[place] ^= 1 << input.below(8);
        }
        self.refused(self.subject_loads(&state), LMADA_ERROR_BAD_STATE);
    }

    fn subject_loads(&self, bytes: &[u8]) -> Status {
        // SAFETY: the handle is live, and the buffer has this size.
        checked(unsafe { lmada_state_load(self.subject.handle.raw(), bytes.as_ptr().cast(), bytes.len()) })
    }

    /// Stats of any size: the bytes are those of the full struct, and nothing beyond the size is written.
    fn bad_stats(&mut self, input: &mut Input<'_>) {
        let whole = self.subject.handle.stats();
        let mut found = whole;
        let full = size_of::<lmada_stats_t>();
        let size = input.below(full + 9);
        // SAFETY: any bytes are numbers.
        unsafe { (&raw mut found).cast::<u8>().write_bytes(0xA5, full) };
        // SAFETY: the struct has `size` bytes, or the size is refused.
        let status = checked(unsafe { lmada_stats(self.subject.handle.raw(), &mut found, size) });
        let written = if (8..=full).contains(&size) { size } else { 0 };
        assert_eq!(status, if written > 0 { LMADA_OK } else { LMADA_ERROR_INVALID_ARGUMENT });
        let bytes = |stats: &lmada_stats_t| -> Vec<u8> {
            // SAFETY: the struct has no padding, so all bytes are initialised.
            unsafe { core::slice::from_raw_parts((&raw const *stats).cast::<u8>(), full) }.to_vec()
        };
        let (whole, found) = (bytes(&whole), bytes(&found));
        assert!(found[8..].iter().zip(&whole[8..]).take(written.saturating_sub(8)).all(|(a, b)| a == b));
        assert!(found[written..].iter().all(|&byte| byte == 0xA5), "written beyond the size given");
    }
}
