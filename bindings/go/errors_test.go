package lmada

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// refused checks that err is an *Error of this status from this operation, and that its message has these words.
func refused(t testing.TB, err error, op string, status Status, words string) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%s: got %v, want an *Error", op, err)
	}
	kind := errors.Is(err, status) && failure.Status == status
	if !kind || failure.Op != op || !strings.Contains(failure.Message, words) {
		t.Fatalf("got %#v, want %s, %v, %q", failure, op, status, words)
	}
	if want := "lmada: " + op + ": " + failure.Message; err.Error() != want {
		t.Fatalf("reads %q, want %q", err, want)
	}
}

func TestErrorsCarryStatusAndWords(t *testing.T) {
	_, err := New[float32](0)
	refused(t, err, "New", ErrInvalidArgument, "dim")
	_, err = New[float32](-1)
	refused(t, err, "New", ErrInvalidArgument, "dim is -1")
	_, err = New[float32](math.MaxInt)
	refused(t, err, "New", ErrOutOfMemory, "memory")
	_, err = New[float64](2, WithLR(math.NaN()))
	refused(t, err, "New", ErrInvalidArgument, "config.lr is NaN")
	_, err = New[float32](2, WithHistorySize(0))
	refused(t, err, "New", ErrInvalidArgument, "config.history_size is 0")
	_, err = New[float32](2, WithHistorySize(-3))
	refused(t, err, "New", ErrInvalidArgument, "config.history_size is -3")
	_, err = New[float32](2, WithThreads(math.MaxInt))
	refused(t, err, "New", ErrInvalidArgument, "config.threads is 9223372036854775807")
	_, err = New[float64](2, WithHistoryFormat(HistorySparse))
	refused(t, err, "New", ErrInvalidArgument, "config.history_format")
	_, err = NewBlocks[float32](nil)
	refused(t, err, "NewBlocks", ErrInvalidArgument, "count")
	_, err = NewBlocks[float32]([]int{2, -1})
	refused(t, err, "NewBlocks", ErrInvalidArgument, "dims[1] is -1")
	_, err = NewBlocks[float32]([]int{2, 1}, WithThreads(-1))
	refused(t, err, "NewBlocks", ErrInvalidArgument, "config.threads is -1")

	opt := newT[float32](t, 2)
	params, good := []float32{1, 1}, []float32{3, 4}
	refused(t, opt.Step(params, []float32{1, float32(math.Inf(1))}), "Step", ErrNonFinite, "")
	refused(t, opt.Step(params, params), "Step", ErrInvalidArgument, "params")
	refused(t, opt.Step(params, good[:1]), "Step", ErrDimensionMismatch, "grads has 1 elements, params has 2")
	refused(t, opt.Step(params[:1], good[:1]), "Step", ErrDimensionMismatch, "dim is 1")
	refused(t, opt.Step(nil, nil), "Step", ErrDimensionMismatch, "dim is 0")
	refused(t, opt.Direction(params, good[:1]), "Direction", ErrDimensionMismatch, "grads has 1")
	refused(t, opt.SetLR(-1), "SetLR", ErrInvalidArgument, "lr is -1")
	refused(t, opt.Solve(), "Solve", ErrWrongPhase, "")
	refused(t, opt.Cancel(), "Cancel", ErrWrongPhase, "")
	refused(t, opt.Feed(-1, good), "Feed", ErrInvalidArgument, "offset is -1")
	refused(t, opt.Apply(-1, params, good), "Apply", ErrInvalidArgument, "offset is -1")
	refused(t, opt.Apply(0, params, good[:1]), "Apply", ErrDimensionMismatch, "grads has 1")
	equal(t, "params", params, []float32{1, 1})
	if s := stats(t, opt); s.Steps != 0 {
		t.Errorf("a refused step counts: %+v", s)
	}
	must(t, opt.Step(params, good))
}

func TestOpenStepsAreGuarded(t *testing.T) {
	opt := newT[float32](t, 2)
	params, grads := []float32{1, 1}, []float32{3, 4}
	state, err := opt.Save()
	must(t, err)
	must(t, opt.Begin())
	refused(t, opt.Begin(), "Begin", ErrWrongPhase, "")
	refused(t, opt.Step(params, grads), "Step", ErrWrongPhase, "")
	refused(t, opt.SetLR(1), "SetLR", ErrWrongPhase, "")
	refused(t, opt.Load(state), "Load", ErrWrongPhase, "")
	_, err = opt.Save()
	refused(t, err, "Save", ErrWrongPhase, "")
	refused(t, opt.Solve(), "Solve", ErrWrongPhase, "")
	// StepTensors must not cancel a step that the caller has opened.
	refused(t, opt.StepTensors([][]float32{params}, [][]float32{grads}), "StepTensors", ErrWrongPhase, "")
	must(t, opt.Feed(0, grads))
	must(t, opt.Solve())
	must(t, opt.Apply(0, params, grads))
	refused(t, opt.Cancel(), "Cancel", ErrWrongPhase, "")
	must(t, opt.End())
}

func TestTensorListsAreAllOrNothing(t *testing.T) {
	opt := newT[float64](t, 4)
	memory := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	p, g := memory[:4], memory[4:]
	nan := []float64{5, math.NaN()}
	type list = [][]float64
	for _, test := range []struct {
		params, grads list
		status        Status
		words         string
	}{
		{list{p}, list{}, ErrDimensionMismatch, "grads has 0 tensors, params has 1"},
		{list{p[:2], p[2:]}, list{g[:2], g[2:3]}, ErrDimensionMismatch, "grads[1] has 1 elements, params[1] has 2"},
		{list{p[:2]}, list{g[:2]}, ErrDimensionMismatch, "2 elements: this optimizer has 4"},
		{list{}, list{}, ErrDimensionMismatch, "0 elements"},
		{list{p[:2], p[2:]}, list{g[:2], nan}, ErrNonFinite, ""},
		{list{p[:2], p[1:3]}, list{g[:2], g[2:]}, ErrInvalidArgument, "params[1]"},
		{list{p[2:], p[:2]}, list{memory[3:5], g[2:]}, ErrInvalidArgument, "grads[0]"},
		{list{p[2:], memory[4:6]}, list{p[:2], memory[5:7]}, ErrInvalidArgument, "grads[1]"},
		{list{memory[4:6], p[2:]}, list{memory[3:5], p[:2]}, ErrInvalidArgument, "overlap"},
	} {
		refused(t, opt.StepTensors(test.params, test.grads), "StepTensors", test.status, test.words)
		equal(t, "memory", memory, []float64{1, 2, 3, 4, 5, 6, 7, 8})
	}
	if s := stats(t, opt); s.Steps != 0 {
		t.Errorf("a refused step counts: %+v", s)
	}
	// Gradients may share memory with each other.
	must(t, opt.StepTensors(list{p[:2], p[2:]}, list{g[:2], g[:2]}))
	must(t, opt.Step(p, g))
}

func TestStatesOfOtherSharesAreRefused(t *testing.T) {
	opt, half := newT[float32](t, 4), newT[float32](t, 2)
	must(t, opt.Step([]float32{1, 1, 1, 1}, []float32{1, 2, 3, 4}))
	state, err := opt.Save()
	must(t, err)
	type list = [][]byte
	refused(t, half.LoadShares([]int{0, 0}, list{state}), "LoadShares", ErrDimensionMismatch, "2 elements")
	refused(t, half.LoadShares(nil, list{state}), "LoadShares", ErrDimensionMismatch, "0 elements")
	refused(t, half.LoadShares([]int{-1}, list{state}), "LoadShares", ErrInvalidArgument, "firsts[0] is -1")
	refused(t, half.LoadShares([]int{3}, list{state}), "LoadShares", ErrInvalidArgument, "")
	refused(t, half.LoadShares([]int{0}, nil), "LoadShares", ErrInvalidArgument, "states is empty")
	refused(t, half.LoadShares([]int{0}, list{state[:len(state)-1]}), "LoadShares", ErrBadState, "")
	refused(t, half.LoadShares([]int{0}, list{state, nil}), "LoadShares", ErrBadState, "")
	if s := stats(t, half); s.Steps != 0 {
		t.Errorf("stats: %+v", s)
	}
	must(t, half.LoadShares([]int{2}, list{state}))
	if s := stats(t, half); s.Steps != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestDamagedStatesAreRefused(t *testing.T) {
	opt := newT[float32](t, 3)
	must(t, opt.Step([]float32{1, 1, 1}, []float32{1, 2, 3}))
	state, err := opt.Save()
	must(t, err)
	refused(t, opt.Load(nil), "Load", ErrBadState, "empty")
	refused(t, opt.Load(state[:len(state)-1]), "Load", ErrBadState, "")
	refused(t, newT[float32](t, 4).Load(state), "Load", ErrDimensionMismatch, "")
	refused(t, newT[float64](t, 3).Load(state), "Load", ErrInvalidArgument, "dtype")
	state[len(state)/2] ^= 1
	refused(t, opt.Load(state), "Load", ErrBadState, "")
	if s := stats(t, opt); s.Steps != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestStatusesAreKinds(t *testing.T) {
	err := newT[float32](t, 1).SetLR(-1)
	if errors.Is(err, ErrNonFinite) || errors.Is(err, ErrClosed) || !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("%v is of the wrong kind", err)
	}
	for status, name := range map[Status]string{
		ErrNullPointer: "NULL_POINTER", ErrInvalidArgument: "INVALID_ARGUMENT", ErrDimensionMismatch: "DIMENSION_MISMATCH",
		ErrNonFinite: "NON_FINITE", ErrOutOfMemory: "OUT_OF_MEMORY", ErrBusy: "BUSY", ErrWrongPhase: "WRONG_PHASE",
		ErrBadState: "BAD_STATE", ErrInternal: "INTERNAL", ErrCallback: "CALLBACK",
	} {
		if got := status.Error(); got != "LMADA_ERROR_"+name {
			t.Errorf("%d reads %q, want %s", status, got, name)
		}
	}
}
