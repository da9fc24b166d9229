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

// WriteTo writes the state to w, the same bytes as Save, without a second copy of it. An error of w is wrapped in an
// [ErrCallback]; w then has part of a state, which is none. Meanwhile the optimizer is busy, for w too. It is an
// [io.WriterTo].
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

// NewFromState makes the optimizer whose state r gives, as Save or WriteTo wrote it: with its options, blocks, groups
// and learning rate. It goes on with the same bits. No byte behind the state is read. An error of r is wrapped in an
// [ErrCallback]: [io.ErrUnexpectedEOF] where the state is cut short, [io.EOF] where there is none.
func NewFromState[T Float](r io.Reader) (*Optimizer[T], error) {
	const op = "NewFromState"
	var handle *C.lmada_t
	var form form
	err := stream(op, func(context unsafe.Pointer) C.lmada_status_t {
		return C.lmadaGoCreateFromState(context, &handle)
	}, func(piece []byte) error {
		_, err := io.ReadFull(r, piece)
		if err == io.EOF && form.begun {
			err = io.ErrUnexpectedEOF
		}
		form.take(piece)
		return err
	})
	if err != nil {
		return nil, err
	}
	o := owner[T](handle, 0, 0)
	if err := o.adopt(op, &form); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// adopt refuses a handle of the other element type, and a form whose lengths this package does not find.
func (o *Optimizer[T]) adopt(op string, form *form) error {
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	var config C.lmada_config_t
	if err := failure(op, getConfig(o.handle, &config)); err != nil {
		return err
	}
	if (config.dtype == C.LMADA_F32) != single[T]() {
		return invalid(op, "the state is of an optimizer of the other element type")
	}
	dims, ok := form.dims()
	if !ok {
		return &Error{Op: op, Status: ErrBadState, Message: "this package does not know the form of the state"}
	}
	o.blocks = len(dims)
	for _, dim := range dims {
		o.dim += dim
	}
	return nil
}

// streaming is one call of the library whose callback hands pieces to another goroutine.
type streaming struct {
	pieces chan []byte // closed once the library has returned
	stop   chan bool   // answers each piece
}

// stream runs a call of the library, which hands pieces of a state to use. The call has a goroutine of its own, so that
// no frame of the library lies below use: use may panic, or end its goroutine. The library then stops before stream
// goes on.
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
	waiting := false // the library, for an answer
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

// form collects the beginning of a state, where the lengths of the blocks stand: magic (8 bytes), version (4), number
// of options (4), options (8 each), steps, averaged steps, number of blocks, number of groups (8 each), checksum (4),
// lengths (8 each). The library has checked them by the time that dims is called.
type form struct {
	begun bool
	bytes []byte
}

const (
	formVersion  = 3
	formPrelude  = 16
	formBlocksAt = 16 // after the options
	formCounts   = 36 // bytes after the options, before the lengths
)

// take keeps of a piece what may belong to the beginning.
func (f *form) take(piece []byte) {
	f.begun = true
	for missing := f.size() - len(f.bytes); missing > 0 && len(piece) > 0; missing = f.size() - len(f.bytes) {
		if missing > len(piece) {
			missing = len(piece)
		}
		f.bytes, piece = append(f.bytes, piece[:missing]...), piece[missing:]
	}
}

// counts is where the options end.
func (f *form) counts() int { return formPrelude + 8*int(binary.LittleEndian.Uint32(f.bytes[12:])) }

// size is how many bytes the beginning has, as far as those taken tell.
func (f *form) size() int {
	if len(f.bytes) < formPrelude {
		return formPrelude
	}
	if head := f.counts() + formCounts; len(f.bytes) < head {
		return head
	}
	return f.counts() + formCounts + 8*f.blocks()
}

func (f *form) blocks() int {
	return int(binary.LittleEndian.Uint64(f.bytes[f.counts()+formBlocksAt:]))
}

// dims returns the lengths of the blocks.
func (f *form) dims() ([]int, bool) {
	if len(f.bytes) < f.size() || binary.LittleEndian.Uint32(f.bytes[8:]) != formVersion {
		return nil, false
	}
	dims := make([]int, f.blocks())
	for i := range dims {
		dims[i] = int(binary.LittleEndian.Uint64(f.bytes[f.counts()+formCounts+8*i:]))
	}
	return dims, true
}
