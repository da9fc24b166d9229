/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "setting.h"

#include <stdio.h>

#include "support.h"

static const uint32_t history_sizes[] = {10, 30};
static const lmada_momentum_t momenta[] = {LMADA_MOMENTUM_NONE, LMADA_MOMENTUM_GRADIENT, LMADA_MOMENTUM_UPDATE,
                                           LMADA_MOMENTUM_WINDOW};

const char *coordinates_name(const lmada_config_t *config) {
    return config->diagonal_beta > 0 ? "diagonal" : "plain";
}

const char *momentum_name(lmada_momentum_t kind) {
    static const char *const names[] = {"none", "gradient", "update", "window"};
    return names[kind];
}

const char *clip_name(lmada_clip_t kind) {
    switch (kind) {
        case LMADA_CLIP_NONE: return "none";
        case LMADA_GRAFT_EMA_NORM: return "graft";
        case LMADA_GRAFT_INPUT: return "graft to input";
        default: return "another";
    }
}

void set_diagonal(lmada_config_t *config) {
    config->diagonal_beta = 0.99;
    config->diagonal_eps = 1e-30;
    config->eps = 0;
    config->eps_relative = 1e-9;
}

static lmada_config_t candidate(bool diagonal, uint32_t history_size, lmada_momentum_t momentum, bool grafted) {
    lmada_config_t config;
    if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    config.history_size = history_size;
    config.momentum_kind = momentum;
    if (grafted) config.clip_kind = diagonal ? LMADA_GRAFT_INPUT : LMADA_GRAFT_EMA_NORM;
    if (diagonal) {
        set_diagonal(&config);
        config.momentum = 0.8;
    }
    return config;
}

void candidates_new(struct method candidates[CANDIDATE_COUNT]) {
    /* Names have to outlive the candidates that point at them. */
    static char names[CANDIDATE_COUNT][64];
    for (size_t i = 0; i < CANDIDATE_COUNT; i++) {
        lmada_config_t config = candidate(i / 16, history_sizes[i / 8 % 2], momenta[i / 2 % 4], i % 2);
        snprintf(names[i], sizeof names[i], "k %u, %s, momentum %s, clip %s", (unsigned)config.history_size,
                 coordinates_name(&config), momentum_name(config.momentum_kind), clip_name(config.clip_kind));
        candidates[i] = method_lmada(names[i], &config);
    }
}

void setting_line(const lmada_config_t *config, char line[SETTING_LINE_SIZE]) {
    int length = snprintf(
        line, SETTING_LINE_SIZE,
        "<!-- chosen: dtype=%d history_size=%u history_format=%d density=%g lr=%g eps=%g eps_relative=%g power=%g "
        "eps_on_root=%d rank_tol=%g centered=%d history_decay=%g orthogonal_scale=%g momentum_kind=%d momentum=%g "
        "bias_correction=%d clip_kind=%d clip_norm=%g clip_factor=%g clip_beta=%g weight_decay=%g threads=%u "
        "diagonal_beta=%g diagonal_eps=%g -->",
        (int)config->dtype, (unsigned)config->history_size, (int)config->history_format, config->density, config->lr,
        config->eps, config->eps_relative, config->power, config->eps_on_root, config->rank_tol, config->centered,
        config->history_decay, config->orthogonal_scale, (int)config->momentum_kind, config->momentum,
        config->bias_correction, (int)config->clip_kind, config->clip_norm, config->clip_factor, config->clip_beta,
        config->weight_decay, (unsigned)config->threads, config->diagonal_beta, config->diagonal_eps);
    if (length < 0 || length >= SETTING_LINE_SIZE) fail("a setting of %d characters", length);
}
