package lmada

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"testing"
)

func newT[T Float](t testing.TB, dim int, opts ...Option) *Optimizer[T] {
	t.Helper()
	opt, err := New[T](dim, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opt.Close() })
	return opt
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func random[T Float](r *rand.Rand, n int) []T {
	values := make([]T, n)
	for i := range values {
		values[i] = T(r.NormFloat64())
	}
	return values
}

func near[T Float](t testing.TB, what string, got, want []T, most float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= most) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func equal[T Float](t testing.TB, what string, got, want []T) {
	t.Helper()
	near(t, what, got, want, 0)
}

func stats[T Float](t testing.TB, opt *Optimizer[T]) Stats {
	t.Helper()
	s, err := opt.Stats()
	must(t, err)
	return s
}

type (
	single32 float32 // named types work too
	double64 float64
)

// everyType runs f32 and f64 variants of a test as subtests.
func everyType(t *testing.T, f32, f64 func(*testing.T)) {
	t.Run("float32", f32)
	t.Run("float64", f64)
}

// The first update is g/sqrt(|g|^2 + eps): parallel to g, with a length of almost 1.
func testFirstStep[T Float](t *testing.T) {
	opt := newT[T](t, 3, WithLR(0.5), WithEps(0.25))
	if opt.Dim() != 3 {
		t.Fatalf("Dim is %d", opt.Dim())
	}
	params, grads := []T{1, 2, 3}, []T{2, -1, 2}
	must(t, opt.Step(params, grads))
	scale := 0.5 / math.Sqrt(9.25)
	near(t, "params", params, []T{T(1 - 2*scale), T(2 + scale), T(3 - 2*scale)}, 1e-6)
	equal(t, "grads", grads, []T{2, -1, 2})

	s := stats(t, opt)
	if s.Steps != 1 || s.HistoryLen != 1 || s.Rank != 1 || s.Scale != 1 || s.StateBytes < 3*10*4 {
		t.Errorf("stats: %+v", s)
	}
	norms := []float64{s.GradNorm, s.UpdateNorm, s.EigMax, s.EigMin}
	near(t, "norms", norms, []float64{3, 3 / math.Sqrt(9.25), 9, 9}, 1e-6)
}

func TestFirstStepIsTheNormalisedGradient(t *testing.T) {
	everyType(t, testFirstStep[float32], testFirstStep[float64])
	t.Run("named", func(t *testing.T) {
		testFirstStep[single32](t)
		testFirstStep[double64](t)
	})
}

var busyOptions = []Option{
	WithHistorySize(5), WithLR(0.1), WithMomentumKind(MomentumGradient), WithClipKind(GraftEMANorm), WithWeightDecay(0.01),
}

// Step, StepTensors, the phases and Direction are four ways to the same parameters.
func testWaysAgree[T Float](t *testing.T) {
	const dim, cut, rounding = 300, 77, 1e-6
	whole, listed := newT[T](t, dim, busyOptions...), newT[T](t, dim, busyOptions...)
	phased, directed := newT[T](t, dim, busyOptions...), newT[T](t, dim, busyOptions...)
	pieces := newT[T](t, dim, busyOptions...)
	r := rand.New(rand.NewSource(1))
	a := random[T](r, dim)
	b, c, d := append([]T{}, a...), append([]T{}, a...), append([]T{}, a...)
	for i := 0; i < 12; i++ {
		g := random[T](r, dim)
		must(t, whole.Step(a, g))
		must(t, listed.StepTensors([][]T{b[:cut], nil, b[cut:]}, [][]T{g[:cut], {}, g[cut:]}))
		near(t, "StepTensors", b, a, rounding)

		must(t, phased.Begin())
		must(t, phased.Feed(cut, g[cut:]))
		must(t, phased.Feed(0, g[:cut]))
		must(t, phased.Solve())
		must(t, phased.Apply(0, c, g))
		must(t, phased.End())
		near(t, "phases", c, a, rounding)

		u := make([]T, dim)
		must(t, directed.Direction(u, g))
		for j := range d {
			d[j] = d[j]*T(1-0.1*0.01) - T(0.1)*u[j]
		}
		near(t, "Direction", d, a, 2*rounding)

		v := make([]T, dim)
		must(t, pieces.Begin())
		must(t, pieces.Feed(0, g))
		must(t, pieces.Solve())
		must(t, pieces.ApplyDirection(cut, v[cut:], g[cut:]))
		must(t, pieces.ApplyDirection(0, v[:cut], g[:cut]))
		must(t, pieces.End())
		equal(t, "ApplyDirection", v, u)
	}
	if s := stats(t, listed); s.Steps != 12 || s.HistoryLen != 5 {
		t.Errorf("stats: %+v", s)
	}
}

func TestAllWaysToStepAgree(t *testing.T) {
	everyType(t, testWaysAgree[float32], testWaysAgree[float64])
}

func TestBlocksAreSeparateModels(t *testing.T) {
	blocks, err := NewBlocks[float64]([]int{2, 0, 3})
	must(t, err)
	defer blocks.Close()
	if blocks.Dim() != 5 {
		t.Fatalf("Dim is %d", blocks.Dim())
	}
	first, second := newT[float64](t, 2), newT[float64](t, 3)
	a, b := []float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 4, 5}
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 20; i++ {
		g := random[float64](r, 5)
		must(t, blocks.Step(a, g))
		must(t, first.Step(b[:2], g[:2]))
		must(t, second.Step(b[2:], g[2:]))
	}
	equal(t, "params", a, b)
}

// Two processes have half of the parameters each. With summed partials their steps agree with those of one optimizer.
func TestPartialsAreSummedOverProcesses(t *testing.T) {
	const dim, half = 40, 20
	whole := newT[float64](t, dim, busyOptions...)
	shards := []*Optimizer[float64]{newT[float64](t, half, busyOptions...), newT[float64](t, half, busyOptions...)}
	r := rand.New(rand.NewSource(1))
	a := random[float64](r, dim)
	b := append([]float64{}, a...)
	for i := 0; i < 8; i++ {
		g := random[float64](r, dim)
		must(t, whole.Step(a, g))
		var sums []float64
		for p, shard := range shards {
			must(t, shard.Begin())
			must(t, shard.Feed(0, g[p*half:(p+1)*half]))
			must(t, shard.ReducePartials(func(partials []float64) error {
				if sums == nil {
					sums = make([]float64, len(partials))
				}
				for j, value := range partials {
					sums[j] += value
				}
				return nil
			}))
		}
		for p, shard := range shards {
			must(t, shard.ReducePartials(func(partials []float64) error {
				copy(partials, sums)
				return nil
			}))
			must(t, shard.Solve())
			must(t, shard.Apply(0, b[p*half:(p+1)*half], g[p*half:(p+1)*half]))
			must(t, shard.End())
		}
		near(t, "params", b, a, 1e-12)
	}
}

func TestAReduceThatFailsLeavesTheStep(t *testing.T) {
	opt := newT[float64](t, 2)
	params, grads := []float64{1, 1}, []float64{3, 4}
	must(t, opt.Begin())
	must(t, opt.Feed(0, grads))
	offline := errors.New("offline")
	err := opt.ReducePartials(func(partials []float64) error {
		partials[0] = math.NaN()
		return offline
	})
	if err != offline {
		t.Fatalf("got %v", err)
	}
	// During reduce the optimizer is not locked, and the slice is a copy.
	err = opt.ReducePartials(func(partials []float64) error {
		must(t, opt.Cancel())
		partials[0] = 1
		return nil
	})
	if !errors.Is(err, ErrWrongPhase) {
		t.Fatalf("got %v", err)
	}
	must(t, opt.Step(params, grads))
	near(t, "params", params, []float64{1 - 0.006, 1 - 0.008}, 1e-9)
}

func TestACancelledStepNeverWas(t *testing.T) {
	opt, undisturbed := newT[float32](t, 4), newT[float32](t, 4)
	a, b := []float32{1, 2, 3, 4}, []float32{1, 2, 3, 4}
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 3; i++ {
		must(t, opt.Begin())
		must(t, opt.Feed(0, []float32{100, 100, 100, 100}))
		must(t, opt.Solve())
		if s := stats(t, opt); s.GradNorm != 200 {
			t.Errorf("stats of the step under way: %+v", s)
		}
		must(t, opt.Cancel())
		g := random[float32](r, 4)
		must(t, opt.Step(a, g))
		must(t, undisturbed.Step(b, g))
	}
	equal(t, "params", a, b)
}

func testSavedRun[T Float](t *testing.T) {
	const dim = 50
	opt, resumed := newT[T](t, dim, busyOptions...), newT[T](t, dim, busyOptions...)
	r := rand.New(rand.NewSource(1))
	a := random[T](r, dim)
	for i := 0; i < 7; i++ {
		must(t, opt.Step(a, random[T](r, dim)))
	}
	must(t, opt.SetLR(0.03))
	state, err := opt.Save()
	must(t, err)
	must(t, resumed.Load(state))
	b := append([]T{}, a...)
	for i := 0; i < 7; i++ {
		g := random[T](r, dim)
		must(t, opt.Step(a, g))
		must(t, resumed.Step(b, g))
	}
	equal(t, "params", b, a)
	if s := stats(t, resumed); s.Steps != 14 {
		t.Errorf("stats: %+v", s)
	}
}

func TestASavedRunGoesOnWithTheSameBits(t *testing.T) {
	everyType(t, testSavedRun[float32], testSavedRun[float64])
}

func TestResetStartsAnewAndKeepsTheRate(t *testing.T) {
	opt := newT[float64](t, 2)
	params := []float64{1, 1}
	must(t, opt.Step(params, []float64{1, 0}))
	must(t, opt.SetLR(0.5))
	must(t, opt.Reset())
	if s := stats(t, opt); s.Steps != 0 || s.HistoryLen != 0 {
		t.Errorf("stats: %+v", s)
	}
	params = []float64{1, 1}
	must(t, opt.Step(params, []float64{3, 4}))
	near(t, "params", params, []float64{0.7, 0.6}, 1e-6)
}

func TestVersionIsTheLibrarys(t *testing.T) {
	var major, minor, patch int
	if n, err := fmt.Sscanf(Version(), "%d.%d.%d", &major, &minor, &patch); n != 3 {
		t.Errorf("version %q: %v", Version(), err)
	}
}

// Every format stores these gradients exactly: the first update is parallel to the gradient, with length 1.
func TestEveryFormatSteps(t *testing.T) {
	for _, format := range []HistoryFormat{HistoryFull, HistoryBF16, HistoryF16, HistoryInt8, HistorySparse} {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			opt := newT[float32](t, 4, WithHistoryFormat(format), WithDensity(1))
			params := []float32{1, 2, 3, 4}
			must(t, opt.Step(params, []float32{127, -127, 127, -127}))
			near(t, "params", params, []float32{0.995, 2.005, 2.995, 4.005}, 1e-6)
			for step := 0; step < 20; step++ {
				must(t, opt.Step(params, append([]float32(nil), params...)))
			}
			if params[3] >= 4 || stats(t, opt).Steps != 21 {
				t.Errorf("params are %v after %d steps", params, stats(t, opt).Steps)
			}
		})
	}
}
