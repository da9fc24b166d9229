package lmada

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

var _ io.WriterTo = (*Optimizer[float32])(nil)

// streamed returns an optimizer of three blocks after some steps, its parameters and its state.
func streamed[T Float](t *testing.T) (*Optimizer[T], []T, []byte) {
	t.Helper()
	opt, err := NewBlocks[T]([]int{900, 0, 100}, append([]Option{WithAverageBeta(0.5)}, busyOptions...)...)
	must(t, err)
	t.Cleanup(func() { opt.Close() })
	r := rand.New(rand.NewSource(1))
	params := random[T](r, 1000)
	for i := 0; i < 7; i++ {
		must(t, opt.Step(params, random[T](r, 1000)))
	}
	must(t, opt.SetGroups([]Group{{Offset: 10, Len: 20}}))
	must(t, opt.SetLR(0.03))
	state, err := opt.Save()
	must(t, err)
	return opt, params, state
}

func testStream[T Float](t *testing.T) {
	opt, a, state := streamed[T](t)
	var buffer bytes.Buffer
	n, err := opt.WriteTo(&buffer)
	must(t, err)
	if n != int64(len(state)) || !bytes.Equal(buffer.Bytes(), state) {
		t.Fatalf("%d bytes were written, %d saved, or they differ", n, len(state))
	}
	// A reader that returns few bytes at a time, with more bytes after the state.
	r := io.MultiReader(iotest.HalfReader(&buffer), strings.NewReader("next"))
	resumed, err := NewFromState[T](r)
	must(t, err)
	defer resumed.Close()
	if next, err := io.ReadAll(r); err != nil || string(next) != "next" {
		t.Errorf("%q is left (%v)", next, err)
	}
	config, err := resumed.Config()
	must(t, err)
	if resumed.Dim() != 1000 || config.LR != 0.03 || config.AverageBeta != 0.5 || stats(t, resumed).Steps != 7 {
		t.Errorf("dim is %d, config %+v", resumed.Dim(), config)
	}
	b := append([]T{}, a...)
	random1 := rand.New(rand.NewSource(2))
	for i := 0; i < 7; i++ {
		g := random[T](random1, 1000)
		must(t, opt.Step(a, g))
		must(t, resumed.StepTensors([][]T{b[:77], b[77:]}, [][]T{g[:77], g[77:]}))
		near(t, "params", b, a, 1e-5)
	}
	// The optimizer knows its number of blocks.
	refused(t, resumed.LoadShares([]int{0}, [][]byte{state}), "LoadShares", ErrDimensionMismatch, "has 3 blocks")
	must(t, resumed.LoadShares([]int{0, 0, 0}, [][]byte{state}))
}

func TestAStreamIsWhatSaveSaves(t *testing.T) {
	everyType(t, testStream[float32], testStream[float64])
}

var errFull = errors.New("the disk is full")

// failing takes some bytes, then calls fail.
type failing struct {
	left int
	fail func() (int, error)
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return f.fail()
	}
	return len(p), nil
}

func TestErrorsOfReadersAndWritersComeBack(t *testing.T) {
	opt, params, state := streamed[float32](t)
	for name, fail := range map[string]func() (int, error){
		errFull.Error():          func() (int, error) { return 3, errFull },
		io.ErrShortWrite.Error(): func() (int, error) { return 3, nil },
	} {
		n, err := opt.WriteTo(&failing{left: 5000, fail: fail})
		refused(t, err, "WriteTo", ErrCallback, name)
		if n < 3 || n >= int64(len(state)) {
			t.Errorf("%d of %d bytes were written", n, len(state))
		}
	}
	_, err := opt.WriteTo(&failing{fail: func() (int, error) { return 0, errFull }})
	if !errors.Is(err, errFull) || !errors.Is(err, ErrCallback) || errors.Is(err, ErrBusy) {
		t.Errorf("%v is not what the writer said", err)
	}
	must(t, opt.Step(params, make([]float32, 1000)))

	for length, want := range map[int]error{0: io.EOF, 1: io.ErrUnexpectedEOF, len(state) - 1: io.ErrUnexpectedEOF} {
		_, err := NewFromState[float32](bytes.NewReader(state[:length]))
		if !errors.Is(err, want) || !errors.Is(err, ErrCallback) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	_, err = NewFromState[float32](iotest.ErrReader(errFull))
	if !errors.Is(err, errFull) {
		t.Errorf("%v is not what the reader said", err)
	}
	_, err = NewFromState[float64](bytes.NewReader(state))
	refused(t, err, "NewFromState", ErrInvalidArgument, "element type")
	for _, place := range []int{0, 9, 13, 40, 300, len(state) / 2, len(state) - 1} {
		damaged := append([]byte{}, state...)
		damaged[place] ^= 1
		_, err = NewFromState[float32](bytes.NewReader(damaged))
		refused(t, err, "NewFromState", ErrBadState, "state")
	}
}

// A writer may panic or end its goroutine. The optimizer and the library stay usable.
func TestWritersMayPanic(t *testing.T) {
	opt, params, _ := streamed[float32](t)
	func() {
		defer func() {
			if p := recover(); p != errFull {
				t.Errorf("recovered %v", p)
			}
		}()
		opt.WriteTo(&failing{left: 5000, fail: func() (int, error) { panic(errFull) }})
	}()
	done := make(chan bool)
	go func() {
		defer close(done)
		opt.WriteTo(&failing{left: 5000, fail: func() (int, error) { runtime.Goexit(); return 0, nil }})
		t.Error("WriteTo returned")
	}()
	<-done
	must(t, opt.Step(params, make([]float32, 1000)))
	_, err := opt.WriteTo(io.Discard)
	must(t, err)
}

// During WriteTo the optimizer is busy, other optimizers are not.
func TestWritersMayUseOtherOptimizers(t *testing.T) {
	opt, params, state := streamed[float32](t)
	other := newT[float32](t, 1000)
	_, err := opt.WriteTo(&failing{fail: func() (int, error) {
		refused(t, opt.Step(params, params), "Step", ErrBusy, "")
		must(t, other.Step(params, make([]float32, 1000)))
		return 0, errFull
	}})
	refused(t, err, "WriteTo", ErrCallback, "full")
	copied, err := NewFromState[float32](bytes.NewReader(state))
	must(t, err)
	must(t, copied.Close())
}

// There are more pipes than slots for calls. No call may wait for another that waits for it.
func TestManyPipesAtOnce(t *testing.T) {
	_, _, state := streamed[float32](t)
	var all sync.WaitGroup
	for i := 0; i < 2*cap(slots); i++ {
		opt, err := NewFromState[float32](bytes.NewReader(state))
		must(t, err)
		r, w := io.Pipe()
		all.Add(2)
		go func() {
			defer all.Done()
			defer opt.Close()
			_, err := opt.WriteTo(w)
			w.CloseWithError(err)
		}()
		go func() {
			defer all.Done()
			copied, err := NewFromState[float32](r)
			if err != nil {
				t.Error(err)
				return
			}
			copied.Close()
		}()
	}
	all.Wait()
}
