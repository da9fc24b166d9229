//! The ring of slots: which slot of the window holds the gradient of which age.

#[derive(Clone, Copy)]
pub(crate) struct Ring {
    /// Slot of the newest gradient, which replaces the oldest.
    pub newest: usize,
    /// Number of gradients held, the newest included; slots `0..held` are in use.
    pub held: usize,
    size: usize,
}

impl Ring {
    /// Returns the ring during the step after `steps` accepted steps, for a window of `size` gradients.
    pub fn after(steps: u64, size: usize) -> Self {
        let newest = (steps % size as u64) as usize;
        let held = (steps + 1).min(size as u64) as usize;
        Self { newest, held, size }
    }

    /// Returns the age of the gradient in a slot: 0 for the newest.
    pub fn age(&self, slot: usize) -> usize {
        (self.newest + self.size - slot) % self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_count_back_from_the_newest() {
        for steps in 0..20 {
            let ring = Ring::after(steps, 4);
            let ages: Vec<usize> = (0..ring.held).map(|slot| ring.age(slot)).collect();
            let mut sorted = ages.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..ring.held).collect::<Vec<_>>());
            assert_eq!(ages[ring.newest], 0);
        }
    }
}
