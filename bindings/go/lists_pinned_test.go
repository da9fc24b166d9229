//go:build go1.22

package lmada

import (
	"math/rand"
	"runtime"
	"testing"
)

// StepTensors is one call of the library, so it has the bits of Step. A step in pieces has other bits.
func TestStepTensorsGivesTheBitsOfStep(t *testing.T) {
	const dim = 10000
	r := rand.New(rand.NewSource(9))
	opt, whole := newT[float64](t, dim), newT[float64](t, dim)
	a := random[float64](r, dim)
	b := append([]float64(nil), a...)
	for i := 0; i < 12; i++ {
		g := random[float64](r, dim)
		must(t, whole.Step(a, g))
		must(t, opt.StepTensors([][]float64{b[:1], b[1:77], b[77:]}, [][]float64{g[:1], g[1:77], g[77:]}))
		equal(t, "params", b, a)
	}
}

// The package keeps no reference to its arguments: the collector frees them after the call.
func TestStepTensorsKeepsNothing(t *testing.T) {
	opt := newT[float64](t, 2)
	gone := make(chan bool, 1)
	func() {
		params := &[2]float64{1, 1}
		runtime.SetFinalizer(params, func(*[2]float64) { gone <- true })
		must(t, opt.StepTensors([][]float64{params[:1], params[1:]}, [][]float64{{3}, {4}}))
	}()
	collected(t, gone)
}
