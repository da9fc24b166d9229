package lmada_test

import (
	"errors"
	"math"
	"math/rand"
	"os"
	"strings"
	"sync"
	"testing"

	"lmada"
)

// onAll runs work on this number of processes (goroutines) and returns their errors.
func onAll(size int, work func(rank int, sum func([]float64) error) error) []error {
	m, errs := newMeeting(size), make([]error, size)
	var all sync.WaitGroup
	for rank := 0; rank < size; rank++ {
		all.Add(1)
		go func(rank int) {
			defer all.Done()
			errs[rank] = work(rank, m.sum(rank))
		}(rank)
	}
	all.Wait()
	return errs
}

func newShare(t *testing.T, share int, options ...lmada.Option) *lmada.Optimizer[float32] {
	t.Helper()
	opt, err := lmada.NewBlocks[float32]([]int{share}, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opt.Close() })
	return opt
}

func normal(r *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return values
}

// split cuts x into parts of these lengths.
func split(x []float32, lengths []int) [][]float32 {
	parts := make([][]float32, len(lengths))
	for i, length := range lengths {
		parts[i], x = x[:length], x[length:]
	}
	return parts
}

func close32(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-6) {
			t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// Three processes resume as two. The result is that of one optimizer over the complete model.
func TestProcessesStepAsOne(t *testing.T) {
	options := []lmada.Option{lmada.WithHistorySize(6), lmada.WithMomentumKind(lmada.MomentumGradient),
		lmada.WithClipKind(lmada.ClipEMAVector)}
	before, after := []int{17, 0, 23}, []int{29, 11}
	r := rand.New(rand.NewSource(1))
	params := normal(r, 40)
	want := append([]float32{}, params...)
	var gradients [][]float32
	whole := newShare(t, 40, options...)
	for i := 0; i < 16; i++ {
		gradients = append(gradients, normal(r, 40))
		if err := whole.Step(want, gradients[i]); err != nil {
			t.Fatal(err)
		}
	}

	run := func(shares []int, steps [][]float32, opts []*lmada.Optimizer[float32]) {
		own := split(params, shares)
		for rank, err := range onAll(len(shares), func(rank int, sum func([]float64) error) error {
			for _, g := range steps {
				if err := together(opts[rank], own[rank], split(g, shares)[rank], sum); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Fatalf("process %d: %v", rank, err)
			}
		}
	}

	var opts []*lmada.Optimizer[float32]
	for _, share := range before {
		opts = append(opts, newShare(t, share, options...))
	}
	run(before, gradients[:9], opts)

	var states [][]byte
	for _, opt := range opts {
		state, err := opt.Save()
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, state)
	}
	opts = nil
	first := 0
	for _, share := range after {
		opt := newShare(t, share, options...)
		if err := opt.LoadShares([]int{first}, states); err != nil {
			t.Fatal(err)
		}
		opts = append(opts, opt)
		first += share
	}
	run(after, gradients[9:], opts)
	close32(t, params, want)
}

// Any failure on one process is refused on all and changes nothing. The next step works.
func TestAFailureReachesAllProcesses(t *testing.T) {
	shares := []int{3, 4, 2}
	good := func(rank int) ([]float32, []float32) {
		return make([]float32, shares[rank]), []float32{1, 2, 3, 4}[:shares[rank]]
	}
	for name, test := range map[string]struct {
		spoil func(params, grads []float32) ([]float32, []float32)
		want  error // on the processes that did not fail
	}{
		"NaN": {func(params, grads []float32) ([]float32, []float32) {
			return params, []float32{1, float32(math.NaN()), 3, 4}
		}, lmada.ErrNonFinite},
		"short": {func(params, grads []float32) ([]float32, []float32) { return params[1:], grads[1:] }, errElsewhere},
		"long":  {func(params, grads []float32) ([]float32, []float32) { return params, make([]float32, 5) }, errElsewhere},
	} {
		for rank, err := range onAll(len(shares), func(rank int, sum func([]float64) error) error {
			opt := newShare(t, shares[rank])
			params, grads := good(rank)
			given, gradient := params, grads
			if rank == 1 {
				given, gradient = test.spoil(params, grads)
			}
			refused := together(opt, given, gradient, sum)
			if s, err := opt.Stats(); err != nil || s.Steps != 0 {
				t.Errorf("%s: stats: %+v, %v", name, s, err)
			}
			for _, value := range params {
				if value != 0 {
					t.Errorf("%s: params of process %d: %v", name, rank, params)
				}
			}
			if err := together(opt, params, grads, sum); err != nil {
				t.Errorf("%s: the next step: %v", name, err)
			}
			return refused
		}) {
			if err == nil || rank != 1 && !errors.Is(err, test.want) {
				t.Errorf("%s: process %d: %v", name, rank, err)
			}
		}
	}
}

// The README shows the function `together` that this test runs.
func TestTheReadmeStepsTogetherAsTheExampleDoes(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_processes_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, function, _ := strings.Cut(string(example), "func together(")
	function, _, found := strings.Cut(function, "\n}\n")
	if !found || !strings.Contains(string(readme), "func together("+function+"\n}\n") {
		t.Error("the README has another function `together`")
	}
}
