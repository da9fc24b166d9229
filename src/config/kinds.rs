//! The options that are enums, and the saved form of each type of option.

use crate::error::Value;

/// Element type of parameters, gradients and stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Dtype {
    /// 32-bit floats.
    F32 = 0,
    /// 64-bit floats.
    F64 = 1,
}

/// The number format of the stored gradients: see *Storage* in the crate's documentation. [`Dtype::F64`] allows only
/// [`HistoryFormat::Full`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum HistoryFormat {
    /// The numbers as given, in the optimizer's element type.
    Full = 0,
    /// bfloat16: 2 bytes a number, 8 significant bits, the range of `f32`.
    Bf16 = 1,
    /// IEEE half precision with a power of two as scale for each group of 256: 2 bytes a number, 11 significant bits.
    F16 = 2,
    /// Whole numbers from −127 to 127 with a scale for each group of 256: 1 byte a number.
    Int8 = 3,
    /// The largest entries of each group of 4,096 ([`Config::density`] of them), with error feedback: 4 bytes for each
    /// entry kept, and one more buffer of the model's length.
    ///
    /// [`Config::density`]: crate::Config::density
    Sparse = 4,
}

/// Which vectors momentum averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Momentum {
    /// No momentum: the newest gradient is preconditioned.
    None = 0,
    /// The gradients, before preconditioning: `m ← βm + (1−β)g`. One more buffer of the model's length.
    Gradient = 1,
    /// The updates, after preconditioning and clipping: `b ← βb + (1−β)u`. One more buffer of the model's length.
    Update = 2,
    /// The gradients in the window: `v = Σ (1−β)β^age·g`. No buffer. Requires `history_decay` ≥ `momentum`.
    Window = 3,
}

/// How the norm of an update is bounded (clipping) or set (grafting): u becomes `s·u`.
///
/// r is the bias-corrected exponential moving average (factor [`Config::clip_beta`]) of the norms of the earlier
/// unclipped updates. ē is the bias-corrected exponential moving average of the unclipped updates themselves, the
/// present update included; it takes one more buffer of the model's length. An update of norm 0 has s = 1 and does not
/// enter r.
///
/// [`Config::clip_beta`]: crate::Config::clip_beta
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Clip {
    /// No clipping: s = 1.
    None = 0,
    /// Bounds the norm by `clip_norm`: `s = min(1, clip_norm/‖u‖)`.
    Norm = 1,
    /// Bounds the norm by `clip_factor·r`: `s = min(1, clip_factor·r/‖u‖)`; 1 before the first update that is not 0.
    EmaNorm = 2,
    /// Sets the norm to r: `s = r/‖u‖`; 1 before the first update that is not 0.
    GraftEmaNorm = 3,
    /// Bounds the norm by `clip_factor·‖ē‖`: `s = min(1, clip_factor·‖ē‖/‖u‖)`.
    EmaVector = 4,
    /// Sets the norm to ‖ē‖: `s = ‖ē‖/‖u‖`.
    GraftEmaVector = 5,
    /// Sets the norm to ‖v‖: `s = ‖v‖/‖u‖`; 1 if v is 0. With diagonal preconditioning ‖v‖ is the length of Adam's
    /// step, so Adam's learning rates can be reused.
    GraftInput = 6,
}

/// The saved form of an option: 8 bytes for every type.
pub(crate) trait Word: Sized {
    /// Returns the saved form of the option.
    fn to_word(self) -> u64;

    /// Returns the option of a saved form; `None` if no option has it.
    fn from_word(word: u64) -> Option<Self>;
}

impl Word for f64 {
    fn to_word(self) -> u64 {
        self.to_bits()
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(Self::from_bits(word))
    }
}

impl Word for u32 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for bool {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        (word <= 1).then_some(word == 1)
    }
}

/// Lists the variants of each enum, in the order of their numbers.
macro_rules! variants {
    ($($option:ident: $($variant:ident)*;)*) => {
        $(
            impl $option {
                /// All variants, each at the index that is its number.
                pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

                /// Returns the variant for error messages.
                pub(crate) const fn value(self) -> Value {
                    match self {
                        $(Self::$variant => Value::Variant(
                            concat!(stringify!($option), "::", stringify!($variant)),
                            Self::$variant as i32,
                        ),)*
                    }
                }
            }

            impl Word for $option {
                fn to_word(self) -> u64 {
                    self as u64
                }

                fn from_word(word: u64) -> Option<Self> {
                    usize::try_from(word).ok().and_then(|number| Self::ALL.get(number).copied())
                }
            }
        )*
    };
}

variants! {
    Dtype: F32 F64;
    HistoryFormat: Full Bf16 F16 Int8 Sparse;
    Momentum: None Gradient Update Window;
    Clip: None Norm EmaNorm GraftEmaNorm EmaVector GraftEmaVector GraftInput;
}

// The rest of the crate asks for the kinds of momentum and clip through these matches without a wildcard, or matches
// without one itself: the compiler then names every place that a new kind concerns.

impl Momentum {
    /// Whether v is m, a buffer of averaged gradients, which may leave the span of the window.
    pub(crate) const fn averages_gradients(self) -> bool {
        match self {
            Self::Gradient => true,
            Self::None | Self::Update | Self::Window => false,
        }
    }

    /// Whether the direction is b, a buffer of averaged updates.
    pub(crate) const fn averages_updates(self) -> bool {
        match self {
            Self::Update => true,
            Self::None | Self::Gradient | Self::Window => false,
        }
    }
}

impl Clip {
    /// Whether s may differ from 1.
    pub(crate) const fn is_on(self) -> bool {
        match self {
            Self::None => false,
            Self::Norm
            | Self::EmaNorm
            | Self::GraftEmaNorm
            | Self::EmaVector
            | Self::GraftEmaVector
            | Self::GraftInput => true,
        }
    }

    /// Whether the reference is r, the average of the norms of updates.
    pub(crate) const fn averages_norms(self) -> bool {
        match self {
            Self::EmaNorm | Self::GraftEmaNorm => true,
            Self::None | Self::Norm | Self::EmaVector | Self::GraftEmaVector | Self::GraftInput => false,
        }
    }

    /// Whether the reference is ‖ē‖, of the average of updates.
    pub(crate) const fn averages_updates(self) -> bool {
        match self {
            Self::EmaVector | Self::GraftEmaVector => true,
            Self::None | Self::Norm | Self::EmaNorm | Self::GraftEmaNorm | Self::GraftInput => false,
        }
    }

    /// Whether the reference is ‖v‖, so that κ is 1.
    pub(crate) const fn grafts_input(self) -> bool {
        match self {
            Self::GraftInput => true,
            Self::None | Self::Norm | Self::EmaNorm | Self::GraftEmaNorm | Self::EmaVector | Self::GraftEmaVector => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_lie_at_their_numbers() {
        Dtype::ALL.iter().enumerate().for_each(|(number, &option)| assert_eq!(option as usize, number));
        HistoryFormat::ALL.iter().enumerate().for_each(|(number, &option)| assert_eq!(option as usize, number));
        Momentum::ALL.iter().enumerate().for_each(|(number, &option)| assert_eq!(option as usize, number));
        Clip::ALL.iter().enumerate().for_each(|(number, &option)| assert_eq!(option as usize, number));
    }
}
