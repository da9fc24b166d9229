/*
 * Loss curves as an SVG file: panels side by side and in rows, a legend under each panel.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_CHART_H
#define EXAMPLES_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "runner.h"

#define MAX_CURVES 6

struct curve {
    char label[48];
    double length;               /* of the x axis, where the curve ends before the panel does; else 0 */
    double losses[CURVE_POINTS]; /* positive; what is not finite is not drawn */
    bool has_band;
    double least[CURVE_POINTS], most[CURVE_POINTS]; /* what the band spans */
};

struct panel {
    const char *title;
    double length; /* of the x axis: as many steps, unless x_label says otherwise */
    const char *x_label, *y_label; /* NULL: "step", "train loss" */
    double top; /* 0: a logarithmic axis, from the least loss to three times the start; else a linear one, to here */
    size_t curve_count;
    struct curve curves[MAX_CURVES];
};

/* `columns` panels in a row. Fails where the file cannot be written. */
void chart_write(const char *path, const char *title, const struct panel *panels, size_t count, size_t columns);

#endif
