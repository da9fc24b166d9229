/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "pairs.h"

#include <stdio.h>

#include "pool.h"
#include "rounds.h"
#include "subject.h"
#include "support.h"
#include "table.h"

static void one_thread(lmada_config_t *config) { config->threads = 1; }

static const struct column columns[] = {
    {"d", 5}, {"first", -25}, {"second", -21}, {"first", 7}, {"second", 7}, {"second/first", 12},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void print(size_t dim, const char *first, const char *second, double first_time, double second_time) {
    const char *cells[COLUMNS] = {
        text_of_count(dim),
        first,
        second,
        text_of_seconds(first_time),
        text_of_seconds(second_time),
        text_of("%.2f", second_time / first_time),
    };
    table_row(columns, COLUMNS, cells);
}

/* Two handles, and the number of steps that each takes. */
struct two {
    struct subject *handles[2];
    size_t steps;
};

static void step_one(void *context, size_t index) {
    struct two *two = context;
    subject_step(two->handles[index], two->steps);
}

/* Times one step of both handles: one after the other in one thread, and each in its own thread. */
static void at_once(size_t dim) {
    fprintf(stderr, "two handles, d = %zu\n", dim);
    struct setting setting = {.dim = dim, .k = 10};
    struct two two = {{subject_new(&setting), subject_new(&setting)}, 1};
    struct pool *pool = pool_new(2);
    double turns[ROUNDS], together[ROUNDS];
    two.steps = subject_sample(two.handles[0]);
    for (size_t round = 0; round < ROUNDS; round++) {
        double start = seconds_now();
        for (size_t i = 0; i < 2 * two.steps; i++) subject_step(two.handles[i % 2], 1);
        turns[round] = (seconds_now() - start) / (double)two.steps;
        together[round] = pool_run(pool, step_one, &two) / (double)two.steps;
    }
    print(dim, "two handles, in turns", "two handles, at once", median(turns, ROUNDS), median(together, ROUNDS));
    pool_free(pool);
    for (size_t i = 0; i < 2; i++) subject_free(two.handles[i]);
}

/* Times a step of both settings. With `solver` also times lmada_solve, and prints a second row without this time. */
static void settings(const char *first, struct setting one, const char *second, struct setting other, int solver) {
    fprintf(stderr, "%s and %s, d = %zu\n", first, second, one.dim);
    struct subject *subjects[2] = {subject_new(&one), subject_new(&other)};
    double times[2][ROUNDS], solves[2][ROUNDS] = {{0}, {0}};
    size_t steps[2] = {subject_sample(subjects[0]), subject_sample(subjects[1])};
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2; i++) {
            subject_step(subjects[i], 1);
            times[i][round] = subject_time(subjects[i], steps[i]);
            if (solver) solves[i][round] = subject_solve_time(subjects[i], steps[i]);
        }
    }
    double time[2], solve[2];
    for (size_t i = 0; i < 2; i++) {
        time[i] = median(times[i], ROUNDS);
        solve[i] = median(solves[i], ROUNDS);
        subject_free(subjects[i]);
    }
    print(one.dim, first, second, time[0], time[1]);
    if (solver) print(one.dim, "both, without k×k work", "", time[0] - solve[0], time[1] - solve[1]);
}

void pairs_print(void) {
    table_head(columns, COLUMNS);
    struct setting one_block = {.dim = 1000000, .k = 10}, blocks = {.dim = 1000000, .k = 10, .blocks = 1000};
    settings("one handle", one_block, "1,000 blocks of 1,000", blocks, 1);
    static const size_t together[] = {220, 100000, 1000000};
    for (size_t i = 0; i < sizeof together / sizeof *together; i++) at_once(together[i]);
    static const size_t threaded[] = {1000, 10000, 100000, 1000000};
    for (size_t i = 0; i < sizeof threaded / sizeof *threaded; i++) {
        struct setting all = {.dim = threaded[i], .k = 10}, one = {.dim = threaded[i], .k = 10, .change = one_thread};
        settings("threads = 1", one, "threads = 0 (all)", all, 0);
    }
}
