package lmada

import (
	"fmt"
	"math/rand"
	"runtime/debug"
	"sync"
	"testing"
)

// inParallel runs work in this number of goroutines at once, and returns when the last has ended.
func inParallel(t *testing.T, goroutines int, work func(g int) error) {
	t.Helper()
	var all sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		all.Add(1)
		go func(g int) {
			defer all.Done()
			if err := work(g); err != nil {
				t.Errorf("goroutine %d: %v", g, err)
			}
		}(g)
	}
	all.Wait()
}

// train takes steps of a separate run, resumes from its saved state, and returns the parameters.
func train(run, dim int, closes bool) ([]float64, error) {
	opt, err := New[float64](dim, WithHistorySize(4), WithMomentumKind(MomentumUpdate))
	if err != nil {
		return nil, err
	}
	params, grads := make([]float64, dim), make([]float64, dim)
	for i := 0; i < 8; i++ {
		grads[(i+run)%dim] = float64(1 + run)
		if i%2 == 0 {
			err = opt.Step(params, grads)
		} else {
			err = opt.StepTensors([][]float64{params[:3], params[3:]}, [][]float64{grads[:3], grads[3:]})
		}
		if err != nil {
			return nil, err
		}
	}
	state, err := opt.Save()
	if err != nil {
		return nil, err
	}
	other, err := New[float64](dim, WithHistorySize(4), WithMomentumKind(MomentumUpdate))
	if err != nil {
		return nil, err
	}
	if closes { // otherwise the collector closes it at any later time
		defer other.Close()
		opt.Close()
	}
	if err = other.LoadShares([]int{0}, [][]byte{state}); err == nil {
		err = other.Step(params, grads)
	}
	return params, err
}

// Thousands of goroutines have their own optimizers, and leave some to the garbage collector. Each run must have the
// result of a run alone.
func TestThousandsOfGoroutinesWithOptimizers(t *testing.T) {
	const goroutines, dim, runs = 2000, 48, 7
	var alone [runs][]float64
	for run := range alone {
		params, err := train(run, dim, true)
		must(t, err)
		alone[run] = params
	}
	collecting(func() {
		inParallel(t, goroutines, func(g int) error {
			params, err := train(g%runs, dim, g%3 > 0)
			for i := range params {
				if params[i] != alone[g%runs][i] {
					return fmt.Errorf("element %d is %v, want %v", i, params[i], alone[g%runs][i])
				}
			}
			return err
		})
	})
}

// Each call holds an OS thread, and Go ends a program with more threads than a limit (10,000, here fewer).
func TestCallsAtOnceAreFewerThanThreads(t *testing.T) {
	const dim, k = 10, 100
	options := []Option{WithHistorySize(k), WithCentered(true)} // a step takes long and needs little memory
	full, params := newT[float32](t, dim, options...), make([]float32, dim)
	r := rand.New(rand.NewSource(3))
	for i := 0; i < k; i++ {
		must(t, full.Step(params, random[float32](r, dim)))
	}
	state, err := full.Save()
	must(t, err)
	defer debug.SetMaxThreads(debug.SetMaxThreads(2*cap(slots) + 100))
	inParallel(t, 1000, func(int) error {
		opt, err := New[float32](dim, options...)
		if err != nil {
			return err
		}
		defer opt.Close()
		if err = opt.Load(state); err == nil {
			err = opt.Step(make([]float32, dim), make([]float32, dim))
		}
		return err
	})
}
