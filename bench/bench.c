/*
 * Times steps and compares them with the speed of memory. Prints tables in Markdown on stdout and progress on stderr.
 * `make bench` runs this program.
 *
 *     bench         prints all tables
 *     bench NAME    prints one table: steps, pairs, formats or solves
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "formats.h"
#include "grid.h"
#include "lmada.h"
#include "pairs.h"
#include "pool.h"
#include "solves.h"
#include "support.h"

static const struct part {
    const char *name, *title;
    void (*print)(void);
} parts[] = {
    {"steps", NULL, grid_print},
    {"pairs", "The same work done in two ways (k = 10, f32), measured in turn", pairs_print},
    {"formats", "The history formats (f32; sparse with density 0.01), measured in turn; in parentheses the target",
     formats_print},
    {"solves", "The k×k work alone (f64, one thread): time of a solve, measured in turn", solves_print},
};
enum { PARTS = sizeof parts / sizeof *parts };

int main(int argc, char **argv) {
    size_t printed = 0;
    for (size_t i = 0; i < PARTS; i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name) != 0) continue;
        if (printed++ == 0) printf("\nlmada %s on %zu threads:\n", lmada_version(), available_threads());
        if (parts[i].title) printf("\n%s:\n", parts[i].title);
        putchar('\n');
        parts[i].print();
    }
    if (printed == 0) fail("there is no table called %s", argv[1]);
    return 0;
}
