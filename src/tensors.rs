//! A model's parameters or gradients as the caller keeps them: one array or a list of tensors, seen as one.

use core::marker::PhantomData;

use crate::memory::Pod;

/// Tensors one after the other, to be read.
///
/// # Safety
/// Every tensor is aligned and has its length of initialised elements for as long as the list lives, or is NULL. Nobody
/// writes them but through this list, where it is a [`TensorListMut`]; none of that is NULL.
pub(crate) unsafe trait TensorList<T>: Sync {
    /// Number of tensors.
    fn count(&self) -> usize;
    /// Start and length of a tensor.
    fn tensor(&self, index: usize) -> (*const T, usize);
}

/// Tensors one after the other, to be written.
///
/// # Safety
/// No two tensors overlap, and nobody else touches them. `start_mut` gives a pointer that may be written through, to
/// where `tensor` says that the tensor starts.
pub(crate) unsafe trait TensorListMut<T>: TensorList<T> {
    /// Start of a tensor.
    fn start_mut(&self, index: usize) -> *mut T;
}

/// One array that is read.
pub(crate) struct One<'a, T>(&'a [T]);
/// One array that is written.
pub(crate) struct OneMut<'a, T>(*mut T, usize, PhantomData<&'a mut [T]>);
/// Slices that are read.
pub(crate) struct Many<'a, T>(pub &'a [&'a [T]]);
/// Slices that are read where they are there. Those that are not are as long as another list's.
pub(crate) struct Optional<'a, T> {
    pub given: &'a [Option<&'a [T]>],
    pub like: &'a ManyMut<'a, T>,
}
/// Slices that are written.
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
        // References and raw pointers to the same type have the same layout: the Rust reference promises it.
        Self(slices.as_mut_ptr().cast::<*mut [T]>(), slices.len(), PhantomData)
    }

    fn slice(&self, index: usize) -> *mut [T] {
        assert!(index < self.1);
        // SAFETY: the borrowed array has `self.1` entries.
        unsafe { self.0.add(index).read() }
    }
}

// SAFETY: it stands for an exclusive borrow of elements that may be used from any thread.
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

/// A tensor list placed at a position of the optimizer's parameters.
pub(crate) struct Placed<'a, L: ?Sized> {
    list: &'a L,
    /// Where each tensor starts in the list; not looked at for a single tensor.
    starts: &'a [usize],
    origin: usize,
}

/// Tensors that are read.
pub(crate) type Tensors<'a, T> = Placed<'a, dyn TensorList<T> + 'a>;
/// Tensors that are written.
pub(crate) type TensorsMut<'a, T> = Placed<'a, dyn TensorListMut<T> + 'a>;

// Not derived: a list need not be `Clone` for a reference to it to be.
impl<L: ?Sized> Clone for Placed<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<L: ?Sized> Copy for Placed<'_, L> {}

/// Elements of a list that lie together.
struct Run {
    /// The tensor they are in.
    index: usize,
    /// How many elements of the tensor lie before them.
    skipped: usize,
    len: usize,
}

impl<'a, L: ?Sized> Placed<'a, L> {
    /// `list` from parameter `origin` on; `starts` are the sums of the lengths before each tensor.
    pub fn new<T>(list: &'a L, starts: &'a [usize], origin: usize) -> Self
    where
        L: TensorList<T>,
    {
        assert!(list.count() == 1 || starts.len() == list.count());
        Self { list, starts, origin }
    }

    /// The elements from `position` on that lie together, at most `len` of them; at least one if there is one.
    fn run<T>(&self, position: usize, len: usize) -> Run
    where
        L: TensorList<T>,
    {
        let within = position - self.origin;
        let (index, start) = match self.list.count() {
            1 => (0, 0),
            _ => {
                // The last tensor that starts here or before: empty ones share their start with the next.
                let index = self.starts.partition_point(|&start| start <= within) - 1;
                (index, self.starts[index])
            }
        };
        let size = self.list.tensor(index).1;
        let skipped = within - start;
        assert!(skipped < size, "a position behind the end of its tensor");
        Run { index, skipped, len: len.min(size - skipped) }
    }

    /// Where the elements from `position` on lie that are not beyond `end`: those that lie together, address and bytes.
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
    /// `len` elements from `position` on: in place where they lie together, else copied into `staging`. None is in a
    /// tensor that is NULL.
    pub fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        let first = self.run(position, len);
        if first.len == len {
            return self.elements(&first);
        }
        self.runs(position, len, |first, run| staging[first..first + run.len()].copy_from_slice(run));
        &staging[..len]
    }

    /// Calls `read(first, elements)` for the runs that make up the `len` elements from `position` on; `first` counts
    /// from `position`. None is in a tensor that is NULL.
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
    /// Calls `write(first, elements)` for the runs that make up the `len` elements from `position` on; `first` counts
    /// from `position`.
    ///
    /// # Safety
    /// No other call touches these positions at the same time.
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

    /// Whether a type of list can be written through: an inherent constant goes before that of a trait.
    struct Probe<L>(PhantomData<L>);
    impl<L: TensorListMut<f32>> Probe<L> {
        const WRITES: bool = true;
    }
    trait Other {
        const WRITES: bool = false;
    }
    impl<L> Other for Probe<L> {}

    #[test]
    fn lists_that_are_read_cannot_be_written_through() {
        let written = [Probe::<OneMut<'_, f32>>::WRITES, Probe::<ManyMut<'_, f32>>::WRITES];
        let read = [Probe::<One<'_, f32>>::WRITES, Probe::<Many<'_, f32>>::WRITES, Probe::<Optional<'_, f32>>::WRITES];
        assert_eq!((written, read), ([true; 2], [false; 3]));
    }
}
