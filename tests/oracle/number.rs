//! The two element types.

use core::fmt::Debug;

pub trait Number: lmada::Element + Copy + Debug + PartialEq + Default {
    /// Unit roundoff.
    const UNIT: f64;
    /// Largest number, and smallest above 0.
    const MAX: f64;
    const LEAST: f64;
    /// Promised relative error of a direction: ordinary, and where gradients are nearly collinear.
    const PROMISE: f64;
    const PROMISE_COLLINEAR: f64;
    const NAN: Self;
    const INFINITY: Self;

    fn of(x: f64) -> Self;
    fn widen(self) -> f64;
    fn to_bits64(self) -> u64;
}

impl Number for f32 {
    const UNIT: f64 = f32::EPSILON as f64 / 2.0;
    const MAX: f64 = f32::MAX as f64;
    const LEAST: f64 = 1.401_298_464_324_817e-45;
    const PROMISE: f64 = 2e-6;
    const PROMISE_COLLINEAR: f64 = 2e-5;
    const NAN: Self = f32::NAN;
    const INFINITY: Self = f32::INFINITY;

    fn of(x: f64) -> Self {
        x as f32
    }

    fn widen(self) -> f64 {
        self.into()
    }

    fn to_bits64(self) -> u64 {
        self.to_bits().into()
    }
}

impl Number for f64 {
    const UNIT: f64 = f64::EPSILON / 2.0;
    const MAX: f64 = f64::MAX;
    const LEAST: f64 = 5e-324;
    const PROMISE: f64 = 1e-10;
    const PROMISE_COLLINEAR: f64 = 1e-7;
    const NAN: Self = f64::NAN;
    const INFINITY: Self = f64::INFINITY;

    fn of(x: f64) -> Self {
        x
    }

    fn widen(self) -> f64 {
        self
    }

    fn to_bits64(self) -> u64 {
        self.to_bits()
    }
}

/// Rounds to the element type and back.
pub fn round<T: Number>(x: f64) -> f64 {
    T::of(x).widen()
}

pub fn narrow<T: Number>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::of(x)).collect()
}

pub fn widen<T: Number>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.widen()).collect()
}

/// Returns the exact bits, also of NaN and signed zeros.
pub fn bits<T: Number>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits64()).collect()
}
