package lmada

/*
#include <lmada.h>

int lmadaGoPiece(void *context, void *bytes, size_t length);

static int lmadaGoWrite(void *context, const void *bytes, size_t length)
{
	return lmadaGoPiece(context, (void *)bytes, length);
}

static lmada_status_t lmadaGoStateWrite(const lmada_t *opt, void *context)
{
	return lmada_state_write(opt, lmadaGoWrite, context);
}

static lmada_status_t lmadaGoCreateFromState(void *context, lmada_t **out)
{
	return lmada_create_from_state(lmadaGoPiece, context, out);
}
*/
import "C"

import (
	"encoding/binary"
	"io"
	"runtime/cgo"
	"unsafe"
)

// WriteTo writes the state to w, with the bytes of Save, without a second copy. WriteTo wraps an error of w in an
// [ErrCallback]; w then has an incomplete state. During WriteTo the optimizer is busy, also for calls from w. WriteTo
// implements [io.WriterTo].
func (o *Optimizer[T]) WriteTo(w io.Writer) (written int64, err error) {
	const op = "WriteTo"
	if err := o.lock(op); err != nil {
		return 0, err
	}
	defer o.unlock()
	err = stream(op, func(context unsafe.Pointer) C.lmada_status_t {
		return C.lmadaGoStateWrite(o.handle, context)
	}, func(piece []byte) error {
		n, err := w.Write(piece)
		written += int64(n)
		if err == nil && n < len(piece) {
			err = io.ErrShortWrite
		}
		return err
	})
	return written, err
}

// NewFromState makes an optimizer from a state that Save or WriteTo wrote, with the options, blocks, groups and
// learning rate of the state. The optimizer continues with the same bits. NewFromState reads no byte after the state.
// It wraps an error of r in an [ErrCallback]: [io.ErrUnexpectedEOF] if the state is cut short, [io.EOF] if there is no
// state.
func NewFromState[T Float](r io.Reader) (*Optimizer[T], error) {
	const op = "NewFromState"
	var handle *C.lmada_t
	var head header
	err := stream(op, func(context unsafe.Pointer) C.lmada_status_t {
		return C.lmadaGoCreateFromState(context, &handle)
	}, func(piece []byte) error {
		_, err := io.ReadFull(r, piece)
		if err == io.EOF && head.begun {
			err = io.ErrUnexpectedEOF
		}
		head.take(piece)
		return err
	})
	if err != nil {
		return nil, err
	}
	o := owner[T](handle, 0, 0)
	if err := o.adopt(op, &head); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// adopt refuses a handle of the other element type, and a state in whose header it cannot find the lengths of the
// blocks.
func (o *Optimizer[T]) adopt(op string, head *header) error {
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	var config C.lmada_config_t
	if err := failure(op, getConfig(o.handle, &config)); err != nil {
		return err
	}
	if (config.dtype == C.LMADA_F32) != single[T]() {
		found := "float32"
		if single[T]() {
			found = "float64"
		}
		return invalid(op, "the state has the element type %s: use NewFromState[%s]", found, found)
	}
	dims, ok := head.dims()
	if !ok {
		return &Error{Op: op, Status: ErrBadState, Message: "the state has a newer format than this package knows: update the package"}
	}
	o.blocks = len(dims)
	for _, dim := range dims {
		o.dim += dim
	}
	return nil
}

// streaming is one call of the library whose callback passes pieces to another goroutine.
type streaming struct {
	pieces chan []byte // closed after the library has returned
	stop   chan bool   // the answer to each piece
}

// stream runs a call of the library that passes pieces of a state to use. The call has its own goroutine, so that the
// stack of use has no frames of the library: use may panic, or end its goroutine. The library then returns before
// stream continues.
func stream(op string, call func(context unsafe.Pointer) C.lmada_status_t, use func(piece []byte) error) error {
	s := &streaming{make(chan []byte), make(chan bool)}
	handle := cgo.NewHandle(s)
	defer handle.Delete()
	var outcome error
	go func() {
		defer close(s.pieces)
		enterLibrary()
		defer leaveLibrary()
		outcome = failure(op, call(unsafe.Pointer(&handle)))
	}()
	waiting := false // whether the library waits for an answer
	defer func() {
		if waiting {
			s.stop <- true
			for range s.pieces {
			}
		}
	}()
	var failed error
	for piece := range s.pieces {
		waiting = true
		failed = use(piece)
		waiting = false
		s.stop <- failed != nil
	}
	if failed != nil {
		return &Error{Op: op, Status: ErrCallback, Message: failed.Error(), Err: failed}
	}
	return outcome
}

// header collects the first bytes of a state, which contain the lengths of the blocks: magic (8 bytes), version (4),
// number of options (4), options (8 each), steps, averaged steps, number of blocks, number of groups (8 each), checksum
// (4), lengths (8 each). The library has checked these bytes before dims is called.
type header struct {
	begun bool
	bytes []byte
}

const (
	headerVersion  = 3
	headerPrelude  = 16
	headerBlocksAt = 16 // after the options
	headerCounts   = 36 // bytes after the options, before the lengths
)

// take keeps the bytes of a piece that belong to the header.
func (h *header) take(piece []byte) {
	h.begun = true
	for missing := h.size() - len(h.bytes); missing > 0 && len(piece) > 0; missing = h.size() - len(h.bytes) {
		if missing > len(piece) {
			missing = len(piece)
		}
		h.bytes, piece = append(h.bytes, piece[:missing]...), piece[missing:]
	}
}

// counts returns the position after the options.
func (h *header) counts() int { return headerPrelude + 8*int(binary.LittleEndian.Uint32(h.bytes[12:])) }

// size returns the length of the header in bytes, as far as the bytes taken determine it.
func (h *header) size() int {
	if len(h.bytes) < headerPrelude {
		return headerPrelude
	}
	if head := h.counts() + headerCounts; len(h.bytes) < head {
		return head
	}
	return h.counts() + headerCounts + 8*h.blocks()
}

func (h *header) blocks() int {
	return int(binary.LittleEndian.Uint64(h.bytes[h.counts()+headerBlocksAt:]))
}

// dims returns the lengths of the blocks.
func (h *header) dims() ([]int, bool) {
	if len(h.bytes) < h.size() || binary.LittleEndian.Uint32(h.bytes[8:]) != headerVersion {
		return nil, false
	}
	dims := make([]int, h.blocks())
	for i := range dims {
		dims[i] = int(binary.LittleEndian.Uint64(h.bytes[h.counts()+headerCounts+8*i:]))
	}
	return dims, true
}
