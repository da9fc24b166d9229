/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "solves.h"

#include <stdbool.h>
#include <stdio.h>

#include "rounds.h"
#include "solver.h"
#include "support.h"
#include "table.h"

static const unsigned sizes[] = {10, 30, 100, 300, 1000};

/* In the order of the columns. */
static const struct way {
    bool general, spread;
    unsigned largest; /* for a larger k it would take minutes to fill the window and to solve */
} ways[] = {{false, false, 1000}, {false, true, 300}, {true, false, 1000}, {true, true, 300}};
enum { WAYS = sizeof ways / sizeof *ways };

static const struct column columns[] = {
    {"k", 5}, {"inverse root", 12}, {"norms spread", 12}, {"power 0.4", 9}, {"power 0.4, norms spread", 23},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Seconds that the samples of one cell take together, and the smallest number of samples. */
static const double budget = 4;
enum { LEAST_ROUNDS = 3 };

/* A cell of the table. */
struct contestant {
    struct solver *solver;
    size_t solves, rounds; /* number of solves in a sample; number of samples */
    double times[ROUNDS];
};

/* Sets the solves of a sample (10 ms of them, at least 1) and the number of samples (as many as the budget allows). */
static void plan(struct contestant *own, bool general) {
    double once = solver_time(own->solver, general, 1); /* the first solve takes longer than the others */
    if (once < 0.01) once = solver_time(own->solver, general, 10);
    own->solves = once < 0.01 ? (size_t)(0.01 / once) : 1;
    double rounds = budget / (once * (double)own->solves);
    own->rounds = rounds >= ROUNDS ? ROUNDS : rounds > LEAST_ROUNDS ? (size_t)rounds : LEAST_ROUNDS;
}

/* Measures all methods for one k, in turn. */
static void measure(unsigned k) {
    fprintf(stderr, "solves, k = %u\n", k);
    struct solver *solvers[2] = {NULL, NULL}; /* the second has spread norms */
    struct contestant all[WAYS] = {{0}};
    for (size_t i = 0; i < WAYS; i++) {
        if (k > ways[i].largest) continue;
        struct solver **solver = &solvers[ways[i].spread];
        if (!*solver) *solver = solver_new(k, ways[i].spread);
        all[i].solver = *solver;
        plan(&all[i], ways[i].general);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < WAYS; i++) {
            struct contestant *own = &all[i];
            if (round < own->rounds) own->times[round] = solver_time(own->solver, ways[i].general, own->solves);
        }
    }
    const char *cells[COLUMNS] = {text_of_count(k)};
    for (size_t i = 0; i < WAYS; i++)
        cells[i + 1] = all[i].rounds ? text_of_seconds(median(all[i].times, all[i].rounds)) : "–";
    table_row(columns, COLUMNS, cells);
    for (size_t i = 0; i < 2; i++)
        if (solvers[i]) solver_free(solvers[i]);
}

void solves_print(void) {
    table_head(columns, COLUMNS);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) measure(sizes[i]);
}
