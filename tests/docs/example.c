/* The program around an example of the documentation: it defines the names that the example uses. EXAMPLE is the file
 * with the lines of the example. Unless FAILS is defined, no call in it may fail, checked or not. */
#include <lmada.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3, COLUMNS = 4, DIM = ROWS * COLUMNS + ROWS, LAYERS = 2 };

lmada_config_t config;
lmada_t *opt;
const size_t dim = DIM;
float params[DIM], grads[DIM], direction[DIM], velocity[DIM], averaged[DIM];
uint16_t params_bf16[DIM], grads_bf16[DIM];
float *const weights = params, *const offsets = params + ROWS * COLUMNS;
float *const weights_grad = grads, *const offsets_grad = grads + ROWS * COLUMNS;
const size_t first[LAYERS] = {0, ROWS * COLUMNS}, lens[LAYERS] = {ROWS * COLUMNS, ROWS};
const int steps = 100, parts = 3;
const double usual_norm = 1;
double loss_scale = 1024;
const size_t embedding = COLUMNS, biases_start = ROWS * COLUMNS, biases = ROWS;
int skipped;
const size_t rank = 1, processes = 3;
const char *const state_files[4] = {"share.0", "share.1", "share.2", "share.3"};

void fail(const char *message)
{
    fprintf(stderr, "failed: %s\n", message);
    exit(EXIT_FAILURE);
}

/* Computes the gradient of the sum of i*(w[i] - 1)^2/2. */
static float derivative(const float *w, size_t i)
{
    return (float)(i + 1) * (w[i] - 1);
}

void compute_gradient(const float *w, float *gradient)
{
    for (size_t i = 0; i < DIM; i++) gradient[i] = derivative(w, i);
}

double loss(const float *w)
{
    double sum = 0;
    for (size_t i = 0; i < DIM; i++) sum += (double)(i + 1) * (w[i] - 1) * (w[i] - 1) / 2;
    return sum;
}

void add_gradient(int part, const float *w, float *gradient)
{
    for (size_t i = (size_t)part; i < DIM; i += (size_t)parts) gradient[i] += derivative(w, i);
}

void backward(int layer, const float *w, float *gradient)
{
    for (size_t i = first[layer]; i < first[layer] + lens[layer]; i++) gradient[i] = derivative(w, i);
}

double rate_of(size_t i)
{
    return 0.1 / (double)(i + 1);
}

/* The sum over one process. */
void sum_over_processes(double *values, size_t count)
{
    if (!values || !count) fail("there is nothing to sum");
}

void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file)) fail(name);
}

void *read_file(const char *name, size_t *count)
{
    FILE *file = fopen(name, "rb");
    void *bytes = malloc(1 << 20);
    if (!file || !bytes) fail(name);
    *count = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

int write_to_file(void *context, const void *bytes, size_t len)
{
    return fwrite(bytes, 1, len, context) == len ? 0 : 1;
}

int read_from_file(void *context, void *bytes, size_t len)
{
    return fread(bytes, 1, len, context) == len ? 0 : 1;
}

/* The states of four processes without steps. */
static void write_shares(void)
{
    for (size_t i = 0; i < 4; i++) {
        lmada_t *share;
        size_t bytes;
        void *state;
        if (lmada_create(&config, dim * (i + 1) / 4 - dim * i / 4, &share)) fail(lmada_last_error());
        if (lmada_state_size(share, &bytes) || !(state = malloc(bytes))) fail("no memory for a state");
        if (lmada_state_save(share, state, bytes)) fail(lmada_last_error());
        write_file(state_files[i], state, bytes);
        free(state);
        lmada_free(share);
    }
}

static void example(void)
{
#include EXAMPLE
}

int main(void)
{
    lmada_t *given;
    if (lmada_config_init(&config, sizeof config) || lmada_create(&config, dim, &opt)) fail(lmada_last_error());
    given = opt;
    compute_gradient(params, grads);
    write_shares();
    example();
    if (opt != given) lmada_free(opt);
    lmada_free(given);
#ifndef FAILS
    if (*lmada_last_error()) fail(lmada_last_error());
#endif
    return 0;
}
