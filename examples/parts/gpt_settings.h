/*
 * The optimizers that are tried on the GPT, with all their settings but the learning rate.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_SETTINGS_H
#define EXAMPLES_GPT_SETTINGS_H

#include "optimizer.h"

/* Families: of each the best setting is drawn. */
enum family {
    FAMILY_SGD,
    FAMILY_ADAM,
    FAMILY_WINDOW,
    FAMILY_DIAGONAL,
    FAMILY_GRAFTED,
    FAMILY_COUNT
};
extern const char *const family_names[FAMILY_COUNT];

struct gpt_setting {
    enum family family;
    char name[64];
    struct method method; /* its name is not used: the setting may be copied */
};

struct gpt_settings {
    size_t count;
    struct gpt_setting list[128];
};

/* Quick: one or two a family, to try the program out. */
struct gpt_settings gpt_settings_new(bool quick);

#endif
