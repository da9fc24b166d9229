//go:build go1.22

package lmada

// #include <lmada.h>
import "C"

import (
	"runtime"
	"unsafe"
)

// Lists of Go slices, passed to the library without copies. Go memory that holds Go pointers may be passed to C while
// their targets are pinned. This file needs Go 1.22: Pin of Go 1.21 panics on memory from outside Go (C, mmap).

// lists is scratch memory of stepTensors, empty between calls.
type lists[T Float] struct {
	pinner        runtime.Pinner
	params, grads []unsafe.Pointer
	lens          []C.size_t
}

func (l *lists[T]) fill(params, grads [][]T) {
	for i := range params {
		l.params = append(l.params, pinned(&l.pinner, params[i]))
		l.grads = append(l.grads, pinned(&l.pinner, grads[i]))
		l.lens = append(l.lens, C.size_t(len(params[i])))
	}
}

// drop empties the lists, so that they keep no memory of the caller alive. The capacity stays.
func (l *lists[T]) drop() {
	l.pinner.Unpin()
	for i := range l.params {
		l.params[i], l.grads[i] = nil, nil
	}
	l.params, l.grads, l.lens = l.params[:0], l.grads[:0], l.lens[:0]
}

// pinned pins a slice and returns its address; nil if the slice is empty.
func pinned[E any](pinner *runtime.Pinner, s []E) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	pinner.Pin(&s[0])
	return unsafe.Pointer(&s[0])
}

func (o *Optimizer[T]) stepTensors(op string, params, grads [][]T) error {
	l := &o.lists
	defer l.drop()
	l.fill(params, grads)
	p, g := unsafe.Pointer(first(l.params)), unsafe.Pointer(first(l.grads))
	lens, count := first(l.lens), C.size_t(len(l.lens))
	if single[T]() {
		return failure(op, C.lmada_step_tensors(o.handle, (**C.float)(p), (**C.float)(g), lens, count))
	}
	return failure(op, C.lmada_step_tensors_f64(o.handle, (**C.double)(p), (**C.double)(g), lens, count))
}

func (o *Optimizer[T]) loadShares(op string, firsts, sizes []C.size_t, states [][]byte) error {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	list := make([]unsafe.Pointer, len(states))
	for i, state := range states {
		if len(state) == 0 { // for length 0 the library returns bad state, but for NULL a missing argument
			state = make([]byte, 1)
		}
		list[i] = pinned(&pinner, state)
	}
	count := C.size_t(len(states))
	return failure(op, C.lmada_state_load_shares(o.handle, first(firsts), first(list), first(sizes), count))
}
