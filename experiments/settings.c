/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

const char *const family_names[FAMILY_COUNT] = {
    "SGD",          "Adagrad",      "Adam",  "AdamW",          "L-BFGS",
    "L-BFGS, f32",  "lmada, plain", "lmada", "lmada, variants",
};

static struct setting *add(struct settings *settings, enum family family, struct method method, double first_lr) {
    if (settings->count == sizeof settings->list / sizeof *settings->list) fail("too many settings");
    struct setting *setting = settings->list + settings->count++;
    *setting = (struct setting){.family = family, .method = method, .first_lr = first_lr};
    return setting;
}

/* Elements of a stored gradient, in bytes. */
static double element_bytes(const lmada_config_t *config) {
    switch (config->history_format) {
        case LMADA_HISTORY_INT8: return 1;
        case LMADA_HISTORY_BF16:
        case LMADA_HISTORY_F16: return 2;
        case LMADA_HISTORY_SPARSE: return 4 * config->density;
        default: return 4;
    }
}

/*
 * Both passes read the older columns and the gradient; pass two writes the new column. Parameters and the momentum of
 * updates are read and written; the second moment is read twice and written.
 */
static double moved_bytes(const lmada_config_t *config) {
    double bytes = (2 * config->history_size - 1) * element_bytes(config) + 2 * 4 + 2 * 4;
    if (config->momentum_kind != LMADA_MOMENTUM_NONE) bytes += 2 * 4;
    if (config->diagonal_beta > 0) bytes += 3 * 4;
    return bytes;
}

static struct setting *add_lmada(struct settings *settings, enum family family, const lmada_config_t *config,
                                 const char *note) {
    struct setting *setting = add(settings, family, method_lmada(config), family == FAMILY_PLAIN ? 0.1 : 0.01);
    setting->window_bytes = moved_bytes(config);
    snprintf(setting->name, sizeof setting->name, "lmada %sk %u%s%s", family == FAMILY_PLAIN ? "plain " : "",
             (unsigned)config->history_size, config->history_format == LMADA_HISTORY_INT8 ? " int8" : "", note);
    return setting;
}

static lmada_config_t recommended(void) {
    lmada_config_t config;
    if (lmada_config_recommended(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    return config;
}

static lmada_config_t defaults(void) {
    lmada_config_t config;
    if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    return config;
}

static void add_baselines(struct settings *settings) {
    static const double betas[] = {0, 0.9, 0.95, 0.99};
    for (size_t i = 0; i < 4; i++) {
        struct setting *setting = add(settings, FAMILY_SGD, method_momentum(betas[i]), 0.03);
        snprintf(setting->name, sizeof setting->name, "SGD %g", betas[i]);
    }
    static const struct {
        double eps, initial;
    } adagrads[] = {{1e-10, 0}, {1e-10, 0.1}, {1e-5, 0}, {1e-10, 1e-3}};
    for (size_t i = 0; i < 4; i++) {
        struct setting *setting =
            add(settings, FAMILY_ADAGRAD, method_adagrad(adagrads[i].eps, adagrads[i].initial), 0.1);
        snprintf(setting->name, sizeof setting->name, "Adagrad eps %g, initial %g", adagrads[i].eps,
                 adagrads[i].initial);
    }
    static const double beta1s[] = {0.9, 0.8}, beta2s[] = {0.999, 0.99};
    for (size_t i = 0; i < 4; i++) {
        struct setting *setting =
            add(settings, FAMILY_ADAM, method_adam(beta1s[i / 2], beta2s[i % 2], 0), 0.01);
        snprintf(setting->name, sizeof setting->name, "Adam %g, %g", beta1s[i / 2], beta2s[i % 2]);
    }
    for (size_t i = 0; i < 4; i++) {
        struct setting *setting =
            add(settings, FAMILY_ADAMW, method_adam(beta1s[i / 2], beta2s[i % 2], 0.01), 0.01);
        snprintf(setting->name, sizeof setting->name, "AdamW %g, %g", beta1s[i / 2], beta2s[i % 2]);
    }
    static const size_t memories[] = {5, 10, 30, 100};
    for (size_t i = 0; i < 8; i++) {
        struct setting *setting =
            add(settings, i < 4 ? FAMILY_LBFGS : FAMILY_LBFGS_F32, (struct method){0}, 1);
        setting->memory = memories[i % 4];
        snprintf(setting->name, sizeof setting->name, "L-BFGS%s m %zu", i < 4 ? "" : " f32", setting->memory);
    }
}

/* What might widen the good range of learning rates. */
static void add_variants(struct settings *settings) {
    lmada_config_t config = recommended();
    config.eps_relative = 1e-6;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", eps_relative 1e-6");
    config.eps_relative = 1e-4;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", eps_relative 1e-4");
    config = recommended();
    config.clip_kind = LMADA_CLIP_EMA_NORM;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", clipped to the mean norm");
    config.clip_kind = LMADA_GRAFT_INPUT;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", graft to input");
    config = recommended();
    config.diagonal_beta = 0.999;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", diagonal 0.999");
    config = recommended();
    config.momentum = 0.9;
    add_lmada(settings, FAMILY_VARIANTS, &config, ", momentum 0.9");
    config = recommended();
    add_lmada(settings, FAMILY_VARIANTS, &config, ", warm-up 10 %")->warmup = 0.1;
}

static void add_sizes(struct settings *settings, enum family family, lmada_config_t config) {
    static const uint32_t sizes[] = {10, 30, 100};
    for (size_t i = 0; i < 3; i++) {
        config.history_size = sizes[i];
        add_lmada(settings, family, &config, "");
    }
}

struct settings settings_new(bool variants) {
    struct settings settings = {0};
    add_baselines(&settings);

    lmada_config_t config = defaults();
    add_sizes(&settings, FAMILY_PLAIN, config);
    config.history_size = 30;
    config.momentum_kind = LMADA_MOMENTUM_UPDATE;
    add_lmada(&settings, FAMILY_PLAIN, &config, ", momentum 0.9");

    config = recommended();
    add_sizes(&settings, FAMILY_LMADA, config);
    config.history_size = 30;
    config.history_format = LMADA_HISTORY_INT8;
    add_lmada(&settings, FAMILY_LMADA, &config, "");
    if (variants) add_variants(&settings);
    return settings;
}

bool setting_has_lr(const struct setting *setting) {
    return setting->memory == 0;
}

bool setting_is_lmada(const struct setting *setting) {
    return setting->window_bytes > 0;
}

bool setting_applies(const struct setting *setting, const struct task *task) {
    if (setting->family == FAMILY_LBFGS) return task->batch == 0;
    if (setting->family == FAMILY_LBFGS_F32) return task->batch == 0 && !task->trains_in_f64;
    bool quantized = setting_is_lmada(setting) && setting->method.config.history_format != LMADA_HISTORY_FULL;
    return !(quantized && task->trains_in_f64);
}

bool setting_is_there(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->list[i].name, name) == 0) return true;
    return false;
}

size_t setting_find(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->list[i].name, name) == 0) return i;
    fail("there is no setting called %s", name);
}

void settings_keep(struct settings *settings, const char *path) {
    struct settings kept = {0};
    char line[128];
    FILE *file = fopen(path, "r");
    if (!file) fail("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file)) {
        char *lr = strchr(line, '\t');
        if (!lr) fail("%s: no learning rate in a line", path);
        *lr++ = '\0';
        kept.list[kept.count] = settings->list[setting_find(settings, line)];
        kept.list[kept.count++].first_lr = strtod(lr, NULL);
    }
    fclose(file);
    *settings = kept;
}

void setting_line(const lmada_config_t *config, char *line, size_t size) {
    int length = snprintf(
        line, size,
        "history_size %u, history_format %d, eps %g, eps_relative %g, power %g, momentum_kind %d, momentum %g, "
        "clip_kind %d, weight_decay %g, diagonal_beta %g, diagonal_eps %g",
        (unsigned)config->history_size, (int)config->history_format, config->eps, config->eps_relative, config->power,
        (int)config->momentum_kind, config->momentum_kind ? config->momentum : 0, (int)config->clip_kind,
        config->weight_decay, config->diagonal_beta, config->diagonal_beta > 0 ? config->diagonal_eps : 0);
    if (length < 0 || (size_t)length >= size) fail("a setting of %d characters", length);
}

const char *setting_of_config(const struct settings *settings, const lmada_config_t *config) {
    char wanted[400], line[400];
    setting_line(config, wanted, sizeof wanted);
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = settings->list + i;
        if (!setting_is_lmada(setting) || setting->warmup > 0) continue;
        setting_line(&setting->method.config, line, sizeof line);
        if (strcmp(line, wanted) == 0) return setting->name;
    }
    return NULL;
}
