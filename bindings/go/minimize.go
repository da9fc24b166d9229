package lmada

import "math"

// Problem is a function to minimise. The fields are those of gonum's optimize.Problem that Minimize uses:
//
//	lmada.Minimize(lmada.Problem{Func: p.Func, Grad: p.Grad}, x, lmada.Settings{Steps: 500}, lmada.WithLR(0.1))
type Problem struct {
	// Func evaluates the function at x. It may be nil: steps need the gradient only.
	Func func(x []float64) float64
	// Grad puts the gradient at x into grad.
	Grad func(grad, x []float64)
}

// Settings says how long Minimize goes on, and how the learning rate falls on the way.
type Settings struct {
	// Steps is the largest number of steps.
	Steps int
	// GradientThreshold ends the steps where no element of the gradient is larger in magnitude.
	GradientThreshold float64
	// Schedule is how the learning rate goes on after Warmup steps, as the function Schedule has it; its peak is WithLR.
	// A step is about as long as the learning rate, however small the gradient, so choose one that falls:
	// ScheduleLinear or ScheduleCosine. The zero value is ScheduleConstant.
	Schedule ScheduleKind
	// Warmup is how many steps the learning rate rises: at most Steps.
	Warmup int
}

// Result is where Minimize ended.
type Result struct {
	X        []float64 // the location
	F        float64   // the function there, NaN if Func is nil
	Gradient []float64 // the gradient there
	Steps    int       // how many steps were taken
}

// Minimize takes steps from initX, which stays as it is, with an optimizer of these options. Where a step fails, the
// result is where the steps before it led.
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
	// A NaN is no reason to stop, but for the step to say so.
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

// largest is the largest magnitude of values, or NaN if there is one among them.
func largest(values []float64) float64 {
	most := 0.0
	for _, value := range values {
		most = math.Max(most, math.Abs(value))
	}
	return most
}
