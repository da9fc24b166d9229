//! The element types of parameters and gradients, and the kernels of each.

use core::fmt::Debug;
use core::ops::{Add, Mul, Sub};

use super::columns::ColumnKernels;
use super::elements::Kernels;
use super::quantized::QuantizedFormats;
use super::sparse::{SelectionKernels, SparseKernels};
use crate::config::Dtype;
use crate::memory::Pod;
use crate::simd::{Number, best};

/// An element of parameters and gradients: `f32` or `f64`. Sealed.
pub trait Element:
    Pod + Number + Default + Into<f64> + PartialOrd + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// The type's name among the options.
    const DTYPE: Dtype;

    /// The largest finite value.
    const LARGEST: f64;

    /// The unit roundoff: the largest relative error of rounding a number to this type.
    const ROUNDOFF: f64;

    /// The nearest value of this type; of two equally near, the even one.
    #[inline]
    fn from_f64(value: f64) -> Self {
        Self::nearest(value)
    }

    /// The same value.
    fn to_f64(self) -> f64 {
        self.into()
    }

    /// The best loops over elements on this machine.
    #[doc(hidden)]
    fn kernels() -> &'static Kernels<Self>;

    /// The best loops over columns of this type on this machine.
    #[doc(hidden)]
    fn column_kernels() -> &'static ColumnKernels<Self, Self>;

    /// The best kernels for quantized windows on this machine; none for `f64`.
    #[doc(hidden)]
    fn quantized() -> Option<QuantizedFormats<Self>>;

    /// The best kernels for sparse windows on this machine; none for `f64`.
    #[doc(hidden)]
    fn sparse() -> Option<(&'static SparseKernels<Self>, &'static SelectionKernels<Self>)>;
}

macro_rules! element {
    ($number:ty, $dtype:expr, $quantized:expr, $sparse:expr) => {
        impl Element for $number {
            const DTYPE: Dtype = $dtype;
            const LARGEST: f64 = <$number>::MAX as f64;
            const ROUNDOFF: f64 = <$number>::EPSILON as f64 / 2.0;

            fn kernels() -> &'static Kernels<Self> {
                best!(Kernels<$number>)
            }

            fn column_kernels() -> &'static ColumnKernels<Self, Self> {
                best!(ColumnKernels<$number, $number>)
            }

            fn quantized() -> Option<QuantizedFormats<Self>> {
                $quantized
            }

            fn sparse() -> Option<(&'static SparseKernels<Self>, &'static SelectionKernels<Self>)> {
                $sparse
            }
        }
    };
}
element!(
    f32,
    Dtype::F32,
    Some(QuantizedFormats::best()),
    Some((best!(SparseKernels<f32>), best!(SelectionKernels<f32>)))
);
element!(f64, Dtype::F64, None, None);
