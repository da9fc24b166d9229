/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *text_of(const char *format, ...) {
    static char texts[16][96];
    static size_t next;
    char *text = texts[next++ % 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof texts[0], format, arguments);
    va_end(arguments);
    return text;
}

const char *text_of_seconds(double seconds) {
    const char *unit = seconds < 1e-3 ? "µs" : seconds < 1 ? "ms" : "s";
    double number = seconds * (seconds < 1e-3 ? 1e6 : seconds < 1 ? 1e3 : 1);
    return text_of("%.*f %s", number < 10 ? 2 : number < 100 ? 1 : 0, number, unit);
}

const char *text_of_count(size_t count) {
    static const char *const powers[] = {"1", "10", "100", "1,000", "10⁴", "10⁵", "10⁶", "10⁷", "10⁸", "10⁹"};
    size_t power = 1;
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++, power *= 10)
        if (count == power) return powers[i];
    return text_of("%zu", count);
}

/* The number of characters, by counting the bytes that do not continue a UTF-8 character. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void table_row(const struct column *columns, size_t count, const char *const *cells) {
    for (size_t i = 0; i < count; i++) {
        bool left = columns[i].width < 0;
        int space = abs(columns[i].width) - width_of(cells[i]);
        if (space < 0) space = 0;
        printf("| %*s%s%*s ", left ? 0 : space, "", cells[i], left ? space : 0, "");
    }
    puts("|");
    fflush(stdout); /* shows each row at once, through a pipe too */
}

void table_head(const struct column *columns, size_t count) {
    static const char dashes[] = "----------------------------------------";
    const char *titles[16] = {NULL}, *rules[16] = {NULL};
    for (size_t i = 0; i < count; i++) {
        bool left = columns[i].width < 0;
        titles[i] = columns[i].title;
        rules[i] = text_of("%.*s%s", abs(columns[i].width) - !left, dashes, left ? "" : ":");
    }
    table_row(columns, count, titles);
    table_row(columns, count, rules);
}
