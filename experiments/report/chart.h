/*
 * Curves on logarithmic axes as an SVG file: panels side by side and in rows, a legend under each panel.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_CHART_H
#define EXPERIMENTS_CHART_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_CURVES = 6, MOST_POINTS = 64 };

struct curve {
    char label[64];
    size_t count;
    double x[MOST_POINTS], y[MOST_POINTS]; /* y: positive; what is not finite is not drawn */
    bool has_band;
    double least[MOST_POINTS], most[MOST_POINTS]; /* what the band spans */
};

struct panel {
    const char *title, *x_label, *y_label;
    bool log_x;
    double top; /* of the y axis; larger values leave the panel */
    size_t curve_count;
    struct curve curves[MOST_CURVES];
};

/* `columns` panels in a row. Fails where the file cannot be written. */
void chart_write(const char *path, const char *title, const struct panel *panels, size_t count, size_t columns);

#endif
