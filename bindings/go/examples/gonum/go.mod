module gonum

go 1.19

require (
	gonum.org/v1/gonum v0.12.0
	lmada v0.0.0
)

replace lmada => ../..
