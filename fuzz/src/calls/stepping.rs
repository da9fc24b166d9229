//! Steps, in one call and in phases.

use core::ops::Range;

use lmada::Clip;
use lmada::capi::*;

use super::around::{Rates, with_frozen};
use super::pieces::{self, Directed, Kind};
use super::rule::{Rule, Says, Verdict};
use super::{Subject, World, expect, gradients};
use crate::handle::{Real, Status};
use crate::input::Input;
use crate::oracle::number::bits;

/// The progress of a step in phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Summed,
    Solved,
    Applying,
}

pub(super) struct Open<T> {
    phase: Phase,
    fed: Vec<bool>,
    applied: Vec<bool>,
    directed: Directed<T>,
    /// The parameters before the step.
    before: Vec<T>,
    /// Whether the partials were overwritten.
    spoilt: bool,
    /// Whether it was refused before, and so is counted.
    refused: bool,
    /// The known facts and expected results once it is solved.
    solved: (Option<Rule>, Option<Says>),
}

impl<T> Open<T> {
    pub fn is_applying(&self) -> bool {
        self.phase == Phase::Applying
    }

    pub fn is_solved(&self) -> bool {
        matches!(self.phase, Phase::Solved | Phase::Applying)
    }
}

impl<T: Real> World<T> {
    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        self.take_step(0..0, |subject, gradient| subject.handle.step(&mut subject.params, gradient));
    }

    pub(super) fn step_tensors(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        let mut ends: Vec<usize> = (0..input.byte() % 4).map(|_| input.below(self.dim + 1)).collect();
        ends.push(self.dim);
        ends.sort_unstable();
        self.take_step(0..0, |subject, gradient| subject.handle.step_tensors(&mut subject.params, gradient, &ends, 0));
    }

    /// Draws a gradient; an open step keeps its own.
    pub(super) fn next_gradient(&mut self, input: &mut Input<'_>) {
        if self.open.is_none() {
            gradients::next(input, &mut self.gradient);
        }
    }

    /// Steps the subject by `call`, the twin by a plain step, and the rule. Parameters in `missing` have no gradient;
    /// for the twin a group freezes them.
    pub(super) fn take_step(&mut self, missing: Range<usize>, call: impl FnOnce(&mut Subject<T>, &[T]) -> Status) {
        let before = self.subject.params.clone();
        let status = call(&mut self.subject, &self.gradient);
        if self.open.is_some() {
            assert_eq!(status, LMADA_ERROR_WRONG_PHASE);
            return;
        }
        let rates = self.rates(&missing);
        let (rule, says) = self.judge(status, &rates);
        self.count_refusal(status, &rates);
        if !missing.is_empty() {
            let groups = with_frozen(&self.known.groups, &missing);
            assert_eq!(self.twin.handle.set_groups(&groups), LMADA_OK);
        }
        assert_eq!(self.twin.handle.step(&mut self.twin.params, &self.gradient), status, "the twin answers otherwise");
        if !missing.is_empty() {
            assert_eq!(self.twin.handle.set_groups(&self.known.groups), LMADA_OK);
        }
        if status == LMADA_OK {
            self.accept(rule);
        }
        self.check_move(&before, says, status == LMADA_OK, &rates);
    }

    pub(super) fn direction(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        let untouched = T::of(0.125);
        let (mut found, mut other) = (vec![untouched; self.dim], vec![untouched; self.dim]);
        let status = self.subject.handle.direction(&mut found, &self.gradient);
        if self.open.is_some() {
            assert_eq!(status, LMADA_ERROR_WRONG_PHASE);
            return;
        }
        if self.config.average_beta > 0.0 {
            assert_eq!(status, LMADA_ERROR_INVALID_ARGUMENT);
            return;
        }
        let rates = self.rates(&(0..0));
        let (rule, says) = self.judge(status, &rates);
        self.count_refusal(status, &rates);
        assert_eq!(self.twin.handle.direction(&mut other, &self.gradient), status, "the twin answers otherwise");
        assert!(bits(&found) == bits(&other), "the directions differ");
        if status == LMADA_OK {
            self.accept(rule);
            if let Some(says) = says {
                says.check_direction(&found);
            }
        } else {
            assert!(found.iter().all(|x| *x == untouched), "a refused direction was written");
        }
    }

    /// Checks the status of a step with the present gradient, as far as the rule is known. Returns the facts after the
    /// step, and the expected results.
    pub(super) fn judge(&self, status: Status, rates: &[Rates]) -> (Option<Rule>, Option<Says>) {
        assert!(status == LMADA_OK || status == LMADA_ERROR_NON_FINITE, "a step answers {status}");
        let gradient: Vec<T> = self.seen(rates).collect();
        if !gradient.iter().all(|g| g.widen().is_finite()) {
            assert_eq!(status, LMADA_ERROR_NON_FINITE, "a gradient that is not finite was taken");
            return (None, None);
        }
        let Some(mut rule) = self.known.rule.clone().filter(|_| Rule::can_follow(&gradient)) else {
            return (None, None);
        };
        // The overflow check uses the largest rate.
        let follows = rates.iter().all(|rates| rates.lr_scale <= 1.0);
        if !follows {
            return (None, None);
        }
        match rule.step(&gradient, self.known.lr) {
            Verdict::CannotBeStored => {
                assert_eq!(status, LMADA_ERROR_NON_FINITE, "a gradient was taken that cannot be stored");
                (None, None)
            }
            Verdict::Step(says) => {
                let words = crate::handle::last_error();
                assert!(status == LMADA_OK || says.may_be_refused, "a good step was refused: {words}");
                assert!(status != LMADA_OK || !says.must_be_refused, "a step was taken that is too long");
                (rule.survives(&says).then_some(rule), Some(says))
            }
        }
    }

    pub(super) fn accept(&mut self, rule: Option<Rule>) {
        self.known.steps += 1;
        self.known.rule = rule;
    }

    fn check_move(&mut self, before: &[T], says: Option<Says>, accepted: bool, rates: &[Rates]) {
        let after = &self.subject.params;
        // With replaced sums nothing is known about the step.
        let bounded = before.iter().all(|w| w.widen().abs() < T::MAX / 4.0);
        if bounded && !self.known.spoilt {
            assert!(after.iter().all(|w| w.widen().is_finite()), "a finite parameter became infinite");
        }
        for (index, _) in rates.iter().enumerate().filter(|(_, rates)| rates.is_frozen()) {
            assert_eq!(after[index].to_bits64(), before[index].to_bits64(), "the frozen parameter {index} moved");
        }
        let in_range = match says {
            _ if !accepted => {
                assert!(bits(after) == bits(before), "a refused step moved");
                true
            }
            Some(says) => {
                let (lr, decay) = (self.known.lr, self.config.weight_decay);
                let rates = rates.iter().map(|own| (lr * own.lr_scale, decay * own.weight_decay_scale));
                says.check_params(before, after, lr, &rates.collect::<Vec<_>>())
            }
            None => false,
        };
        if accepted && self.config.average_beta > 0.0 {
            self.known.average.take_in(self.config.average_beta, &self.subject.params);
        }
        self.compare_params(in_range);
    }

    pub(super) fn begin(&mut self, input: &mut Input<'_>) {
        self.next_gradient(input);
        if self.open.is_none() && self.mixed {
            self.gradient = pieces::widened(&pieces::halves(&self.gradient));
        }
        let status = self.subject.handle.call(lmada_begin);
        if expect(status, &self.unless_idle()) {
            assert_eq!(self.twin.handle.call(lmada_begin), LMADA_OK);
            self.open = Some(Open {
                phase: Phase::Open,
                fed: vec![false; self.dim],
                applied: vec![false; self.dim],
                directed: Directed(vec![None; self.dim]),
                before: self.subject.params.clone(),
                spoilt: false,
                refused: false,
                solved: (None, None),
            });
        }
    }

    /// Draws a piece at any place, which may be wrong.
    fn piece(&self, input: &mut Input<'_>) -> (usize, usize) {
        let offset = if input.rarely(16) { usize::MAX } else { input.below(self.dim + 2) };
        (offset, input.below(self.dim + 2))
    }

    /// Returns the status of a refused piece. `phases` are the phases in which it is allowed.
    fn piece_errors(
        &self,
        (offset, len): (usize, usize),
        phases: &[Phase],
        covered: fn(&Open<T>) -> &[bool],
    ) -> Vec<Status> {
        let mut errors = Vec::new();
        let open = self.open.as_ref().filter(|open| phases.contains(&open.phase));
        if open.is_none() {
            errors.push(LMADA_ERROR_WRONG_PHASE);
        }
        let end = offset.checked_add(len).filter(|&end| end <= self.dim);
        let overlaps = end.zip(open).is_some_and(|(end, open)| covered(open)[offset..end].contains(&true));
        if end.is_none() || overlaps {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        errors
    }

    pub(super) fn feed(&mut self, input: &mut Input<'_>) {
        let piece = self.piece(input);
        self.feed_piece(piece);
    }

    fn feed_piece(&mut self, (offset, len): (usize, usize)) {
        let errors = self.piece_errors((offset, len), &[Phase::Open], |open| &open.fed);
        let kind = self.kind(offset, len);
        let piece = piece_of(&self.gradient, offset, len);
        let handle = &mut self.subject.handle;
        let status = match kind {
            Kind::Bf16 { .. } => pieces::feed_bf16(handle, offset, &piece),
            _ => handle.feed(offset, &piece),
        };
        if expect(status, &errors) {
            assert_eq!(self.twin.handle.feed(offset, &piece), LMADA_OK);
            let open = self.open.as_mut().expect("open, or it would have been refused");
            open.fed[offset..offset + len].fill(true);
        }
    }

    /// Feeds everything that is missing, in pieces of limited length.
    pub(super) fn feed_rest(&mut self, input: &mut Input<'_>) {
        let most = length(input);
        let Some(open) = self.open.as_ref().filter(|open| open.phase == Phase::Open) else { return };
        missing(&open.fed, most).into_iter().for_each(|piece| self.feed_piece(piece));
    }

    pub(super) fn partials(&mut self, input: &mut Input<'_>) {
        let errors = self.incomplete();
        let values = match self.subject.handle.partials() {
            Err(status) => {
                assert!(!expect(status, &errors));
                return;
            }
            Ok(values) => values,
        };
        assert!(errors.is_empty(), "partials of a step that is not complete");
        let averages = matches!(self.config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector);
        let most = (2 + usize::from(averages)) * self.config.history_size as usize + 16;
        assert!(values.len() <= most * self.dims.len() && values.len().is_multiple_of(self.dims.len()));
        let open = self.open.as_mut().expect("open, or it would have been refused");
        open.phase = Phase::Summed;
        if !values.is_empty() && input.rarely(4) {
            let value = input.pick(&[0.0, 1.0, -1.0, 2.0, 1e300, -1e-300, f64::INFINITY, f64::NAN]);
            values[input.below(values.len())] = value;
            open.spoilt = true;
        }
        let values = values.to_vec();
        let twins = self.twin.handle.partials().expect("as with the subject");
        assert!(open.spoilt || values.iter().zip(&*twins).all(|(a, b)| a.to_bits() == b.to_bits()), "other partials");
        twins.copy_from_slice(&values);
    }

    /// Returns the expected status of a call that needs the whole gradient, before solving.
    fn incomplete(&self) -> Vec<Status> {
        let complete = |open: &Open<T>| match open.phase {
            Phase::Open => !open.fed.contains(&false),
            Phase::Summed => true,
            Phase::Solved | Phase::Applying => false,
        };
        if self.open.as_ref().is_some_and(complete) { vec![] } else { vec![LMADA_ERROR_WRONG_PHASE] }
    }

    pub(super) fn solve(&mut self) {
        let errors = self.incomplete();
        let status = self.subject.handle.call(lmada_solve);
        if !errors.is_empty() {
            expect(status, &errors);
            return;
        }
        assert_eq!(self.twin.handle.call(lmada_solve), status, "the twin answers otherwise");
        let open = self.open.as_ref().expect("complete");
        let solved = if open.spoilt {
            expect(status, &[LMADA_OK, LMADA_ERROR_NON_FINITE, LMADA_ERROR_INVALID_ARGUMENT]);
            (None, None)
        } else {
            self.judge(status, &self.rates(&(0..0)))
        };
        if !self.open.as_ref().expect("complete").refused {
            self.count_refusal(status, &self.rates(&(0..0)));
        }
        let open = self.open.as_mut().expect("complete");
        open.refused |= status == LMADA_ERROR_NON_FINITE;
        open.phase = if status == LMADA_OK { Phase::Solved } else { Phase::Summed };
        open.solved = solved;
    }

    pub(super) fn apply(&mut self, input: &mut Input<'_>) {
        let piece = self.piece(input);
        self.apply_piece(piece);
    }

    fn apply_piece(&mut self, (offset, len): (usize, usize)) {
        let errors = self.piece_errors((offset, len), &[Phase::Solved, Phase::Applying], |open| &open.applied);
        let gradient = piece_of(&self.gradient, offset, len);
        let kind = self.kind(offset, len);
        if let Kind::Direction = kind {
            match self.direction_of(offset, &gradient) {
                Ok(found) => {
                    assert!(errors.is_empty() && self.config.average_beta == 0.0);
                    let open = self.open.as_mut().expect("open, or it would have been refused");
                    open.directed.0[offset..offset + len].iter_mut().zip(found).for_each(|(at, u)| *at = Some(u));
                    self.is_applied(offset, len);
                    return;
                }
                // With an average directions are refused: the piece moves the parameters.
                Err(status) if self.config.average_beta > 0.0 && errors.is_empty() => {
                    assert_eq!(status, LMADA_ERROR_INVALID_ARGUMENT);
                }
                Err(status) => {
                    assert!(!expect(status, &errors));
                    return;
                }
            }
        }
        let apply = |subject: &mut Subject<T>, kind| {
            let mut params = piece_of(&subject.params, offset, len);
            let status = match kind {
                Kind::Bf16 { with_copy } => {
                    pieces::apply_bf16(&mut subject.handle, offset, &mut params, &gradient, with_copy)
                }
                _ => subject.handle.apply(offset, &mut params, &gradient),
            };
            if status == LMADA_OK {
                subject.params[offset..offset + len].copy_from_slice(&params);
            } else {
                let before = piece_of(&subject.params, offset, len);
                assert!(bits(&params) == bits(&before), "a refused piece moved");
            }
            status
        };
        if expect(apply(&mut self.subject, kind), &errors) {
            assert_eq!(apply(&mut self.twin, Kind::Plain), LMADA_OK);
            self.is_applied(offset, len);
        }
    }

    fn is_applied(&mut self, offset: usize, len: usize) {
        let open = self.open.as_mut().expect("open, or it would have been refused");
        open.applied[offset..offset + len].fill(true);
        if len > 0 {
            open.phase = Phase::Applying;
        }
    }

    pub(super) fn apply_rest(&mut self, input: &mut Input<'_>) {
        let most = length(input);
        if self.open.as_ref().is_some_and(|open| open.is_solved()) {
            self.apply_missing(most);
        }
    }

    pub(super) fn apply_missing(&mut self, most: usize) {
        let pieces = self.open.as_ref().map_or(vec![], |open| missing(&open.applied, most));
        pieces.into_iter().for_each(|piece| self.apply_piece(piece));
    }

    pub(super) fn end(&mut self) {
        let complete = |open: &Open<T>| open.is_solved() && !open.applied.contains(&false);
        let errors = if self.open.as_ref().is_some_and(complete) { vec![] } else { vec![LMADA_ERROR_WRONG_PHASE] };
        if expect(self.subject.handle.call(lmada_end), &errors) {
            assert_eq!(self.twin.handle.call(lmada_end), LMADA_OK);
            let open = self.open.take().expect("open, or it would have been refused");
            let (rule, says) = open.solved;
            self.known.spoilt |= open.spoilt;
            self.accept(rule);
            says.iter().for_each(|says| open.directed.check(says));
            self.check_move(&open.before, says, true, &open.directed.still(self.rates(&(0..0))));
        }
    }

    pub(super) fn cancel(&mut self) {
        let can = self.open.as_ref().is_some_and(|open| !open.is_applying());
        let errors = if can { vec![] } else { vec![LMADA_ERROR_WRONG_PHASE] };
        if expect(self.subject.handle.call(lmada_cancel), &errors) {
            assert_eq!(self.twin.handle.call(lmada_cancel), LMADA_OK);
            self.open = None;
        }
    }
}

/// Returns the elements of a piece; ones beyond the end.
fn piece_of<T: Real>(elements: &[T], offset: usize, len: usize) -> Vec<T> {
    (0..len)
        .map(|index| offset.checked_add(index).and_then(|at| elements.get(at)).copied().unwrap_or(T::of(1.0)))
        .collect()
}

/// Draws the length of pieces.
fn length(input: &mut Input<'_>) -> usize {
    input.pick(&[usize::MAX, 1, 2, 3, 100, 256, 1000])
}

/// Returns the missing parts in pieces of limited length, and of limited number.
fn missing(covered: &[bool], most: usize) -> Vec<(usize, usize)> {
    let most = most.max(covered.len() / 200);
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (index, _) in covered.iter().enumerate().filter(|(_, covered)| !**covered) {
        match pieces.last_mut() {
            Some((start, len)) if *start + *len == index && *len < most => *len += 1,
            _ => pieces.push((index, 1)),
        }
    }
    pieces
}
