/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_settings.h"

#include <stdarg.h>
#include <stdio.h>

#include "setting.h"
#include "support.h"

const char *const family_names[FAMILY_COUNT] = {
    [FAMILY_SGD] = "SGD",
    [FAMILY_ADAM] = "Adam",
    [FAMILY_WINDOW] = "window",
    [FAMILY_DIAGONAL] = "diagonal",
    [FAMILY_GRAFTED] = "diagonal, grafted",
};

static void add(struct gpt_settings *settings, enum family family, struct method method, const char *format, ...) {
    if (settings->count == sizeof settings->list / sizeof *settings->list) fail("more settings than there is room for");
    struct gpt_setting *setting = settings->list + settings->count++;
    *setting = (struct gpt_setting){.family = family, .method = method};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(setting->name, sizeof setting->name, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof setting->name) fail("a setting's name of %d characters", length);
}

static const char *clipped(double norm) {
    return norm > 0 ? ", clipped" : "";
}

static void add_baselines(struct gpt_settings *settings, bool quick) {
    static const double beta1s[] = {0.9, 0.8}, beta2s[] = {0.99, 0.95, 0.999}, decays[] = {0, 0.1}, clips[] = {0, 1};
    for (size_t clip = 0; clip < (quick ? 1 : 2); clip++) {
        struct method method = method_momentum;
        method.baseline.grad_clip_norm = clips[clip];
        add(settings, FAMILY_SGD, method, "SGD, momentum %g%s", method.baseline.beta1, clipped(clips[clip]));
    }
    for (size_t first = 0; first < (quick ? 1 : 2); first++)
        for (size_t second = 0; second < (quick ? 1 : 3); second++)
            for (size_t decay = 0; decay < 2; decay++)
                for (size_t clip = 0; clip < (quick ? 1 : 2); clip++) {
                    struct method method = method_adam;
                    method.baseline = (struct baseline){beta1s[first], beta2s[second], decays[decay], clips[clip]};
                    const char *name = decays[decay] > 0 ? "AdamW" : "Adam";
                    add(settings, FAMILY_ADAM, method, "%s %g, %g%s", name, beta1s[first], beta2s[second],
                        clipped(clips[clip]));
                }
}

static const struct averaging {
    lmada_momentum_t kind;
    double beta;
} averagings[] = {
    {LMADA_MOMENTUM_NONE, 0.9},   {LMADA_MOMENTUM_UPDATE, 0.8}, {LMADA_MOMENTUM_UPDATE, 0.9},
    {LMADA_MOMENTUM_WINDOW, 0.8}, {LMADA_MOMENTUM_WINDOW, 0.9},
};
enum { AVERAGINGS = sizeof averagings / sizeof *averagings };
static const uint32_t history_sizes[] = {1, 3, 10, 30, 100};
enum { HISTORY_SIZES = sizeof history_sizes / sizeof *history_sizes };

/* One thread: the runs share the machine's processors. */
static lmada_config_t config_new(void) {
    lmada_config_t config;
    if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    config.threads = 1;
    return config;
}

/* One setting of lmada for each k and each momentum, in coordinates and with a clip that `base` has. */
static void add_windows(struct gpt_settings *settings, enum family family, const lmada_config_t *base, bool quick) {
    for (size_t k = 0; k < HISTORY_SIZES; k++)
        for (size_t m = 0; m < AVERAGINGS; m++) {
            /* The average over a window of one gradient is that gradient. */
            if (history_sizes[k] == 1 && averagings[m].kind == LMADA_MOMENTUM_WINDOW) continue;
            if (quick && !(history_sizes[k] == 3 && averagings[m].beta == 0.8)) continue;
            char momentum[32] = "no momentum";
            lmada_config_t config = *base;
            config.history_size = history_sizes[k];
            config.momentum_kind = averagings[m].kind;
            config.momentum = averagings[m].beta;
            if (config.momentum_kind != LMADA_MOMENTUM_NONE)
                snprintf(momentum, sizeof momentum, "%s %g", momentum_name(config.momentum_kind), config.momentum);
            add(settings, family, method_lmada("", &config), "%s, k %u, %s", family_names[family],
                (unsigned)config.history_size, momentum);
        }
}

struct gpt_settings gpt_settings_new(bool quick) {
    struct gpt_settings settings = {0};
    add_baselines(&settings, quick);
    lmada_config_t config = config_new();
    add_windows(&settings, FAMILY_WINDOW, &config, quick);

    /* What was recommended before there were diagonal coordinates; what is now is among those below. */
    lmada_config_t earlier = config;
    earlier.history_size = 30;
    earlier.momentum_kind = LMADA_MOMENTUM_UPDATE;
    earlier.momentum = 0.9;
    earlier.clip_kind = LMADA_GRAFT_EMA_NORM;
    if (!quick)
        add(&settings, FAMILY_WINDOW, method_lmada("", &earlier), "window, k 30, update 0.9, grafted to the EMA of norms");

    set_diagonal(&config);
    add_windows(&settings, FAMILY_DIAGONAL, &config, quick);
    config.clip_kind = LMADA_GRAFT_INPUT;
    add_windows(&settings, FAMILY_GRAFTED, &config, quick);
    return settings;
}
