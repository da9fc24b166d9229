/* The program around the C blocks of docs/in-your-training-loop.md: it defines the names that they use. BLOCKS is a
 * file with a function for each block, TABLE has the calls. No failed call in a block may pass unnoticed. */
#include <lmada.h>

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model: an embedding, weights, biases, in this order. */
enum { EMBEDDING = 4, WEIGHTS = 6, BIASES = 2, DIM = EMBEDDING + WEIGHTS + BIASES, STEPS = 200, BATCHES = 4 };

static lmada_config_t config; /* the recommended setting */
static lmada_t *opt;          /* created with this setting */
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

/* The loss of batch b is minimal if all parameters are b + 1; the sum of the losses, if they are 2.5. */
static double loss(const float *w)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++) sum += (i + 1) * (w[i] - 2.5) * (w[i] - 2.5) / 2;
    return sum;
}

/* Adds scale times the gradient of the loss of a batch. */
static void add_gradient(int batch, const float *w, float *gradient, float scale)
{
    for (int i = 0; i < DIM; i++) gradient[i] += scale * (float)(i + 1) * (w[i] - (float)(batch + 1));
}

/* Writes the gradient of the loss, times scale. */
static void compute_gradient(const float *w, float *gradient, float scale)
{
    for (int i = 0; i < DIM; i++) gradient[i] = scale * (float)(i + 1) * (w[i] - 2.5f);
}

/* Imitates half precision: numbers beyond 65,504 become infinite. */
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
