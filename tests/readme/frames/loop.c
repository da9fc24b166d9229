/* What the blocks of C in docs/in-your-training-loop.md stand in: the names that they take as given. BLOCKS is a file
 * with a function for each block, and TABLE its calls. No call in a block may fail unseen. */
#include <lmada.h>

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model: an embedding, weights, biases, one after the other. */
enum { EMBEDDING = 4, WEIGHTS = 6, BIASES = 2, DIM = EMBEDDING + WEIGHTS + BIASES, STEPS = 200, BATCHES = 4 };

static lmada_config_t config; /* the recommended one */
static lmada_t *opt;          /* made with it */
static const size_t dim = DIM;
static float params[DIM], grads[DIM];

static void fail(const char *message)
{
    fprintf(stderr, "failed: %s\n", message);
    exit(EXIT_FAILURE);
}

static void check(lmada_status_t status)
{
    if (status != LMADA_OK) fail(lmada_last_error());
}

/* The loss of batch b has its minimum where all parameters are b + 1; they are 2.5 where the sum has its own. */
static double loss(const float *w)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++) sum += (i + 1) * (w[i] - 2.5) * (w[i] - 2.5) / 2;
    return sum;
}

/* Adds scale times the gradient of a batch's loss. */
static void add_gradient(int batch, const float *w, float *gradient, float scale)
{
    for (int i = 0; i < DIM; i++) gradient[i] += scale * (float)(i + 1) * (w[i] - (float)(batch + 1));
}

/* Writes the gradient of the loss, times scale. */
static void compute_gradient(const float *w, float *gradient, float scale)
{
    for (int i = 0; i < DIM; i++) gradient[i] = scale * (float)(i + 1) * (w[i] - 2.5f);
}

/* What is seen here of rounding to half precision: beyond 65,504 is infinity. */
static float to_f16(float x)
{
    return fabsf(x) > 65504 ? copysignf(INFINITY, x) : x;
}

static float from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int write_to_file(void *context, const void *bytes, size_t len)
{
    return fwrite(bytes, 1, len, context) != len;
}

static int read_from_file(void *context, void *bytes, size_t len)
{
    return fread(bytes, 1, len, context) != len;
}

static void begin(int line)
{
    lmada_free(opt);
    check(lmada_config_recommended(&config, sizeof config));
    check(lmada_create(&config, dim, &opt));
    memset(params, 0, sizeof params);
    memset(grads, 0, sizeof grads);
    printf("== %d\n", line);
}

#include BLOCKS

int main(void)
{
#include TABLE
    lmada_free(opt);
    return 0;
}
