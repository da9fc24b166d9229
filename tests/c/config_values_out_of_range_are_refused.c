/* A value out of range, used or not, is refused with a message that names the field and the value. Values at the edge
 * of the range are accepted. */
#include "config_fields.h"

static lmada_config_t defaults(void)
{
    lmada_config_t config;
    CHECK_OK(lmada_config_init(&config, sizeof config));
    return config;
}

/* Both create functions refuse it, and set *out to NULL. */
static void check_refused(const lmada_config_t *config, const char *words)
{
    const size_t dims[] = {2, 3};
    lmada_t *out = (lmada_t *)&dims;
    CHECK_REFUSED(lmada_create(config, 5, &out), LMADA_ERROR_INVALID_ARGUMENT, words);
    CHECK(out == NULL);
    out = (lmada_t *)&dims;
    CHECK_REFUSED(lmada_create_blocks(config, dims, 2, &out), LMADA_ERROR_INVALID_ARGUMENT, words);
    CHECK(out == NULL);
}

static void each_bad_value_is_named(const config_field *field)
{
    for (const bad_value *bad = field->bad; bad->text; bad++) {
        lmada_config_t config = defaults();
        char words[100];
        AT("%s = %s", field->name, bad->text);
        set_field(&config, field, bad->value);
        snprintf(words, sizeof words, "config.%s is %s:", field->name, bad->text);
        check_refused(&config, words);
    }
}

static void each_edge_of_the_range_is_taken(const config_field *field)
{
    for (const double *good = field->good; !isnan(*good); good++) {
        lmada_config_t config = defaults();
        lmada_t *opt = NULL;
        AT("%s = %g", field->name, *good);
        set_field(&config, field, *good);
        config.momentum = config.momentum_kind == LMADA_MOMENTUM_WINDOW ? 0.5 : config.momentum;
        config.lr = config.weight_decay > 0 ? 0 : config.lr;
        CHECK_OK(lmada_create(&config, 1, &opt));
        CHECK(opt != NULL);
        lmada_free(opt);
    }
}

/* The coefficients of a window momentum would grow with age. */
static void window_momentum_needs_a_decay_of_at_least_its_own(void)
{
    lmada_config_t config = defaults();
    lmada_t *opt;
    AT("window momentum");
    config.momentum_kind = LMADA_MOMENTUM_WINDOW;
    config.momentum = 0.9;
    config.history_decay = 0.875;
    check_refused(&config, "config.history_decay is 0.875:");
    config.history_decay = 0.9;
    CHECK_OK(lmada_create(&config, 5, &opt));
    lmada_free(opt);
    config.momentum_kind = LMADA_MOMENTUM_UPDATE;
    config.history_decay = 0.875;
    CHECK_OK(lmada_create(&config, 5, &opt));
    lmada_free(opt);
}

/* Weight decay would change the sign of a parameter, or make it overflow. */
static void weight_decay_takes_at_most_all_of_a_parameter(void)
{
    lmada_config_t config = defaults();
    lmada_t *opt;
    AT("weight decay");
    config.lr = 1;
    config.weight_decay = 1e40;
    check_refused(&config, "config.weight_decay is 1e40:");
    config.lr = 1e40;
    config.weight_decay = 0.5;
    check_refused(&config, "config.weight_decay is 0.5:");
    config.lr = 2;
    CHECK_OK(lmada_create(&config, 5, &opt));
    lmada_free(opt);
}

/* Double handles have only the full format. */
static void compressed_formats_are_of_float(void)
{
    const int32_t formats[] = {LMADA_HISTORY_BF16, LMADA_HISTORY_F16, LMADA_HISTORY_INT8, LMADA_HISTORY_SPARSE};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        lmada_config_t config = defaults();
        lmada_t *opt;
        AT("format %d", (int)formats[i]);
        config.history_format = formats[i];
        CHECK_OK(lmada_create(&config, 5, &opt));
        lmada_free(opt);
        config.dtype = LMADA_F64;
        check_refused(&config, "config.history_format");
    }
}

int main(void)
{
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        each_bad_value_is_named(&config_fields[i]);
        each_edge_of_the_range_is_taken(&config_fields[i]);
    }
    window_momentum_needs_a_decay_of_at_least_its_own();
    weight_decay_takes_at_most_all_of_a_parameter();
    compressed_formats_are_of_float();
    return 0;
}
