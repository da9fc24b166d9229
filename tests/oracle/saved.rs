//! Reads a saved state from its bytes: its parts, and its columns in every format.

use super::formats::{self, SCALED, SPARSE};
use lmada::{Config, Dtype, HistoryFormat};

/// The parts of a saved state. A checksum follows each; it is not checked here.
pub struct Parts<'a> {
    /// The options, in the order of `lmada::Config`, 8 bytes each.
    pub options: &'a [[u8; 8]],
    pub steps: u64,
    /// Number of steps that entered the average of the parameters.
    pub averaged: u64,
    /// The length of each block.
    pub dims: &'a [[u8; 8]],
    /// The weights of the columns, by slot.
    pub weights: Vec<f64>,
    /// Offset, length and two factors of each parameter group.
    pub groups: &'a [[u8; 8]],
    pub contents: Bytes<'a>,
    /// Offset of the contents.
    pub start: usize,
}

impl<'a> Parts<'a> {
    pub fn of(state: &'a [u8]) -> Self {
        assert_eq!(&state[..8], b"lmada\0st");
        assert_eq!(state[8..12], 3u32.to_le_bytes(), "the layout has changed: mend the tests that read it");
        let mut bytes = Bytes(&state[12..]);
        let count = u32::from_le_bytes(bytes.take()) as usize;
        let options = bytes.words(count);
        let (steps, averaged, blocks, groups) = (bytes.u64(), bytes.u64(), bytes.u64() as usize, bytes.u64() as usize);
        bytes.take::<4>();
        let dims = bytes.words(blocks);
        let weights = (0..u64::from_le_bytes(options[1])).map(|_| bytes.f64()).collect();
        let groups = bytes.words(4 * groups);
        bytes.take::<4>();
        let start = state.len() - bytes.0.len();
        Self { options, steps, averaged, dims, weights, groups, contents: Bytes(&bytes.0[..bytes.0.len() - 4]), start }
    }
}

/// Reads bytes from the front.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    fn words(&mut self, count: usize) -> &'a [[u8; 8]] {
        let (words, rest) = self.0.split_at(8 * count);
        self.0 = rest;
        words.as_chunks().0
    }

    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let (bytes, rest) = self.0.split_first_chunk().expect("a longer state");
        self.0 = rest;
        *bytes
    }

    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    /// A number of the optimizer's element type.
    pub fn element(&mut self, dtype: Dtype) -> f64 {
        match dtype {
            Dtype::F32 => f32::from_le_bytes(self.take()).into(),
            Dtype::F64 => self.f64(),
            other => unreachable!("{other:?} is not known here"),
        }
    }

    /// Reads a column of `len` elements. Calls `each` with every stored number and its scale.
    pub fn column(&mut self, config: &Config, len: usize, mut each: impl FnMut(f64, f64)) {
        let units = |unit: usize| (0..len).step_by(unit).map(move |start| unit.min(len - start));
        match config.history_format {
            HistoryFormat::Full => (0..len).for_each(|_| each(self.element(config.dtype), 1.0)),
            HistoryFormat::Bf16 => (0..len).for_each(|_| each(wide_bf16(self.u16()), 1.0)),
            HistoryFormat::F16 => units(SCALED).for_each(|len| {
                let scale = self.f64();
                (0..len).for_each(|_| each(wide_f16(self.u16()), scale));
            }),
            HistoryFormat::Int8 => units(SCALED).for_each(|len| {
                let scale = self.f64();
                (0..len).for_each(|_| each(f64::from(i8::from_le_bytes(self.take())), scale));
            }),
            HistoryFormat::Sparse => {
                units(SPARSE).for_each(|len| self.sparse(len, formats::kept(config.density, len), &mut each));
            }
            other => unreachable!("{other:?} is not known here"),
        }
    }

    /// Reads a group of the sparse format.
    fn sparse(&mut self, len: usize, kept: usize, each: &mut impl FnMut(f64, f64)) {
        let indices: Vec<u16> = (0..kept).map(|_| self.u16()).collect();
        let values: Vec<u16> = (0..kept).map(|_| self.u16()).collect();
        let good = indices.is_sorted_by(|a, b| a < b) && usize::from(indices[kept - 1]) < len;
        // Nothing is stored yet.
        let empty = indices.iter().chain(&values).all(|number| *number == 0);
        assert!(good || empty, "{indices:?}");
        let mut entries = indices.into_iter().zip(values).peekable();
        for place in 0..len {
            let entry = entries.next_if(|(index, _)| usize::from(*index) == place);
            each(entry.map_or(0.0, |(_, value)| wide_bf16(value)), 1.0);
        }
    }
}

pub fn wide_bf16(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}

pub fn wide_f16(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    assert!(exponent < 31, "an infinity or NaN was stored: {bits:x}");
    let size = if exponent == 0 { fraction * 2f64.powi(-24) } else { (1024.0 + fraction) * 2f64.powi(exponent - 25) };
    if bits >> 15 == 1 { -size } else { size }
}
