//! A model's parameters or gradients as the caller keeps them: one array or a list of tensors, seen as one.

use core::marker::PhantomData;

use crate::kernels::Element;

/// Tensors one after the other.
///
/// # Safety
/// Every tensor is aligned and has its length of initialised elements for as long as the list lives. Where the list is
/// written through, no two tensors overlap and nobody else touches them.
pub(crate) unsafe trait TensorList<T>: Sync {
    /// Number of tensors.
    fn count(&self) -> usize;
    /// Start and length of a tensor.
    fn tensor(&self, index: usize) -> (*mut T, usize);
}

/// One array that is read.
pub(crate) struct One<'a, T>(&'a [T]);
/// One array that is written.
pub(crate) struct OneMut<'a, T>(*mut T, usize, PhantomData<&'a mut [T]>);
/// Slices that are read.
pub(crate) struct Many<'a, T>(pub &'a [&'a [T]]);
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
        // A `&mut [T]` is laid out as a `*mut [T]`.
        Self(slices.as_mut_ptr().cast::<*mut [T]>(), slices.len(), PhantomData)
    }
}

// SAFETY: it stands for an exclusive borrow of elements that may be used from any thread.
unsafe impl<T: Element> Sync for OneMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for ManyMut<'_, T> {}

// SAFETY: a slice is one tensor; it is only read.
unsafe impl<T: Element> TensorList<T> for One<'_, T> {
    fn count(&self) -> usize {
        1
    }
    fn tensor(&self, _: usize) -> (*mut T, usize) {
        (self.0.as_ptr().cast_mut(), self.0.len())
    }
}

// SAFETY: an exclusive slice is one tensor.
unsafe impl<T: Element> TensorList<T> for OneMut<'_, T> {
    fn count(&self) -> usize {
        1
    }
    fn tensor(&self, _: usize) -> (*mut T, usize) {
        (self.0, self.1)
    }
}

// SAFETY: slices are tensors; they are only read.
unsafe impl<T: Element> TensorList<T> for Many<'_, T> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn tensor(&self, index: usize) -> (*mut T, usize) {
        (self.0[index].as_ptr().cast_mut(), self.0[index].len())
    }
}

// SAFETY: exclusive slices cannot overlap.
unsafe impl<T: Element> TensorList<T> for ManyMut<'_, T> {
    fn count(&self) -> usize {
        self.1
    }
    fn tensor(&self, index: usize) -> (*mut T, usize) {
        assert!(index < self.1);
        // SAFETY: the borrowed array has `self.1` entries.
        let slice = unsafe { self.0.add(index).read() };
        (slice.cast(), slice.len())
    }
}

/// A tensor list placed at a position of the optimizer's parameters.
pub(crate) struct Tensors<'a, T> {
    list: &'a dyn TensorList<T>,
    /// Where each tensor starts in the list; not looked at for a single tensor.
    starts: &'a [usize],
    origin: usize,
}

impl<'a, T: Element> Tensors<'a, T> {
    /// `list` from parameter `origin` on; `starts` are the sums of the lengths before each tensor.
    pub fn new(list: &'a dyn TensorList<T>, starts: &'a [usize], origin: usize) -> Self {
        assert!(list.count() == 1 || starts.len() == list.count());
        Self { list, starts, origin }
    }

    /// The elements from `position` on that lie together, at most `len` of them; at least one if there is one.
    fn run(&self, position: usize, len: usize) -> (*mut T, usize) {
        let within = position - self.origin;
        let (index, start) = match self.list.count() {
            1 => (0, 0),
            _ => {
                // The last tensor that starts here or before: empty ones share their start with the next.
                let index = self.starts.partition_point(|&start| start <= within) - 1;
                (index, self.starts[index])
            }
        };
        let (pointer, size) = self.list.tensor(index);
        let skipped = within - start;
        assert!(skipped < size, "a position behind the end of its tensor");
        // SAFETY: `skipped < size`, so this stays inside the tensor.
        (unsafe { pointer.add(skipped) }, len.min(size - skipped))
    }

    /// Where the elements from `position` on lie that are not beyond `end`: those that lie together, address and bytes.
    pub fn ahead(&self, position: usize, end: usize) -> (usize, usize) {
        if position >= end {
            return (0, 0);
        }
        let (pointer, together) = self.run(position, end - position);
        (pointer.addr(), together * size_of::<T>())
    }

    /// `len` elements from `position` on: in place where they lie together, else copied into `staging`.
    pub fn read<'s>(&'s self, position: usize, len: usize, staging: &'s mut [T]) -> &'s [T] {
        let (pointer, together) = self.run(position, len);
        if together == len {
            // SAFETY: `run` gives `len` elements of one tensor.
            return unsafe { core::slice::from_raw_parts(pointer, len) };
        }
        let mut filled = 0;
        while filled < len {
            let (pointer, together) = self.run(position + filled, len - filled);
            // SAFETY: as above; the staging buffer is no tensor.
            let run = unsafe { core::slice::from_raw_parts(pointer, together) };
            staging[filled..filled + together].copy_from_slice(run);
            filled += together;
        }
        &staging[..len]
    }

    /// Calls `write(first, elements)` for the runs that make up the `len` elements from `position` on; `first` counts
    /// from `position`.
    ///
    /// # Safety
    /// The list may be written through, and no other call touches these positions at the same time.
    pub unsafe fn write(&self, position: usize, len: usize, mut write: impl FnMut(usize, &mut [T])) {
        let mut done = 0;
        while done < len {
            let (pointer, together) = self.run(position + done, len - done);
            // SAFETY: `run` gives elements of one tensor, and they are this call's alone.
            write(done, unsafe { core::slice::from_raw_parts_mut(pointer, together) });
            done += together;
        }
    }
}
