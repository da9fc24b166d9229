package lmada

// #include <lmada.h>
import "C"

import (
	"runtime"
	"unsafe"
)

// The C functions exist for two element types. This file passes pointers as *C.float and *C.double, never as
// unsafe.Pointer. cgo then knows that the memory has no pointers, and checks nothing, whatever the slice is part of.

func single[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == unsafe.Sizeof(float32(0))
}

// first returns the address of the first element, nil for an empty slice.
func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

func floats[T Float](s []T) *C.float   { return (*C.float)(unsafe.Pointer(first(s))) }
func doubles[T Float](s []T) *C.double { return (*C.double)(unsafe.Pointer(first(s))) }

func step[T Float](handle *C.lmada_t, params, grads []T) (status C.lmada_status_t) {
	if single[T]() {
		status = C.lmada_step(handle, floats(params), floats(grads), C.size_t(len(grads)))
	} else {
		status = C.lmada_step_f64(handle, doubles(params), doubles(grads), C.size_t(len(grads)))
	}
	runtime.KeepAlive(params)
	runtime.KeepAlive(grads)
	return status
}

func direction[T Float](handle *C.lmada_t, out, grads []T) (status C.lmada_status_t) {
	if single[T]() {
		status = C.lmada_direction(handle, floats(out), floats(grads), C.size_t(len(grads)))
	} else {
		status = C.lmada_direction_f64(handle, doubles(out), doubles(grads), C.size_t(len(grads)))
	}
	runtime.KeepAlive(out)
	runtime.KeepAlive(grads)
	return status
}

func feed[T Float](handle *C.lmada_t, offset int, grads []T) (status C.lmada_status_t) {
	if single[T]() {
		status = C.lmada_feed(handle, C.size_t(offset), floats(grads), C.size_t(len(grads)))
	} else {
		status = C.lmada_feed_f64(handle, C.size_t(offset), doubles(grads), C.size_t(len(grads)))
	}
	runtime.KeepAlive(grads)
	return status
}

func apply[T Float](handle *C.lmada_t, offset int, params, grads []T) (status C.lmada_status_t) {
	at, length := C.size_t(offset), C.size_t(len(grads))
	if single[T]() {
		status = C.lmada_apply(handle, at, floats(params), floats(grads), length)
	} else {
		status = C.lmada_apply_f64(handle, at, doubles(params), doubles(grads), length)
	}
	runtime.KeepAlive(params)
	runtime.KeepAlive(grads)
	return status
}

func applyDirection[T Float](handle *C.lmada_t, offset int, out, grads []T) (status C.lmada_status_t) {
	at, length := C.size_t(offset), C.size_t(len(grads))
	if single[T]() {
		status = C.lmada_apply_direction(handle, at, floats(out), floats(grads), length)
	} else {
		status = C.lmada_apply_direction_f64(handle, at, doubles(out), doubles(grads), length)
	}
	runtime.KeepAlive(out)
	runtime.KeepAlive(grads)
	return status
}
