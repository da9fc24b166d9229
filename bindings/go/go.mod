module lmada

go 1.19
