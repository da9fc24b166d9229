/*
 * A fair race: what is the same for all methods, what a seed decides, and what happens to a run that diverges.
 *
 *     training DIGITS.csv CANCER.csv
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <string.h>

#include "check.h"
#include "search.h"
#include "tasks.h"

/* Every row of the data lies in just one of the two sets. Rows are told apart by a number put into the first feature.
 */
static void check_split(void) {
    enum { ROWS = 100 };
    struct dataset data = {ROWS, 2, allocate(ROWS * 2, sizeof(float)), allocate(ROWS, sizeof(int))};
    for (int i = 0; i < ROWS; i++) {
        data.inputs[2 * i] = (float)i;
        data.labels[i] = i % 7;
    }
    struct split split = dataset_split(&data, 1), other = dataset_split(&data, 2);
    CHECK(split.train.rows == 80 && split.test.rows == 20, "%zu and %zu rows", split.train.rows, split.test.rows);
    int seen[ROWS] = {0}, differ = 0;
    const struct dataset *parts[] = {&split.train, &split.test};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->rows; i++) {
            int row = (int)parts[p]->inputs[2 * i];
            seen[row]++;
            CHECK(parts[p]->labels[i] == row % 7, "row %d lost its label", row);
        }
    for (int i = 0; i < ROWS; i++) CHECK(seen[i] == 1, "row %d is there %d times", i, seen[i]);
    for (size_t i = 0; i < split.test.rows; i++) differ += split.test.inputs[2 * i] != other.test.inputs[2 * i];
    CHECK(differ > 0, "seeds 1 and 2 split alike");
    dataset_free(&split.train);
    dataset_free(&split.test);
    dataset_free(&other.train);
    dataset_free(&other.test);
    dataset_free(&data);
}

static void check_median(void) {
    double odd[] = {3, INFINITY, 1}, even[] = {4, 1, 3, 2};
    CHECK(median(odd, 3) == 3, "median of three");
    CHECK(median(even, 4) == 2.5, "median of four");
}

static bool same_run(const struct outcome *a, const struct outcome *b) {
    return a->train_loss == b->train_loss && a->test_accuracy == b->test_accuracy &&
           memcmp(a->curve, b->curve, sizeof a->curve) == 0;
}

static void check_runs(const struct task *task, const struct method *method, double lr) {
    struct outcome first, again, other_seed;
    train(task, method, lr, 1, &first);
    train(task, method, lr, 1, &again);
    train(task, method, lr, 2, &other_seed);
    CHECK(same_run(&first, &again), "%s, %s: the same run ended otherwise", task->name, method->name);
    CHECK(!same_run(&first, &other_seed), "%s, %s: seeds 1 and 2 ended alike", task->name, method->name);
    CHECK(first.train_loss < 0.8 * first.curve[0], "%s, %s: from %g to %g", task->name, method->name, first.curve[0],
          first.train_loss);
    CHECK(first.curve[CURVE_POINTS - 1] == first.train_loss, "%s: the curve ends elsewhere", task->name);
    CHECK(first.step_seconds > 0 && first.step_seconds < 1, "%s: %g s a step", task->name, first.step_seconds);

    struct outcome baseline;
    train(task, &method_adam, 1e-8, 1, &baseline);
    CHECK(baseline.curve[0] == first.curve[0], "%s: %s and Adam start at %.9g and %.9g", task->name, method->name,
          first.curve[0], baseline.curve[0]);
}

/* A learning rate that falls ends lower, from the same start. */
static void check_schedule(const struct task *task, const struct method *method, double lr) {
    struct task falling = *task;
    falling.schedule = LMADA_SCHEDULE_COSINE;
    struct outcome constant, fell;
    train(task, method, lr, 1, &constant);
    train(&falling, method, lr, 1, &fell);
    CHECK(fell.curve[0] == constant.curve[0], "%s: two schedules, two starts", task->name);
    CHECK(fell.train_loss < constant.train_loss / 2, "%s: %g with a falling rate, %g with a constant one", task->name,
          fell.train_loss, constant.train_loss);
}

/* Parallel child processes find what one after the other does, in this process too. */
static void check_search(const struct task *task, const struct method *methods) {
    const struct grid grid = {2, {1e-3, 1e-2}};
    struct search one = {task, methods, 2, &grid, 2, NULL, 0, 0}, many = one;
    struct progress progress = {.total = 16, .terminal = false, .next_tenth = 99, .last = INFINITY};
    search_run(&one, 1, &progress);
    search_run(&many, 4, &progress);
    CHECK(progress.done == 16, "%zu runs reported", progress.done);
    for (size_t m = 0; m < 2; m++)
        for (size_t lr = 0; lr < grid.count; lr++)
            for (size_t seed = 0; seed < 2; seed++) {
                struct outcome direct;
                train(task, methods + m, grid.lrs[lr], seed, &direct);
                CHECK(same_run(search_outcome(&one, m, lr, seed), &direct), "one job: run %zu %zu %zu", m, lr, seed);
                CHECK(same_run(search_outcome(&many, m, lr, seed), &direct), "four jobs: run %zu %zu %zu", m, lr, seed);
            }
    search_free(&one);
    search_free(&many);
}

/*
 * Steps near the largest float drive the loss to infinity; lmada refuses them. Either way the run ends early and counts
 * as infinitely bad.
 */
static void check_divergence(const struct task *task, const struct method *method) {
    struct outcome outcome;
    train(task, method, 3e38, 0, &outcome);
    CHECK(isinf(outcome.train_loss), "%s, %s: %g", task->name, method->name, outcome.train_loss);
    CHECK(isfinite(outcome.curve[0]) && isinf(outcome.curve[CURVE_POINTS - 1]), "%s, %s", task->name, method->name);
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: training DIGITS.csv CANCER.csv");
    struct tasks tasks;
    tasks_read(&tasks, argv[1], argv[2], true);
    CHECK(tasks.digits.rows == 1797 && tasks.cancer.rows == 569, "%zu, %zu", tasks.digits.rows, tasks.cancer.rows);

    lmada_config_t config;
    if (lmada_config_recommended(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    struct method methods[] = {method_lmada("lmada", &config), method_adam};
    check_split();
    check_median();
    for (size_t t = 0; t < CLASSIFYING; t++) check_runs(tasks.list + t, methods, t < CANCER_MINIBATCH ? 0.3 : 0.03);
    check_schedule(tasks.list + DIGITS_MINIBATCH, methods, 0.1);
    check_search(tasks.list + CANCER_MINIBATCH, methods);
    const struct task *diverging[] = {tasks.list + CANCER_FULL, tasks.list + DIGITS_MINIBATCH};
    for (size_t t = 0; t < 2; t++) {
        check_divergence(diverging[t], methods);
        check_divergence(diverging[t], &method_momentum);
    }
    tasks_free(&tasks);
    return check_result("training");
}
