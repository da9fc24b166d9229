package lmada

// #include <lmada.h>
import "C"

import "errors"

// Status is the kind of a failure. The constants are errors: errors.Is(err, lmada.ErrNonFinite) tests for a kind.
type Status int32

const (
	// ErrNullPointer: a pointer that must not be NULL is NULL.
	ErrNullPointer Status = C.LMADA_ERROR_NULL_POINTER
	// ErrInvalidArgument: a value out of range, or slices that overlap.
	ErrInvalidArgument Status = C.LMADA_ERROR_INVALID_ARGUMENT
	// ErrDimensionMismatch: a length that does not fit the optimizer.
	ErrDimensionMismatch Status = C.LMADA_ERROR_DIMENSION_MISMATCH
	// ErrNonFinite: a NaN or an infinity in the gradient, or a step whose result would not be finite. The step changed
	// nothing. The next finite gradient steps as usual.
	ErrNonFinite Status = C.LMADA_ERROR_NON_FINITE
	// ErrOutOfMemory: there is not enough memory.
	ErrOutOfMemory Status = C.LMADA_ERROR_OUT_OF_MEMORY
	// ErrBusy: another goroutine is inside a call on the same optimizer.
	ErrBusy Status = C.LMADA_ERROR_BUSY
	// ErrWrongPhase: the call is not allowed at this point of a step in phases.
	ErrWrongPhase Status = C.LMADA_ERROR_WRONG_PHASE
	// ErrBadState: a saved state is damaged, truncated, or not a state of this library.
	ErrBadState Status = C.LMADA_ERROR_BAD_STATE
	// ErrInternal: a defect of the library.
	ErrInternal Status = C.LMADA_ERROR_INTERNAL
	// ErrCallback: the caller's reader or writer failed.
	ErrCallback Status = C.LMADA_ERROR_CALLBACK
)

// Error returns the library's name of the status, for example "LMADA_ERROR_NON_FINITE".
func (s Status) Error() string { return C.GoString(C.lmada_status_string(C.lmada_status_t(s))) }

// Error is the error of a failed call. All functions of this package return it. The call changed nothing.
type Error struct {
	Op      string // the function or method, for example "Step"
	Status  Status // the kind of failure
	Message string // names the argument and its value
	Err     error  // with ErrCallback, the error of the caller's reader or writer
}

// Error returns the operation and the message.
func (e *Error) Error() string { return "lmada: " + e.Op + ": " + e.Message }

// Unwrap returns the error of the caller's reader or writer if there is one, otherwise the status.
func (e *Error) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.Status
}

// Is reports whether target is the status, even if Unwrap returns the caller's error.
func (e *Error) Is(target error) bool { return target == e.Status }

// ErrClosed is the error, not wrapped, of every method of an optimizer that is closed, is nil, or was not made by New,
// NewBlocks or NewFromState.
var ErrClosed = errors.New("lmada: the optimizer is closed")
