package lmada

// #include <lmada.h>
import "C"

import "errors"

// Status is the kind of a failure. The constants are errors: errors.Is(err, lmada.ErrNonFinite) asks for a kind.
type Status int32

const (
	// ErrNullPointer: a pointer that has to point at something is NULL.
	ErrNullPointer Status = C.LMADA_ERROR_NULL_POINTER
	// ErrInvalidArgument: a value out of range, slices that overlap, and the like.
	ErrInvalidArgument Status = C.LMADA_ERROR_INVALID_ARGUMENT
	// ErrDimensionMismatch: a length that does not fit the optimizer.
	ErrDimensionMismatch Status = C.LMADA_ERROR_DIMENSION_MISMATCH
	// ErrNonFinite: a NaN or an infinity in the gradient, or a step whose result would not be finite. The step was
	// refused whole; the next good gradient steps on.
	ErrNonFinite Status = C.LMADA_ERROR_NON_FINITE
	// ErrOutOfMemory: memory could not be had.
	ErrOutOfMemory Status = C.LMADA_ERROR_OUT_OF_MEMORY
	// ErrBusy: another goroutine is inside a call on the same optimizer.
	ErrBusy Status = C.LMADA_ERROR_BUSY
	// ErrWrongPhase: the call does not belong at this point of a step in phases.
	ErrWrongPhase Status = C.LMADA_ERROR_WRONG_PHASE
	// ErrBadState: a saved state is damaged, truncated, or none of this library.
	ErrBadState Status = C.LMADA_ERROR_BAD_STATE
	// ErrInternal: a defect of the library.
	ErrInternal Status = C.LMADA_ERROR_INTERNAL
	// ErrCallback: the caller's reader or writer failed.
	ErrCallback Status = C.LMADA_ERROR_CALLBACK
)

// Error returns the library's name of the status, as "LMADA_ERROR_NON_FINITE".
func (s Status) Error() string { return C.GoString(C.lmada_status_string(C.lmada_status_t(s))) }

// Error is a failed call, as every function of this package returns it. It changed nothing.
type Error struct {
	Op      string // the function or method, as "Step"
	Status  Status // the kind of failure
	Message string // which argument was wrong, and what it was
	Err     error  // the error of the caller's own reader or writer, with ErrCallback
}

// Error returns the message, led by the operation.
func (e *Error) Error() string { return "lmada: " + e.Op + ": " + e.Message }

// Unwrap returns the caller's own error where there is one, else the status.
func (e *Error) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.Status
}

// Is tells whether target is the status: also where Unwrap leads to the caller's own error.
func (e *Error) Is(target error) bool { return target == e.Status }

// ErrClosed is returned, as it is, by every method of an optimizer that was closed, is nil, or was not made by New,
// NewBlocks or NewFromState.
var ErrClosed = errors.New("lmada: the optimizer is closed")
