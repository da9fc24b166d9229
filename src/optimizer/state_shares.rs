//! Loading the state of a share from the saved states of other shares of the same model, for a restart on another
//! number of processes.
//!
//! A saved state holds every array of the model's length as a section: one number, or one group of the history format,
//! after the other. So the state of a new share consists of runs of bytes of the old states, and is checked and loaded
//! like any other.

use core::ops::Range;

use super::Optimizer;
use super::state::block_bytes;
use super::state_head::{Head, Saved};
use super::taken_field::TakenField;
use crate::checkpoint::Runs;
use crate::error::{Argument, Error, Result, Value};
use crate::kernels::Element;
use crate::memory::try_vec;

/// The name of the length of the list of states, in errors.
pub(crate) const STATES: &str = "the number of states";

/// The saved state of an old share, and the position in its contents.
struct Share<'a> {
    saved: Saved<'a>,
    /// Where the next section begins in the contents.
    next: usize,
}

/// The part of an old share that belongs to this optimizer: a range of the old share's elements of a block.
type Part = Range<usize>;

impl<T: Element> Optimizer<T> {
    /// Loads the state of this optimizer from the states of optimizers that held the same model in other shares. In
    /// each block the shares of `states` follow each other. `firsts[block]` is the number of the block's elements that
    /// they hold before this optimizer's share. Everything is checked before anything changes. The parameter groups do
    /// not change.
    ///
    /// # Errors
    /// As [`Optimizer::state_load`]; [`Error::InvalidArgument`] if the states do not hold the whole of a share, are not
    /// of the same step of one model, or a group of the history format would be cut; [`Error::OutOfMemory`].
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
        let taken = TakenField::new(self, |optimizer| &mut optimizer.groups);
        taken.owner.load_contents(Runs::several(&runs), &shares[0].saved, &taken.field)
    }

    /// Reads a saved state of any lengths, and checks its options and its size.
    fn share<'a>(&self, state: &'a [u8]) -> Result<Share<'a>> {
        let saved = Saved::new(state)?;
        self.check_options(&saved.head)?;
        let share = Share { saved, next: 0 };
        if self.contents_bytes_of(|block| share.len(block)) != share.saved.contents.len() {
            return Err(Error::bad_state("its size is not that of its contents"));
        }
        Ok(share)
    }

    /// Computes the part of each old share that belongs to this optimizer's share of a block; empty if none does.
    fn parts(&self, block: usize, first: usize, shares: &[Share<'_>], parts: &mut Vec<Part>) -> Result<()> {
        let refused =
            |expected| Error::invalid(Argument::element("firsts", block), Value::Count(first as u64), expected);
        let wanted = first..first.saturating_add(self.blocks[block].len);
        let group = self.cut_groups.group_len();
        parts.clear();
        let mut start = 0usize;
        for share in shares {
            let len = share.len(block);
            let end = start.saturating_add(len);
            let common = start.max(wanted.start)..end.min(wanted.end);
            let part = if common.is_empty() { 0..0 } else { common.start - start..common.end - start };
            // A part may start only where a group starts in both shares. It may end only where a group ends in both, or
            // where the share ends.
            let cut = |at: usize, share_start: usize| !(at - share_start).is_multiple_of(group);
            if !part.is_empty() {
                let begins = cut(common.start, start) || cut(common.start, wanted.start);
                let ends_old = common.end != end && cut(common.end, start);
                let ends_new = common.end != wanted.end && cut(common.end, wanted.start);
                if begins || ends_old || ends_new {
                    return Err(refused(
                        "old and new shares that cut no group of the history format (256 parameters, 4,096 if sparse)",
                    ));
                }
            }
            parts.push(part);
            start = end;
        }
        if parts.iter().map(ExactSizeIterator::len).sum::<usize>() != self.blocks[block].len {
            return Err(refused("the first parameter of a share that lies wholly in the old shares"));
        }
        Ok(())
    }

    /// Appends to `runs` the contents of this optimizer's state of a block.
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

        // Numbers that do not depend on the share are in all states. The Gram matrix has to have the same bits in all.
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
    /// Returns the number of elements of a block in this share. After the check of the size it is below the number of
    /// bytes.
    fn len(&self, block: usize) -> usize {
        usize::try_from(self.saved.len(block)).unwrap_or(usize::MAX)
    }

    /// Returns the next section, of `bytes` bytes.
    fn section(&mut self, bytes: usize) -> &'a [u8] {
        let section = &self.saved.contents[self.next..][..bytes];
        self.next += bytes;
        section
    }
}

fn other_step(index: usize, steps: u64) -> Error {
    Error::invalid(Argument::element("states", index), Value::Count(steps), "a state of the same step as states[0]")
}
