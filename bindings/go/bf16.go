package lmada

// #include <lmada.h>
import "C"

import "unsafe"

func halves(s []uint16) *C.uint16_t { return (*C.uint16_t)(unsafe.Pointer(first(s))) }

// checkBF16 refuses slices of different lengths, and optimizers of float64. paramsBF16 may be empty.
func (o *Optimizer[T]) checkBF16(op string, params []T, paramsBF16, gradsBF16 []uint16) error {
	if len(params) != len(gradsBF16) {
		return mismatch(op, "gradsBF16 has %d elements, params has %d", len(gradsBF16), len(params))
	}
	if len(paramsBF16) != 0 && len(paramsBF16) != len(params) {
		return mismatch(op, "paramsBF16 has %d elements, params has %d", len(paramsBF16), len(params))
	}
	return checkSingle[T](op)
}

func checkSingle[T Float](op string) error {
	if !single[T]() {
		return invalid(op, "the optimizer is of float64: bfloat16 is for float32")
	}
	return nil
}

// StepBF16 is Step with the gradient in bfloat16 (the upper halves of float32 numbers). It needs a float32 optimizer.
// It writes the parameters, rounded to bfloat16, to paramsBF16, which may be nil.
func (o *Optimizer[T]) StepBF16(params []T, paramsBF16, gradsBF16 []uint16) error {
	const op = "StepBF16"
	if err := o.checkBF16(op, params, paramsBF16, gradsBF16); err != nil {
		return err
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	length := C.size_t(len(gradsBF16))
	return failure(op, C.lmada_step_bf16(o.handle, floats(params), halves(paramsBF16), halves(gradsBF16), length))
}

// FeedBF16 is Feed with the gradient in bfloat16.
func (o *Optimizer[T]) FeedBF16(offset int, gradsBF16 []uint16) error {
	const op = "FeedBF16"
	if offset < 0 {
		return invalid(op, "offset is %d: expected at least 0", offset)
	}
	if err := checkSingle[T](op); err != nil {
		return err
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_feed_bf16(o.handle, C.size_t(offset), halves(gradsBF16), C.size_t(len(gradsBF16))))
}

// ApplyBF16 is Apply with the gradient, and a copy of the parameters, in bfloat16, as in StepBF16.
func (o *Optimizer[T]) ApplyBF16(offset int, params []T, paramsBF16, gradsBF16 []uint16) error {
	const op = "ApplyBF16"
	if offset < 0 {
		return invalid(op, "offset is %d: expected at least 0", offset)
	}
	if err := o.checkBF16(op, params, paramsBF16, gradsBF16); err != nil {
		return err
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	at, length := C.size_t(offset), C.size_t(len(gradsBF16))
	return failure(op, C.lmada_apply_bf16(
		o.handle, at, floats(params), halves(paramsBF16), halves(gradsBF16), length))
}
