/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "svg.h"

#include <errno.h>
#include <string.h>

#include "support.h"

static void put_escaped(FILE *file, const char *words) {
    for (; *words; words++) {
        switch (*words) {
            case '<': fputs("&lt;", file); break;
            case '>': fputs("&gt;", file); break;
            case '&': fputs("&amp;", file); break;
            default: fputc(*words, file);
        }
    }
}

FILE *svg_open(const char *path, double width, double height, const char *title) {
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"sans-serif\" fill=\"#222\">\n<title>",
            width, height, width, height);
    put_escaped(file, title);
    fputs("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", file);
    return file;
}

void svg_close(FILE *file, const char *path) {
    fputs("</svg>\n", file);
    int failed = ferror(file);
    if (fclose(file) != 0 || failed) fail("%s: cannot be written", path);
}

void svg_text(FILE *file, double x, double y, const char *anchor, int size, const char *words) {
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">", x, y, anchor, size);
    put_escaped(file, words);
    fputs("</text>\n", file);
}

void svg_line(FILE *file, double x1, double y1, double x2, double y2, const char *colour, double width) {
    fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x1,
            y1, x2, y2, colour, width);
}
