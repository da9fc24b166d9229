/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "timing.h"

#include <stdlib.h>

#include "methods/minimise.h"
#include "support.h"

enum { ROUNDS = 9, LEAST_ROUNDS = 3, STEPS_A_ROUND = 12, MOST_SAMPLES = ROUNDS * STEPS_A_ROUND };

/* Of all steps that are measured on a task: expensive gradients have fewer rounds. Quick runs get their share of it. */
static const double seconds_a_task = 6;

/* One setting at work on the task; each has its own parameters and state. */
struct subject {
    const struct setting *setting;
    struct optimizer *optimizer; /* NULL: L-BFGS */
    const struct task_functions *functions;
    void *problem, *params, *grads;
    double gradients[MOST_SAMPLES], steps[MOST_SAMPLES], objective;
    size_t samples;
};

static struct subject subject_new(const struct task *task, const struct setting *setting) {
    bool f64 = run_in_f64(task, setting);
    struct subject subject = {.setting = setting, .functions = f64 ? task->f64 : task->f32};
    subject.problem = subject.functions->open(FIRST_TUNING_SEED);
    subject.params = allocate(task->dim, sizeof(double));
    subject.grads = allocate(task->dim, sizeof(double));
    subject.functions->start(subject.problem, subject.params);
    if (setting_has_lr(setting)) subject.optimizer = setting->method.create(&setting->method, task->dim, f64);
    double start = seconds_now();
    subject.functions->objective(subject.problem, subject.params);
    subject.objective = seconds_now() - start;
    return subject;
}

static void subject_free(struct subject *subject) {
    if (subject->optimizer) subject->optimizer->destroy(subject->optimizer);
    subject->functions->close(subject->problem);
    free(subject->params);
    free(subject->grads);
}

/* The learning rate is so small that parameters and gradients stay ordinary numbers. */
static void step_subject(struct subject *subject, size_t count, bool measured) {
    for (size_t i = 0; i < count; i++) {
        double start = seconds_now();
        subject->functions->gradient(subject->problem, subject->params, subject->grads);
        double middle = seconds_now();
        subject->optimizer->set_lr(subject->optimizer, 1e-12);
        subject->optimizer->step(subject->optimizer, subject->params, subject->grads);
        if (!measured) continue;
        subject->gradients[subject->samples] = middle - start;
        subject->steps[subject->samples++] = seconds_now() - middle;
    }
}

static double evaluate(void *context, const double *params, double *grads) {
    struct subject *subject = context;
    return subject->functions->gradient(subject->problem, params, grads);
}

/* L-BFGS on the objective in f64: the arithmetic does not depend on the precision of the gradients. */
static void run_lbfgs(const struct task *task, struct subject *subject) {
    double *params = allocate(task->dim, sizeof *params);
    struct subject in_f64 = *subject;
    in_f64.functions = task->f64;
    in_f64.problem = task->f64->open(FIRST_TUNING_SEED);
    task->f64->start(in_f64.problem, params);
    struct lbfgs_result result =
        lbfgs_minimise(evaluate, &in_f64, params, task->dim, subject->setting->memory, 2 * MOST_SAMPLES);
    for (size_t i = 0; i < MOST_SAMPLES; i++) {
        double start = seconds_now();
        subject->functions->gradient(subject->problem, subject->params, subject->grads);
        subject->gradients[subject->samples] = seconds_now() - start;
        subject->steps[subject->samples++] = result.inner_seconds / (double)result.gradients;
    }
    task->f64->close(in_f64.problem);
    free(params);
}

/* By the time of one gradient of each subject. */
static size_t rounds_for(const struct subject *subjects, size_t count, size_t share) {
    double seconds = 0;
    for (size_t s = 0; s < count; s++) {
        if (!subjects[s].optimizer) continue;
        double start = seconds_now();
        subjects[s].functions->gradient(subjects[s].problem, subjects[s].params, subjects[s].grads);
        seconds += STEPS_A_ROUND * (seconds_now() - start);
    }
    double rounds = seconds_a_task / (double)share / seconds;
    return rounds < LEAST_ROUNDS ? LEAST_ROUNDS : rounds > ROUNDS ? ROUNDS : (size_t)rounds;
}

static void measure_task(struct study *study, size_t t) {
    const struct task *task = study->tasks[t];
    size_t count = study->settings.count;
    struct subject *subjects = allocate(count, sizeof *subjects);
    for (size_t s = 0; s < count; s++) {
        const struct setting *setting = study->settings.list + s;
        if (!setting_applies(setting, task)) continue;
        subjects[s] = subject_new(task, setting);
        /* The window is full before a step is timed. */
        if (subjects[s].optimizer) step_subject(subjects + s, setting->method.config.history_size + 2, false);
    }
    size_t rounds = rounds_for(subjects, count, study->share);
    for (size_t round = 0; round < rounds; round++)
        for (size_t s = 0; s < count; s++)
            if (subjects[s].optimizer) step_subject(subjects + s, STEPS_A_ROUND, true);
    for (size_t s = 0; s < count; s++) {
        struct subject *subject = subjects + s;
        if (!subject->setting) continue;
        if (!subject->optimizer) run_lbfgs(task, subject);
        study_add_times(study, t, s,
                        (struct times){median(subject->gradients, subject->samples),
                                       median(subject->steps, subject->samples), subject->objective});
        subject_free(subject);
    }
    free(subjects);
}

void timing_measure(struct study *study) {
    for (size_t t = 0; t < study->task_count; t++) {
        bool measured = true;
        for (size_t s = 0; s < study->settings.count; s++)
            measured = measured && (!setting_applies(study->settings.list + s, study->tasks[t]) ||
                                    study_times(study, t, s).gradient > 0);
        if (measured) continue;
        fprintf(stderr, "timing %s\n", study->tasks[t]->name);
        measure_task(study, t);
    }
}
