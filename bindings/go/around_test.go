package lmada

import (
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

var plainOptions = []Option{WithLR(0.5), WithEps(0.25)}

// firstStep returns (1, 1) after a first step with gradient factor*(3, 4). The update is g/sqrt(|g|^2 + eps).
func firstStep[T Float](factor, lr float64) []T {
	scale := lr * factor / math.Sqrt(25*factor*factor+0.25)
	return []T{T(1 - 3*scale), T(1 - 4*scale)}
}

func testOptionsInFlight[T Float](t *testing.T) {
	opt := newT[T](t, 2, plainOptions...)
	must(t, opt.SetLR(0.25))
	config, err := opt.Config()
	must(t, err)
	if config.LR != 0.25 || config.Eps != 0.25 || config.HistorySize != 10 || config.GradScale != 1 {
		t.Errorf("config: %+v", config)
	}
	must(t, opt.Set(WithLR(0.5), WithGradClipNorm(1))) // the gradient has length 5
	config, err = opt.Config()
	must(t, err)
	if config.LR != 0.5 || config.GradClipNorm != 1 || config.Eps != 0.25 {
		t.Errorf("config: %+v", config)
	}
	params := []T{1, 1}
	must(t, opt.Step(params, []T{3, 4}))
	near(t, "clipped", params, firstStep[T](0.2, 0.5), 1e-6)

	refused(t, opt.Set(WithLR(1), WithHistorySize(11)), "Set", ErrInvalidArgument, "config.history_size")
	refused(t, opt.Set(WithThreads(-1)), "Set", ErrInvalidArgument, "config.threads is -1")
	refused(t, opt.Set(WithRecommended()), "Set", ErrInvalidArgument, "config.")
	refused(t, opt.SetGradScale(-1), "SetGradScale", ErrInvalidArgument, "-1")
	if now, err := opt.Config(); err != nil || now != config {
		t.Errorf("a refused Set changed %+v to %+v (%v)", config, now, err)
	}

	scaled := newT[T](t, 2, plainOptions...)
	must(t, scaled.SetGradScale(0.1))
	params = []T{1, 1}
	must(t, scaled.Step(params, []T{3, 4}))
	near(t, "scaled", params, firstStep[T](0.1, 0.5), 1e-6)
}

func TestOptionsChangeInFlight(t *testing.T) {
	everyType(t, testOptionsInFlight[float32], testOptionsInFlight[float64])
}

// Config has every field of the library's struct, in the same order and with the same value.
func TestConfigHasEveryOption(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithRecommended()}} {
		library, err := newConfig[float32]("New", opts)
		must(t, err)
		from := reflect.ValueOf(library)
		var names []string
		want := map[string]string{}
		for i := 0; i < from.NumField(); i++ {
			name := from.Type().Field(i).Name
			if name != "_" && name != "struct_size" && name != "dtype" {
				names = append(names, strings.ReplaceAll(name, "_", ""))
				want[names[len(names)-1]] = fmt.Sprint(from.Field(i))
			}
		}
		config, err := newT[float32](t, 1, opts...).Config()
		must(t, err)
		got := reflect.ValueOf(config)
		if got.NumField() != len(names) {
			t.Fatalf("Config has %d fields, the library %d", got.NumField(), len(names))
		}
		for i, name := range names {
			field := got.Type().Field(i).Name
			if !strings.EqualFold(field, name) || fmt.Sprint(got.Field(i)) != want[name] {
				t.Errorf("%s is %v, the library's %s is %s", field, got.Field(i), name, want[name])
			}
		}
	}
}

func testGroups[T Float](t *testing.T) {
	opt := newT[T](t, 4, WithLR(0.5), WithEps(0.25), WithWeightDecay(0.1))
	must(t, opt.SetGroups([]Group{{Offset: 2, Len: 1}, {Offset: 1, Len: 1, LRScale: 0.5}}))
	params := []T{1, 1, 1, 1}
	must(t, opt.Step(params, []T{3, 4, T(math.Inf(1)), 0})) // frozen: not read
	scale := 0.5 / math.Sqrt(25.25)
	near(t, "params", params, []T{T(0.95 - 3*scale), T(1 - 2*scale), 1, 0.95}, 1e-6)
	equal(t, "frozen", params[2:3], []T{1})

	refused(t, opt.SetGroups([]Group{{3, 2, 1, 1}}), "SetGroups", ErrInvalidArgument, "groups[0]")
	refused(t, opt.SetGroups([]Group{{0, 2, 1, 1}, {1, 1, 1, 1}}), "SetGroups", ErrInvalidArgument, "groups[1]")
	refused(t, opt.SetGroups([]Group{{0, -2, 1, 1}}), "SetGroups", ErrInvalidArgument, "groups[0]")
	must(t, opt.SetGroups([]Group{{Len: 4}}))
	before := append([]T{}, params...)
	must(t, opt.Step(params, []T{1, 2, 3, 4}))
	equal(t, "all frozen", params, before)
	must(t, opt.SetGroups(nil))
	must(t, opt.Step(params, []T{1, 2, 3, 4}))
	if params[2] == before[2] {
		t.Error("it is still frozen")
	}
}

func TestGroupsHaveFactorsOfTheirOwn(t *testing.T) {
	everyType(t, testGroups[float32], testGroups[float64])
}

func TestScheduleIsItsFormula(t *testing.T) {
	for step := uint64(1); step <= 120; step++ {
		x := (float64(step) - 20) / 80
		end := 0.3
		if step > 100 {
			end = 0
		}
		want := []float64{end, end * (1 - x), end * (1 + math.Cos(math.Pi*x)) / 2}
		if rise := 0.3 * float64(step) / 20; step <= 20 {
			want = []float64{rise, rise, rise}
		}
		for i, kind := range []ScheduleKind{ScheduleConstant, ScheduleLinear, ScheduleCosine} {
			near(t, "Schedule", []float64{Schedule(kind, 0.3, step, 20, 100)}, want[i:i+1], 1e-12)
		}
	}
	if lr := Schedule(ScheduleCosine, 1, 0, 20, 100); !math.IsNaN(lr) {
		t.Errorf("step 0 has %v", lr)
	}
}

func testAverage[T Float](t *testing.T) {
	const beta = 0.75
	opt := newT[T](t, 2, WithAverageBeta(beta))
	average := make([]T, 2)
	refused(t, opt.AveragedParams(average), "AveragedParams", ErrWrongPhase, "")
	r := rand.New(rand.NewSource(1))
	params, sum, weights := []T{1, 2}, make([]float64, 2), 0.0
	for i := 0; i < 9; i++ {
		must(t, opt.Step(params, random[T](r, 2)))
		weights = beta*weights + 1 - beta
		for j := range sum {
			sum[j] = beta*sum[j] + (1-beta)*float64(params[j])
		}
		must(t, opt.AveragedParams(average))
		near(t, "average", average, []T{T(sum[0] / weights), T(sum[1] / weights)}, 1e-6)
	}
	refused(t, opt.AveragedParams(average[:1]), "AveragedParams", ErrDimensionMismatch, "dim is 1")
}

func TestAveragesFollowTheParameters(t *testing.T) {
	everyType(t, testAverage[float32], testAverage[float64])
}

// Without clip and momentum, observing a gradient and preconditioning it gives the direction.
func testOwnRules[T Float](t *testing.T) {
	const dim = 30
	opt, whole := newT[T](t, dim), newT[T](t, dim)
	r := rand.New(rand.NewSource(1))
	out, want := make([]T, dim), make([]T, dim)
	refused(t, opt.Precondition(out, want), "Precondition", ErrWrongPhase, "")
	for i := 0; i < 15; i++ {
		g := random[T](r, dim)
		must(t, opt.Observe(g))
		must(t, opt.Precondition(out, g))
		must(t, whole.Direction(want, g))
		near(t, "direction", out, want, 1e-5)
	}
	if s := stats(t, opt); s.Steps != 15 {
		t.Errorf("stats: %+v", s)
	}
	refused(t, opt.Observe(out[:4]), "Observe", ErrDimensionMismatch, "dim is 4")
	refused(t, opt.Precondition(out, out[:4]), "Precondition", ErrDimensionMismatch, "v has 4")
	refused(t, opt.Precondition(out, out), "Precondition", ErrInvalidArgument, "out")
}

func TestRulesOfOnesOwnHaveTheirParts(t *testing.T) {
	everyType(t, testOwnRules[float32], testOwnRules[float64])
}

func halfOf(value float32) uint16 {
	bits := math.Float32bits(value)
	return uint16((bits + 0x7FFF + bits>>16&1) >> 16)
}

func TestBF16IsTheUpperHalf(t *testing.T) {
	const dim = 100
	opt, phased, wide := newT[float32](t, dim), newT[float32](t, dim), newT[float32](t, dim)
	r := rand.New(rand.NewSource(1))
	params := random[float32](r, dim)
	inPhases, want := append([]float32{}, params...), append([]float32{}, params...)
	halves, copied, copiedToo := make([]uint16, dim), make([]uint16, dim), make([]uint16, dim)
	for i := 0; i < 12; i++ {
		g := random[float32](r, dim)
		for j := range g {
			halves[j] = halfOf(g[j])
			g[j] = math.Float32frombits(uint32(halves[j]) << 16)
		}
		must(t, opt.StepBF16(params, copied, halves))
		must(t, phased.Begin())
		must(t, phased.FeedBF16(0, halves))
		must(t, phased.Solve())
		must(t, phased.ApplyBF16(0, inPhases, copiedToo, halves))
		must(t, phased.End())
		must(t, wide.Step(want, g))
		equal(t, "params", params, want)
		equal(t, "params in phases", inPhases, want)
		for j := range params {
			if rounded := halfOf(params[j]); copied[j] != rounded || copiedToo[j] != rounded {
				t.Fatalf("element %d, %v, is %#x and %#x, want %#x", j, params[j], copied[j], copiedToo[j], rounded)
			}
		}
	}
	must(t, opt.StepBF16(params, nil, halves))
	must(t, phased.StepBF16(inPhases, copied[:0], halves))
	equal(t, "without a copy", params, inPhases)
	refused(t, opt.StepBF16(params, nil, halves[1:]), "StepBF16", ErrDimensionMismatch, "gradsBF16 has 99")
	refused(t, opt.StepBF16(params, copied[1:], halves), "StepBF16", ErrDimensionMismatch, "paramsBF16 has 99")
	refused(t, opt.FeedBF16(-1, halves), "FeedBF16", ErrInvalidArgument, "offset is -1")
	refused(t, opt.FeedBF16(0, halves), "FeedBF16", ErrWrongPhase, "")
	refused(t, opt.ApplyBF16(-1, params, nil, halves), "ApplyBF16", ErrInvalidArgument, "offset is -1")
	double := newT[float64](t, 1)
	refused(t, double.StepBF16([]float64{1}, nil, halves[:1]), "StepBF16", ErrInvalidArgument, "float64")
	refused(t, double.FeedBF16(0, halves[:1]), "FeedBF16", ErrInvalidArgument, "float64")
	refused(t, double.ApplyBF16(0, []float64{1}, nil, halves[:1]), "ApplyBF16", ErrInvalidArgument, "float64")
}

// A nil gradient counts as zeros, and its parameters do not change.
func testNilGradients[T Float](t *testing.T) {
	opts := append([]Option{WithWeightDecay(0.1), WithAverageBeta(0.5)}, plainOptions...)
	opt, zeros := newT[T](t, 4, opts...), newT[T](t, 4, opts...)
	a, b, both := []T{1, 1}, []T{2, 2}, []T{1, 1, 2, 2}
	must(t, opt.StepTensors([][]T{a, nil, b}, [][]T{{3, 4}, {}, nil}))
	must(t, zeros.Step(both, []T{3, 4, 0, 0}))
	equal(t, "b", b, []T{2, 2})
	near(t, "a", a, both[:2], 1e-6)
	average := make([]T, 4)
	must(t, opt.AveragedParams(average))
	near(t, "average", average, []T{a[0], a[1], 2, 2}, 1e-6)
	if s := stats(t, opt); s.GradNorm != 5 || s.Steps != 1 {
		t.Errorf("stats: %+v", s)
	}

	before := append([]T{}, a...)
	must(t, opt.StepTensors([][]T{a, b}, [][]T{nil, {1, 2}}))
	must(t, zeros.Step(both, []T{0, 0, 1, 2}))
	equal(t, "a", a, before)
	const decayed = 0.1 * 0.5 * 2 // the weight decay that the first step did not apply to b
	near(t, "b", b, []T{both[2] + decayed*0.95, both[3] + decayed*0.95}, 1e-6)

	must(t, opt.StepTensors([][]T{a, b}, [][]T{nil, nil}))
	equal(t, "a", a, before)
	refused(t, opt.StepTensors([][]T{a, b}, [][]T{nil, {}}), "StepTensors", ErrDimensionMismatch, "grads[1] has 0")
	refused(t, opt.StepTensors([][]T{a, a}, [][]T{nil, {1, 2}}), "StepTensors", ErrInvalidArgument, "overlap")
	bad := [][]T{nil, {1, T(math.NaN())}}
	refused(t, opt.StepTensors([][]T{a, b}, bad), "StepTensors", ErrNonFinite, "grads[1]")
	equal(t, "a", a, before)
}

func TestTensorsWithoutAGradientAreLeftAlone(t *testing.T) {
	everyType(t, testNilGradients[float32], testNilGradients[float64])
}

func TestStatsTellOfRefusedGradients(t *testing.T) {
	opt := newT[float32](t, 3, WithLR(0.5))
	if s := stats(t, opt); s.LR != 0.5 || s.Refused != 0 || s.NonFiniteIndex != NoIndex {
		t.Errorf("stats: %+v", s)
	}
	bad := []float32{1, 2, float32(math.NaN())}
	refused(t, opt.Step([]float32{1, 1, 1}, bad), "Step", ErrNonFinite, "element 2")
	if s := stats(t, opt); s.Refused != 1 || s.NonFiniteIndex != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func testMemory[T Float](t *testing.T) {
	opts := []Option{WithAverageBeta(0.5), WithHistorySize(7)}
	bytes, err := Memory[T](5000, opts...)
	must(t, err)
	if s := stats(t, newT[T](t, 5000, opts...)); s.StateBytes != bytes || bytes < 8*5000*4 {
		t.Errorf("Memory says %d, stats are %+v", bytes, s)
	}
	_, err = Memory[T](0)
	refused(t, err, "Memory", ErrInvalidArgument, "dim is 0")
	_, err = Memory[T](-1)
	refused(t, err, "Memory", ErrInvalidArgument, "dim is -1")
	_, err = Memory[T](1, WithPower(2))
	refused(t, err, "Memory", ErrInvalidArgument, "config.power is 2")
}

func TestMemoryIsKnownBefore(t *testing.T) {
	everyType(t, testMemory[float32], testMemory[float64])
}
