/*
 * Options that benchmarks and instruction counts compare, one choice a function.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_CHOICES_H
#define BENCH_CHOICES_H

#include <lmada.h>

static inline void bf16(lmada_config_t *config) { config->history_format = LMADA_HISTORY_BF16; }
static inline void f16(lmada_config_t *config) { config->history_format = LMADA_HISTORY_F16; }
static inline void int8(lmada_config_t *config) { config->history_format = LMADA_HISTORY_INT8; }
static inline void sparse(lmada_config_t *config) { config->history_format = LMADA_HISTORY_SPARSE; } /* density 0.01 */
static inline void diagonal(lmada_config_t *config) {
    config->diagonal_beta = 0.99;
    config->momentum_kind = LMADA_MOMENTUM_UPDATE;
}

#endif
