package lmada

// #include <lmada.h>
import "C"

// AveragedParams writes the average of the parameters over the steps to out. It needs [WithAverageBeta]. Evaluate the
// average if the learning rate does not fall. Before the first step AveragedParams returns [ErrWrongPhase].
func (o *Optimizer[T]) AveragedParams(out []T) error {
	const op = "AveragedParams"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	if single[T]() {
		return failure(op, C.lmada_averaged_params(o.handle, floats(out), C.size_t(len(out))))
	}
	return failure(op, C.lmada_averaged_params_f64(o.handle, doubles(out), C.size_t(len(out))))
}

// Observe stores grads in the window without moving parameters. The step counts. Use it with Precondition for your own
// update rules.
func (o *Optimizer[T]) Observe(grads []T) error {
	const op = "Observe"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	if single[T]() {
		return failure(op, C.lmada_observe(o.handle, floats(grads), C.size_t(len(grads))))
	}
	return failure(op, C.lmada_observe_f64(o.handle, doubles(grads), C.size_t(len(grads))))
}

// Precondition preconditions v with the current window and writes the result to out, without changing the state. For
// the newest gradient the result is the direction of the last step without clip, graft and momentum.
func (o *Optimizer[T]) Precondition(out, v []T) error {
	const op = "Precondition"
	if len(out) != len(v) {
		return mismatch(op, "v has %d elements, out has %d", len(v), len(out))
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	if single[T]() {
		return failure(op, C.lmada_precondition(o.handle, floats(out), floats(v), C.size_t(len(v))))
	}
	return failure(op, C.lmada_precondition_f64(o.handle, doubles(out), doubles(v), C.size_t(len(v))))
}
