/*
 * Loss curves as an SVG file: panels side by side, logarithmic losses, a legend under each panel.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_CHART_H
#define EXAMPLES_CHART_H

#include <stddef.h>

#include "runner.h"

#define MAX_CURVES 6

struct curve {
    char label[48];
    double losses[CURVE_POINTS]; /* positive; what is not finite is not drawn */
};

struct panel {
    const char *title;
    size_t steps; /* length of the x axis */
    size_t curve_count;
    struct curve curves[MAX_CURVES];
};

/* Fails where the file cannot be written. */
void chart_write(const char *path, const char *title, const struct panel *panels, size_t count);

#endif
