package lmada_test

import (
	"errors"
	"fmt"
	"log"
	"math"
	"sync"

	"lmada"
)

var errElsewhere = errors.New("another process failed")

// together takes one step on all processes, each of which has its share of params and grads. sum adds values up over
// the processes, element by element, in place and to the same bits on all.
func together(opt *lmada.Optimizer[float32], params, grads []float32, sum func(values []float64) error) error {
	err := opt.Begin()
	if err == nil && len(params) != len(grads) {
		err = errors.New("params and grads differ in length")
	}
	if err == nil {
		err = opt.Feed(0, grads)
	}
	if err == nil && len(grads) != opt.Dim() {
		err = errors.New("grads is no gradient of the whole share")
	}
	// A process that failed takes part in this sum too, so that the others do not wait, and none continues alone.
	failed := []float64{0}
	if err != nil {
		failed[0] = 1
	}
	if lost := sum(failed); lost != nil {
		err = lost
	} else if err == nil && failed[0] > 0 {
		err = errElsewhere
	}
	if err == nil {
		err = opt.ReducePartials(sum)
	}
	if err == nil {
		err = opt.Solve() // from the same bits, so with the same result on all
	}
	if err != nil {
		opt.Cancel()
		return err
	}
	if err := opt.Apply(0, params, grads); err != nil {
		return err
	}
	return opt.End()
}

// meeting connects goroutines that act as processes. The first sums the values of the others and sends them the totals.
type meeting struct {
	values, totals []chan []float64
}

func newMeeting(size int) meeting {
	m := meeting{make([]chan []float64, size), make([]chan []float64, size)}
	for rank := range m.values {
		m.values[rank], m.totals[rank] = make(chan []float64), make(chan []float64)
	}
	return m
}

func (m meeting) sum(rank int) func(values []float64) error {
	return func(values []float64) error {
		if rank > 0 {
			m.values[rank] <- values
			totals := <-m.totals[rank]
			if len(totals) != len(values) {
				return errors.New("the processes have different numbers of values")
			}
			copy(values, totals)
			return nil
		}
		totals, fit := append([]float64{}, values...), true
		for _, others := range m.values[1:] {
			theirs := <-others
			fit = fit && len(theirs) == len(totals)
			for i := 0; fit && i < len(totals); i++ {
				totals[i] += theirs[i]
			}
		}
		if !fit {
			totals = nil
		}
		for _, others := range m.totals[1:] {
			others <- totals
		}
		if !fit {
			return errors.New("the processes have different numbers of values")
		}
		copy(values, totals)
		return nil
	}
}

// A model split unevenly over three processes. Goroutines act as the processes.
func Example_processes() {
	shares := []int{3, 0, 1}
	m := newMeeting(len(shares))
	weights := []float32{1, 2, 3, 4}
	errs := make([]error, len(shares))

	var all sync.WaitGroup
	first := 0
	for rank, share := range shares {
		params := weights[first : first+share]
		first += share
		all.Add(1)
		go func(rank, share int) {
			defer all.Done()
			opt, err := lmada.NewBlocks[float32]([]int{share}, lmada.WithLR(0.5))
			if err != nil {
				log.Fatal(err)
			}
			defer opt.Close()
			for t := 0; t < 2; t++ {
				grads := make([]float32, share)
				for i := range grads {
					grads[i] = 2
				}
				if rank == 0 && t == 1 {
					grads[0] = float32(math.NaN())
				}
				errs[rank] = together(opt, params, grads, m.sum(rank))
			}
		}(rank, share)
	}
	all.Wait()

	fmt.Printf("%.2f\n", weights) // the first step has length 0.5 over all processes; the second was refused
	for _, err := range errs {
		fmt.Println(errors.Is(err, lmada.ErrNonFinite))
	}
	// Output:
	// [0.75 1.75 2.75 3.75]
	// true
	// true
	// true
}
