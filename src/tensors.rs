//! The caller's parameters or gradients: one array, or a list of tensors that is used like one array.

use core::marker::PhantomData;

use crate::memory::Pod;

/// A list of tensors for reading.
///
/// # Safety
/// Every tensor is NULL, or it is aligned and has its length of initialised elements for as long as the list lives.
/// Nobody writes to them, except through this list if it is a [`TensorListMut`]. No tensor of a [`TensorListMut`] is
/// NULL.
pub(crate) unsafe trait TensorList<T>: Sync {
    /// Number of tensors.
    fn count(&self) -> usize;
    /// Start of a tensor and its number of elements.
    fn tensor(&self, index: usize) -> (*const T, usize);
}

/// A list of tensors for writing.
///
/// # Safety
/// No two tensors overlap, and nobody else uses them. `start_mut` returns the start that `tensor` returns, as a pointer
/// for writing.
pub(crate) unsafe trait TensorListMut<T>: TensorList<T> {
    /// Start of a tensor.
    fn start_mut(&self, index: usize) -> *mut T;
}

/// One array for reading.
pub(crate) struct One<'a, T>(&'a [T]);
/// One array for writing.
pub(crate) struct OneMut<'a, T>(*mut T, usize, PhantomData<&'a mut [T]>);
/// A list of slices for reading.
pub(crate) struct Many<'a, T>(pub &'a [&'a [T]]);
/// A list of slices for reading, of which some may be missing. A missing slice is NULL, with the length of the slice in
/// `like`.
pub(crate) struct Optional<'a, T> {
    pub given: &'a [Option<&'a [T]>],
    pub like: &'a ManyMut<'a, T>,
}
/// A list of slices for writing.
pub(crate) struct ManyMut<'a, T>(*const *mut [T], usize, PhantomData<&'a mut [&'a mut [T]]>);

impl<'a, T> One<'a, T> {
    pub fn new(slice: &'a [T]) -> Self {
        Self(slice)
    }
}

impl<'a, T> OneMut<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self(slice.as_mut_ptr(), slice.len(), PhantomData)
    }
}

impl<'a, T> ManyMut<'a, T> {
    pub fn new(slices: &'a mut [&mut [T]]) -> Self {
        // The Rust reference promises that references and raw pointers to a type have the same layout.
        Self(slices.as_mut_ptr().cast::<*mut [T]>(), slices.len(), PhantomData)
    }

    fn slice(&self, index: usize) -> *mut [T] {
        assert!(index < self.1);
        // SAFETY: the borrowed array has `self.1` entries.
        unsafe { self.0.add(index).read() }
    }
}

// SAFETY: it holds an exclusive borrow of elements that may be used from any thread.
unsafe impl<T: Pod> Sync for OneMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Pod> Sync for ManyMut<'_, T> {}

// SAFETY: a slice is one tensor; it is only read.
unsafe impl<T: Pod> TensorList<T> for One<'_, T> {
    fn count(&self) -> usize {
        1
    }
    fn tensor(&self, _: usize) -> (*const T, usize) {
        (self.0.as_ptr(), self.0.len())
    }
}

// SAFETY: an exclusive slice is one tensor.
unsafe impl<T: Pod> TensorList<T> for OneMut<'_, T> {
    fn count(&self) -> usize {
        1
    }
    fn tensor(&self, _: usize) -> (*const T, usize) {
        (self.0, self.1)
    }
}

// SAFETY: the pointer is that of the exclusive slice.
unsafe impl<T: Pod> TensorListMut<T> for OneMut<'_, T> {
    fn start_mut(&self, _: usize) -> *mut T {
        self.0
    }
}

// SAFETY: slices are tensors; they are only read.
unsafe impl<T: Pod> TensorList<T> for Many<'_, T> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn tensor(&self, index: usize) -> (*const T, usize) {
        (self.0[index].as_ptr(), self.0[index].len())
    }
}

// SAFETY: slices are tensors, which are only read, and the others are NULL.
unsafe impl<T: Pod> TensorList<T> for Optional<'_, T> {
    fn count(&self) -> usize {
        self.given.len()
    }
    fn tensor(&self, index: usize) -> (*const T, usize) {
        match self.given[index] {
            Some(slice) => (slice.as_ptr(), slice.len()),
            None => (core::ptr::null(), self.like.tensor(index).1),
        }
    }
}

// SAFETY: exclusive slices are tensors.
unsafe impl<T: Pod> TensorList<T> for ManyMut<'_, T> {
    fn count(&self) -> usize {
        self.1
    }
    fn tensor(&self, index: usize) -> (*const T, usize) {
        let slice = self.slice(index);
        (slice.cast_const().cast(), slice.len())
    }
}

// SAFETY: exclusive slices cannot overlap, and the pointer is that of one of them.
unsafe impl<T: Pod> TensorListMut<T> for ManyMut<'_, T> {
    fn start_mut(&self, index: usize) -> *mut T {
        self.slice(index).cast()
    }
}

/// A tensor list whose first element belongs to parameter `origin` of the optimizer.
pub(crate) struct Placed<'a, L: ?Sized> {
    list: &'a L,
    /// Start of each tensor in the list. Not used for a single tensor.
    starts: &'a [usize],
    origin: usize,
}

/// Placed tensors for reading.
pub(crate) type Tensors<'a, T> = Placed<'a, dyn TensorList<T> + 'a>;
/// Placed tensors for writing.
pub(crate) type TensorsMut<'a, T> = Placed<'a, dyn TensorListMut<T> + 'a>;

// Not derived: `derive` would require the list itself to be `Clone`.
impl<L: ?Sized> Clone for Placed<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<L: ?Sized> Copy for Placed<'_, L> {}

/// Contiguous elements of a list.
struct Run {
    /// Index of their tensor.
    index: usize,
    /// Number of elements of the tensor before them.
    skipped: usize,
    len: usize,
}

impl<'a, L: ?Sized> Placed<'a, L> {
    /// Places `list` at parameter `origin`. `starts[i]` is the sum of the lengths before tensor i.
    pub fn new<T>(list: &'a L, starts: &'a [usize], origin: usize) -> Self
    where
        L: TensorList<T>,
    {
        assert!(list.count() == 1 || starts.len() == list.count());
        Self { list, starts, origin }
    }

    /// Returns the contiguous elements from `position` on: at least one, at most `len`.
    fn run<T>(&self, position: usize, len: usize) -> Run
    where
        L: TensorList<T>,
    {
        let within = position - self.origin;
        let (index, start) = match self.list.count() {
            1 => (0, 0),
            _ => {
                // The last tensor that starts here or before. An empty tensor has the start of the next tensor.
                let index = self.starts.partition_point(|&start| start <= within) - 1;
                (index, self.starts[index])
            }
        };
        let size = self.list.tensor(index).1;
        let skipped = within - start;
        assert!(skipped < size, "a position behind the end of its tensor");
        Run { index, skipped, len: len.min(size - skipped) }
    }

    /// Returns the address and bytes of the contiguous elements from `position` on, up to `end`, for prefetching.
    pub fn ahead<T>(&self, position: usize, end: usize) -> (usize, usize)
    where
        L: TensorList<T>,
    {
        if position >= end {
            return (0, 0);
        }
        let Run { index, skipped, len } = self.run(position, end - position);
        (self.list.tensor(index).0.addr() + skipped * size_of::<T>(), len * size_of::<T>())
    }
}

impl<T: Pod> Tensors<'_, T> {
    /// Returns the `len` elements from `position` on: in place if they are contiguous, otherwise copied to `staging`.
    /// None may be in a tensor that is NULL.
    pub fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        let first = self.run(position, len);
        if first.len == len {
            return self.elements(&first);
        }
        self.runs(position, len, |first, run| staging[first..first + run.len()].copy_from_slice(run));
        &staging[..len]
    }

    /// Calls `read(first, elements)` for each contiguous run of the `len` elements from `position` on. `first` is
    /// counted from `position`. No element may be in a tensor that is NULL.
    pub fn runs(&self, position: usize, len: usize, mut read: impl FnMut(usize, &[T])) {
        let mut done = 0;
        while done < len {
            let run = self.elements(&self.run(position + done, len - done));
            read(done, run);
            done += run.len();
        }
    }

    fn elements(&self, run: &Run) -> &[T] {
        let start = self.list.tensor(run.index).0;
        assert!(!start.is_null(), "a tensor that is NULL is not read");
        // SAFETY: `run` lies inside one tensor, as `Placed::run` has checked, and the tensor is there.
        unsafe { core::slice::from_raw_parts(start.add(run.skipped), run.len) }
    }
}

impl<T: Pod> TensorsMut<'_, T> {
    /// Calls `write(first, elements)` for each contiguous run of the `len` elements from `position` on. `first` is
    /// counted from `position`.
    ///
    /// # Safety
    /// No other call uses these positions at the same time.
    pub unsafe fn write(&self, position: usize, len: usize, mut write: impl FnMut(usize, &mut [T])) {
        let mut done = 0;
        while done < len {
            let run = self.run(position + done, len - done);
            let start = self.list.start_mut(run.index);
            // SAFETY: `run` lies inside one tensor, and its elements are this call's alone.
            write(done, unsafe { core::slice::from_raw_parts_mut(start.add(run.skipped), run.len) });
            done += run.len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells whether a list type implements [`TensorListMut`]: an inherent constant takes precedence over a trait's.
    struct Probe<L>(PhantomData<L>);
    impl<L: TensorListMut<f32>> Probe<L> {
        const WRITES: bool = true;
    }
    trait Other {
        const WRITES: bool = false;
    }
    impl<L> Other for Probe<L> {}

    #[test]
    fn lists_for_reading_cannot_be_written_to() {
        let written = [Probe::<OneMut<'_, f32>>::WRITES, Probe::<ManyMut<'_, f32>>::WRITES];
        let read = [Probe::<One<'_, f32>>::WRITES, Probe::<Many<'_, f32>>::WRITES, Probe::<Optional<'_, f32>>::WRITES];
        assert_eq!((written, read), ([true; 2], [false; 3]));
    }
}
