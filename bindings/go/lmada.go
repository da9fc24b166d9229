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
// It is a thin layer over the C library of the same name, whose header documents every operation and option in full. A
// call that fails changed nothing. Slices are handed to the library as they lie, without copying, and are used during
// the call only.
//
// Different optimizers may be used from different goroutines at once. On one optimizer the second call at a time
// returns [ErrBusy]; [Optimizer.Close] waits for the call under way instead.
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

// Optimizer holds the stored gradients and everything else that a run needs. It must not be copied.
type Optimizer[T Float] struct {
	mu     sync.Mutex // held during a call
	handle *C.lmada_t // nil when closed
	dim    int
	blocks int
	lists  lists[T] // scratch of StepTensors
}

// slots limits how many goroutines are inside the library at once. Each call holds an OS thread, and Go ends a program
// that has 10,000 threads. A call only computes, so more calls at once would not finish sooner. (A call that waits for
// the caller's reader or writer gives its slot back meanwhile.)
var slots = make(chan struct{}, 64+2*runtime.NumCPU())

// enterLibrary waits for a slot and locks the goroutine to its OS thread: the library keeps the message of the last
// failure per thread.
func enterLibrary() {
	slots <- struct{}{}
	runtime.LockOSThread()
}

func leaveLibrary() {
	runtime.UnlockOSThread()
	<-slots
}

// New makes an optimizer for dim parameters. All memory that its steps need is reserved here. Close releases it.
func New[T Float](dim int, opts ...Option) (*Optimizer[T], error) {
	const op = "New"
	if dim < 0 {
		return nil, invalid(op, "dim is %d: expected at least 1", dim)
	}
	return create[T](op, dim, 1, opts, func(config *C.lmada_config_t, out **C.lmada_t) C.lmada_status_t {
		return C.lmada_create(config, C.size_t(dim), out)
	})
}

// NewBlocks makes an optimizer whose parameters fall into blocks of the lengths dims, one after the other. Each block
// has a preconditioner of its own, as if it were a model of its own.
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
	// A net for optimizers that nobody closed. The collector does not know how much memory hangs on a handle.
	runtime.SetFinalizer(o, (*Optimizer[T]).Close)
	return o
}

// Close releases the optimizer's memory. It waits for a call under way in another goroutine. Closing again, or closing
// nil, does nothing. The error is always nil; it is there for [io.Closer].
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

// Step takes grads into the window and moves params against the preconditioned direction. It is all or nothing. The
// slices may not overlap.
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

// Direction steps the state but writes the direction to out instead of moving parameters: what Step would multiply by
// the learning rate and subtract, without learning rate and weight decay.
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

// Reset goes back to before the first step. Options and learning rate stay.
func (o *Optimizer[T]) Reset() error {
	const op = "Reset"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_reset(o.handle))
}

// SetLR sets the learning rate of the steps to come.
func (o *Optimizer[T]) SetLR(lr float64) error {
	const op = "SetLR"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_set_lr(o.handle, C.double(lr)))
}

// Version returns the version of the library that is linked, as "0.1.0".
func Version() string { return C.GoString(C.lmada_version()) }

// enter takes the handle for one operation, which may be several calls of the library; leave gives it back.
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

// lock takes the handle, without entering the library.
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

// failure is the error to a status that the library just returned on this OS thread; nil where it is none.
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
