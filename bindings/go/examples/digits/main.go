// Digits trains a perceptron with one hidden layer (64-32-10) on handwritten digits and prints the accuracy on the test
// digits.
//
//	digits [digits.csv.gz]
package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"lmada"
)

const (
	pixels, hidden, classes = 64, 32, 10

	tests     = 360 // of the 1,797 samples
	batchSize = 64
	epochs    = 30
)

type sample struct {
	pixels [pixels]float32
	class  int
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("digits: ")
	path := "examples/data/digits.csv.gz"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	samples, err := read(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := train(samples); err != nil {
		log.Fatal(err)
	}
}

// read reads rows of 64 pixels from 0 to 16 and the class.
func read(path string) ([]sample, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var samples []sample
	for lines := bufio.NewScanner(rows); ; {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return nil, err
			}
			break
		}
		cells := strings.Split(lines.Text(), ",")
		if len(cells) != pixels+1 {
			return nil, fmt.Errorf("%s: row %d has %d numbers", path, len(samples)+1, len(cells))
		}
		var s sample
		for i, cell := range cells {
			value, err := strconv.Atoi(cell)
			if err != nil {
				return nil, fmt.Errorf("%s: row %d: %w", path, len(samples)+1, err)
			}
			if i < pixels {
				s.pixels[i] = float32(value) / 16
			} else {
				s.class = value
			}
		}
		samples = append(samples, s)
	}
	if len(samples) <= tests {
		return nil, fmt.Errorf("%s: only %d rows", path, len(samples))
	}
	return samples, nil
}

func train(samples []sample) error {
	random := rand.New(rand.NewSource(1))
	random.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
	testing, training := samples[:tests], samples[tests:]

	net, gradient := newNetwork(random), newNetwork(nil)
	opt, err := lmada.New[float32](net.size(), lmada.WithHistorySize(30), lmada.WithMomentumKind(lmada.MomentumWindow))
	if err != nil {
		return err
	}
	defer opt.Close()

	batches := len(training) / batchSize
	steps := uint64(epochs * batches)
	step := uint64(0)
	for epoch := 1; epoch <= epochs; epoch++ {
		random.Shuffle(len(training), func(i, j int) { training[i], training[j] = training[j], training[i] })
		loss := 0.0
		for batch := training; len(batch) >= batchSize; batch = batch[batchSize:] {
			loss += net.differentiate(batch[:batchSize], gradient)
			// The rate falls from 0.4 to 0 along half a cosine.
			step++
			if err := opt.SetLR(lmada.Schedule(lmada.ScheduleCosine, 0.4, step, 0, steps)); err != nil {
				return err
			}
			if err := opt.StepTensors(net.tensors(), gradient.tensors()); err != nil {
				return err
			}
		}
		if epoch%5 == 0 {
			loss /= float64(batches)
			fmt.Printf("epoch %2d: training loss %.4f, test accuracy %.3f\n", epoch, loss, net.accuracy(testing))
		}
	}
	fmt.Printf("test accuracy after %d steps: %.3f\n", steps, net.accuracy(testing))
	return nil
}
