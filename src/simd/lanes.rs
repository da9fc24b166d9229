//! Arithmetic on vectors of eight numbers: the traits that an instruction set implements and loops are written on.

/// Numbers in a vector, on every instruction set.
pub(crate) const LANES: usize = 8;

/// Numbers in a pair of vectors.
pub(crate) const PAIR: usize = 2 * LANES;

/// Columns at most that [`Lanes::SUMS`] and [`Lanes::COMBINED`] may ask for.
pub(crate) const MOST_COLUMNS: usize = 9;

/// Bytes of a cache line.
pub(crate) const CACHE_LINE: usize = 64;

/// Arithmetic on vectors of eight `f64`. A value of the implementing type proves that the processor has the instruction
/// set.
///
/// Every method is `#[inline(always)]`: a method becomes single instructions only inside a function that is compiled
/// for the instruction set.
pub(crate) trait Lanes: Copy {
    /// Eight `f64` in registers.
    type F64s: Copy;

    /// Columns multiplied with a vector at a time, at most [`MOST_COLUMNS`]: as many as registers hold sums, with
    /// registers left for the products.
    const SUMS: usize = MOST_COLUMNS;

    /// Columns combined at a time, at most [`MOST_COLUMNS`].
    const COMBINED: usize = MOST_COLUMNS;

    /// Vectors of each column that a turn of a loop takes, which spreads the cost of the loop itself.
    const TURN: usize = 2;

    fn load_f64s(self, vector: &[f64; LANES]) -> Self::F64s;

    fn store_f64s(self, x: Self::F64s, vector: &mut [f64; LANES]);

    /// The same number eight times.
    fn splat(self, value: f64) -> Self::F64s;

    fn add(self, a: Self::F64s, b: Self::F64s) -> Self::F64s;

    fn mul(self, a: Self::F64s, b: Self::F64s) -> Self::F64s;

    /// `a·b + c`, rounded once or twice.
    fn mul_add(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s;

    /// `c − a·b`, rounded once or twice.
    fn mul_sub_from(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s;

    fn div(self, a: Self::F64s, b: Self::F64s) -> Self::F64s;

    /// The lesser number of each lane. Where one of the two is NaN, either may be returned.
    fn min(self, a: Self::F64s, b: Self::F64s) -> Self::F64s;

    /// The sum of the lanes a to h: `((a+e) + (c+g)) + ((b+f) + (d+h))`.
    fn total(self, x: Self::F64s) -> f64;

    /// The sums of eight vectors, each as by [`Lanes::total`].
    fn totals(self, x: [Self::F64s; LANES]) -> Self::F64s;

    /// Prefetches the cache line at an address; no address is invalid. Does nothing on instruction sets whose
    /// processors prefetch better by themselves.
    #[inline(always)]
    fn prefetch(self, _address: usize) {}

    /// Orders the non-temporal stores before it ahead of the stores after it, as other threads see them.
    #[inline(always)]
    fn fence(self) {}
}

/// Vectors of `T`, in memory and in registers.
pub(crate) trait Load<T>: Lanes {
    /// Eight `T` in registers, in their own precision.
    type Native: Copy;

    /// Loads eight numbers and widens them to `f64`.
    fn load(self, vector: &[T; LANES]) -> Self::F64s;

    /// Rounds each number to `T` and stores it.
    fn store(self, x: Self::F64s, vector: &mut [T; LANES]);

    fn load_native(self, vector: &[T; LANES]) -> Self::Native;

    fn store_native(self, x: Self::Native, vector: &mut [T; LANES]);

    /// Stores by a non-temporal store, which leaves the caches alone, where the instruction set has one and the vector
    /// is aligned for it: for numbers that are not read again soon.
    fn store_non_temporal(self, x: Self::Native, vector: &mut [T; LANES]);

    /// The same number eight times, rounded to `T`.
    fn splat_native(self, value: f64) -> Self::Native;

    fn mul_native(self, a: Self::Native, b: Self::Native) -> Self::Native;

    fn add_native(self, a: Self::Native, b: Self::Native) -> Self::Native;

    fn sub_native(self, a: Self::Native, b: Self::Native) -> Self::Native;

    /// `a·b + c` in the precision of `T`, rounded once or twice.
    fn mul_add_native(self, a: Self::Native, b: Self::Native, c: Self::Native) -> Self::Native;

    fn widen(self, x: Self::Native) -> Self::F64s;

    /// The larger magnitude of each lane. Where one of the two is NaN, either may be returned.
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native;
}

/// The part of `Load<f64>` that is the same on all instruction sets: for f64, widening is the identity.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
macro_rules! native_is_f64 {
    () => {
        type Native = Self::F64s;

        #[inline(always)]
        fn load(self, vector: &[f64; LANES]) -> Self::F64s {
            self.load_f64s(vector)
        }

        #[inline(always)]
        fn store(self, x: Self::F64s, vector: &mut [f64; LANES]) {
            self.store_f64s(x, vector);
        }

        #[inline(always)]
        fn load_native(self, vector: &[f64; LANES]) -> Self::Native {
            self.load_f64s(vector)
        }

        #[inline(always)]
        fn store_native(self, x: Self::Native, vector: &mut [f64; LANES]) {
            self.store_f64s(x, vector);
        }

        #[inline(always)]
        fn splat_native(self, value: f64) -> Self::Native {
            self.splat(value)
        }

        #[inline(always)]
        fn mul_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            self.mul(a, b)
        }

        #[inline(always)]
        fn add_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            self.add(a, b)
        }

        #[inline(always)]
        fn sub_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            self.mul_sub_from(self.splat(1.0), b, a)
        }

        #[inline(always)]
        fn mul_add_native(self, a: Self::Native, b: Self::Native, c: Self::Native) -> Self::Native {
            self.mul_add(a, b, c)
        }

        #[inline(always)]
        fn widen(self, x: Self::Native) -> Self::F64s {
            x
        }
    };
}

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub(super) use native_is_f64;
