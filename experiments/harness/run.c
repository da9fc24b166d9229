/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "methods/minimise.h"
#include "support.h"

const char *const schedule_names[SCHEDULE_COUNT] = {"linear", "constant"};

double scheduled_lr(enum schedule schedule, double peak, double warmup, size_t step, size_t steps) {
    const lmada_schedule_t kind = schedule == SCHEDULE_CONSTANT ? LMADA_SCHEDULE_CONSTANT : LMADA_SCHEDULE_LINEAR;
    uint64_t rising = (uint64_t)(warmup * (double)steps);
    if (rising < 1) rising = 1; /* one step of warm-up is none: it has the peak */
    return lmada_schedule(kind, peak, step + 1, rising, steps + 1);
}

bool run_in_f64(const struct task *task, const struct setting *setting) {
    return task->trains_in_f64 || setting->family == FAMILY_LBFGS;
}

/* The run in progress. */
struct state {
    const struct task *task;
    const struct task_functions *functions;
    const struct plan *plan;
    void *problem, *params;
    double optimum; /* 0: not known */
    struct outcome *outcome;
    struct curve_of_run *curve;
};

static double objective_now(const struct state *state) {
    double objective = state->functions->objective(state->problem, state->params);
    if (!isfinite(objective)) return INFINITY;
    return state->task->excess ? fmax(objective - state->optimum, LEAST_EXCESS) : objective;
}

static double held_out_now(const struct state *state) {
    if (!state->functions->held_out) return NAN;
    double loss = state->functions->held_out(state->problem, state->params);
    return isfinite(loss) ? loss : INFINITY;
}

/* The evaluations of the tail lie at equal distances in the last 20th of the steps; the last is after the last step. */
static bool in_tail(size_t done, size_t steps) {
    size_t tail = steps / 20 > TAIL_EVALUATIONS ? steps / 20 : TAIL_EVALUATIONS;
    for (size_t i = 0; i < TAIL_EVALUATIONS; i++)
        if (done + i * tail / TAIL_EVALUATIONS == steps) return true;
    return false;
}

/* After `done` steps. False: the run has diverged. */
static bool observe(const struct state *state, size_t done) {
    size_t steps = state->plan->steps;
    bool tail = in_tail(done, steps);
    size_t point = done * (CURVE_POINTS - 1) / steps;
    bool on_curve = state->curve && (done - 1) * (CURVE_POINTS - 1) / steps < point;
    if (!tail && !on_curve) return true;
    double objective = objective_now(state);
    if (on_curve) state->curve->objective[point] = objective;
    if (tail) {
        state->outcome->objective += objective / TAIL_EVALUATIONS;
        state->outcome->held_out += held_out_now(state) / TAIL_EVALUATIONS;
    }
    return isfinite(objective);
}

static bool take_steps(const struct state *state, const struct setting *setting, void *grads) {
    const struct plan *plan = state->plan;
    struct optimizer *optimizer = setting->method.create(&setting->method, state->task->dim,
                                                         run_in_f64(state->task, setting));
    bool going = true;
    for (size_t done = 0; going && done < plan->steps;) {
        going = isfinite(state->functions->gradient(state->problem, state->params, grads));
        if (!going) break;
        optimizer->set_lr(optimizer, scheduled_lr(plan->schedule, plan->lr, setting->warmup, done, plan->steps));
        going = optimizer->step(optimizer, state->params, grads) && observe(state, ++done);
    }
    optimizer->destroy(optimizer);
    return going;
}

/* L-BFGS works in double; its gradients may be in float. */
struct evaluation {
    const struct state *state;
    bool f64;
    float *params, *grads;
};

static double evaluate(void *context, const double *params, double *grads) {
    struct evaluation *evaluation = context;
    const struct state *state = evaluation->state;
    size_t dim = state->task->dim;
    if (evaluation->f64) return state->functions->gradient(state->problem, params, grads);
    for (size_t i = 0; i < dim; i++) evaluation->params[i] = (float)params[i];
    double objective = state->functions->gradient(state->problem, evaluation->params, evaluation->grads);
    for (size_t i = 0; i < dim; i++) grads[i] = (double)evaluation->grads[i];
    return objective;
}

/* The objective at the best iterate is the result: L-BFGS has no noise that a mean over the tail would reduce. */
static void minimise(const struct state *state, const struct setting *setting, void *grads) {
    size_t dim = state->task->dim;
    bool f64 = run_in_f64(state->task, setting);
    double *params = allocate(dim, sizeof *params);
    struct evaluation evaluation = {state, f64, f64 ? NULL : state->params, f64 ? NULL : grads};
    for (size_t i = 0; i < dim; i++)
        params[i] = f64 ? ((const double *)state->params)[i] : (double)((const float *)state->params)[i];
    lbfgs_minimise(evaluate, &evaluation, params, dim, setting->memory, state->plan->steps);
    for (size_t i = 0; i < dim; i++)
        if (f64)
            ((double *)state->params)[i] = params[i];
        else
            ((float *)state->params)[i] = (float)params[i];
    state->outcome->objective = objective_now(state);
    state->outcome->held_out = held_out_now(state);
    free(params);
}

void run_train(const struct task *task, const struct setting *setting, const struct plan *plan,
               struct outcome *outcome, struct curve_of_run *curve) {
    bool f64 = run_in_f64(task, setting);
    size_t size = f64 ? sizeof(double) : sizeof(float);
    const struct task_functions *functions = f64 ? task->f64 : task->f32;
    struct state state = {
        .task = task, .functions = functions, .plan = plan, .problem = functions->open(plan->seed),
        .params = allocate(task->dim, size), .optimum = task->excess ? task->optimum(plan->seed, NULL) : 0,
        .outcome = outcome, .curve = curve};
    void *grads = allocate(task->dim, size);
    functions->start(state.problem, state.params);
    *outcome = (struct outcome){.start = objective_now(&state)};
    if (curve) {
        for (size_t i = 0; i < CURVE_POINTS; i++) curve->objective[i] = INFINITY;
        curve->objective[0] = outcome->start;
    }
    if (!setting_has_lr(setting)) {
        minimise(&state, setting, grads);
    } else if (!take_steps(&state, setting, grads)) {
        outcome->objective = INFINITY;
        outcome->held_out = functions->held_out ? INFINITY : NAN;
    }
    functions->close(state.problem);
    free(grads);
    free(state.params);
}
