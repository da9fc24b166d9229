package lmada

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// matrix has the layout of gonum's blas64.General, the result of mat.Dense.RawMatrix. A model in such matrices takes
// steps in place.
type matrix struct {
	Rows, Cols int
	Data       []float64
	Stride     int
}

func rosenbrock() Problem {
	return Problem{
		Func: func(x []float64) float64 { return 100*math.Pow(x[1]-x[0]*x[0], 2) + math.Pow(1-x[0], 2) },
		Grad: func(grad, x []float64) {
			grad[0] = -400*x[0]*(x[1]-x[0]*x[0]) - 2*(1-x[0])
			grad[1] = 200 * (x[1] - x[0]*x[0])
		},
	}
}

func TestMinimizeFindsTheMinimum(t *testing.T) {
	start := []float64{-1.2, 1}
	settings := Settings{Steps: 5000, Schedule: ScheduleLinear, Warmup: 10, GradientThreshold: 1e-6}
	r, err := Minimize(rosenbrock(), start, settings, WithLR(0.1), WithHistorySize(2))
	if err != nil {
		t.Fatal(err)
	}
	if r.F > 1e-6 || math.Abs(r.X[0]-1) > 1e-2 || r.Steps > 5000 {
		t.Errorf("ended at %v, f = %v, after %d steps", r.X, r.F, r.Steps)
	}
	if !reflect.DeepEqual(start, []float64{-1.2, 1}) {
		t.Errorf("the start was changed to %v", start)
	}
}

func TestMinimizeTakesTheStepsOfAnOptimizer(t *testing.T) {
	p := rosenbrock()
	r, err := Minimize(p, []float64{-1.2, 1}, Settings{Steps: 20, Schedule: ScheduleCosine}, WithLR(0.2))
	if err != nil {
		t.Fatal(err)
	}
	opt, err := New[float64](2)
	if err != nil {
		t.Fatal(err)
	}
	defer opt.Close()
	x, grad := []float64{-1.2, 1}, make([]float64, 2)
	for step := uint64(1); step <= 20; step++ {
		p.Grad(grad, x)
		if err := opt.SetLR(Schedule(ScheduleCosine, 0.2, step, 0, 20)); err != nil {
			t.Fatal(err)
		}
		if err := opt.Step(x, grad); err != nil {
			t.Fatal(err)
		}
	}
	p.Grad(grad, x)
	if want := (Result{X: x, F: p.Func(x), Gradient: grad, Steps: 20}); !reflect.DeepEqual(*r, want) {
		t.Errorf("%+v, not %+v", *r, want)
	}
}

func TestMinimizeStopsAtSmallGradientsAndAtFailures(t *testing.T) {
	flat := Problem{Grad: func(grad, x []float64) { grad[0] = 1e-3 }}
	r, err := Minimize(flat, []float64{5}, Settings{Steps: 9, GradientThreshold: 1e-3})
	if err != nil || r.Steps != 0 || r.X[0] != 5 || !math.IsNaN(r.F) {
		t.Errorf("%+v, %v", r, err)
	}
	steps := 0
	breaks := Problem{Grad: func(grad, x []float64) {
		grad[0] = 1
		if steps++; steps > 3 {
			grad[0] = math.NaN()
		}
	}}
	r, err = Minimize(breaks, []float64{5}, Settings{Steps: 9})
	if !errors.Is(err, ErrNonFinite) || r == nil || r.Steps != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = Minimize(Problem{}, []float64{5}, Settings{Steps: 9})
	refused(t, err, "Minimize", ErrInvalidArgument, "Problem.Grad is nil")
	for _, settings := range []Settings{{Steps: 9, Warmup: 10}, {Steps: 9, Warmup: -1}, {Steps: 9, Schedule: 7}} {
		_, err = Minimize(flat, []float64{5}, settings)
		refused(t, err, "Minimize", ErrInvalidArgument, "Settings.Schedule is")
	}
	if r, err := Minimize(flat, nil, Settings{Steps: 9}); err == nil || r != nil {
		t.Errorf("no parameters: %+v, %v", r, err)
	}
	if r, err := Minimize(flat, []float64{5}, Settings{Steps: 9}, WithEps(-1)); err == nil || r != nil {
		t.Errorf("eps -1: %+v, %v", r, err)
	}
}

func TestMatricesTakeStepsWhereTheyLie(t *testing.T) {
	weights := matrix{Rows: 2, Cols: 3, Stride: 3, Data: []float64{1, 2, 3, 4, 5, 6}}
	bias := matrix{Rows: 2, Cols: 1, Stride: 1, Data: []float64{7, 8}}
	flat := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	grads := []float64{3, 1, 4, 1, 5, 9, 2, 6}
	whole, err := New[float64](8)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	opt, err := New[float64](8)
	if err != nil {
		t.Fatal(err)
	}
	defer opt.Close()
	for step := 0; step < 5; step++ {
		if err := whole.Step(flat, grads); err != nil {
			t.Fatal(err)
		}
		err := opt.StepTensors([][]float64{weights.Data, bias.Data}, [][]float64{grads[:6], grads[6:]})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(append(weights.Data[:6:6], bias.Data...), flat) {
		t.Errorf("%v and %v, not %v", weights.Data, bias.Data, flat)
	}
}
