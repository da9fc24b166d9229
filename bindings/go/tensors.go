package lmada

// StepTensors is Step for a model in several slices, without copying them. The slices, one after the other, are the
// optimizer's parameters. They need not be its blocks. A nil gradient counts as zeros, and its parameters stay
// unchanged, also with weight decay. A step that fails changes nothing.
//
// With Go 1.22 or later StepTensors is one call of the library and gives the same bits as Step. Earlier versions cannot
// pass a list of slices to C. They step in phases, which agrees with Step up to the rounding of sums in another order,
// and copy the slices once if a gradient is nil.
func (o *Optimizer[T]) StepTensors(params, grads [][]T) error {
	const op = "StepTensors"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	if len(params) != len(grads) {
		return mismatch(op, "grads has %d tensors, params has %d", len(grads), len(params))
	}
	total := 0
	for i := range params {
		length := len(params[i])
		if grads[i] != nil && len(grads[i]) != length {
			return mismatch(op, "grads[%d] has %d elements, params[%d] has %d", i, len(grads[i]), i, length)
		}
		total += length
	}
	if total != o.dim {
		return mismatch(op, "the tensors have %d elements: this optimizer has %d", total, o.dim)
	}
	return o.stepTensors(op, params, grads)
}
