package lmada_test

import (
	"errors"
	"fmt"
	"log"
	"math"

	"lmada"
)

func ExampleNew() {
	weights := []float32{1, 2}
	gradient := []float32{3, 4}

	opt, err := lmada.New[float32](len(weights), lmada.WithHistorySize(30), lmada.WithLR(0.1))
	if err != nil {
		log.Fatal(err)
	}
	defer opt.Close()

	// The first step has length lr and the direction of the negative gradient.
	if err := opt.Step(weights, gradient); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", weights)
	// Output: [0.94 1.92]
}

func ExampleOptimizer_Step() {
	opt, err := lmada.New[float64](2)
	if err != nil {
		log.Fatal(err)
	}
	defer opt.Close()

	weights := []float64{1, 2}
	err = opt.Step(weights, []float64{3, math.NaN()})
	if errors.Is(err, lmada.ErrNonFinite) {
		fmt.Println("skipped, weights still", weights)
	}
	// Output: skipped, weights still [1 2]
}

func ExampleOptimizer_StepTensors() {
	weights, bias := []float32{1, 2, 3}, []float32{4}
	opt, err := lmada.New[float32](len(weights)+len(bias), lmada.WithLR(1))
	if err != nil {
		log.Fatal(err)
	}
	defer opt.Close()

	err = opt.StepTensors([][]float32{weights, bias}, [][]float32{{1, 1, 1}, {1}})
	fmt.Printf("%.1f %.1f %v\n", weights, bias, err)
	// Output: [0.5 1.5 2.5] [3.5] <nil>
}
