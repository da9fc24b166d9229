//! Raw memory, and no failure to get it that could end the process.
//!
//! `Vec` and `Box` abort where memory is out; a library behind a C interface has to answer instead. Everything here
//! returns [`Error::OutOfMemory`]. [`Buffer`] holds numbers, aligned for the vector kernels. [`Arena`] is one piece of
//! memory for many buffers: what is as long as the model lies in one, zero without having been written, and on huge
//! pages where the system has them, because at such lengths a pass is bounded by memory and would otherwise wait for
//! the page tables too.

mod heap;
mod pages;

use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::Layout;

use crate::error::{Error, Result};

/// Numbers that may live in a [`Buffer`].
///
/// Public only because [`crate::kernels::Element`] is built on it; no other crate can name it, which seals `Element`.
///
/// # Safety
/// Any bytes are a valid value, and the type has neither padding nor a destructor.
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

/// The bytes of numbers, as they lie.
pub(crate) fn as_bytes<T: Pod>(numbers: &[T]) -> &[u8] {
    // SAFETY: a `Pod` has no padding, so that every byte is initialised; the slice covers just the numbers.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The bytes of numbers, to be replaced.
pub(crate) fn as_bytes_mut<T: Pod>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, exclusively; any bytes that are written make valid numbers.
    unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// The same bytes as numbers of another type.
///
/// # Panics
/// If they are not aligned for it, or are no whole numbers of it.
pub(crate) fn recast<A: Pod, B: Pod>(numbers: &[A]) -> &[B] {
    // SAFETY: any bytes are a valid `Pod`, and `align_to` sees to alignment and length.
    let (before, numbers, after) = unsafe { numbers.align_to() };
    assert!(before.is_empty() && after.is_empty(), "numbers that do not lie as others");
    numbers
}

/// [`recast`], to be replaced.
pub(crate) fn recast_mut<A: Pod, B: Pod>(numbers: &mut [A]) -> &mut [B] {
    // SAFETY: as above, exclusively; any bytes that are written are valid `A`s.
    let (before, numbers, after) = unsafe { numbers.align_to_mut() };
    assert!(before.is_empty() && after.is_empty(), "numbers that do not lie as others");
    numbers
}

/// A cache line, and the widest vector register.
const ALIGNMENT: usize = 64;
/// From this size on memory is pages of the system, below it comes from the heap.
const MAPPED_FROM: usize = 1 << 20;

/// Memory taken from the system at once and given back when its last user leaves.
struct Region {
    start: NonNull<u8>,
    /// Bytes taken: whole pages where mapped. Tells by its size where they came from.
    held: usize,
    users: AtomicUsize,
}

impl Region {
    /// A region of at least `bytes` zeros, with one user.
    fn take(bytes: usize, what: &'static str) -> Result<NonNull<Self>> {
        let taken = if bytes >= MAPPED_FROM { pages::take(bytes) } else { heap::take(bytes) };
        let (start, held) = taken.ok_or(Error::OutOfMemory { what, bytes: bytes as u64 })?;
        // Dropping a region, as where the box cannot be had, gives the memory back.
        let region = try_box(Self { start, held, users: AtomicUsize::new(1) })?;
        Ok(NonNull::from(Box::leak(region)))
    }

    /// Ends the use of one user.
    ///
    /// # Safety
    /// `region` came from [`Region::take`], and the caller is one of its users and uses it no more.
    unsafe fn leave(region: NonNull<Self>) {
        // SAFETY: it lives until its last user has left. What the others did to the memory comes before its end.
        if unsafe { region.as_ref() }.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: it came from a box, and nobody is left who could look at it.
            drop(unsafe { Box::from_raw(region.as_ptr()) });
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the size says which of the two the memory came from (`take`); the last of its users has left.
        unsafe {
            if self.held >= MAPPED_FROM {
                pages::give_back(self.start, self.held);
            } else {
                heap::give_back(self.start, self.held);
            }
        }
    }
}

/// One piece of memory that buffers are cut from, one after the other.
pub(crate) struct Arena {
    region: Option<NonNull<Region>>,
    used: usize,
    size: usize,
}

// SAFETY: an arena owns the part of its region that it has not given away, and counts its users atomically.
unsafe impl Send for Arena {}

impl Arena {
    /// Room for buffers whose sizes by [`Arena::room`] add up to `bytes`. `what` names it in the error.
    pub(crate) fn new(bytes: usize, what: &'static str) -> Result<Self> {
        Self::check(bytes, what)?;
        let region = if bytes > 0 { Some(Region::take(bytes, what)?) } else { None };
        Ok(Self { region, used: 0, size: bytes })
    }

    /// Refuses sizes that no arena can have.
    pub(crate) fn check(bytes: usize, what: &'static str) -> Result<()> {
        // Half the address space is more than any system gives; below it no sum in here overflows.
        if bytes <= isize::MAX as usize / 2 { Ok(()) } else { Err(Error::OutOfMemory { what, bytes: u64::MAX }) }
    }

    /// Bytes that a buffer of `len` elements takes of an arena; so many that there are none where they overflow.
    pub(crate) fn room<T: Pod>(len: usize) -> usize {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_next_multiple_of(ALIGNMENT));
        bytes.unwrap_or(usize::MAX)
    }

    /// Whether passes over all of it may find it in a cache that the one before left.
    pub(crate) fn may_stay_cached(&self) -> bool {
        self.size <= LARGE_CACHE
    }

    /// The next `len` elements of the arena, zero.
    ///
    /// # Panics
    /// If so much is not left.
    pub(crate) fn buffer<T: Pod>(&mut self, len: usize) -> Buffer<T> {
        let room = Self::room::<T>(len);
        assert!(room <= self.size - self.used, "an arena too small for what was to be cut from it");
        let Some(region) = self.region.filter(|_| room > 0) else {
            return Buffer { start: NonNull::dangling(), len, room: 0, region: None };
        };
        // SAFETY: the arena is a user of the region, so that it lives.
        let shared = unsafe { region.as_ref() };
        shared.users.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `used + room <= size`, which the region holds.
        let start = unsafe { shared.start.add(self.used) }.cast();
        self.used += room;
        Buffer { start, len, room, region: Some(region) }
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

/// What the largest caches hold that are common. Little hangs on it (how one column in k is stored), so that the
/// machine's own is not worth asking for.
const LARGE_CACHE: usize = 32 << 20;

/// A fixed number of elements, zero at first, at an address that is a multiple of 64 bytes.
pub(crate) struct Buffer<T: Pod> {
    start: NonNull<T>,
    len: usize,
    /// Bytes of the region that are this buffer's.
    room: usize,
    region: Option<NonNull<Region>>,
}

// SAFETY: a `Buffer` owns its part of the memory alone, as a `Vec` does, and its elements are `Send`. The region's
// users are counted atomically.
unsafe impl<T: Pod> Send for Buffer<T> {}
// SAFETY: a shared `Buffer` gives shared slices only, and its elements are `Sync`.
unsafe impl<T: Pod> Sync for Buffer<T> {}

/// No elements, and no memory.
impl<T: Pod> Default for Buffer<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, room: 0, region: None }
    }
}

impl<T: Pod> Buffer<T> {
    /// `len` zeros in memory of their own. `what` names them in the error.
    pub(crate) fn zeroed(len: usize, what: &'static str) -> Result<Self> {
        Ok(Arena::new(Arena::room::<T>(len), what)?.buffer(len))
    }

    /// Bytes that the buffer takes.
    pub(crate) fn bytes(&self) -> usize {
        self.room
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
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference to them.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pod> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(region) = self.region {
            // SAFETY: the region counted this buffer in when it was cut.
            unsafe { Region::leave(region) };
        }
    }
}

/// Memory whose contents mean nothing between two uses.
pub(crate) struct Scratch(Buffer<u8>);

impl Scratch {
    /// `bytes` of it. `what` names it in the error.
    pub(crate) fn new(bytes: usize, what: &'static str) -> Result<Self> {
        Ok(Self(Buffer::zeroed(bytes, what)?))
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The memory. Whoever takes it may leave anything in it.
    pub(crate) fn memory(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the bytes are this buffer's alone, and nothing else ever reads them, so that they need not stay
        // initialised.
        unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}

/// `Box::new` that can fail.
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
    // SAFETY: `place` is aligned and valid for a `T`, and came from the allocator with the layout that `Box` frees it
    // with (or has no size, for which a dangling pointer is what `Box` holds).
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place.as_ptr()))
    }
}

/// `Vec::with_capacity` that can fail. `what` names the elements in the error.
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
    fn zero_aligned_and_writable_at_every_size() {
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
    fn nothing_takes_nothing() {
        let mut buffer = Buffer::<f64>::zeroed(0, "nothing").unwrap();
        assert_eq!((buffer.len(), buffer.bytes()), (0, 0));
        buffer.clear();
        buffer.fill(1.0);
    }

    #[test]
    fn too_much_is_an_error() {
        let overflow = Error::OutOfMemory { what: "rows", bytes: u64::MAX };
        assert_eq!(Buffer::<f64>::zeroed(usize::MAX, "rows").err(), Some(overflow));
        assert_eq!(Buffer::<u8>::zeroed(isize::MAX as usize, "rows").err(), Some(overflow));
        assert_eq!(try_vec::<u64>(usize::MAX, "rows").err(), Some(overflow));
        // More than the address space of a process, less than what overflows: there is such a size on 64 bits only.
        if let Ok(len) = usize::try_from(1_u64 << 60) {
            let refused = Error::OutOfMemory { what: "rows", bytes: 1 << 60 };
            assert_eq!(Buffer::<u8>::zeroed(len, "rows").err(), Some(refused));
            // The optimizer may leave out memory that nobody looks at, and the failure to get it.
            assert_eq!(black_box(try_vec::<u8>(len, "rows")).err(), Some(refused));
        }
    }

    #[test]
    fn buffers_of_an_arena_are_apart_and_outlive_it() {
        for lens in [[3, 0, 70, 1], [300_000, 0, 1, 4096]] {
            let room = |len: &usize| Arena::room::<u64>(*len);
            let mut arena = Arena::new(lens.iter().map(room).sum(), "numbers").unwrap();
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
    fn an_arena_gives_no_more_than_it_has() {
        let mut arena = Arena::new(Arena::room::<f32>(16), "numbers").unwrap();
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
