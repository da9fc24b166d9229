/* Every option has its documented default, offset and size. A NULL config means the defaults. */
#include "check.h"

#include <stddef.h>

static lmada_config_t defaults(void)
{
    lmada_config_t config;
    memset(&config, 0xA5, sizeof config);
    CHECK_OK(lmada_config_init(&config, sizeof config));
    return config;
}

static void each_default_is_as_documented(void)
{
    const lmada_config_t config = defaults();
    CHECK(config.struct_size == sizeof config);
    CHECK(config.dtype == LMADA_F32);
    CHECK(config.history_size == 10);
    CHECK(config.history_format == LMADA_HISTORY_FULL);
    CHECK(config.density == 0.01);
    CHECK(config.lr == 1e-2);
    CHECK(config.eps == 1e-6);
    CHECK(config.eps_relative == 0);
    CHECK(config.power == 0.5);
    CHECK(config.eps_on_root == false);
    CHECK(config.rank_tol == 1e-14);
    CHECK(config.centered == false);
    CHECK(config.history_decay == 1);
    CHECK(config.orthogonal_scale == 0);
    CHECK(config.momentum_kind == LMADA_MOMENTUM_NONE);
    CHECK(config.momentum == 0.9);
    CHECK(config.bias_correction == true);
    CHECK(config.clip_kind == LMADA_CLIP_NONE);
    CHECK(config.clip_norm == 1);
    CHECK(config.clip_factor == 1);
    CHECK(config.clip_beta == 0.99);
    CHECK(config.weight_decay == 0);
    CHECK(config.threads == 0);
    CHECK(config.diagonal_beta == 0);
    CHECK(config.diagonal_eps == 1e-16);
    CHECK(config.grad_scale == 1);
    CHECK(config.grad_clip_norm == 0);
    CHECK(config.average_beta == 0);
}

/* The order of the fields is fixed: options are only appended. */
static void the_fields_lie_where_the_first_version_put_them(void)
{
    const size_t order[] = {
        offsetof(lmada_config_t, struct_size),     offsetof(lmada_config_t, dtype),
        offsetof(lmada_config_t, history_size),    offsetof(lmada_config_t, history_format),
        offsetof(lmada_config_t, density),         offsetof(lmada_config_t, lr),
        offsetof(lmada_config_t, eps),             offsetof(lmada_config_t, eps_relative),
        offsetof(lmada_config_t, power),           offsetof(lmada_config_t, eps_on_root),
        offsetof(lmada_config_t, rank_tol),        offsetof(lmada_config_t, centered),
        offsetof(lmada_config_t, history_decay),   offsetof(lmada_config_t, orthogonal_scale),
        offsetof(lmada_config_t, momentum_kind),   offsetof(lmada_config_t, momentum),
        offsetof(lmada_config_t, bias_correction), offsetof(lmada_config_t, clip_kind),
        offsetof(lmada_config_t, clip_norm),       offsetof(lmada_config_t, clip_factor),
        offsetof(lmada_config_t, clip_beta),       offsetof(lmada_config_t, weight_decay),
        offsetof(lmada_config_t, threads),         offsetof(lmada_config_t, diagonal_beta),
        offsetof(lmada_config_t, diagonal_eps),    offsetof(lmada_config_t, grad_scale),
        offsetof(lmada_config_t, grad_clip_norm),  offsetof(lmada_config_t, average_beta),
    };
    CHECK(order[0] == 0);
    for (size_t i = 1; i < sizeof order / sizeof *order; i++) CHECK(order[i - 1] < order[i]);
}

/* Two optimizers that differ in an option that has an effect differ in state or parameters after a few steps. */
static void null_means_the_defaults(void)
{
    enum { DIM = 7, STEPS = 15 };
    const lmada_config_t config = defaults();
    float by_null[DIM] = {0}, by_config[DIM] = {0};
    lmada_t *null_opt, *config_opt;
    size_t null_bytes, config_bytes;
    CHECK_OK(lmada_create(NULL, DIM, &null_opt));
    CHECK_OK(lmada_create(&config, DIM, &config_opt));
    for (int step = 0; step < STEPS; step++) {
        float grads[DIM];
        for (int i = 0; i < DIM; i++) grads[i] = (float)((step * 31 + i * 17) % 23 - 11);
        CHECK_OK(lmada_step(null_opt, by_null, grads, DIM));
        CHECK_OK(lmada_step(config_opt, by_config, grads, DIM));
    }
    CHECK(memcmp(by_null, by_config, sizeof by_null) == 0);
    CHECK_OK(lmada_state_size(null_opt, &null_bytes));
    CHECK_OK(lmada_state_size(config_opt, &config_bytes));
    CHECK(null_bytes == config_bytes);
    {
        unsigned char *a = check_alloc(null_bytes), *b = check_alloc(config_bytes);
        CHECK_OK(lmada_state_save(null_opt, a, null_bytes));
        CHECK_OK(lmada_state_save(config_opt, b, config_bytes));
        CHECK(memcmp(a, b, null_bytes) == 0);
        free(a);
        free(b);
    }
    lmada_free(null_opt);
    lmada_free(config_opt);
}

int main(void)
{
    each_default_is_as_documented();
    the_fields_lie_where_the_first_version_put_them();
    null_means_the_defaults();
    return 0;
}
