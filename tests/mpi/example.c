/* The program around an example of lmada_mpi.h: it defines the names that the example uses, and minimises a quadratic
 * function. EXAMPLE is the file with the lines of the example. */
#include <lmada_mpi.h>

#include <math.h>
#include <stdlib.h>

enum { DIM = 37, LAYERS = 2 };

const size_t dim = DIM;
const int steps = 400;
MPI_Comm comm;
size_t processes, rank;
lmada_config_t config;
float params[DIM], grads[DIM];

static void fail(const char *message)
{
    fprintf(stderr, "failed: %s\n", message);
    exit(EXIT_FAILURE);
}

/* Computes the gradient of the sum of i (w[i] - 1)^2 / 2 over this process's share. */
static void compute_gradient(const float *w, float *gradient, size_t share)
{
    for (size_t i = 0; i < share; i++) gradient[i] = (float)(i + 1) * (w[i] - 1);
}

#ifdef IN_PIECES
static size_t share, first[LAYERS], lens[LAYERS];

static void backward(int layer, const float *w, float *gradient)
{
    for (size_t i = first[layer]; i < first[layer] + lens[layer]; i++) gradient[i] = (float)(i + 1) * (w[i] - 1);
}
#endif

static void example(void)
{
#ifdef IN_PIECES
    lmada_t *opt;
    share = dim / processes + (rank < dim % processes);
    first[1] = lens[0] = share / 2;
    lens[1] = share - share / 2;
    if (lmada_create_blocks(&config, &share, 1, &opt) != LMADA_OK) fail(lmada_last_error());
    for (int step = 0; step < steps; step++) {
#include EXAMPLE
    }
    compute_gradient(params, grads, share);
    lmada_free(opt);
#else
#include EXAMPLE
#endif
}

int main(int argc, char **argv)
{
    int number, count;
    MPI_Init(&argc, &argv);
    comm = MPI_COMM_WORLD;
    MPI_Comm_rank(comm, &number);
    MPI_Comm_size(comm, &count);
    rank = (size_t)number;
    processes = (size_t)count;
    if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail(lmada_last_error());
    config.lr = 0.2;
    config.eps = 300; /* steps shrink with the gradient */
    example();
    for (size_t i = 0; i < dim / processes; i++) {
        if (!(fabsf(params[i] - 1) < 0.05F)) fail("the minimum was not found");
    }
    MPI_Finalize();
    return 0;
}
