//! Turns the caller's pointers into slices and tensor lists, and checks the rules of the boundary: NULL, alignment,
//! length, overlap.

use crate::error::{Argument, Error, Result, Value};
use crate::kernels::Element;
use crate::tensors::{TensorList, TensorListMut};

/// Checks that an array of `len` elements of type `T` may be at `pointer`: not NULL (unless `len` is 0), aligned, and
/// inside the address space.
fn check<T>(argument: Argument, pointer: *const T, len: usize) -> Result<()> {
    if pointer.is_null() {
        return if len == 0 { Ok(()) } else { Err(Error::NullPointer { argument }) };
    }
    if !pointer.is_aligned() {
        let value = Value::Count(pointer.addr() as u64);
        return Err(Error::InvalidArgument { argument, value, expected: "an address aligned to its element type" });
    }
    let fits = len
        .checked_mul(size_of::<T>())
        .is_some_and(|bytes| bytes <= isize::MAX as usize && pointer.addr().checked_add(bytes).is_some());
    if !fits {
        let value = Value::Count(len as u64);
        return Err(Error::InvalidArgument { argument, value, expected: "a length that fits the address space" });
    }
    Ok(())
}

/// Checks that `pointer` may hold a `T`: not NULL, and aligned.
pub(super) fn check_place<T>(name: &'static str, pointer: *const T) -> Result<()> {
    check(name.into(), pointer, 1)
}

/// Returns the caller's array as a slice, once it is checked.
///
/// # Safety
/// `pointer` is NULL or points at `len` initialised elements that nobody writes while the slice lives.
pub(super) unsafe fn slice<'a, T>(name: &'static str, pointer: *const T, len: usize) -> Result<&'a [T]> {
    check(name.into(), pointer, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: `check` found it not NULL, aligned and of a possible size; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(pointer, len) })
}

/// Returns the caller's array as a mutable slice, once it is checked.
///
/// # Safety
/// `pointer` is NULL or points at `len` initialised elements that nobody else touches while the slice lives.
pub(super) unsafe fn slice_mut<'a, T>(name: &'static str, pointer: *mut T, len: usize) -> Result<&'a mut [T]> {
    check(name.into(), pointer, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: `check` found it not NULL, aligned and of a possible size; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer, len) })
}

/// Refuses an output that overlaps the gradients. Call it before making a slice of either.
pub(super) fn check_pair<T>(output_name: &'static str, output: *const T, grads: *const T, len: usize) -> Result<()> {
    check_apart((output_name, output), ("grads", grads), len)
}

/// Refuses an output that overlaps another array of `len` elements. Call it before making a slice of either.
pub(super) fn check_apart<O, T>(
    (output_name, output): (&'static str, *const O),
    (name, other): (&'static str, *const T),
    len: usize,
) -> Result<()> {
    check(output_name.into(), output, len)?;
    check(name.into(), other, len)?;
    let (output_end, end) = (output.addr() + len * size_of::<O>(), other.addr() + len * size_of::<T>());
    if output.addr() < end && other.addr() < output_end {
        return Err(overlap(output_name.into(), output.addr()));
    }
    Ok(())
}

fn overlap(argument: Argument, address: usize) -> Error {
    let value = Value::Count(address as u64);
    Error::InvalidArgument { argument, value, expected: "an address of memory that no other argument overlaps" }
}

/// The addresses of a tensor.
pub(super) struct Extent {
    start: usize,
    end: usize,
    /// Whether the call writes to the tensor.
    output: bool,
    index: usize,
}

/// A list of tensors as an array of pointers and an array of lengths; `P` is `*const T` or `*mut T`.
pub(super) struct RawTensors<'a, P> {
    pointers: &'a [P],
    lens: &'a [usize],
}

// SAFETY: `lists` has checked every pointer and length. Worker threads use the pointers only during the call that got
// them.
unsafe impl<P> Sync for RawTensors<'_, P> {}

// SAFETY: as above; the tensors are only read.
unsafe impl<T: Element> TensorList<T> for RawTensors<'_, *const T> {
    fn count(&self) -> usize {
        self.lens.len()
    }
    fn tensor(&self, index: usize) -> (*const T, usize) {
        (self.pointers[index], self.lens[index])
    }
}

// SAFETY: as above.
unsafe impl<T: Element> TensorList<T> for RawTensors<'_, *mut T> {
    fn count(&self) -> usize {
        self.lens.len()
    }
    fn tensor(&self, index: usize) -> (*const T, usize) {
        (self.pointers[index], self.lens[index])
    }
}

// SAFETY: `lists` refuses tensors that overlap each other or a gradient.
unsafe impl<T: Element> TensorListMut<T> for RawTensors<'_, *mut T> {
    fn start_mut(&self, index: usize) -> *mut T {
        self.pointers[index]
    }
}

/// Checks and returns the two lists of `lmada_step_tensors`. No tensor of parameters with elements may be NULL, and
/// none may overlap another tensor of parameters or a gradient. `extents` is scratch.
///
/// # Safety
/// The arrays are NULL or have `count` entries; every tensor is NULL or has its length of initialised elements that
/// nobody else touches during the call.
pub(super) unsafe fn lists<'a, T: Element>(
    extents: &mut Vec<Extent>,
    params: *const *mut T,
    grads: *const *const T,
    lens: *const usize,
    count: usize,
) -> Result<(RawTensors<'a, *mut T>, RawTensors<'a, *const T>)> {
    // SAFETY: the caller's promise is passed on.
    let (params, grads, lens) =
        unsafe { (slice("params", params, count)?, slice("grads", grads, count)?, slice("lens", lens, count)?) };
    extents.clear();
    let wanted = 2 * count;
    extents.try_reserve(wanted).map_err(|_| Error::OutOfMemory {
        what: "the check of a tensor list",
        bytes: (wanted * size_of::<Extent>()) as u64,
    })?;
    for (index, &len) in lens.iter().enumerate() {
        check(Argument::element("params", index), params[index], len)?;
        if !grads[index].is_null() {
            check(Argument::element("grads", index), grads[index], len)?;
        }
        if len > 0 {
            let bytes = len * size_of::<T>();
            for (pointer, output) in [(params[index].cast_const(), true), (grads[index], false)] {
                if !pointer.is_null() {
                    extents.push(Extent { start: pointer.addr(), end: pointer.addr() + bytes, output, index });
                }
            }
        }
    }
    extents.sort_unstable_by_key(|extent| extent.start);
    // Gradients may share memory with each other, so the two kinds have separate furthest ends.
    let (mut written_to, mut read_to) = (0, 0);
    for extent in extents.iter() {
        if extent.start < written_to || (extent.output && extent.start < read_to) {
            let name = if extent.output { "params" } else { "grads" };
            return Err(overlap(Argument::element(name, extent.index), extent.start));
        }
        let furthest = if extent.output { &mut written_to } else { &mut read_to };
        *furthest = extent.end.max(*furthest);
    }
    Ok((RawTensors { pointers: params, lens }, RawTensors { pointers: grads, lens }))
}
