package lmada

// #include <lmada.h>
import "C"

import (
	"math"
	"unsafe"
)

// Stats describes the last step, or the open step between Solve and End. Over several blocks, norms are the root of the
// sum of squares, Scale is the smallest, Rank is the sum.
type Stats struct {
	Steps      uint64  // steps accepted since New, Reset or the start of the loaded run
	HistoryLen int     // gradients in the window
	Rank       int     // directions that the preconditioner acts on
	GradNorm   float64 // |g| as given
	UpdateNorm float64 // |u| before clipping and update momentum
	Scale      float64 // factor of clipping or grafting on u
	EigMax     float64 // largest eigenvalue of MMᵀ, without ε
	EigMin     float64 // smallest eigenvalue above the noise floor
	StateBytes uint64  // memory that the optimizer holds
	LR         float64 // learning rate of the next step
	Refused    uint64  // steps refused with ErrNonFinite since New or Reset
	// NonFiniteIndex is the first NaN or infinite element of the last refused gradient. It is NoIndex if no gradient
	// was refused, or not for an element of this optimizer.
	NonFiniteIndex uint64
}

// NoIndex is the NonFiniteIndex that means no element.
const NoIndex uint64 = math.MaxUint64

// Stats returns statistics of the last step.
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

// Save returns the complete state: window, averages, step count, learning rate, options, groups. A run that loads the
// state continues with the same bits. [Optimizer.WriteTo] needs no second copy of the state.
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

// Load replaces the current state with a saved one. The optimizer must have the element type, lengths, history size,
// format and density, momentum kind and clip kind of the state, and diagonal beta and average beta must be on or off as
// in the state. Other options stay. Load checks everything before it changes anything.
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

// LoadShares computes the state of this optimizer from states that several processes saved, for a restart on another
// number of processes or with other shares. firsts[b] is the number of parameters of block b that the states hold
// before this optimizer's share. In every block the shares of the states follow each other in the order of states.
// states may be all states, or the consecutive ones that overlap this optimizer's shares. If the history format is not
// full, old and new shares start at multiples of 4,096 parameters from the start of their block (of 256 for HistoryF16
// and HistoryInt8). The rules of Load apply too.
//
// With Go 1.22 or later LoadShares copies nothing. Earlier versions cannot pass a list of slices to C, and copy the
// states once.
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
