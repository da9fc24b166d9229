//! Buffers and arenas. If there is no memory, they return [`Error::OutOfMemory`].
//!
//! `Vec` and `Box` abort the process if there is no memory; a library behind a C interface has to return an error
//! instead. [`Buffer`] holds numbers, aligned for the vector kernels. [`Arena`] is one piece of memory for many
//! buffers. All arrays of the model's length are in one arena, on huge pages if the system has them: a pass over such
//! arrays is bounded by memory, and with small pages it would also wait for page tables. Its memory is zero without
//! being written.

mod heap;
mod pages;

use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::Layout;

use crate::error::{Error, Result};

/// Plain numbers: the element types of [`Buffer`].
///
/// It is public only because [`crate::kernels::Element`] requires it. No other crate can name it, so `Element` is
/// sealed.
///
/// # Safety
/// Any bytes are a valid value, and the type has no padding and no destructor.
pub unsafe trait Pod: Copy + Send + Sync + 'static {}

macro_rules! pod {
    ($($number:ty),*) => {
        $(
            // SAFETY: a primitive number has no padding, no destructor, and a value for any bytes.
            unsafe impl Pod for $number {}
        )*
    };
}
pod!(u8, u16, u32, u64, usize, i8, f32, f64);

/// Returns the bytes of numbers, in the byte order of the machine.
pub(crate) fn as_bytes<T: Pod>(numbers: &[T]) -> &[u8] {
    // SAFETY: a `Pod` has no padding, so every byte is initialised; the slice covers exactly the numbers.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Returns the bytes of numbers, for writing.
pub(crate) fn as_bytes_mut<T: Pod>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, with an exclusive borrow; any bytes are valid numbers.
    unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// Returns the bytes of numbers as numbers of another type.
///
/// # Panics
/// If the bytes are not aligned for that type, or are not a whole number of its elements.
pub(crate) fn recast<A: Pod, B: Pod>(numbers: &[A]) -> &[B] {
    // SAFETY: any bytes are a valid `Pod`, and `align_to` checks alignment and length.
    let (before, numbers, after) = unsafe { numbers.align_to() };
    assert!(before.is_empty() && after.is_empty(), "alignment or length does not fit the other type");
    numbers
}

/// Returns the bytes of numbers as numbers of another type, for writing; see [`recast`].
pub(crate) fn recast_mut<A: Pod, B: Pod>(numbers: &mut [A]) -> &mut [B] {
    // SAFETY: as above, with an exclusive borrow; any bytes are valid `A`s.
    let (before, numbers, after) = unsafe { numbers.align_to_mut() };
    assert!(before.is_empty() && after.is_empty(), "alignment or length does not fit the other type");
    numbers
}

/// Alignment of buffers in bytes: a cache line, and the widest vector register.
const ALIGNMENT: usize = 64;
/// Memory of at least this many bytes is mapped pages; smaller memory is from the heap.
const MAPPED_FROM: usize = 1 << 20;

/// The start of zeroed memory from `heap` or `pages`, and its number of bytes.
type Taken = (NonNull<u8>, usize);

/// Memory from the system with a count of its users. It is freed when the last user leaves.
struct Region {
    start: NonNull<u8>,
    /// Number of bytes. From [`MAPPED_FROM`] on they are mapped pages, below they are from the heap.
    held: usize,
    users: AtomicUsize,
}

impl Region {
    /// Takes a region of at least `bytes` zero bytes, with one user.
    fn take(bytes: usize, what: &'static str) -> Result<NonNull<Self>> {
        let taken = if bytes >= MAPPED_FROM { pages::take(bytes) } else { heap::take(bytes) };
        let (start, held) = taken.ok_or(Error::OutOfMemory { what, bytes: bytes as u64 })?;
        // If there is no memory for the box, dropping the region frees its memory.
        let region = try_box(Self { start, held, users: AtomicUsize::new(1) })?;
        Ok(NonNull::from(Box::leak(region)))
    }

    /// Removes one user, and frees the region after the last.
    ///
    /// # Safety
    /// `region` came from [`Region::take`], and the caller is one of its users and uses it no more.
    unsafe fn leave(region: NonNull<Self>) {
        // SAFETY: the region lives until its last user has left. AcqRel: all uses happen before the region is freed.
        if unsafe { region.as_ref() }.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: it came from a box, and no user is left.
            drop(unsafe { Box::from_raw(region.as_ptr()) });
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `take` chose by the same size; the last user has left.
        unsafe {
            if self.held >= MAPPED_FROM {
                pages::give_back(self.start, self.held);
            } else {
                heap::give_back(self.start, self.held);
            }
        }
    }
}

/// One piece of memory from which buffers are cut, one after the other.
pub(crate) struct Arena {
    region: Option<NonNull<Region>>,
    used: usize,
    size: usize,
}

// SAFETY: an arena owns the part of its region that no buffer has, and counts the users atomically.
unsafe impl Send for Arena {}

impl Arena {
    /// Creates an arena for buffers whose sizes ([`Arena::bytes_for`]) add up to `bytes`. `what` names the memory in errors.
    pub(crate) fn new(bytes: usize, what: &'static str) -> Result<Self> {
        Self::check(bytes, what)?;
        let region = if bytes > 0 { Some(Region::take(bytes, what)?) } else { None };
        Ok(Self { region, used: 0, size: bytes })
    }

    /// Refuses sizes that no arena can have: above a quarter of the address space.
    pub(crate) fn check(bytes: usize, what: &'static str) -> Result<()> {
        // No system gives that much memory, and below this size no sum in this file overflows.
        if bytes <= isize::MAX as usize / 2 { Ok(()) } else { Err(Error::OutOfMemory { what, bytes: u64::MAX }) }
    }

    /// Returns the bytes of an arena that a buffer of `len` elements takes. Saturates, so that the allocation fails.
    pub(crate) fn bytes_for<T: Pod>(len: usize) -> usize {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_next_multiple_of(ALIGNMENT));
        bytes.unwrap_or(usize::MAX)
    }

    /// Whether a pass over the whole arena may find data of the pass before in a cache.
    pub(crate) fn may_stay_cached(&self) -> bool {
        self.size <= LARGE_CACHE
    }

    /// Cuts a buffer of `len` zero elements from the arena.
    ///
    /// # Panics
    /// If the arena has too few bytes left.
    pub(crate) fn buffer<T: Pod>(&mut self, len: usize) -> Buffer<T> {
        let bytes = Self::bytes_for::<T>(len);
        assert!(bytes <= self.size - self.used, "the arena is too small");
        let Some(region) = self.region.filter(|_| bytes > 0) else {
            return Buffer { start: NonNull::dangling(), len, bytes: 0, region: None };
        };
        // SAFETY: the arena is a user of the region, so the region lives.
        let shared = unsafe { region.as_ref() };
        shared.users.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `used + bytes <= size`, which the region holds.
        let start = unsafe { shared.start.add(self.used) }.cast();
        self.used += bytes;
        Buffer { start, len, bytes, region: Some(region) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some(region) = self.region {
            // SAFETY: the region was taken with this arena as its user.
            unsafe { Region::leave(region) };
        }
    }
}

/// Bytes of a large cache. The value decides only how one column in k is stored, so a constant for all machines is
/// enough.
const LARGE_CACHE: usize = 32 << 20;

/// A fixed number of elements, zero at first. The address is a multiple of 64 bytes.
pub(crate) struct Buffer<T: Pod> {
    start: NonNull<T>,
    len: usize,
    /// Number of bytes of the region that belong to this buffer.
    bytes: usize,
    region: Option<NonNull<Region>>,
}

// SAFETY: a `Buffer` owns its part of the memory alone, as a `Vec` does, and its elements are `Send`. The users of the
// region are counted atomically.
unsafe impl<T: Pod> Send for Buffer<T> {}
// SAFETY: a shared `Buffer` returns only shared slices, and its elements are `Sync`.
unsafe impl<T: Pod> Sync for Buffer<T> {}

/// No elements, and no memory.
impl<T: Pod> Default for Buffer<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, bytes: 0, region: None }
    }
}

impl<T: Pod> Buffer<T> {
    /// Allocates a buffer of `len` zeros in its own memory. `what` names it in errors.
    pub(crate) fn zeroed(len: usize, what: &'static str) -> Result<Self> {
        Ok(Arena::new(Arena::bytes_for::<T>(len), what)?.buffer(len))
    }

    /// Returns the bytes that the buffer takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets all elements to zero.
    pub(crate) fn clear(&mut self) {
        // SAFETY: `start` is valid for writes of `len` elements (none, if it dangles), and zeros are valid values.
        unsafe { ptr::write_bytes(self.start.as_ptr(), 0, self.len) };
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `start` is aligned, not null and points at `len` initialised elements that `self` owns.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes this the only reference to the elements.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pod> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(region) = self.region {
            // SAFETY: `Arena::buffer` counted this buffer as a user.
            unsafe { Region::leave(region) };
        }
    }
}

/// Scratch memory: its contents are undefined between two uses.
pub(crate) struct Scratch(Buffer<u8>);

impl Scratch {
    /// Allocates `bytes` bytes. `what` names them in errors.
    pub(crate) fn new(bytes: usize, what: &'static str) -> Result<Self> {
        Ok(Self(Buffer::zeroed(bytes, what)?))
    }

    /// Returns the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Returns the memory. The caller may leave anything in it.
    pub(crate) fn memory(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the bytes belong to this buffer, and nothing else reads them, so they need not stay initialised.
        unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}

/// Allocates a box, or returns an error if there is no memory.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>> {
    let layout = Layout::new::<T>();
    let place = if layout.size() == 0 {
        NonNull::dangling()
    } else {
        // SAFETY: the size is not zero.
        let place = unsafe { std::alloc::alloc(layout) };
        let failed = Error::OutOfMemory { what: "an object", bytes: layout.size() as u64 };
        NonNull::new(place.cast::<T>()).ok_or(failed)?
    };
    // SAFETY: `place` is aligned and valid for a `T`. It came from the allocator with the layout that `Box` frees it
    // with, or `T` has no size and `Box` expects a dangling pointer.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place.as_ptr()))
    }
}

/// Allocates a vector with this capacity, or returns an error if there is no memory. `what` names the elements in
/// errors.
pub(crate) fn try_vec<T>(capacity: usize, what: &'static str) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    let bytes = capacity.checked_mul(size_of::<T>()).map_or(u64::MAX, |bytes| bytes as u64);
    vec.try_reserve_exact(capacity).map_err(|_| Error::OutOfMemory { what, bytes })?;
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use core::hint::black_box;

    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_writable() {
        let around = |n: usize| [n - 1, n, n + 1];
        let sizes = [1, 7, 64, 65].into_iter().chain(around(MAPPED_FROM)).chain(around(2 << 20)).chain([5_000_001]);
        for len in sizes {
            let mut buffer = Buffer::<u8>::zeroed(len, "bytes").unwrap();
            assert_eq!(buffer.len(), len);
            assert!(buffer.bytes() >= len && buffer.bytes() < len + (64 << 10), "{len} takes {}", buffer.bytes());
            assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer.fill(0xa5);
            assert!(buffer.iter().all(|&byte| byte == 0xa5));
            buffer.clear();
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer[len - 1] = 1;
        }
    }

    #[test]
    fn an_empty_buffer_takes_no_memory() {
        let mut buffer = Buffer::<f64>::zeroed(0, "nothing").unwrap();
        assert_eq!((buffer.len(), buffer.bytes()), (0, 0));
        buffer.clear();
        buffer.fill(1.0);
    }

    #[test]
    fn sizes_beyond_the_address_space_are_errors() {
        let overflow = Error::OutOfMemory { what: "rows", bytes: u64::MAX };
        assert_eq!(Buffer::<f64>::zeroed(usize::MAX, "rows").err(), Some(overflow));
        assert_eq!(Buffer::<u8>::zeroed(isize::MAX as usize, "rows").err(), Some(overflow));
        assert_eq!(try_vec::<u64>(usize::MAX, "rows").err(), Some(overflow));
        // More than the address space of a process, less than what overflows: there is such a size on 64 bits only.
        if let Ok(len) = usize::try_from(1_u64 << 60) {
            let refused = Error::OutOfMemory { what: "rows", bytes: 1 << 60 };
            assert_eq!(Buffer::<u8>::zeroed(len, "rows").err(), Some(refused));
            // `black_box`: the compiler may remove an unused allocation together with its failure.
            assert_eq!(black_box(try_vec::<u8>(len, "rows")).err(), Some(refused));
        }
    }

    #[test]
    fn buffers_of_an_arena_are_disjoint_and_outlive_it() {
        for lens in [[3, 0, 70, 1], [300_000, 0, 1, 4096]] {
            let bytes = |len: &usize| Arena::bytes_for::<u64>(*len);
            let mut arena = Arena::new(lens.iter().map(bytes).sum(), "numbers").unwrap();
            let mut buffers: Vec<Buffer<u64>> = lens.iter().map(|&len| arena.buffer(len)).collect();
            drop(arena);
            for (index, buffer) in buffers.iter_mut().enumerate() {
                assert_eq!(buffer.len(), lens[index]);
                assert!(buffer.iter().all(|&number| number == 0));
                buffer.fill(index as u64);
            }
            buffers.remove(0);
            for (index, buffer) in buffers.iter().enumerate() {
                assert!(buffer.as_ptr().align_offset(if buffer.is_empty() { 1 } else { ALIGNMENT }) == 0);
                assert!(buffer.iter().all(|&number| number == index as u64 + 1));
            }
        }
    }

    #[test]
    #[should_panic(expected = "too small")]
    fn a_buffer_beyond_the_arena_panics() {
        let mut arena = Arena::new(Arena::bytes_for::<f32>(16), "numbers").unwrap();
        arena.buffer::<f32>(16);
        arena.buffer::<f32>(1);
    }

    #[test]
    fn boxes_hold_and_drop_their_value() {
        let counted = std::rc::Rc::new(());
        let boxed = try_box((counted.clone(), [7_u64; 9])).unwrap();
        assert_eq!(boxed.1, [7; 9]);
        assert_eq!(std::rc::Rc::strong_count(&counted), 2);
        drop(boxed);
        assert_eq!(std::rc::Rc::strong_count(&counted), 1);
        drop(try_box(()).unwrap());
        let vec = try_vec::<u32>(100, "numbers").unwrap();
        assert!(vec.is_empty() && vec.capacity() >= 100);
    }
}
