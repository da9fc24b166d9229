package lmada

// #include <stddef.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// What C calls stands in a file of its own: cgo copies the C text above it, which may only declare.

// lmadaGoPiece hands a piece of a state to the goroutine that wants it, and returns what that makes of it. The slot is
// free meanwhile: the goroutine may wait for others, which may use the library.
//
//export lmadaGoPiece
func lmadaGoPiece(context, bytes unsafe.Pointer, length C.size_t) C.int {
	s := (*cgo.Handle)(context).Value().(*streaming)
	<-slots
	s.pieces <- unsafe.Slice((*byte)(bytes), int(length))
	stop := <-s.stop
	slots <- struct{}{}
	if stop {
		return 1
	}
	return 0
}
