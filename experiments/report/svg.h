/*
 * Pieces of SVG files: a light background, text, lines.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_SVG_H
#define EXPERIMENTS_SVG_H

#include <stdio.h>

/* Opens the file and writes what all have. Fails where it cannot be written. */
FILE *svg_open(const char *path, double width, double height, const char *title);
void svg_close(FILE *file, const char *path);

/* `anchor`: start, middle or end. The words may hold '<', '>' and '&'. */
void svg_text(FILE *file, double x, double y, const char *anchor, int size, const char *words);
void svg_line(FILE *file, double x1, double y1, double x2, double y2, const char *colour, double width);

#endif
