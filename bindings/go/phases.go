package lmada

// #include <lmada.h>
import "C"

import "unsafe"

// Begin opens a step in phases: Begin, Feed for every piece of the gradient in any order, ReducePartials if parameters
// are split over processes, Solve, Apply or ApplyDirection for every piece, End. Before the first Apply, Cancel returns
// to the state before Begin. During the step, Step, StepTensors, Direction, SetLR, Save and Load return ErrWrongPhase.
func (o *Optimizer[T]) Begin() error {
	const op = "Begin"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_begin(o.handle))
}

// Feed passes the gradient of the parameters from offset on. The pieces must cover every parameter once. Feed accepts a
// NaN; Solve then refuses the step.
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

// ReducePartials passes the sums of the step to reduce, which adds them over all processes, in place and to the same
// bits on all. There are at most 2k + 16 numbers for each block, 3k + 16 with ClipEMAVector and GraftEMAVector. If
// reduce fails, ReducePartials returns its error and the step is still open. The slice is valid only during reduce.
func (o *Optimizer[T]) ReducePartials(reduce func(partials []float64) error) error {
	const op = "ReducePartials"
	// The library's array is valid only during the step, so reduce gets a copy. The handle is not locked during reduce:
	// the second call returns an error if the step is gone.
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

// Solve computes the step from the sums, without changing state or parameters. Stats then describes this step. If Solve
// fails, the step stays open: call Cancel.
func (o *Optimizer[T]) Solve() error {
	const op = "Solve"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_solve(o.handle))
}

// Apply moves the parameters from offset on. grads is the gradient that Feed got for these parameters. After the first
// Apply, finish the step, or Reset or Close the optimizer.
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

// ApplyDirection is Apply, but writes the direction to out instead of moving parameters, like Direction: without
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

// End ends a step after every parameter was applied. The step now counts.
func (o *Optimizer[T]) End() error {
	const op = "End"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_end(o.handle))
}

// Cancel drops an open step before the first Apply.
func (o *Optimizer[T]) Cancel() error {
	const op = "Cancel"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_cancel(o.handle))
}
