//! The state of a share, put together from the saved states of other shares of the same model: for a restart on another
//! number of processes.
//!
//! All that has the model's length lies in a saved state in sections of one number, or one unit of the history format,
//! after the other. So the state of another share is runs of bytes of the states that are there, and is checked and
//! loaded as any other.

use core::ops::Range;

use super::Optimizer;
use super::form::{Head, Saved};
use super::lent::Lent;
use super::saved::block_bytes;
use crate::checkpoint::Runs;
use crate::error::{Argument, Error, Result, Value};
use crate::kernels::Element;
use crate::memory::try_vec;

/// How errors name the length of the list of states.
pub(crate) const STATES: &str = "the number of states";

/// A saved state, with what is known of it before its contents are.
struct Share<'a> {
    saved: Saved<'a>,
    /// Where in its contents the next section begins.
    next: usize,
}

/// What a share has of a block: a range of its own elements.
type Part = Range<usize>;

impl<T: Element> Optimizer<T> {
    /// Puts together the state of this optimizer from `states` that were saved by others, which held the same model in
    /// other shares. In each block the shares of the states follow each other, and `firsts` says how many elements they
    /// hold before this optimizer's. Everything is checked before anything changes. The parameter groups stay as they are.
    ///
    /// # Errors
    /// As [`Optimizer::state_load`]; [`Error::InvalidArgument`] where the states do not hold all of a share, are not of
    /// the same step of one model, or a unit of the history format would be cut; [`Error::OutOfMemory`].
    pub fn state_load_shares(&mut self, firsts: &[usize], states: &[&[u8]]) -> Result<()> {
        self.check_idle("state_load_shares")?;
        if firsts.len() != self.blocks.len() {
            return Err(Error::mismatch("the number of firsts", firsts.len() as u64, self.blocks.len() as u64));
        }
        let mut shares = try_vec(states.len(), "the list of states")?;
        for (index, state) in states.iter().enumerate() {
            let share = self.share(state).map_err(|error| error.in_state(index))?;
            let head = &share.saved.head;
            let first: &Head = shares.first().map_or(head, |first: &Share<'_>| &first.saved.head);
            if (head.steps, head.averaged, head.config.lr) != (first.steps, first.averaged, first.config.lr) {
                return Err(other_step(index, head.steps));
            }
            shares.push(share);
        }
        if shares.is_empty() {
            return Err(Error::invalid(STATES, Value::Count(0), "at least 1"));
        }
        let mut runs = Vec::new();
        let mut parts = try_vec(shares.len(), "the list of states")?;
        for (index, &first) in firsts.iter().enumerate() {
            self.parts(index, first, &shares, &mut parts)?;
            self.gather(index, &parts, &mut shares, &mut runs)?;
        }
        let lent = Lent::new(self, |optimizer| &mut optimizer.groups);
        lent.owner.load_contents(Runs::several(&runs), &shares[0].saved, &lent.field)
    }

    /// A saved state of any lengths, which its size agrees with.
    fn share<'a>(&self, state: &'a [u8]) -> Result<Share<'a>> {
        let saved = Saved::new(state)?;
        self.check_options(&saved.head)?;
        let share = Share { saved, next: 0 };
        if self.contents_bytes_of(|block| share.len(block)) != share.saved.contents.len() {
            return Err(Error::bad_state("its size is not that of its contents"));
        }
        Ok(share)
    }

    /// Which part each share has of this optimizer's share of a block; empty where it has none.
    fn parts(&self, block: usize, first: usize, shares: &[Share<'_>], parts: &mut Vec<Part>) -> Result<()> {
        let refused =
            |expected| Error::invalid(Argument::element("firsts", block), Value::Count(first as u64), expected);
        let wanted = first..first.saturating_add(self.blocks[block].len);
        let unit = self.parts.unit();
        parts.clear();
        let mut start = 0usize;
        for share in shares {
            let len = share.len(block);
            let end = start.saturating_add(len);
            let common = start.max(wanted.start)..end.min(wanted.end);
            let part = if common.is_empty() { 0..0 } else { common.start - start..common.end - start };
            // A unit lies where both begin one, and ends where both end one, or where the share does.
            let cut = |at: usize, share_start: usize| !(at - share_start).is_multiple_of(unit);
            if !part.is_empty() {
                let begins = cut(common.start, start) || cut(common.start, wanted.start);
                let ends_old = common.end != end && cut(common.end, start);
                let ends_new = common.end != wanted.end && cut(common.end, wanted.start);
                if begins || ends_old || ends_new {
                    return Err(refused(
                        "old and new shares that cut no unit of the history format (256 parameters, 4,096 if sparse)",
                    ));
                }
            }
            parts.push(part);
            start = end;
        }
        if parts.iter().map(ExactSizeIterator::len).sum::<usize>() != self.blocks[block].len {
            return Err(refused("a place from which on the states hold all of the share"));
        }
        Ok(())
    }

    /// Appends to `runs` what the contents of this optimizer's state are in a block.
    fn gather<'a>(
        &self,
        block: usize,
        parts: &[Part],
        shares: &mut [Share<'a>],
        runs: &mut Vec<&'a [u8]>,
    ) -> Result<()> {
        let sections: usize = self.sections(0).iter().map(|(count, _)| count).sum();
        let most = 1 + sections * parts.iter().filter(|part| !part.is_empty()).count();
        let bytes = (most * size_of::<&[u8]>()) as u64;
        runs.try_reserve(most).map_err(|_| Error::OutOfMemory { what: "the list of what is loaded", bytes })?;

        // What does not depend on the share is in all the states; that of the sums is the same bits.
        let gram_bytes = size_of_val(self.blocks[block].gram.entries());
        let mut common: Option<&[u8]> = None;
        for (index, share) in shares.iter_mut().enumerate() {
            let bytes = share.section(block_bytes(&self.blocks[block]));
            if common.get_or_insert(bytes)[..gram_bytes] != bytes[..gram_bytes] {
                return Err(Error::invalid(
                    Argument::element("states", index),
                    Value::Name("of other gradients"),
                    "a state of the same model as states[0]",
                ));
            }
        }
        runs.extend(common);
        for (kind, (count, _)) in self.sections(0).into_iter().enumerate() {
            for _ in 0..count {
                for (share, part) in shares.iter_mut().zip(parts) {
                    let bytes_of = |len: usize| self.sections(len)[kind].1;
                    let section = share.section(bytes_of(share.len(block)));
                    if !part.is_empty() {
                        runs.push(&section[bytes_of(part.start)..bytes_of(part.end)]);
                    }
                }
            }
        }
        Ok(())
    }
}

impl<'a> Share<'a> {
    /// How many elements it has of a block: no more than its bytes, once its size is checked.
    fn len(&self, block: usize) -> usize {
        usize::try_from(self.saved.len(block)).unwrap_or(usize::MAX)
    }

    /// The next section, which has this many bytes.
    fn section(&mut self, bytes: usize) -> &'a [u8] {
        let section = &self.saved.contents[self.next..][..bytes];
        self.next += bytes;
        section
    }
}

fn other_step(index: usize, steps: u64) -> Error {
    Error::invalid(Argument::element("states", index), Value::Count(steps), "a state of the same step as states[0]")
}
