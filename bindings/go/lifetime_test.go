package lmada

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var _ io.Closer = (*Optimizer[float32])(nil)

func TestCloseIsIdempotent(t *testing.T) {
	opt := newT[float32](t, 2)
	must(t, opt.Close())
	must(t, opt.Close())
	must(t, (*Optimizer[float64])(nil).Close())
	must(t, new(Optimizer[float64]).Close())
}

func TestClosedOptimizersSaySo(t *testing.T) {
	closed := newT[float32](t, 2)
	must(t, closed.Begin())
	must(t, closed.Close())
	a, b := []float32{1, 1}, []float32{3, 4}
	for name, opt := range map[string]*Optimizer[float32]{"closed": closed, "zero": new(Optimizer[float32]), "nil": nil} {
		_, stats := opt.Stats()
		_, save := opt.Save()
		_, config := opt.Config()
		_, write := opt.WriteTo(io.Discard)
		halves := []uint16{1, 1}
		for method, err := range map[string]error{
			"Step": opt.Step(a, b), "StepTensors": opt.StepTensors([][]float32{a}, [][]float32{b}),
			"Direction": opt.Direction(a, b), "Reset": opt.Reset(), "SetLR": opt.SetLR(1), "Begin": opt.Begin(),
			"Feed": opt.Feed(0, b), "Solve": opt.Solve(), "Apply": opt.Apply(0, a, b), "End": opt.End(),
			"ReducePartials": opt.ReducePartials(func([]float64) error { return nil }), "Cancel": opt.Cancel(),
			"Load": opt.Load([]byte{1}), "LoadShares": opt.LoadShares([]int{0}, [][]byte{{1}}),
			"Config": config, "Set": opt.Set(), "SetGradScale": opt.SetGradScale(1), "SetGroups": opt.SetGroups(nil),
			"AveragedParams": opt.AveragedParams(a), "Observe": opt.Observe(b), "Precondition": opt.Precondition(a, b),
			"StepBF16": opt.StepBF16(a, nil, halves), "FeedBF16": opt.FeedBF16(0, halves),
			"ApplyBF16": opt.ApplyBF16(0, a, nil, halves), "WriteTo": write,
			"ApplyDirection": opt.ApplyDirection(0, a, b), "Stats": stats, "Save": save,
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s of a %s optimizer: %v", method, name, err)
			}
		}
	}
	equal(t, "params", a, []float32{1, 1})
}

func TestASecondCallAtOnceIsBusy(t *testing.T) {
	opt := newT[float32](t, 2)
	params, grads := []float32{1, 1}, []float32{3, 4}
	must(t, opt.enter("Step")) // as another goroutine does
	refused(t, opt.Step(params, grads), "Step", ErrBusy, "another goroutine")
	refused(t, opt.StepTensors([][]float32{params}, [][]float32{grads}), "StepTensors", ErrBusy, "another goroutine")
	closed := make(chan error)
	go func() { closed <- opt.Close() }()
	select {
	case <-closed:
		t.Fatal("Close did not wait for the call under way")
	case <-time.After(20 * time.Millisecond):
	}
	opt.leave()
	must(t, <-closed)
	if err := opt.Step(params, grads); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	equal(t, "params", params, []float32{1, 1})
}

// Many goroutines use one optimizer: every step completes or is refused as busy, and closing meanwhile is safe.
func TestOneOptimizerFromManyGoroutines(t *testing.T) {
	const dim, goroutines, tries = 2000, 8, 50
	opt := newT[float32](t, dim)
	taken := make([]uint64, goroutines)
	run := func(check func(g int, err error)) {
		var wg sync.WaitGroup
		for g := 0; g < goroutines; g++ {
			wg.Add(1)
			go func(g int) {
				defer wg.Done()
				params, grads := make([]float32, dim), make([]float32, dim)
				grads[g] = 1
				for i := 0; i < tries; i++ {
					if i%2 == 0 {
						check(g, opt.Step(params, grads))
					} else {
						check(g, opt.StepTensors([][]float32{params[:99], params[99:]}, [][]float32{grads[:99], grads[99:]}))
					}
				}
			}(g)
		}
		wg.Wait()
	}
	run(func(g int, err error) {
		if err == nil {
			taken[g]++
		} else if !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	})
	total := uint64(0)
	for _, n := range taken {
		total += n
	}
	if s := stats(t, opt); s.Steps != total || total == 0 {
		t.Errorf("%d steps succeeded, the optimizer counts %d", total, s.Steps)
	}
	run(func(g int, err error) {
		if g == 0 {
			opt.Close()
		}
		if err != nil && !errors.Is(err, ErrBusy) && err != ErrClosed {
			t.Error(err)
		}
	})
}

// The library keeps one message for each OS thread. A goroutine gets the message of its own call.
func TestMessagesBelongToTheirCall(t *testing.T) {
	var wg sync.WaitGroup
	for g := 1; g <= 16; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < 200; i++ {
				_, err := New[float64](2, WithEps(float64(-g)))
				if want := fmt.Sprintf("config.eps is -%d.0:", g); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
					return
				}
			}
		}(g)
	}
	wg.Wait()
}

// A slice may be a part of memory with Go pointers. The library sees only the numbers.
func TestSlicesInsideStructsWithPointers(t *testing.T) {
	type layer struct {
		name    *string
		weights [3]float32
		grads   [3]float32
		state   [4096]byte
		next    *layer
	}
	name := "dense"
	l := &layer{name: &name, weights: [3]float32{1, 1, 1}, grads: [3]float32{1, 2, 2}, next: new(layer)}
	opt := newT[float32](t, 3)
	must(t, opt.Step(l.weights[:], l.grads[:]))
	must(t, opt.StepTensors([][]float32{l.weights[:1], l.weights[1:]}, [][]float32{l.grads[:1], l.grads[1:]}))
	must(t, opt.Direction(l.weights[:], l.grads[:]))
	state, err := opt.Save()
	must(t, err)
	must(t, opt.Load(l.state[:copy(l.state[:], state)]))
	if *l.name != "dense" {
		t.Error("the neighbours were touched")
	}
}

// Go's allocations in a step do not grow with the model: cgo boxes only the handle.
func TestStepsCopyNothing(t *testing.T) {
	const dim, steps = 1 << 20, 10
	opt := newT[float32](t, dim)
	params, grads, state := make([]float32, dim), make([]float32, dim), make([]byte, 0)
	grads[0] = 1
	tensors, gradients := [][]float32{params[:10], params[10:]}, [][]float32{grads[:10], grads[10:]}
	for name, f := range map[string]func() error{
		"Step":        func() error { return opt.Step(params, grads) },
		"StepTensors": func() error { return opt.StepTensors(tensors, gradients) },
		"Direction":   func() error { return opt.Direction(params, grads) },
		"Load":        func() error { return opt.Load(state) },
	} {
		if name == "Load" {
			var err error
			state, err = opt.Save()
			must(t, err)
		}
		must(t, f())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := 0; i < steps; i++ {
			must(t, f())
		}
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / steps; bytes > 1024 {
			t.Errorf("%s allocates %d bytes", name, bytes)
		}
	}
}
