/* lmada_get_config returns the present options. lmada_set_config and lmada_set_grad_scale take effect from the next
 * step on. They refuse values out of range, and changes of the state's layout, and change nothing then. */
#include "config_fields.h"
#include "twins.h"

enum { DIM = 12, WIDE_DIM = 20000, PAST = 6, FUTURE = 6 };

static lmada_config_t config_of(const lmada_t *opt)
{
    lmada_config_t config;
    CHECK_OK(lmada_get_config(opt, &config, sizeof config));
    return config;
}

static bool same_field(const lmada_config_t *a, const lmada_config_t *b, const config_field *field)
{
    const unsigned char *left = (const unsigned char *)a, *right = (const unsigned char *)b;
    return memcmp(left + field->offset, right + field->offset, field_size(field)) == 0;
}

static bool same_config(const lmada_config_t *a, const lmada_config_t *b)
{
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        if (!same_field(a, b, &config_fields[i])) return false;
    }
    return true;
}

/* ---- reading ---- */

static void what_create_got_is_read(void)
{
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        for (const double *good = config_fields[i].good; !isnan(*good); good++) {
            lmada_config_t config = base_config(), found;
            lmada_t *opt;
            set_field(&config, &config_fields[i], *good);
            config.momentum = config.momentum_kind == LMADA_MOMENTUM_WINDOW ? 0.5 : config.momentum;
            config.lr = config.weight_decay > 0 ? 0 : config.lr;
            if (config.history_format != LMADA_HISTORY_FULL) config.dtype = LMADA_F32;
            AT("%s = %g", config_fields[i].name, *good);
            CHECK_OK(lmada_create(&config, 1, &opt));
            found = config_of(opt);
            CHECK(found.struct_size == sizeof found);
            CHECK(same_config(&found, &config));
            lmada_free(opt);
        }
    }
}

static void the_learning_rate_is_the_present_one(void)
{
    lmada_config_t config = base_config();
    model m = new_model(&config, DIM), loaded = new_model(&config, DIM);
    size_t bytes;
    unsigned char *state;
    AT("the learning rate");
    CHECK_OK(lmada_set_lr(m.opt, 0.25));
    CHECK(config_of(m.opt).lr == 0.25 && stats_of(m.opt).lr == 0.25);
    step_model(&m, 0, 2);
    state = saved_state(m.opt, &bytes);
    CHECK_OK(lmada_state_load(loaded.opt, state, bytes));
    CHECK(config_of(loaded.opt).lr == 0.25 && stats_of(loaded.opt).lr == 0.25);
    config.lr = 0.125;
    CHECK_OK(lmada_set_config(m.opt, &config));
    CHECK(config_of(m.opt).lr == 0.125 && stats_of(m.opt).lr == 0.125);
    CHECK_OK(lmada_reset(m.opt));
    CHECK(config_of(m.opt).lr == 0.125);
    CHECK_OK(lmada_set_grad_scale(m.opt, 0.5));
    CHECK(config_of(m.opt).grad_scale == 0.5);
    free(state);
    free_model(&m);
    free_model(&loaded);
}

/* A program with an older header gets the options of its struct, and no byte beyond. */
static void only_the_size_given_is_written(void)
{
    const lmada_config_t config = variant(2);
    model m = new_model(&config, DIM);
    for (size_t size = 0; size <= sizeof config + 8; size++) {
        union {
            lmada_config_t config;
            unsigned char bytes[sizeof(lmada_config_t) + 16];
        } scratch;
        const bool good = size >= sizeof(size_t) && size <= sizeof config;
        AT("size %zu", size);
        memset(&scratch, 0xA5, sizeof scratch);
        CHECK_STATUS(lmada_get_config(m.opt, &scratch.config, size), good ? LMADA_OK : LMADA_ERROR_INVALID_ARGUMENT);
        for (size_t i = good ? size : 0; i < sizeof scratch; i++) CHECK(scratch.bytes[i] == 0xA5);
        if (!good) {
            CHECK(strstr(lmada_last_error(), "config_size") != NULL);
            continue;
        }
        CHECK(scratch.config.struct_size == size);
        for (int i = 0; i < CONFIG_FIELDS; i++) {
            if (config_fields[i].offset + field_size(&config_fields[i]) > size) continue;
            CHECK(same_field(&scratch.config, &config, &config_fields[i]));
        }
    }
    free_model(&m);
}

static void reading_is_refused(model *m)
{
    lmada_config_t scratch[2];
    CHECK_REFUSED(lmada_get_config(NULL, scratch, sizeof *scratch), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_get_config(m->opt, NULL, sizeof *scratch), LMADA_ERROR_NULL_POINTER, "config");
    CHECK_REFUSED(lmada_get_config(m->opt, one_byte_into(scratch), sizeof *scratch), LMADA_ERROR_INVALID_ARGUMENT,
                  "config");
    CHECK_REFUSED(lmada_get_config(m->opt, scratch, SIZE_MAX), LMADA_ERROR_INVALID_ARGUMENT, "config_size");
}

/* ---- options that cannot change ---- */

static void setting_is_refused(model *m)
{
    lmada_config_t scratch[2];
    scratch[0] = config_of(m->opt);
    CHECK_REFUSED(lmada_set_config(NULL, scratch), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_set_config(m->opt, NULL), LMADA_ERROR_NULL_POINTER, "config");
    CHECK_REFUSED(lmada_set_config(m->opt, one_byte_into(scratch)), LMADA_ERROR_INVALID_ARGUMENT, "config");
    scratch[0].struct_size = 7;
    CHECK_REFUSED(lmada_set_config(m->opt, scratch), LMADA_ERROR_INVALID_ARGUMENT, "struct_size");
    scratch[0].struct_size = sizeof *scratch + 1;
    CHECK_REFUSED(lmada_set_config(m->opt, scratch), LMADA_ERROR_INVALID_ARGUMENT, "struct_size");
}

static void values_are_out_of_range(model *m)
{
    const lmada_config_t before = config_of(m->opt);
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        for (const bad_value *bad = config_fields[i].bad; bad->text; bad++) {
            lmada_config_t config = before, after;
            char words[100];
            config.lr = 0.5; /* not set either */
            set_field(&config, &config_fields[i], bad->value);
            snprintf(words, sizeof words, "config.%s is %s:", config_fields[i].name, bad->text);
            CHECK_REFUSED(lmada_set_config(m->opt, &config), LMADA_ERROR_INVALID_ARGUMENT, words);
            after = config_of(m->opt);
            CHECK(same_config(&before, &after));
        }
    }
    CHECK_REFUSED(lmada_set_grad_scale(NULL, 1), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_set_grad_scale(m->opt, (double)NAN), LMADA_ERROR_INVALID_ARGUMENT, "scale is NaN:");
    CHECK_REFUSED(lmada_set_grad_scale(m->opt, (double)INFINITY), LMADA_ERROR_INVALID_ARGUMENT, "scale is inf:");
    CHECK_REFUSED(lmada_set_grad_scale(m->opt, -1), LMADA_ERROR_INVALID_ARGUMENT, "scale is -1.0:");
}

static bool by_vector(int32_t clip) { return clip == LMADA_CLIP_EMA_VECTOR || clip == LMADA_GRAFT_EMA_VECTOR; }

/* Each option that fixes the layout of the state, and a valid value. */
static void the_shape_would_change(model *m)
{
    const lmada_config_t before = config_of(m->opt);
    const bool plain = !before.centered && !by_vector(before.clip_kind);
    const lmada_history_format_t format = before.history_format == LMADA_HISTORY_FULL ? LMADA_HISTORY_BF16 : 0;
    const lmada_momentum_t momentum = before.momentum_kind == LMADA_MOMENTUM_UPDATE ? 0 : LMADA_MOMENTUM_UPDATE;
    const struct {
        const char *name;
        double value;
        const char *words;
    } changes[] = {
        {"dtype", REAL_DTYPE == LMADA_F32, before.history_format ? "config.history_format is" : "config.dtype is"},
        {"history_size", before.history_size + 1, "config.history_size is"},
        {"history_format", format, "config.history_format is"},
        {"density", 0.125, "config.density is 0.125"},
        {"momentum_kind", momentum, "config.momentum_kind is"},
        {"diagonal_beta", before.diagonal_beta > 0 ? 0 : 0.5, plain ? "config.diagonal_beta is" : "config."},
        {"average_beta", 0.5, "config.average_beta is 0.5"},
        {"clip_kind", by_vector(before.clip_kind) ? LMADA_CLIP_NORM : LMADA_GRAFT_EMA_VECTOR, "config.clip_kind is"},
    };
    for (size_t change = 0; change < sizeof changes / sizeof *changes; change++) {
        lmada_config_t config = before, after;
        for (int i = 0; i < CONFIG_FIELDS; i++) {
            if (strcmp(config_fields[i].name, changes[change].name)) continue;
            set_field(&config, &config_fields[i], changes[change].value);
        }
        CHECK(!same_config(&before, &config));
        config.eps = 0.5;
        CHECK_REFUSED(lmada_set_config(m->opt, &config), LMADA_ERROR_INVALID_ARGUMENT, changes[change].words);
        after = config_of(m->opt);
        CHECK(same_config(&before, &after));
    }
}

static void an_average_is_not_dropped(void)
{
    lmada_config_t config = base_config();
    model m;
    AT("an average is not dropped");
    config.average_beta = 0.5;
    m = new_model(&config, DIM);
    config.average_beta = 0;
    CHECK_REFUSED(lmada_set_config(m.opt, &config), LMADA_ERROR_INVALID_ARGUMENT, "config.average_beta is 0.0");
    config.average_beta = 0.75;
    CHECK_OK(lmada_set_config(m.opt, &config));
    free_model(&m);
}

/* ---- options that can change ---- */

/* Options beyond the caller's struct do not change. */
static void options_beyond_the_size_stay(bool diagonal)
{
    for (size_t size = sizeof(size_t); size <= sizeof(lmada_config_t); size++) {
        lmada_config_t old = base_config(), new = base_config(), given, found;
        model m;
        AT("size %zu%s", size, diagonal ? ", diagonal" : "");
        old.momentum_kind = new.momentum_kind = LMADA_MOMENTUM_UPDATE;
        old.average_beta = 0.5;
        new.lr = 0.5;
        new.eps = 0.25;
        new.eps_relative = 0.125;
        new.power = 0.75;
        new.eps_on_root = true;
        new.rank_tol = 1e-10;
        new.centered = !diagonal;
        new.history_decay = 0.5;
        new.orthogonal_scale = 0.375;
        new.momentum = 0.5;
        new.bias_correction = false;
        new.clip_kind = LMADA_GRAFT_EMA_NORM;
        new.clip_norm = 2;
        new.clip_factor = 3;
        new.clip_beta = 0.5;
        new.weight_decay = 0.25;
        new.threads = 2;
        old.diagonal_beta = diagonal ? 0.5 : 0;
        new.diagonal_beta = diagonal ? 0.75 : 0;
        new.diagonal_eps = 1e-12;
        new.grad_scale = 0.5;
        new.grad_clip_norm = 4;
        new.average_beta = 0.75;
        m = new_model(&old, DIM);
        given = new;
        given.struct_size = size;
        CHECK_OK(lmada_set_config(m.opt, &given));
        found = config_of(m.opt);
        for (int i = 0; i < CONFIG_FIELDS; i++) {
            const bool inside = config_fields[i].offset + field_size(&config_fields[i]) <= size;
            CHECK(same_field(&found, inside ? &new : &old, &config_fields[i]));
        }
        free_model(&m);
    }
}

static void change_rate(lmada_config_t *config) { config->lr = 0.5; }
static void change_eps(lmada_config_t *config) { config->eps = 0.5; }
static void change_eps_relative(lmada_config_t *config) { config->eps_relative = 0.5; }
static void change_power(lmada_config_t *config) { config->power = 0.125; }
static void change_root(lmada_config_t *config) { config->eps_on_root = !config->eps_on_root; config->eps = 0.5; }
static void change_decay(lmada_config_t *config) { config->history_decay = 0.96; }
static void change_weight_decay(lmada_config_t *config) { config->weight_decay = 0.75; }
static void change_grad_scale(lmada_config_t *config) { config->grad_scale = 0.125; config->eps = 0.5; }
static void change_grad_clip(lmada_config_t *config) { config->grad_clip_norm = 0.0625; config->eps = 0.5; }

static void change_clip(lmada_config_t *config)
{
    config->clip_norm = config->clip_factor = 0.001;
    config->eps = 0.5;
}

static void change_much(lmada_config_t *config)
{
    change_decay(config);
    change_grad_clip(config);
    change_clip(config);
    config->power = 1;
    config->momentum = config->momentum_kind == LMADA_MOMENTUM_WINDOW ? 0.5 : 0.99;
    config->threads = 3;
}

static const struct {
    const char *name;
    void (*change)(lmada_config_t *);
} changes[] = {
    {"lr", change_rate},       {"eps", change_eps},           {"eps_relative", change_eps_relative},
    {"power", change_power},   {"eps_on_root", change_root},  {"history_decay", change_decay},
    {"clip", change_clip},     {"grad_scale", change_grad_scale}, {"grad_clip_norm", change_grad_clip},
    {"weight_decay", change_weight_decay}, {"much", change_much},
};

/* From step n on the handle behaves like one created with the new options that loaded the state of step n. */
static void a_change_acts_from_the_next_step(int number, size_t change)
{
    const lmada_config_t old = variant(number);
    lmada_config_t new = old;
    model m = new_model(&old, DIM), unchanged = new_model(&old, DIM), made;
    size_t bytes;
    unsigned char *state;
    AT("%s, variant %d", changes[change].name, number);
    leave_zero(&m);
    leave_zero(&unchanged);
    step_model(&m, 0, PAST);
    step_model(&unchanged, 0, PAST + FUTURE);
    changes[change].change(&new);
    made = new_model(&new, DIM);
    memcpy(made.params, m.params, DIM * sizeof(real));
    state = saved_state(m.opt, &bytes);
    CHECK_OK(lmada_state_load(made.opt, state, bytes));
    CHECK_OK(lmada_set_lr(made.opt, new.lr)); /* the load set the old rate */
    CHECK_OK(lmada_set_config(m.opt, &new));
    step_model(&m, PAST, FUTURE);
    step_model(&made, PAST, FUTURE);
    CHECK(same_model(&m, &made));
    CHECK(old.history_size == 1 || !same_reals(m.params, unchanged.params, DIM)); /* one gradient has no ages */
    free(state);
    free_model(&m);
    free_model(&made);
    free_model(&unchanged);
}

static void the_number_of_threads_changes_no_bit(int number)
{
    const uint32_t counts[] = {3, 1, 0, 2};
    lmada_config_t config = variant(number);
    model m = new_model(&config, WIDE_DIM), twin = new_model(&config, WIDE_DIM);
    AT("threads, variant %d", number);
    for (int i = 0; i < 4; i++) {
        config.threads = counts[i];
        CHECK_OK(lmada_set_config(m.opt, &config));
        step_model(&m, (uint64_t)i, 1);
        step_model(&twin, (uint64_t)i, 1);
    }
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

/* A clip bounds the norm of the next update, by its definition. */
static void a_clip_is_put_on(void)
{
    lmada_config_t config = base_config();
    model m;
    real before[DIM];
    double moved = 0;
    AT("a clip is put on");
    config.lr = 1;
    m = new_model(&config, DIM);
    step_model(&m, 0, 3);
    memcpy(before, m.params, sizeof before);
    config.clip_kind = LMADA_CLIP_NORM;
    config.clip_norm = 0.03125;
    CHECK_OK(lmada_set_config(m.opt, &config));
    step_model(&m, 3, 1);
    for (int i = 0; i < DIM; i++) moved += ((double)m.params[i] - before[i]) * ((double)m.params[i] - before[i]);
    CHECK(fabs(sqrt(moved) / 0.03125 - 1) < 1e-5);
    CHECK(stats_of(m.opt).update_norm > 0.5);
    free_model(&m);
}

int main(int argc, char **argv)
{
    const refusal refusals[] = {
        {"reading", reading_is_refused},
        {"setting", setting_is_refused},
        {"values out of range", values_are_out_of_range},
        {"another shape", the_shape_would_change},
    };
    (void)argv;
    what_create_got_is_read();
    the_learning_rate_is_the_present_one();
    only_the_size_given_is_written();
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    an_average_is_not_dropped();
    options_beyond_the_size_stay(false);
    options_beyond_the_size_stay(true);
    EACH_VARIANT (number, argc > 1) {
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) a_change_acts_from_the_next_step(number, i);
        the_number_of_threads_changes_no_bit(number);
    }
    a_clip_is_put_on();
    return 0;
}
