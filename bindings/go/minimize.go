package lmada

import "math"

// Problem is a function to minimise. It has the fields of gonum's optimize.Problem that Minimize uses:
//
//	lmada.Minimize(lmada.Problem{Func: p.Func, Grad: p.Grad}, x, lmada.Settings{Steps: 500}, lmada.WithLR(0.1))
type Problem struct {
	// Func evaluates the function at x. It may be nil, since steps need only the gradient.
	Func func(x []float64) float64
	// Grad writes the gradient at x to grad.
	Grad func(grad, x []float64)
}

// Settings determines when Minimize stops, and the learning rate of each step.
type Settings struct {
	// Steps is the largest number of steps.
	Steps int
	// GradientThreshold stops Minimize when no element of the gradient is larger in magnitude.
	GradientThreshold float64
	// Schedule is the schedule of the learning rate after Warmup steps, as in the function Schedule. The peak is
	// WithLR. The length of a step is about the learning rate, even if the gradient is small. Choose a rate that falls:
	// ScheduleLinear or ScheduleCosine. The zero value is ScheduleConstant.
	Schedule ScheduleKind
	// Warmup is the number of steps in which the learning rate rises: at most Steps.
	Warmup int
}

// Result is the end of a run of Minimize.
type Result struct {
	X        []float64 // the last location
	F        float64   // the function at X, NaN if Func is nil
	Gradient []float64 // the gradient at X
	Steps    int       // the number of steps taken
}

// Minimize takes steps from initX, which it does not change, with an optimizer of these options. If a step fails,
// Minimize returns the error and the result of the steps before.
func Minimize(p Problem, initX []float64, settings Settings, options ...Option) (*Result, error) {
	const op = "Minimize"
	if p.Grad == nil {
		return nil, invalid(op, "Problem.Grad is nil: steps need the gradient")
	}
	opt, err := New[float64](len(initX), options...)
	if err != nil {
		return nil, err
	}
	defer opt.Close()
	config, err := opt.Config()
	if err != nil {
		return nil, err
	}
	warmup, total := uint64(settings.Warmup), uint64(settings.Steps)
	if math.IsNaN(Schedule(settings.Schedule, config.LR, 1, warmup, total)) {
		return nil, invalid(op, "Settings.Schedule is %d and Warmup %d: expected a ScheduleKind, and 0 to Steps, which is %d",
			settings.Schedule, settings.Warmup, settings.Steps)
	}
	r := &Result{X: append([]float64(nil), initX...), Gradient: make([]float64, len(initX))}
	p.Grad(r.Gradient, r.X)
	// A NaN does not end the loop: the step then returns the error.
	for r.Steps < settings.Steps && !(largest(r.Gradient) <= settings.GradientThreshold) {
		if err = opt.SetLR(Schedule(settings.Schedule, config.LR, uint64(r.Steps+1), warmup, total)); err != nil {
			break
		}
		if err = opt.Step(r.X, r.Gradient); err != nil {
			break
		}
		r.Steps++
		p.Grad(r.Gradient, r.X)
	}
	r.F = math.NaN()
	if p.Func != nil {
		r.F = p.Func(r.X)
	}
	return r, err
}

// largest returns the largest magnitude of values, or NaN if values contains NaN.
func largest(values []float64) float64 {
	most := 0.0
	for _, value := range values {
		most = math.Max(most, math.Abs(value))
	}
	return most
}
