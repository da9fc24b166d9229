/*
 * One run in this process: what it reports, with every kind of method, and that it returns its memory.
 *
 * The evidence trains in child processes, which end without a search for leaks; under the sanitizers this test has one.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "run.h"

#include "check.h"
#include "study.h"

enum { STEPS = 400 };

static struct outcome run(const struct task *task, const struct setting *setting, double lr,
                          struct curve_of_run *curve) {
    const struct plan plan = {lr, SCHEDULE_LINEAR, 1, STEPS};
    struct outcome outcome;
    run_train(task, setting, &plan, &outcome, curve);
    return outcome;
}

/* Training lowers the objective; recording the curve changes no bit of it. */
static void check_setting(const struct task *task, const struct setting *setting) {
    struct curve_of_run curve;
    struct outcome outcome = run(task, setting, setting->first_lr, NULL);
    CHECK(outcome.objective < 0.9 * outcome.start, "%s, %s: from %g to %g", task->name, setting->name, outcome.start,
          outcome.objective);
    CHECK(outcome.objective >= (task->excess ? LEAST_EXCESS : 0), "%s, %s: ends at %g", task->name, setting->name,
          outcome.objective);
    CHECK(isfinite(outcome.held_out) == (task->f32->held_out != NULL), "%s, %s: held out %g", task->name,
          setting->name, outcome.held_out);
    if (!setting_has_lr(setting)) return;
    struct outcome again = run(task, setting, setting->first_lr, &curve);
    CHECK(again.objective == outcome.objective, "%s, %s: the curve changes the run", task->name, setting->name);
    CHECK(curve.objective[0] == outcome.start, "%s, %s: a curve from %g", task->name, setting->name,
          curve.objective[0]);
    size_t missing = 0;
    for (size_t i = 0; i < CURVE_POINTS; i++) missing += !isfinite(curve.objective[i]);
    CHECK(missing == 0, "%s, %s: %zu points are missing", task->name, setting->name, missing);
}

/* The result is a mean: that of equal objectives is the objective. The learning rate is too low to change it. */
static void check_tail(const struct task *task, const struct setting *setting) {
    struct outcome outcome = run(task, setting, 1e-30, NULL);
    CHECK_CLOSE(outcome.objective, outcome.start, 1e-12 * outcome.start, "the mean of equal objectives");
}

static void check_divergence(const struct task *task, const struct setting *setting) {
    struct curve_of_run curve;
    struct outcome outcome = run(task, setting, 1e3, &curve);
    CHECK(outcome.objective == INFINITY, "%s, %s: diverged to %g", task->name, setting->name, outcome.objective);
    CHECK(curve.objective[CURVE_POINTS - 1] == INFINITY, "%s, %s: a curve to %g", task->name, setting->name,
          curve.objective[CURVE_POINTS - 1]);
}

int main(void) {
    const struct settings settings = settings_new(true);
    for (size_t t = 0; t < task_count; t++)
        for (size_t s = 0; s < settings.count; s++)
            if (setting_applies(settings.list + s, tasks[t])) check_setting(tasks[t], settings.list + s);
    const struct setting *sgd = settings.list + setting_find(&settings, "SGD 0.9");
    check_tail(task_called("quadratic"), sgd);
    check_divergence(task_called("quadratic"), sgd);
    check_divergence(task_called("regression"), sgd);
    return check_result("run");
}
