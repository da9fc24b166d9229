/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "setting.h"

#include <stdio.h>

#include "support.h"

static const uint32_t history_sizes[] = {10, 30};
static const lmada_momentum_t momenta[] = {LMADA_MOMENTUM_NONE, LMADA_MOMENTUM_GRADIENT, LMADA_MOMENTUM_UPDATE,
                                           LMADA_MOMENTUM_WINDOW};
static const lmada_clip_t clips[] = {LMADA_CLIP_NONE, LMADA_GRAFT_EMA_NORM};

const char *momentum_name(lmada_momentum_t kind) {
    static const char *const names[] = {"none", "gradient", "update", "window"};
    return names[kind];
}

const char *clip_name(lmada_clip_t kind) {
    return kind == LMADA_CLIP_NONE ? "none" : kind == LMADA_GRAFT_EMA_NORM ? "graft" : "another";
}

void candidates_new(struct method candidates[CANDIDATE_COUNT]) {
    /* Names have to outlive the candidates that point at them. */
    static char names[CANDIDATE_COUNT][48];
    size_t count = 0;
    for (size_t k = 0; k < 2; k++)
        for (size_t m = 0; m < 4; m++)
            for (size_t c = 0; c < 2; c++, count++) {
                lmada_config_t config;
                if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
                config.history_size = history_sizes[k];
                config.momentum_kind = momenta[m];
                config.clip_kind = clips[c];
                snprintf(names[count], sizeof names[count], "k %u, momentum %s, clip %s", (unsigned)config.history_size,
                         momentum_name(momenta[m]), clip_name(clips[c]));
                candidates[count] = method_lmada(names[count], &config);
            }
}

void setting_line(const lmada_config_t *config, char line[SETTING_LINE_SIZE]) {
    int length = snprintf(
        line, SETTING_LINE_SIZE,
        "<!-- chosen: dtype=%d history_size=%u history_format=%d density=%g lr=%g eps=%g eps_relative=%g power=%g "
        "eps_on_root=%d rank_tol=%g centered=%d history_decay=%g orthogonal_scale=%g momentum_kind=%d momentum=%g "
        "bias_correction=%d clip_kind=%d clip_norm=%g clip_factor=%g clip_beta=%g weight_decay=%g threads=%u -->",
        (int)config->dtype, (unsigned)config->history_size, (int)config->history_format, config->density, config->lr,
        config->eps, config->eps_relative, config->power, config->eps_on_root, config->rank_tol, config->centered,
        config->history_decay, config->orthogonal_scale, (int)config->momentum_kind, config->momentum,
        config->bias_correction, (int)config->clip_kind, config->clip_norm, config->clip_factor, config->clip_beta,
        config->weight_decay, (unsigned)config->threads);
    if (length < 0 || length >= SETTING_LINE_SIZE) fail("a setting of %d characters", length);
}
