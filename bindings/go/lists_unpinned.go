//go:build !go1.22

package lmada

// #include <lmada.h>
// #include <stdlib.h>
import "C"

import (
	"sort"
	"unsafe"
)

// Lists of Go slices before Go 1.22, which cannot pin all slices (see lists_pinned.go). Go memory that holds Go
// pointers must not be passed to C. This file therefore passes tensors one at a time, and copies states.

// lists is scratch memory of stepTensors.
type lists[T Float] struct{ extents extents }

// stepTensors is a step in phases. It first checks for overlaps, some of which the library would find only after it has
// moved parameters.
func (o *Optimizer[T]) stepTensors(op string, params, grads [][]T) error {
	if err := o.checkOverlaps(op, params, grads); err != nil {
		return err
	}
	for i := range grads {
		if grads[i] == nil && len(params[i]) > 0 {
			return o.stepCopies(op, params, grads)
		}
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

// stepCopies copies the tensors into C memory, since only a call with a list can have a tensor without a gradient. The
// comment of loadShares says why calloc clears the memory.
func (o *Optimizer[T]) stepCopies(op string, params, grads [][]T) error {
	var zero T
	count, size := len(params), unsafe.Sizeof(zero)
	pointer := unsafe.Sizeof(uintptr(0))
	memory := C.calloc(C.size_t(2*uintptr(count)*pointer+2*uintptr(o.dim)*size+1), 1)
	if memory == nil {
		return &Error{Op: op, Status: ErrOutOfMemory, Message: "out of memory for copies of the tensors"}
	}
	defer C.free(memory)
	pointers := unsafe.Slice((*unsafe.Pointer)(memory), 2*count)
	values := unsafe.Slice((*T)(unsafe.Add(memory, 2*uintptr(count)*pointer)), 2*o.dim)
	lens := make([]C.size_t, count)
	place := func(tensor []T) (copied []T) {
		copied, values = values[:len(tensor)], values[len(tensor):]
		copy(copied, tensor)
		return copied
	}
	moved := make([][]T, count)
	for i := range params {
		lens[i] = C.size_t(len(params[i]))
		moved[i] = place(params[i])
		if len(params[i]) > 0 {
			pointers[i] = unsafe.Pointer(&moved[i][0])
			if grads[i] != nil {
				pointers[count+i] = unsafe.Pointer(&place(grads[i])[0])
			}
		}
	}
	p, g := memory, unsafe.Add(memory, uintptr(count)*pointer)
	var status C.lmada_status_t
	if single[T]() {
		status = C.lmada_step_tensors(o.handle, (**C.float)(p), (**C.float)(g), first(lens), C.size_t(count))
	} else {
		status = C.lmada_step_tensors_f64(o.handle, (**C.double)(p), (**C.double)(g), first(lens), C.size_t(count))
	}
	if err := failure(op, status); err != nil {
		return err
	}
	for i := range params {
		copy(params[i], moved[i])
	}
	return nil
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

// extent is the address range of a slice.
type extent struct {
	start, end uintptr
	output     bool
	index      int
}

type extents []extent

func (e *extents) Len() int           { return len(*e) }
func (e *extents) Less(i, j int) bool { return (*e)[i].start < (*e)[j].start }
func (e *extents) Swap(i, j int)      { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }

// checkOverlaps refuses parameters that overlap anything.
func (o *Optimizer[T]) checkOverlaps(op string, params, grads [][]T) error {
	all := &o.lists.extents
	*all = (*all)[:0]
	for i := range params {
		if len(params[i]) > 0 {
			*all = append(*all, extentOf(params[i], true, i))
			if grads[i] != nil {
				*all = append(*all, extentOf(grads[i], false, i))
			}
		}
	}
	sort.Sort(all)
	// Gradients may share memory with each other, so the loop keeps the furthest end for each kind.
	var writtenTo, readTo uintptr
	for _, e := range *all {
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

// loadShares copies the states into C memory. calloc clears the list: when Go stores a pointer, the garbage collector
// reads the old value, and ends the program if this value is not the address of an object. calloc may also return NULL,
// while cgo's malloc ends the program without memory.
func (o *Optimizer[T]) loadShares(op string, firsts, sizes []C.size_t, states [][]byte) error {
	count := C.size_t(len(states))
	list := C.calloc(count, C.size_t(unsafe.Sizeof(uintptr(0))))
	if list == nil {
		return outOfMemory(op)
	}
	defer C.free(list)
	copies := unsafe.Slice((*unsafe.Pointer)(list), len(states))
	for i, state := range states {
		if copies[i] = C.calloc(sizes[i]+1, 1); copies[i] == nil { // + 1: calloc(0, 1) may return NULL
			return outOfMemory(op)
		}
		defer C.free(copies[i])
		copy(unsafe.Slice((*byte)(copies[i]), len(state)), state)
	}
	return failure(op, C.lmada_state_load_shares(o.handle, first(firsts), first(copies), first(sizes), count))
}

func outOfMemory(op string) error {
	return &Error{Op: op, Status: ErrOutOfMemory, Message: "out of memory for copies of the states"}
}
