package lmada

// #include <stddef.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// Functions that C calls are in their own file: cgo copies the C text of such a file, which may only declare.

// lmadaGoPiece passes a piece of a state to the goroutine that uses it, and returns 0 if this goroutine succeeded. It
// gives its slot back while it waits, since the goroutine may wait for others that use the library.
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
