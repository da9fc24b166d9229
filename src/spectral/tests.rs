//! The fast way against the general one, and both against an independent truth.

use super::*;

/// A matrix as it lies.
pub(super) struct Matrix<'a> {
    pub size: usize,
    pub entries: &'a [f64],
}

impl Entries for Matrix<'_> {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[i * self.size + j]
    }

    fn norm(&self, j: usize) -> f64 {
        self.at(j, j).sqrt()
    }
}
