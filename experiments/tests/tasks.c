/*
 * The tasks: gradients against finite differences and between precisions, optima, objectives, seeds.
 *
 *     tasks FOLDER [NAME]      FOLDER has breast_cancer.csv, digits.csv and shakespeare.txt; NAME: that task only
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "task.h"

#include <math.h>
#include <string.h>

#include "check.h"
#include "support.h"

double functions_error_f32(void);
double functions_error_f64(void);
int functions_hold_at_ends_f32(void);
int functions_hold_at_ends_f64(void);

/* What is known of a task without running it. */
static const struct known {
    const char *name;
    double spread;            /* how far parameters are moved from the start: they and the features have units */
    double at_zero, tolerance; /* the objective of parameters that are all 0; NaN: they may not be */
    size_t epoch;             /* gradients that go over all training rows once; 0: rows are drawn, or made */
    bool same_data;           /* for all seeds */
} all_known[] = {
    {"cancer", 1e-4, 0.693147180559945, 1e-12, 1, false},
    {"cancer-minibatch", 1e-4, 0.693147180559945, 1e-12, 14, false},
    /* Labels have the variance 1 or so, and 0.01 of noise; sampled. */
    {"regression", 0.3, 0.5, 0.2, 32, false},
    {"low-rank", 0.3, 0.5, 0.25, 32, false},
    {"perceptron", 0.1, 2.302585092994046, 1e-12, 23, false},
    /* The mean square of a pixel of all 1,797 digits, from which the sample differs a little. */
    {"autoencoder", 0.1, 0.2346, 0.02, 1, false},
    {"autoencoder-minibatch", 0.1, 0.2346, 0.005, 23, false},
    /* sin^2 sin^2 averages to a quarter; (1 + x / 2)^2 sin^2 to (1 + 1/12) / 2, less a wiggle. */
    {"physics", 0.1, 0.25, 1e-12, 1, true},
    {"wave", 0.1, 0.5416, 0.01, 1, true},
    {"peaks", 0.1, NAN, 0, 1, false},
    /* The square of a sum of two numbers from 0 to 1 averages to 7 / 6. */
    {"adding", 0.1, 1.1667, 0.15, 0, false},
    {"characters", 0.1, 4.1588830833596715, 1e-12, 0, false},
    {"characters-large", 0.1, NAN, 0, 0, false},
};

static const struct known *known_of(const struct task *task) {
    for (size_t i = 0; i < sizeof all_known / sizeof *all_known; i++)
        if (strcmp(all_known[i].name, task->name) == 0) return all_known + i;
    fail("nothing is known of the task %s", task->name);
}

static double *doubles(size_t count) {
    return allocate(count, sizeof(double));
}

/* Parameters around the start, which a float holds exactly: the start itself for `spread` 0. */
static void point(const struct task *task, double spread, uint64_t salt, double *params) {
    struct random random = random_stream(salt, 77);
    void *problem = task->f64->open(1);
    task->f64->start(problem, params);
    task->f64->close(problem);
    for (size_t i = 0; i < task->dim; i++)
        params[i] = (double)(float)(params[i] + random_uniform(&random, -spread, spread));
}

static void check_table(const struct task *task) {
    size_t sum = 0;
    for (size_t t = 0; t < task->tensors; t++) sum += task->lens[t];
    CHECK(sum == task->dim, "%s: tensors of %zu numbers in all, not %zu", task->name, sum, task->dim);
    CHECK(strspn(task->name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(task->name), "%s: a name", task->name);
    CHECK(strlen(task->title) <= 28, "%s: a title of %zu characters", task->name, strlen(task->title));
    CHECK(task->excess == (task->optimum != NULL), "%s: an optimum and no excess, or the other way", task->name);
    CHECK((task->batch == 0) == (known_of(task)->epoch == 1), "%s: minibatches of %zu", task->name, task->batch);
}

/* The loss of the first minibatch. */
static double first_loss(const struct task *task, const double *params, double *grads) {
    void *problem = task->f64->open(1);
    double loss = task->f64->gradient(problem, params, grads);
    task->f64->close(problem);
    return loss;
}

/* Along a random direction in the parameters `from` to `to` - 1, with differences of fourth order. */
static void check_slope(const struct task *task, const double *params, const double *grads, size_t from, size_t to,
                        struct random *random) {
    double *direction = doubles(task->dim), *moved = doubles(task->dim), *unused = doubles(task->dim);
    double slope = 0, scale = 0, losses[4];
    const double h = 2e-3 * known_of(task)->spread;
    for (size_t i = from; i < to; i++) {
        direction[i] = random_uniform(random, -1, 1);
        slope += direction[i] * grads[i];
        scale += direction[i] * direction[i] * grads[i] * grads[i];
    }
    for (size_t k = 0; k < 4; k++) {
        static const double steps[] = {-2, -1, 1, 2};
        for (size_t i = 0; i < task->dim; i++) moved[i] = params[i] + h * steps[k] * direction[i];
        losses[k] = first_loss(task, moved, unused);
    }
    double expected = (8 * (losses[2] - losses[1]) - (losses[3] - losses[0])) / (12 * h);
    double rounding = 1e-15 * fabs(losses[1]) / h;
    /* The differences may cancel to far less than the slopes that they are the sum of. */
    CHECK(fabs(slope - expected) <= 1e-6 * sqrt(scale) + 10 * rounding,
          "%s, parameters %zu to %zu: a slope of %.9g, not %.9g", task->name, from, to - 1, slope, expected);
    CHECK(rounding < 1e-4 * sqrt(scale),
          "%s, parameters %zu to %zu: slopes so small (%g) that the differences say nothing", task->name, from, to - 1,
          sqrt(scale));
    free(direction);
    free(moved);
    free(unused);
}

static void check_gradient(const struct task *task) {
    double *params = doubles(task->dim), *grads = doubles(task->dim);
    struct random random = random_stream(5, 0);
    for (uint64_t salt = 1; salt <= 3; salt++) {
        point(task, known_of(task)->spread, salt, params);
        first_loss(task, params, grads);
        check_slope(task, params, grads, 0, task->dim, &random);
        for (size_t t = 0, from = 0; t < task->tensors; from += task->lens[t++])
            check_slope(task, params, grads, from, from + task->lens[t], &random);
    }
    free(params);
    free(grads);
}

/* What float computes differs from what double does by rounding errors alone. */
static void check_float(const struct task *task) {
    double *params = doubles(task->dim), *grads = doubles(task->dim);
    float *params_float = allocate(task->dim, sizeof(float)), *grads_float = allocate(task->dim, sizeof(float));
    for (uint64_t salt = 1; salt <= 3; salt++) {
        void *problem = task->f64->open(1), *problem_float = task->f32->open(1);
        point(task, known_of(task)->spread, salt, params);
        for (size_t i = 0; i < task->dim; i++) params_float[i] = (float)params[i];
        double loss = task->f64->gradient(problem, params, grads), largest = 0, furthest = 0;
        double loss_float = task->f32->gradient(problem_float, params_float, grads_float);
        for (size_t i = 0; i < task->dim; i++) {
            largest = fmax(largest, fabs(grads[i]));
            furthest = fmax(furthest, fabs((double)grads_float[i] - grads[i]));
        }
        CHECK(furthest <= 2e-5 * largest, "%s: the gradient in float is off by %g, where it is up to %g", task->name,
              furthest, largest);
        CHECK(fabs(loss_float - loss) <= 1e-5 * loss, "%s: a loss of %.9g in float, %.9g in double", task->name,
              loss_float, loss);
        double objective = task->f64->objective(problem, params);
        double objective_float = task->f32->objective(problem_float, params_float);
        CHECK(fabs(objective_float - objective) <= (task->excess && !task->trains_in_f64 ? 1e-14 : 1e-5) * objective,
              "%s: an objective of %.17g in float, %.17g in double", task->name, objective_float, objective);
        if (task->f64->held_out) {
            double held_out = task->f64->held_out(problem, params);
            double held_out_float = task->f32->held_out(problem_float, params_float);
            CHECK(fabs(held_out_float - held_out) <= 1e-4 * held_out, "%s: held out %.9g in float, %.9g in double",
                  task->name, held_out_float, held_out);
        }
        task->f64->close(problem);
        task->f32->close(problem_float);
    }
    CHECK((task->f64->held_out == NULL) == (task->f32->held_out == NULL), "%s: held out", task->name);
    free(params);
    free(grads);
    free(params_float);
    free(grads_float);
}

/* The objective: of zero parameters, and as the mean of the minibatches. It draws none of them. */
static void check_objective(const struct task *task) {
    const struct known *known = known_of(task);
    const size_t count = known->epoch ? known->epoch : 5;
    double *params = doubles(task->dim), *grads = doubles(task->dim), *again = doubles(task->dim);
    void *problem = task->f64->open(1);
    if (isfinite(known->at_zero)) {
        double objective = task->f64->objective(problem, params);
        CHECK_CLOSE(objective, known->at_zero, known->tolerance, task->name);
    }
    point(task, known->spread, 4, params);
    double objective = task->f64->objective(problem, params), sum = 0;
    for (size_t k = 0; k < count; k++) {
        sum += task->f64->gradient(problem, params, grads);
        if (task->f64->held_out) task->f64->held_out(problem, params);
        CHECK(task->f64->objective(problem, params) == objective || k > 3, "%s: two objectives", task->name);
    }
    if (known->epoch)
        CHECK(fabs(sum / (double)count - objective) <= 1e-12 * objective,
              "%s: an objective of %.15g; the minibatches' mean is %.15g", task->name, objective, sum / (double)count);

    /* The gradients of a second epoch, in which no objective was asked for, are those of the second epoch. */
    double first = task->f64->gradient(problem, params, grads);
    void *other = task->f64->open(1);
    double second = 0;
    for (size_t k = 0; k <= count; k++) second = task->f64->gradient(other, params, again);
    CHECK(first == second && memcmp(grads, again, task->dim * sizeof *grads) == 0,
          "%s: asking for the objective changed the minibatches", task->name);
    task->f64->close(other);
    task->f64->close(problem);
    free(params);
    free(grads);
    free(again);
}

/* Where rows are drawn or made, the objective is a sample of as much as the minibatches are: in the mean of 8 seeds. */
static void check_sample(const struct task *task) {
    enum { SEEDS = 8, COUNT = 100 };
    double *params = doubles(task->dim), *grads = doubles(task->dim), square = 0;
    point(task, known_of(task)->spread, 4, params);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        void *problem = task->f64->open(seed);
        double sum = 0;
        for (size_t k = 0; k < COUNT; k++) sum += task->f64->gradient(problem, params, grads) / COUNT;
        double ratio = task->f64->objective(problem, params) / sum - 1;
        square += ratio * ratio / SEEDS;
        task->f64->close(problem);
    }
    CHECK(sqrt(square) <= 0.045, "%s: objectives differ from the minibatches' mean by %g", task->name,
          sqrt(square));
    free(params);
    free(grads);
}

/* The start and three gradients of a seed. */
static float *bits_of(const struct task *task, uint64_t seed) {
    float *bits = allocate(4 * task->dim, sizeof *bits);
    void *problem = task->f32->open(seed);
    task->f32->start(problem, bits);
    for (size_t k = 1; k <= 3; k++) task->f32->gradient(problem, bits, bits + k * task->dim);
    task->f32->close(problem);
    return bits;
}

static void check_seeds(const struct task *task) {
    float *one = bits_of(task, 1), *again = bits_of(task, 1), *other = bits_of(task, 2);
    float *other_data = allocate(task->dim, sizeof *other_data);
    void *problem = task->f32->open(2);
    task->f32->gradient(problem, one, other_data);
    task->f32->close(problem);
    const size_t dim = task->dim, size = dim * sizeof *one;
    CHECK(memcmp(one, again, 4 * size) == 0, "%s: the gradients of a seed differ", task->name);
    CHECK((memcmp(one + dim, other_data, size) == 0) == known_of(task)->same_data, "%s: the data of two seeds",
          task->name);
    bool zero = true;
    for (size_t i = 0; i < dim; i++) zero = zero && one[i] == 0;
    CHECK(zero == (memcmp(one, other, size) == 0), "%s: the starts of two seeds", task->name);
    bool same = memcmp(one + dim, one + 2 * dim, size) == 0 && memcmp(one + dim, one + 3 * dim, size) == 0;
    CHECK(same == (task->batch == 0), "%s: gradients in a row are %s", task->name, same ? "the same" : "different");
    free(one);
    free(again);
    free(other);
    free(other_data);
}

/* The gradient at the optimum is nothing, and near it the objective is larger. */
static void check_optimum(const struct task *task) {
    const struct known *known = known_of(task);
    double *least_at = doubles(task->dim), *moved = doubles(task->dim);
    double *sum = doubles(task->dim), *grads = doubles(task->dim), *sum_at_start = doubles(task->dim);
    struct random random = random_stream(6, 0);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        void *problem = task->f64->open(seed);
        double least = task->optimum(seed, least_at), norm = 0, norm_at_start = 0;
        CHECK(task->optimum(seed, NULL) == least, "%s: two optima", task->name);
        CHECK(task->f64->objective(problem, least_at) == least, "%s: an optimum that is no objective", task->name);
        task->f64->start(problem, moved);
        memset(sum, 0, task->dim * sizeof *sum);
        memset(sum_at_start, 0, task->dim * sizeof *sum);
        for (size_t k = 0; k < known->epoch; k++) {
            task->f64->gradient(problem, least_at, grads);
            for (size_t i = 0; i < task->dim; i++) sum[i] += grads[i];
        }
        for (size_t k = 0; k < known->epoch; k++) {
            task->f64->gradient(problem, moved, grads);
            for (size_t i = 0; i < task->dim; i++) sum_at_start[i] += grads[i];
        }
        for (size_t i = 0; i < task->dim; i++) {
            norm += sum[i] * sum[i];
            norm_at_start += sum_at_start[i] * sum_at_start[i];
        }
        CHECK(norm <= 1e-20 * norm_at_start, "%s: a gradient of %g at the optimum, %g at the start", task->name,
              sqrt(norm), sqrt(norm_at_start));
        CHECK(least < 0.9 * task->f64->objective(problem, moved), "%s: the start is the optimum", task->name);
        for (size_t k = 0; k < 200; k++) {
            double size = known->spread * pow(10, -(double)(k % 4));
            memcpy(moved, least_at, task->dim * sizeof *moved);
            for (size_t i = 0; i < task->dim; i++)
                if (k < 100 || i == k % task->dim) moved[i] += random_uniform(&random, -size, size);
            double objective = task->f64->objective(problem, moved);
            CHECK(objective > least - 1e-15, "%s: %.17g near an optimum of %.17g", task->name, objective, least);
        }
        task->f64->close(problem);
    }
    free(least_at);
    free(moved);
    free(sum);
    free(grads);
    free(sum_at_start);
}

/* Adam in double. Returns the objective behind the last step, less the optimum where that is known. */
static double train(const struct task *task, void *problem, double *params, size_t steps, double lr) {
    double *grads = doubles(task->dim), *first = doubles(task->dim), *second = doubles(task->dim);
    for (size_t step = 1; step <= steps; step++) {
        double now = lr * sqrt(1 - pow(0.99, (double)step)) / (1 - pow(0.9, (double)step));
        task->f64->gradient(problem, params, grads);
        for (size_t i = 0; i < task->dim; i++) {
            first[i] += 0.1 * (grads[i] - first[i]);
            second[i] += 0.01 * (grads[i] * grads[i] - second[i]);
            params[i] -= now * first[i] / (sqrt(second[i]) + 1e-8);
        }
    }
    free(grads);
    free(first);
    free(second);
    return task->f64->objective(problem, params) - (task->excess ? task->optimum(1, NULL) : 0);
}

/* Training helps, on rows that are held out too, and never gets below the optimum. */
static void check_training(const struct task *task) {
    double *params = doubles(task->dim);
    void *problem = task->f64->open(1);
    task->f64->start(problem, params);
    double start = task->f64->objective(problem, params) - (task->excess ? task->optimum(1, NULL) : 0);
    double held_out = task->f64->held_out ? task->f64->held_out(problem, params) : 0;
    double end = train(task, problem, params, 200, 0.01);
    CHECK(end >= 0 && end < 0.8 * start, "%s: 200 steps from %g lead to %g", task->name, start, end);
    if (task->f64->held_out) {
        double held_out_end = task->f64->held_out(problem, params);
        CHECK(held_out_end < 0.8 * held_out, "%s: held out, 200 steps from %g lead to %g", task->name, held_out,
              held_out_end);
    }
    task->f64->close(problem);
    free(params);
}

/* The whole of the larger GPT in one direction: its parts are those of the small one. */
static void check_large(const struct task *task) {
    double *params = doubles(task->dim), *grads = doubles(task->dim);
    struct random random = random_stream(9, 0);
    check_table(task);
    point(task, known_of(task)->spread, 1, params);
    first_loss(task, params, grads);
    check_slope(task, params, grads, 0, task->dim, &random);
    free(params);
    free(grads);
}

int main(int count, char **arguments) {
    if (count != 2 && count != 3) fail("usage: tasks FOLDER [NAME]");
    task_data_folder = arguments[1];
    CHECK(functions_error_f32() <= 4, "functions in float are off by %g units", functions_error_f32());
    CHECK(functions_error_f64() <= 4, "functions in double are off by %g units", functions_error_f64());
    CHECK(functions_hold_at_ends_f32() && functions_hold_at_ends_f64(), "functions of infinity or NaN");
    for (size_t i = 0; i < task_count; i++) {
        if (count == 3 && strcmp(arguments[2], tasks[i]->name) != 0) continue;
        check_table(tasks[i]);
        check_gradient(tasks[i]);
        check_float(tasks[i]);
        check_objective(tasks[i]);
        if (known_of(tasks[i])->epoch == 0) check_sample(tasks[i]);
        check_seeds(tasks[i]);
        check_training(tasks[i]);
        if (tasks[i]->excess) check_optimum(tasks[i]);
    }
    if (count == 2) check_large(&task_characters_large);
    return check_result("tasks");
}
