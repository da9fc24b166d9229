/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "traffic.h"

/* Bytes a parameter: to read a stored column in one pass, and to make a new column. */
struct column {
    double read, made;
};

static struct column column_of(const lmada_config_t *config, double element) {
    const double scale = sizeof(double) / 256.0;
    const double entries = 4 * config->density; /* a value and an index of 2 bytes each */
    /* Pass one writes scales and entries to scratch memory. Pass two reads them and writes them into the window. */
    switch (config->history_format) {
        case LMADA_HISTORY_BF16: return (struct column){2, 2};
        case LMADA_HISTORY_F16: return (struct column){2 + scale, 2 + 3 * scale};
        case LMADA_HISTORY_INT8: return (struct column){1 + scale, 1 + 3 * scale};
        case LMADA_HISTORY_SPARSE: return (struct column){entries, 3 * entries};
        default: return (struct column){element, element};
    }
}

double traffic(const lmada_config_t *config, bool written) {
    double element = config->dtype == LMADA_F64 ? sizeof(double) : sizeof(float);
    struct column column = column_of(config, element);
    double bytes = 2 * (config->history_size - 1) * column.read + column.made;
    bytes += (written ? 3 : 4) * element; /* g read twice, w read and written */
    if (config->history_format == LMADA_HISTORY_SPARSE) bytes += 3 * element;   /* feedback read twice, and written */
    if (config->momentum_kind == LMADA_MOMENTUM_GRADIENT) bytes += 3 * element; /* m read twice, and written */
    if (config->momentum_kind == LMADA_MOMENTUM_UPDATE) bytes += 2 * element;   /* b read and written */
    if (config->clip_kind == LMADA_CLIP_EMA_VECTOR || config->clip_kind == LMADA_GRAFT_EMA_VECTOR)
        bytes += 3 * element; /* the average read twice, and written */
    if (config->diagonal_beta > 0) bytes += 3 * element; /* the root of q read twice, and written */
    if (config->average_beta > 0) bytes += 2 * element; /* the average of the parameters read and written */
    return bytes;
}
