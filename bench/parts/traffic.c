/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "traffic.h"

/* Bytes of an element of a stored column, scales included. */
static double column(const lmada_config_t *config, double element) {
    const double scale = sizeof(float) / 256.0;
    switch (config->history_format) {
        case LMADA_HISTORY_BF16: return 2;
        case LMADA_HISTORY_F16: return 2 + scale;
        case LMADA_HISTORY_INT8: return 1 + scale;
        case LMADA_HISTORY_SPARSE: return 4 * config->density; /* a value and an index of 2 bytes each */
        default: return element;
    }
}

double traffic(const lmada_config_t *config, bool written) {
    double element = config->dtype == LMADA_F64 ? sizeof(double) : sizeof(float);
    double stored = column(config, element), old = config->history_size - 1;
    double bytes = 2 * old * stored + stored + 2 * element + (written ? 1 : 2) * element;
    if (config->history_format == LMADA_HISTORY_SPARSE) bytes += 3 * element; /* what was left out: read twice, written */
    if (config->momentum_kind == LMADA_MOMENTUM_GRADIENT) bytes += 3 * element;  /* m read twice, and written */
    if (config->momentum_kind == LMADA_MOMENTUM_UPDATE) bytes += 2 * element;    /* b read and written */
    if (config->clip_kind == LMADA_CLIP_EMA_VECTOR || config->clip_kind == LMADA_GRAFT_EMA_VECTOR)
        bytes += 3 * element; /* the average read twice, and written */
    return bytes;
}
