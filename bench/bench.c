/*
 * How long a step takes, and against what: a table in Markdown on stdout, progress on stderr. Run by `make bench`.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdio.h>

#include "crew.h"
#include "formats.h"
#include "grid.h"
#include "lmada.h"
#include "pairs.h"

int main(void) {
    printf("\nlmada %s on %zu threads:\n\n", lmada_version(), available_threads());
    grid_print();
    printf("\nThe same done in two ways (k = 10, f32), measured in turn:\n\n");
    pairs_print();
    printf("\nThe history formats (f32; sparse with density 0.01), measured in turn; in brackets the aim:\n\n");
    formats_print();
    return 0;
}
