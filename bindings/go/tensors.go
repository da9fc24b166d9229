package lmada

// StepTensors is Step for a model that lies in several slices, without copying them together. One after the other they
// are the optimizer's parameters; they need not be its blocks. A gradient that is nil counts as zeros, and its
// parameters are left alone, under weight decay too. It is all or nothing.
//
// With Go 1.22 or later it is one call of the library and gives the same bits as Step. Earlier versions cannot pass a
// list of slices to C: there it is a step in phases, which agrees with Step up to the order in which sums are rounded;
// with a nil gradient, the slices are copied once.
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
