//! Which slot of the window holds which gradient while a step is under way.

#[derive(Clone, Copy)]
pub(crate) struct Ring {
    /// Slot of the newest gradient, in place of the oldest.
    pub newest: usize,
    /// Gradients held with the newest one in; slots `0..held` are in use.
    pub held: usize,
    size: usize,
}

impl Ring {
    /// At the step after `steps` accepted ones, with room for `size` gradients.
    pub fn after(steps: u64, size: usize) -> Self {
        let newest = (steps % size as u64) as usize;
        let held = (steps + 1).min(size as u64) as usize;
        Self { newest, held, size }
    }

    /// Steps since the gradient in a slot was new.
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
