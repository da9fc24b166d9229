package main

import (
	"math"
	"math/rand"
)

// network has the parameters of tanh(x·w1 + b1)·w2 + b2, or the gradient of a loss.
type network struct {
	w1 []float32 // a row of 32 for each pixel
	b1 []float32
	w2 []float32 // a row of 10 for each hidden unit
	b2 []float32
}

// newNetwork makes a network with random weights, or with zeros if random is nil.
func newNetwork(random *rand.Rand) *network {
	n := &network{
		w1: make([]float32, pixels*hidden),
		b1: make([]float32, hidden),
		w2: make([]float32, hidden*classes),
		b2: make([]float32, classes),
	}
	if random != nil {
		for i := range n.w1 {
			n.w1[i] = float32(random.NormFloat64() / math.Sqrt(pixels))
		}
		for i := range n.w2 {
			n.w2[i] = float32(random.NormFloat64() / math.Sqrt(hidden))
		}
	}
	return n
}

// tensors returns the parameters for the optimizer, in place and in a fixed order.
func (n *network) tensors() [][]float32 { return [][]float32{n.w1, n.b1, n.w2, n.b2} }

func (n *network) size() int {
	size := 0
	for _, tensor := range n.tensors() {
		size += len(tensor)
	}
	return size
}

// forward computes the activations of the hidden units and the scores of the classes.
func (n *network) forward(x *[pixels]float32) (a [hidden]float32, scores [classes]float32) {
	copy(a[:], n.b1)
	for i, pixel := range x {
		addScaled(a[:], pixel, n.w1[i*hidden:])
	}
	copy(scores[:], n.b2)
	for j := range a {
		a[j] = float32(math.Tanh(float64(a[j])))
		addScaled(scores[:], a[j], n.w2[j*classes:])
	}
	return a, scores
}

// differentiate writes the gradient of the batch's mean cross entropy and returns the loss.
func (n *network) differentiate(batch []sample, gradient *network) float64 {
	for _, tensor := range gradient.tensors() {
		for i := range tensor {
			tensor[i] = 0
		}
	}
	loss := 0.0
	for i := range batch {
		s := &batch[i]
		a, delta := n.forward(&s.pixels)
		loss -= logSoftmax(delta[:], s.class)
		for c := range delta {
			delta[c] = float32(math.Exp(float64(delta[c])))
		}
		delta[s.class]--
		share := 1 / float32(len(batch))
		for c := range delta {
			delta[c] *= share
		}

		addScaled(gradient.b2, 1, delta[:])
		var back [hidden]float32
		for j := range back {
			addScaled(gradient.w2[j*classes:][:classes], a[j], delta[:])
			for c, weight := range n.w2[j*classes:][:classes] {
				back[j] += weight * delta[c]
			}
			back[j] *= 1 - a[j]*a[j]
		}
		addScaled(gradient.b1, 1, back[:])
		for p, pixel := range s.pixels {
			addScaled(gradient.w1[p*hidden:][:hidden], pixel, back[:])
		}
	}
	return loss / float64(len(batch))
}

// accuracy returns the fraction of samples whose class has the highest score.
func (n *network) accuracy(samples []sample) float64 {
	right := 0
	for i := range samples {
		_, scores := n.forward(&samples[i].pixels)
		best := 0
		for c, score := range scores {
			if score > scores[best] {
				best = c
			}
		}
		if best == samples[i].class {
			right++
		}
	}
	return float64(right) / float64(len(samples))
}

// logSoftmax turns scores into logarithms of probabilities and returns the one of the class.
func logSoftmax(scores []float32, class int) float64 {
	highest := scores[0]
	for _, score := range scores {
		if score > highest {
			highest = score
		}
	}
	sum := 0.0
	for _, score := range scores {
		sum += math.Exp(float64(score - highest))
	}
	for c := range scores {
		scores[c] -= highest + float32(math.Log(sum))
	}
	return float64(scores[class])
}

// addScaled adds scale*source to sum, element by element.
func addScaled(sum []float32, scale float32, source []float32) {
	for i := range sum {
		sum[i] += scale * source[i]
	}
}
