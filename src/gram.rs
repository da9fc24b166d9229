//! The Gram matrix `C = MᵀM` of one block, in f64. A step replaces one row and column. Entries are computed once and
//! never updated, so they do not drift.

use crate::error::Result;
use crate::memory::Buffer;

/// Inner products of the stored gradients, unweighted, in the order of the ring's slots.
pub(crate) struct Gram {
    entries: Buffer<f64>,
    size: usize,
}

impl Gram {
    /// For windows of `size` gradients. All entries are 0.
    pub fn new(size: usize) -> Result<Self> {
        Ok(Self { entries: Buffer::zeroed(size * size, "the Gram matrix")?, size })
    }

    /// The matrix with `row` as the products of the gradient in slot `newest`, before that gradient is accepted.
    pub fn with<'a>(&'a self, newest: usize, row: &'a [f64]) -> Candidate<'a> {
        Candidate { gram: self, newest, row }
    }

    /// The current matrix of `held` gradients. The one in slot `newest` was accepted last.
    pub fn current(&self, newest: usize, held: usize) -> Candidate<'_> {
        self.with(newest, &self.entries[newest * self.size..][..held])
    }

    /// Accepts the gradient in slot `newest`. `row` has its product with each gradient held.
    pub fn accept(&mut self, newest: usize, row: &[f64]) {
        for (slot, product) in row.iter().enumerate() {
            self.entries[slot * self.size + newest] = *product;
        }
        self.entries[newest * self.size..][..row.len()].copy_from_slice(row);
    }

    /// Gradients in the window.
    pub fn size(&self) -> usize {
        self.size
    }

    /// All entries, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// All entries, row by row, to be replaced.
    pub fn entries_mut(&mut self) -> &mut Buffer<f64> {
        &mut self.entries
    }
}

/// The Gram matrix with the newest gradient in it, before the gradient is accepted.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    gram: &'a Gram,
    newest: usize,
    row: &'a [f64],
}

impl Candidate<'_> {
    /// The product of the gradients in two slots.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        if i == self.newest {
            self.row[j]
        } else if j == self.newest {
            self.row[i]
        } else {
            self.gram.entries[i * self.gram.size + j]
        }
    }

    /// The norm of the gradient in a slot.
    pub fn norm(&self, slot: usize) -> f64 {
        self.at(slot, slot).max(0.0).sqrt()
    }

    /// Writes the gradients' squared norms to `target`.
    pub fn diagonal(&self, target: &mut [f64]) {
        for (slot, entry) in target.iter_mut().enumerate() {
            *entry = self.gram.entries[slot * (self.gram.size + 1)];
        }
        target[self.newest] = self.row[self.newest];
    }

    /// As [`crate::spectral::Entries::arranged`].
    pub fn arranged<'a>(&self, order: &[usize], factor: f64, columns: impl Iterator<Item = (usize, &'a mut [f64])>) {
        let held = self.row.len();
        let place = order.iter().position(|&slot| slot == self.newest);
        for (&j, (first, column)) in order.iter().zip(columns) {
            let row = if j == self.newest { self.row } else { &self.gram.entries[j * self.gram.size..][..held] };
            for (entry, &i) in column.iter_mut().zip(&order[first..]) {
                *entry = factor * row[i];
            }
            // The stored rows do not have the newest gradient's products yet.
            if let Some(place) = place.and_then(|place| place.checked_sub(first)) {
                column[place] = factor * self.row[j];
            }
        }
    }

    /// Row `i` times `x`.
    pub fn row_times(&self, i: usize, x: &[f64]) -> f64 {
        x.iter().enumerate().map(|(j, x)| self.at(i, j) * x).sum()
    }
}
