/*
 * The optimizers that are compared, with all their settings but the learning rate.
 *
 * To compare others, change the table in settings.c.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_SETTINGS_H
#define EXPERIMENTS_SETTINGS_H

#include "methods/method.h"
#include "tasks/task.h"

/* Of each family the best setting is shown, task by task. All have the same number of settings. */
enum family {
    FAMILY_SGD,
    FAMILY_ADAGRAD,
    FAMILY_ADAM,
    FAMILY_ADAMW,
    FAMILY_LBFGS,
    FAMILY_LBFGS_F32,
    FAMILY_PLAIN,
    FAMILY_LMADA,
    FAMILY_VARIANTS, /* only if asked for */
    FAMILY_COUNT
};
extern const char *const family_names[FAMILY_COUNT];

struct setting {
    enum family family;
    char name[64];
    struct method method;
    size_t memory;       /* L-BFGS: its pairs of vectors */
    double warmup;       /* share of the steps in which the learning rate rises linearly to its peak */
    double first_lr;     /* where the search for the learning rate begins */
    double window_bytes; /* lmada: bytes that a step moves for each parameter */
};

struct settings {
    size_t count;
    struct setting list[64];
};

struct settings settings_new(bool variants);

/* Keeps the settings that the file names, a line each: NAME tab learning rate, which is where its search begins. */
void settings_keep(struct settings *settings, const char *path);

/* L-BFGS takes no noise, windows in f64 are never quantized, and where all train in f64, no f32 gradient is wanted. */
bool setting_applies(const struct setting *setting, const struct task *task);

bool setting_has_lr(const struct setting *setting);
bool setting_is_lmada(const struct setting *setting);

bool setting_is_there(const struct settings *settings, const char *name);
/* Fails if no setting has the name. */
size_t setting_find(const struct settings *settings, const char *name);

/* The name of the setting that has these options; NULL: none. */
const char *setting_of_config(const struct settings *settings, const lmada_config_t *config);

/* Options that the verdict chooses between, in one line of a document. */
void setting_line(const lmada_config_t *config, char *line, size_t size);

#endif
