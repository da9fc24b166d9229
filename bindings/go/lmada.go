// Package lmada is limited-memory full-matrix Adagrad: an optimizer that preconditions the gradient by
// (MMᵀ + εI)^(-1/2), where the columns of M are the last k gradients.
//
//	opt, err := lmada.New[float32](len(weights), lmada.WithLR(0.05))
//	if err != nil {
//		return err
//	}
//	defer opt.Close()
//	for batch := range batches {
//		computeGradient(weights, gradient, batch)
//		if err := opt.Step(weights, gradient); err != nil {
//			return err
//		}
//	}
//
// The package is a thin layer over the C library lmada. The library's header documents every operation and option in
// full. A call that fails has changed nothing. The package passes slices to the library without copying, and uses them
// only during the call.
//
// Different goroutines may use different optimizers at the same time. A second call on one optimizer at the same time
// returns [ErrBusy]. [Optimizer.Close] waits for the current call instead.
package lmada

// #cgo pkg-config: lmada
// #include <lmada.h>
import "C"

import (
	"fmt"
	"runtime"
	"sync"
)

// Float is an element type of parameters and gradients.
type Float interface {
	~float32 | ~float64
}

// Optimizer holds the stored gradients and the rest of the state of a run. It must not be copied.
type Optimizer[T Float] struct {
	mu     sync.Mutex // held during a call
	handle *C.lmada_t // nil when closed
	dim    int
	blocks int
	lists  lists[T] // scratch memory of StepTensors
}

// slots limits the number of goroutines that are inside the library at once. Each call holds an OS thread, and Go ends
// a program that has 10,000 threads. A call only computes, so more calls at once would not finish sooner. (A call that
// waits for the caller's reader or writer gives its slot back while it waits.)
var slots = make(chan struct{}, 64+2*runtime.NumCPU())

// enterLibrary waits for a slot and locks the goroutine to its OS thread, because the library keeps one error message
// for each thread.
func enterLibrary() {
	slots <- struct{}{}
	runtime.LockOSThread()
}

func leaveLibrary() {
	runtime.UnlockOSThread()
	<-slots
}

// New makes an optimizer for dim parameters. New reserves all memory for the steps, and Close releases the memory.
func New[T Float](dim int, opts ...Option) (*Optimizer[T], error) {
	const op = "New"
	if dim < 0 {
		return nil, invalid(op, "dim is %d: expected at least 1", dim)
	}
	return create[T](op, dim, 1, opts, func(config *C.lmada_config_t, out **C.lmada_t) C.lmada_status_t {
		return C.lmada_create(config, C.size_t(dim), out)
	})
}

// NewBlocks makes an optimizer whose parameters are in blocks of lengths dims, one after the other. Each block has its
// own preconditioner, as if the block were a separate model.
func NewBlocks[T Float](dims []int, opts ...Option) (*Optimizer[T], error) {
	const op = "NewBlocks"
	total := 0
	lengths := make([]C.size_t, len(dims))
	for i, dim := range dims {
		if dim < 0 {
			return nil, invalid(op, "dims[%d] is %d: expected at least 0", i, dim)
		}
		lengths[i] = C.size_t(dim)
		total += dim
	}
	return create[T](op, total, len(dims), opts, func(config *C.lmada_config_t, out **C.lmada_t) C.lmada_status_t {
		return C.lmada_create_blocks(config, first(lengths), C.size_t(len(lengths)), out)
	})
}

func create[T Float](
	op string, dim, blocks int, opts []Option, call func(*C.lmada_config_t, **C.lmada_t) C.lmada_status_t,
) (*Optimizer[T], error) {
	enterLibrary()
	defer leaveLibrary()
	config, err := newConfig[T](op, opts)
	if err != nil {
		return nil, err
	}
	var handle *C.lmada_t
	if err := failure(op, call(&config, &handle)); err != nil {
		return nil, err
	}
	return owner[T](handle, dim, blocks), nil
}

func owner[T Float](handle *C.lmada_t, dim, blocks int) *Optimizer[T] {
	o := &Optimizer[T]{handle: handle, dim: dim, blocks: blocks}
	// Frees optimizers that nobody closed, late: the collector does not know the memory of a handle.
	runtime.SetFinalizer(o, (*Optimizer[T]).Close)
	return o
}

// Close releases the optimizer's memory. It waits for a call in another goroutine. Closing again, or closing nil, does
// nothing. The error is always nil, and exists for [io.Closer].
func (o *Optimizer[T]) Close() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handle != nil {
		enterLibrary()
		defer leaveLibrary()
		C.lmada_free(o.handle)
		o.handle = nil
		runtime.SetFinalizer(o, nil)
	}
	return nil
}

// Dim returns the number of parameters, 0 for nil.
func (o *Optimizer[T]) Dim() int {
	if o == nil {
		return 0
	}
	return o.dim
}

// Step stores grads in the window and moves params against the preconditioned direction. A step that fails changes
// nothing. The slices must not overlap.
func (o *Optimizer[T]) Step(params, grads []T) error {
	const op = "Step"
	if len(params) != len(grads) {
		return mismatch(op, "grads has %d elements, params has %d", len(grads), len(params))
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, step(o.handle, params, grads))
}

// Direction stores grads in the window and writes the direction to out, instead of moving parameters. The direction is
// the vector that Step would multiply by the learning rate and subtract, without weight decay.
func (o *Optimizer[T]) Direction(out, grads []T) error {
	const op = "Direction"
	if len(out) != len(grads) {
		return mismatch(op, "grads has %d elements, out has %d", len(grads), len(out))
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, direction(o.handle, out, grads))
}

// Reset returns to the state before the first step. Options and learning rate stay.
func (o *Optimizer[T]) Reset() error {
	const op = "Reset"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_reset(o.handle))
}

// SetLR sets the learning rate of the next steps.
func (o *Optimizer[T]) SetLR(lr float64) error {
	const op = "SetLR"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_set_lr(o.handle, C.double(lr)))
}

// Version returns the version of the linked library, for example "0.1.0".
func Version() string { return C.GoString(C.lmada_version()) }

// enter locks the handle for one operation, which may be several calls of the library. leave unlocks it.
func (o *Optimizer[T]) enter(op string) error {
	if err := o.lock(op); err != nil {
		return err
	}
	enterLibrary()
	return nil
}

func (o *Optimizer[T]) leave() {
	leaveLibrary()
	o.unlock()
}

// lock locks the handle, without entering the library.
func (o *Optimizer[T]) lock(op string) error {
	if o == nil {
		return ErrClosed
	}
	if !o.mu.TryLock() {
		return &Error{Op: op, Status: ErrBusy, Message: "another goroutine is inside a call on this optimizer"}
	}
	if o.handle == nil {
		o.mu.Unlock()
		return ErrClosed
	}
	return nil
}

func (o *Optimizer[T]) unlock() {
	o.mu.Unlock()
	runtime.KeepAlive(o)
}

// failure returns the error for a status that the library has just returned on this OS thread, nil for LMADA_OK.
func failure(op string, status C.lmada_status_t) error {
	if status == C.LMADA_OK {
		return nil
	}
	return &Error{Op: op, Status: Status(status), Message: C.GoString(C.lmada_last_error())}
}

func invalid(op, format string, args ...any) error {
	return &Error{Op: op, Status: ErrInvalidArgument, Message: fmt.Sprintf(format, args...)}
}

func mismatch(op, format string, args ...any) error {
	return &Error{Op: op, Status: ErrDimensionMismatch, Message: fmt.Sprintf(format, args...)}
}
