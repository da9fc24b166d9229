package main

// What the blocks of Go in docs/in-your-training-loop.md stand in: the names that they take as given. blocks.go has a
// function for each block, and table, the list of them.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"lmada"
	"math"
	"os"
	"unsafe"
)

// The model: an embedding, weights, biases, one after the other.
const (
	Embedding, Weights, Biases = 4, 6, 2
	Dim                        = Embedding + Weights + Biases
	Steps, Batches             = 200, 4
)

var (
	opt           *lmada.Optimizer[float32] // with the recommended options
	params, grads []float32
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// loss is that of all batches. That of batch b has its minimum where all parameters are b + 1; they are 2.5 where the sum
// has its own.
func loss(w []float32) (sum float64) {
	for i, x := range w {
		sum += float64(i+1) * (float64(x) - 2.5) * (float64(x) - 2.5) / 2
	}
	return sum
}

// addGradient adds scale times the gradient of a batch's loss.
func addGradient(batch int, w, gradient []float32, scale float32) {
	for i, x := range w {
		gradient[i] += scale * float32(i+1) * (x - float32(batch+1))
	}
}

// computeGradient writes the gradient of the loss, times scale.
func computeGradient(w, gradient []float32, scale float32) {
	for i, x := range w {
		gradient[i] = scale * float32(i+1) * (x - 2.5)
	}
}

func zero(x []float32) {
	for i := range x {
		x[i] = 0
	}
}

// toF16 is what is seen here of rounding to half precision: beyond 65,504 is infinity.
func toF16(x float32) float32 {
	if math.Abs(float64(x)) > 65504 {
		return float32(math.Inf(int(math.Copysign(1, float64(x)))))
	}
	return x
}

func fromBF16(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

func toBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// The blocks use these packages.
var (
	_ bytes.Buffer
	_ = binary.LittleEndian
	_ = errors.Is
	_ = os.Open
	_ unsafe.Pointer
)

func main() {
	for _, block := range table {
		var err error
		opt, err = lmada.New[float32](Dim, lmada.WithRecommended())
		check(err)
		params, grads = make([]float32, Dim), make([]float32, Dim)
		fmt.Println("==", block.line)
		block.run()
		check(opt.Close())
	}
}
