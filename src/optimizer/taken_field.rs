//! A field taken out of its struct for a while, so that the field and the struct can be borrowed at the same time.

/// The field and its owner. Dropping it puts the field back, after a panic too, so that the field's memory is not lost.
pub(super) struct TakenField<'a, O, F: Default> {
    pub owner: &'a mut O,
    pub field: F,
    place: fn(&mut O) -> &mut F,
}

impl<'a, O, F: Default> TakenField<'a, O, F> {
    pub fn new(owner: &'a mut O, place: fn(&mut O) -> &mut F) -> Self {
        let field = core::mem::take(place(owner));
        Self { owner, field, place }
    }
}

impl<O, F: Default> Drop for TakenField<'_, O, F> {
    fn drop(&mut self) {
        *(self.place)(self.owner) = core::mem::take(&mut self.field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_puts_the_field_back() {
        let mut owner = (vec![1, 2, 3], 4);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let taken = TakenField::new(&mut owner, |owner| &mut owner.0);
            assert!(taken.owner.0.is_empty() && taken.field == [1, 2, 3] && taken.owner.1 == 4);
            panic!("injected");
        }));
        assert!(panicked.is_err());
        assert_eq!(owner.0, [1, 2, 3]);
    }
}
