package lmada

// #include <lmada.h>
import "C"

import "unsafe"

// Begin opens a step in phases: Begin, Feed for every piece of the gradient in any order, ReducePartials where the
// parameters are split over processes, Solve, Apply or ApplyDirection for every piece, End. Up to the first Apply,
// Cancel goes back to before Begin. Meanwhile Step, StepTensors, Direction, SetLR, Save and Load return ErrWrongPhase.
func (o *Optimizer[T]) Begin() error {
	const op = "Begin"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_begin(o.handle))
}

// Feed takes in the gradient of the parameters from offset on. The pieces cover every parameter once. A NaN is refused
// not here but by Solve.
func (o *Optimizer[T]) Feed(offset int, grads []T) error {
	const op = "Feed"
	if offset < 0 {
		return invalid(op, "offset is %d: expected at least 0", offset)
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, feed(o.handle, offset, grads))
}

// ReducePartials hands the sums that the step needs to reduce, which adds them up over all processes, in place and to
// the same bits on all. There are at most 2k + 16 for each block, 3k + 16 with ClipEMAVector and GraftEMAVector. Where
// reduce fails, its error is returned and the step goes on from before. The slice is valid during reduce only.
func (o *Optimizer[T]) ReducePartials(reduce func(partials []float64) error) error {
	const op = "ReducePartials"
	// The library's own array dies with the step, so that reduce gets a copy. The handle is free meanwhile: the second
	// call finds out whether the step is still there.
	var partials []float64
	if err := o.partials(op, func(values []float64) { partials = append(partials, values...) }); err != nil {
		return err
	}
	if err := reduce(partials); err != nil {
		return err
	}
	return o.partials(op, func(values []float64) { copy(values, partials) })
}

func (o *Optimizer[T]) partials(op string, use func(values []float64)) error {
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	var values *C.double
	var count C.size_t
	if err := failure(op, C.lmada_partials(o.handle, &values, &count)); err != nil {
		return err
	}
	use(unsafe.Slice((*float64)(values), int(count)))
	return nil
}

// Solve computes the step from the sums, without changing state or parameters. Stats now describes it. A refused Solve
// leaves the step open: Cancel is the way on.
func (o *Optimizer[T]) Solve() error {
	const op = "Solve"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_solve(o.handle))
}

// Apply moves the parameters from offset on; grads is what Feed got for them. After the first Apply the step can only
// be finished, or the optimizer Reset or Closed.
func (o *Optimizer[T]) Apply(offset int, params, grads []T) error {
	const op = "Apply"
	if offset < 0 {
		return invalid(op, "offset is %d: expected at least 0", offset)
	}
	if len(params) != len(grads) {
		return mismatch(op, "grads has %d elements, params has %d", len(grads), len(params))
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, apply(o.handle, offset, params, grads))
}

// ApplyDirection is Apply that writes the direction to out instead of moving parameters, as Direction does: without
// learning rate and weight decay.
func (o *Optimizer[T]) ApplyDirection(offset int, out, grads []T) error {
	const op = "ApplyDirection"
	if offset < 0 {
		return invalid(op, "offset is %d: expected at least 0", offset)
	}
	if len(out) != len(grads) {
		return mismatch(op, "grads has %d elements, out has %d", len(grads), len(out))
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, applyDirection(o.handle, offset, out, grads))
}

// End ends a step that was applied to every parameter: it now counts.
func (o *Optimizer[T]) End() error {
	const op = "End"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_end(o.handle))
}

// Cancel drops an open step of which nothing is applied.
func (o *Optimizer[T]) Cancel() error {
	const op = "Cancel"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_cancel(o.handle))
}
