package lmada

// #include <lmada.h>
import "C"

import (
	"math"
	"unsafe"
)

// Stats is what the last step looked like, or between Solve and End the one under way. Over several blocks the norms
// are root-sum-squares, Scale is the least, Rank the sum.
type Stats struct {
	Steps      uint64  // steps accepted since New, Reset or the start of the loaded run
	HistoryLen int     // gradients in the window
	Rank       int     // directions that the preconditioner acts on
	GradNorm   float64 // |g| as given
	UpdateNorm float64 // |u| before clipping and update momentum
	Scale      float64 // factor that clipping or grafting put on u
	EigMax     float64 // largest eigenvalue of MMᵀ, without ε
	EigMin     float64 // smallest that counts as present
	StateBytes uint64  // memory that the optimizer holds
	LR         float64 // learning rate of the next step
	Refused    uint64  // steps refused with ErrNonFinite since New or Reset
	// NonFiniteIndex is the first element that was NaN or infinite in the last gradient refused, or NoIndex: no gradient
	// was refused, or not for an element of this optimizer.
	NonFiniteIndex uint64
}

// NoIndex is a NonFiniteIndex of no element.
const NoIndex uint64 = math.MaxUint64

// Stats tells what the last step looked like.
func (o *Optimizer[T]) Stats() (Stats, error) {
	const op = "Stats"
	if err := o.enter(op); err != nil {
		return Stats{}, err
	}
	defer o.leave()
	var s C.lmada_stats_t
	if err := failure(op, C.lmada_stats(o.handle, &s, C.sizeof_lmada_stats_t)); err != nil {
		return Stats{}, err
	}
	return Stats{
		Steps:      uint64(s.steps),
		HistoryLen: int(s.history_len),
		Rank:       int(s.rank),
		GradNorm:   float64(s.grad_norm),
		UpdateNorm: float64(s.update_norm),
		Scale:      float64(s.scale),
		EigMax:     float64(s.eig_max),
		EigMin:     float64(s.eig_min),
		StateBytes: uint64(s.state_bytes),
		LR:         float64(s.lr),
		Refused:    uint64(s.refused),

		NonFiniteIndex: uint64(s.non_finite_index),
	}, nil
}

// Save returns the whole state: window, averages, step count, learning rate, options, groups. A run that loads it goes
// on with the same bits. [Optimizer.WriteTo] does without a second copy of the state.
func (o *Optimizer[T]) Save() ([]byte, error) {
	const op = "Save"
	if err := o.enter(op); err != nil {
		return nil, err
	}
	defer o.leave()
	var size C.size_t
	if err := failure(op, C.lmada_state_size(o.handle, &size)); err != nil {
		return nil, err
	}
	state := make([]byte, size)
	if err := failure(op, C.lmada_state_save(o.handle, unsafe.Pointer(&state[0]), size)); err != nil {
		return nil, err
	}
	return state, nil
}

// Load puts a saved state in place of the present one. The optimizer must have been made with the same element type,
// lengths, history size, format and density, momentum kind and clip kind, and with diagonal beta and average beta on or
// off alike; its other options stay. Everything is checked before anything is changed.
func (o *Optimizer[T]) Load(state []byte) error {
	const op = "Load"
	if len(state) == 0 {
		return &Error{Op: op, Status: ErrBadState, Message: "bad saved state: it is empty"}
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_state_load(o.handle, unsafe.Pointer(&state[0]), C.size_t(len(state))))
}

// LoadShares puts together, from states that several processes saved, the state of this optimizer: for a restart on
// another number of processes, or with other shares. firsts has for each block how many parameters of it the states
// hold before this optimizer's share. In every block the shares of the states follow each other in their order; the
// states may be all, or those consecutive ones that have a part of this optimizer's shares. Where the history format is
// not the full one, shares old and new start at multiples of 4,096 parameters from the start of their block (of 256 for
// HistoryF16 and HistoryInt8). Else as Load.
//
// With Go 1.22 or later nothing is copied. Earlier versions cannot pass a list of slices to C: there the states are
// copied once.
func (o *Optimizer[T]) LoadShares(firsts []int, states [][]byte) error {
	const op = "LoadShares"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	if len(firsts) != o.blocks {
		return mismatch(op, "firsts has %d elements: this optimizer has %d blocks", len(firsts), o.blocks)
	}
	if len(states) == 0 {
		return invalid(op, "states is empty: expected at least 1 state")
	}
	places, sizes := make([]C.size_t, len(firsts)), make([]C.size_t, len(states))
	for i, place := range firsts {
		if place < 0 {
			return invalid(op, "firsts[%d] is %d: expected at least 0", i, place)
		}
		places[i] = C.size_t(place)
	}
	for i, state := range states {
		sizes[i] = C.size_t(len(state))
	}
	return o.loadShares(op, places, sizes, states)
}
