/* Each history format trains a small model, and takes no more memory than documented. */
#include "model.h"

enum { DIM = 600, STEPS = 600, LARGE = 10000000 };

static const struct {
    const char *name;
    int32_t format;
    uint32_t history_size;
    double most; /* bytes a parameter for each gradient; sparse: for all gradients */
} formats[] = {
    {"bf16", LMADA_HISTORY_BF16, 10, 2.05},
    {"f16", LMADA_HISTORY_F16, 10, 2.1},
    {"int8", LMADA_HISTORY_INT8, 10, 1.07},
    {"sparse", LMADA_HISTORY_SPARSE, 100, 8.4},
};

/* Computes a quadratic loss with coupled coordinates, scaled over two decades, and its gradient. */
static double loss_at(const real *params, real *grads)
{
    double loss = 0, mean = 0;
    for (size_t i = 0; i < DIM; i++) mean += ((double)params[i] - 1) / DIM;
    for (size_t i = 0; i < DIM; i++) {
        const double curvature = i % 2 ? 1 : 0.01, off = (double)params[i] - 1;
        loss += (curvature * off * off + mean * mean) / 2;
        grads[i] = (real)(curvature * off + mean);
    }
    return loss;
}

static void the_loss_falls(int32_t format)
{
    lmada_config_t config = base_config();
    model m;
    real *grads = zeros(DIM);
    double first, last;
    config.history_format = format;
    config.lr = 0.3;
    config.density = 0.1; /* with 0.01 too few of these parameters would move */
    m = new_model(&config, DIM);
    first = loss_at(m.params, grads);
    for (int step = 0; step < STEPS; step++) {
        loss_at(m.params, grads);
        CHECK_OK(lmada_step(m.opt, m.params, grads, DIM));
    }
    last = loss_at(m.params, grads);
    CHECK(last < first / 10);
    CHECK(stats_of(m.opt).steps == STEPS);
    free(grads);
    free_model(&m);
}

static void the_memory_is_as_documented(int32_t format, uint32_t history_size, double most)
{
    lmada_config_t config = base_config();
    const double held = format == LMADA_HISTORY_SPARSE ? 1 : history_size;
    lmada_t *opt;
    config.history_format = format;
    config.history_size = history_size;
    CHECK(config.density == 0.01);
    CHECK_OK(lmada_create(&config, LARGE, &opt));
    CHECK((double)stats_of(opt).state_bytes / LARGE / held <= most);
    lmada_free(opt);
}

int main(void)
{
    the_loss_falls(LMADA_HISTORY_FULL);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        AT("%s", formats[i].name);
        the_loss_falls(formats[i].format);
        the_memory_is_as_documented(formats[i].format, formats[i].history_size, formats[i].most);
    }
    return 0;
}
