package lmada

// #include <lmada.h>
import "C"

import (
	"sort"
	"unsafe"
)

// StepTensors is Step for a model that lies in several slices, without copying them together. One after the other they
// are the optimizer's parameters; they need not be its blocks. It is all or nothing, and agrees with Step up to the
// order in which sums are rounded.
//
// Inside it is a step in phases. The C function for tensor lists wants an array of pointers, and Go memory that holds
// pointers to Go memory may not be passed to C.
func (o *Optimizer[T]) StepTensors(params, grads [][]T) error {
	const op = "StepTensors"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	// What only shows when some parameters are moved already has to be found before.
	if err := o.checkTensors(op, params, grads); err != nil {
		return err
	}
	if err := failure(op, C.lmada_begin(o.handle)); err != nil {
		return err
	}
	if err := failure(op, feedAndSolve(o.handle, grads)); err != nil {
		C.lmada_cancel(o.handle)
		return err
	}
	return failure(op, applyAndEnd(o.handle, params, grads))
}

func feedAndSolve[T Float](handle *C.lmada_t, grads [][]T) C.lmada_status_t {
	offset := 0
	for _, piece := range grads {
		if status := feed(handle, offset, piece); status != C.LMADA_OK {
			return status
		}
		offset += len(piece)
	}
	return C.lmada_solve(handle)
}

func applyAndEnd[T Float](handle *C.lmada_t, params, grads [][]T) C.lmada_status_t {
	offset := 0
	for i, piece := range params {
		if status := apply(handle, offset, piece, grads[i]); status != C.LMADA_OK {
			return status
		}
		offset += len(piece)
	}
	return C.lmada_end(handle)
}

// extent is where a slice lies.
type extent struct {
	start, end uintptr
	output     bool
	index      int
}

type extents []extent

func (e *extents) Len() int           { return len(*e) }
func (e *extents) Less(i, j int) bool { return (*e)[i].start < (*e)[j].start }
func (e *extents) Swap(i, j int)      { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }

// checkTensors refuses lists that do not fit the optimizer or each other, and parameters that overlap anything.
func (o *Optimizer[T]) checkTensors(op string, params, grads [][]T) error {
	if len(params) != len(grads) {
		return mismatch(op, "grads has %d tensors, params has %d", len(grads), len(params))
	}
	total := 0
	o.extents = o.extents[:0]
	for i := range params {
		length := len(params[i])
		if len(grads[i]) != length {
			return mismatch(op, "grads[%d] has %d elements, params[%d] has %d", i, len(grads[i]), i, length)
		}
		total += length
		if length > 0 {
			o.extents = append(o.extents, extentOf(params[i], true, i), extentOf(grads[i], false, i))
		}
	}
	if total != o.dim {
		return mismatch(op, "the tensors have %d elements: this optimizer has %d", total, o.dim)
	}
	sort.Sort(&o.extents)
	// Gradients may share memory with each other, so that the furthest end is kept for each kind.
	var writtenTo, readTo uintptr
	for _, e := range o.extents {
		furthest, name := &readTo, "grads"
		if e.output {
			furthest, name = &writtenTo, "params"
		}
		if e.start < writtenTo || e.output && e.start < readTo {
			return invalid(op, "%s[%d] overlaps another tensor", name, e.index)
		}
		if e.end > *furthest {
			*furthest = e.end
		}
	}
	return nil
}

func extentOf[T Float](s []T, output bool, index int) extent {
	start := uintptr(unsafe.Pointer(&s[0]))
	return extent{start, start + uintptr(len(s))*unsafe.Sizeof(s[0]), output, index}
}
