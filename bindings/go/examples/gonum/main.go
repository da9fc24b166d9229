// Gonum trains a logistic regression on the Breast Cancer Wisconsin (Diagnostic) data, as it comes, with gonum's
// matrices and a problem of gonum's optimize: first with gonum's L-BFGS, then with lmada.
//
//	gonum data.csv
package main

import (
	"encoding/csv"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"

	"lmada"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gonum: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: gonum data.csv")
	}
	x, y, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	problem := logistic(x, y)
	_, features := x.Dims()
	start := make([]float64, features)

	before, err := optimize.Minimize(problem, start, &optimize.Settings{MajorIterations: 2000}, &optimize.LBFGS{})
	if err != nil {
		fmt.Println("L-BFGS stopped:", err)
	}
	fmt.Printf("L-BFGS: loss %.4f\n", before.F)

	after, err := lmada.Minimize(lmada.Problem{Func: problem.Func, Grad: problem.Grad}, start,
		lmada.Settings{Steps: 2000, Schedule: lmada.ScheduleLinear},
		lmada.WithLR(2), lmada.WithHistorySize(32), lmada.WithMomentumKind(lmada.MomentumWindow))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("lmada: loss %.4f\n", after.F)
	if after.F > 0.06 {
		log.Fatal("lmada did not get far enough")
	}
}

// logistic is the mean of log(1 + exp(z)) - y*z over the rows of x, z = x*w.
func logistic(x *mat.Dense, y []float64) optimize.Problem {
	rows, features := x.Dims()
	z := mat.NewVecDense(rows, nil)
	return optimize.Problem{
		Func: func(w []float64) float64 {
			z.MulVec(x, mat.NewVecDense(features, w))
			loss := 0.0
			for i, class := range y {
				loss += math.Max(z.AtVec(i), 0) + math.Log1p(math.Exp(-math.Abs(z.AtVec(i)))) - class*z.AtVec(i)
			}
			return loss / float64(rows)
		},
		Grad: func(grad, w []float64) {
			z.MulVec(x, mat.NewVecDense(features, w))
			for i, class := range y {
				z.SetVec(i, (1/(1+math.Exp(-z.AtVec(i)))-class)/float64(rows))
			}
			mat.NewVecDense(features, grad).MulVec(x.T(), z)
		},
	}
}

// read reads a header and rows of 30 features and the class. The last column of x is the constant 1.
func read(path string) (x *mat.Dense, y []float64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = -1
	lines, err := reader.ReadAll()
	if err != nil {
		return nil, nil, err
	}
	const features = 30
	var values []float64
	for _, line := range lines[1:] {
		if len(line) != features+1 {
			return nil, nil, fmt.Errorf("%s: a row of %d numbers", path, len(line))
		}
		for i, cell := range line {
			value, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, nil, err
			}
			if i == features {
				y, value = append(y, value), 1
			}
			values = append(values, value)
		}
	}
	return mat.NewDense(len(y), features+1, values), y, nil
}
