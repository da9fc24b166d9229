//! Steps with gradients, and a copy of the parameters, in bfloat16; the parameters are `f32`. Each tile of the gradient
//! is converted to `f32` when it is read, so a step has the bits of a step with the same numbers in `f32`.

use super::gradient::GradientList;
use super::output::Target;
use super::{Optimizer, check_piece};
use crate::error::{Error, Result};
use crate::kernels::Bf16;
use crate::tensors::{One, OneMut, TensorListMut};

impl Optimizer<f32> {
    /// Takes a step as [`Optimizer::step`] does, with the gradient in bfloat16 (the upper half of an `f32`). The
    /// parameters stay `f32`. `params_bf16`, if given, receives the new parameters rounded to the nearest bfloat16,
    /// ties to even.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_bf16(&mut self, params: &mut [f32], params_bf16: Option<&mut [u16]>, grads: &[u16]) -> Result<()> {
        self.check_len("the length of params", params.len())?;
        self.check_len("the length of grads", grads.len())?;
        let copy = copy_to(params_bf16, params.len())?;
        let copy = copy.as_ref().map(|copy| copy as &dyn TensorListMut<Bf16>);
        let target = Target::Params { params: &OneMut::new(params), copy };
        self.all_phases("step_bf16", GradientList::Bf16(&One::new(Bf16::of_bits(grads))), target)
    }

    /// Takes in a piece of the gradient as [`Optimizer::feed`] does, with the gradient in bfloat16.
    ///
    /// # Errors
    /// As [`Optimizer::feed`].
    pub fn feed_bf16(&mut self, offset: usize, grads: &[u16]) -> Result<()> {
        self.feed_list(offset, grads.len(), GradientList::Bf16(&One::new(Bf16::of_bits(grads))))
    }

    /// Moves a piece of the parameters as [`Optimizer::apply`] does, with the gradient in bfloat16 and a copy of the
    /// parameters as in [`step_bf16`](Self::step_bf16).
    ///
    /// # Errors
    /// As [`Optimizer::apply`].
    pub fn apply_bf16(
        &mut self,
        offset: usize,
        params: &mut [f32],
        params_bf16: Option<&mut [u16]>,
        grads: &[u16],
    ) -> Result<()> {
        check_piece(params.len(), grads.len())?;
        let copy = copy_to(params_bf16, params.len())?;
        let copy = copy.as_ref().map(|copy| copy as &dyn TensorListMut<Bf16>);
        let target = Target::Params { params: &OneMut::new(params), copy };
        let given = One::new(Bf16::of_bits(grads));
        self.apply_list("apply_bf16", offset, grads.len(), GradientList::Bf16(&given), target)
    }
}

/// Checks that the caller's copy has `len` elements.
fn copy_to(copy: Option<&mut [u16]>, len: usize) -> Result<Option<OneMut<'_, Bf16>>> {
    match copy {
        Some(copy) if copy.len() != len => {
            Err(Error::mismatch("the length of params_bf16", copy.len() as u64, len as u64))
        }
        copy => Ok(copy.map(|copy| OneMut::new(Bf16::of_bits_mut(copy)))),
    }
}
