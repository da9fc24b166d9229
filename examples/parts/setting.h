/*
 * The candidates for lmada_config_recommended, and how a setting is written down.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_SETTING_H
#define EXAMPLES_SETTING_H

#include "optimizer.h"

/*
 * k = 10 and 30, each momentum kind, with and without grafting; all else as lmada_config_init has it. In plain
 * coordinates grafting is to the EMA of norms. In diagonal ones (set_diagonal) it is to the input's length, and beta is
 * 0.8 in place of 0.9.
 */
#define CANDIDATE_COUNT 32
#define SETTING_LINE_SIZE 800

/* Diagonal preconditioning with beta2 0.99, and nothing that has the units of the loss. */
void set_diagonal(lmada_config_t *config);

void candidates_new(struct method candidates[CANDIDATE_COUNT]);

const char *coordinates_name(const lmada_config_t *config);
const char *momentum_name(lmada_momentum_t kind);
const char *clip_name(lmada_clip_t kind);

/*
 * All options of a setting in one line, as a comment that Markdown does not show. docs/recommended.md holds that of the
 * setting chosen; a test compares it with the library's.
 */
void setting_line(const lmada_config_t *config, char line[SETTING_LINE_SIZE]);

#endif
