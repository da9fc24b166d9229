/*
 * The adding problem (Hochreiter, Schmidhuber 1997): a recurrent network reads numbers, two of them marked, and gives
 * the sum of those two. The network is a GRU (Cho et al. 2014) with a linear output.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "datasets.h"
#include "functions.h"
#include "net.h"
#include "task.h"

enum { INPUTS = 2, HIDDEN = 32, FROM = INPUTS + HIDDEN, LENGTH = 24, BATCH = 32, MEASURED = 256 };
/* Gates: update, then reset. Each layer sees the inputs and a hidden state side by side. */
enum { GATES = 0, CANDIDATE = GATES + (FROM + 1) * 2 * HIDDEN, OUTPUT = CANDIDATE + (FROM + 1) * HIDDEN };
enum { DIM = OUTPUT + HIDDEN + 1 };
#define L2 1e-7

struct sequence {
    float values[LENGTH], sum;
    size_t marked[2];
};

/* What the step at a place computes of BATCH sequences. */
struct place {
    real gates_in[BATCH * FROM];     /* inputs and hidden state before the step */
    real candidate_in[BATCH * FROM]; /* inputs and the hidden state times the reset gate */
    real gates[BATCH * 2 * HIDDEN], candidate[BATCH * HIDDEN];
};

struct problem {
    uint64_t seed;
    struct random random;
    struct sequence batch[BATCH], measured[MEASURED];
    struct place places[LENGTH + 1]; /* the last: only the state behind the last step */
};

static struct sequence sequence_new(struct random *random) {
    struct sequence sequence;
    for (size_t i = 0; i < LENGTH; i++) sequence.values[i] = (float)random_uniform(random, 0, 1);
    sequence.marked[0] = (size_t)random_uniform(random, 0, LENGTH / 2);
    sequence.marked[1] = (size_t)random_uniform(random, LENGTH / 2, LENGTH);
    sequence.sum = sequence.values[sequence.marked[0]] + sequence.values[sequence.marked[1]];
    return sequence;
}

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    struct random measured = random_stream(seed, STREAM_MEASURED);
    problem->seed = seed;
    problem->random = random_stream(seed, STREAM_BATCHES);
    for (size_t i = 0; i < MEASURED; i++) problem->measured[i] = sequence_new(&measured);
    return problem;
}

static void close(void *problem) {
    free(problem);
}

static void start(void *opened, void *parameters) {
    real *params = parameters;
    struct random random = random_stream(((struct problem *)opened)->seed, STREAM_START);
    memset(params, 0, DIM * sizeof *params);
    fill_weights(params + GATES, FROM, 2 * HIDDEN, &random);
    fill_weights(params + CANDIDATE, FROM, HIDDEN, &random);
    fill_weights(params + OUTPUT, HIDDEN, 1, &random);
}

static void inputs(struct problem *problem, const struct sequence *sequences) {
    for (size_t t = 0; t < LENGTH; t++)
        for (size_t n = 0; n < BATCH; n++) {
            const struct sequence *sequence = sequences + n;
            real *in = problem->places[t].gates_in + n * FROM, *again = problem->places[t].candidate_in + n * FROM;
            in[0] = again[0] = (real)sequence->values[t];
            in[1] = again[1] = t == sequence->marked[0] || t == sequence->marked[1];
        }
    for (size_t n = 0; n < BATCH; n++)
        memset(problem->places[0].gates_in + n * FROM + INPUTS, 0, HIDDEN * sizeof(real));
}

/* state' = update * state + (1 - update) * candidate */
static void step_forward(struct place *at, struct place *next, const real *params) {
    memset(at->gates, 0, sizeof at->gates);
    linear_add(at->gates, at->gates_in, params + GATES, BATCH, BATCH, FROM, 2 * HIDDEN);
    for (size_t i = 0; i < BATCH * 2 * HIDDEN; i++) at->gates[i] = real_sigmoid(at->gates[i]);
    for (size_t n = 0; n < BATCH; n++) {
        const real *restrict state = at->gates_in + n * FROM + INPUTS;
        const real *restrict reset = at->gates + (2 * n + 1) * HIDDEN;
        real *restrict kept = at->candidate_in + n * FROM + INPUTS;
        for (size_t j = 0; j < HIDDEN; j++) kept[j] = reset[j] * state[j];
    }
    memset(at->candidate, 0, sizeof at->candidate);
    linear_add(at->candidate, at->candidate_in, params + CANDIDATE, BATCH, BATCH, FROM, HIDDEN);
    for (size_t i = 0; i < BATCH * HIDDEN; i++) at->candidate[i] = real_tanh(at->candidate[i]);
    for (size_t n = 0; n < BATCH; n++) {
        const real *restrict state = at->gates_in + n * FROM + INPUTS, *restrict update = at->gates + 2 * n * HIDDEN;
        const real *restrict candidate = at->candidate + n * HIDDEN;
        real *restrict after = next->gates_in + n * FROM + INPUTS;
        for (size_t j = 0; j < HIDDEN; j++) after[j] = update[j] * state[j] + (1 - update[j]) * candidate[j];
    }
}

/* `errors`, the derivative by the state after the step, becomes that by the state before it. */
static void step_backward(const struct place *at, const real *params, real *errors, real *grads) {
    real candidate_errors[BATCH * HIDDEN], gate_errors[BATCH * 2 * HIDDEN], in_errors[BATCH * FROM];
    for (size_t n = 0; n < BATCH; n++)
        for (size_t j = 0; j < HIDDEN; j++) {
            size_t i = n * HIDDEN + j;
            real update = at->gates[2 * n * HIDDEN + j], candidate = at->candidate[i];
            real state = at->gates_in[n * FROM + INPUTS + j];
            candidate_errors[i] = errors[i] * (1 - update) * (1 - candidate * candidate);
            gate_errors[2 * n * HIDDEN + j] = errors[i] * (state - candidate) * update * (1 - update);
            errors[i] *= update;
        }
    linear_backward(in_errors, grads + CANDIDATE, candidate_errors, at->candidate_in, params + CANDIDATE, BATCH, BATCH,
                    FROM, HIDDEN);
    for (size_t n = 0; n < BATCH; n++)
        for (size_t j = 0; j < HIDDEN; j++) {
            real kept = in_errors[n * FROM + INPUTS + j], reset = at->gates[(2 * n + 1) * HIDDEN + j];
            gate_errors[(2 * n + 1) * HIDDEN + j] = kept * at->gates_in[n * FROM + INPUTS + j] * reset * (1 - reset);
            errors[n * HIDDEN + j] += kept * reset;
        }
    linear_backward(in_errors, grads + GATES, gate_errors, at->gates_in, params + GATES, BATCH, BATCH, FROM,
                    2 * HIDDEN);
    for (size_t n = 0; n < BATCH; n++)
        for (size_t j = 0; j < HIDDEN; j++) errors[n * HIDDEN + j] += in_errors[n * FROM + INPUTS + j];
}

/* The mean squared error of BATCH sequences; `errors` become half its derivative by the outputs, times BATCH. */
static double forward(struct problem *problem, const real *params, const struct sequence *sequences, real *errors) {
    double sum = 0;
    inputs(problem, sequences);
    for (size_t t = 0; t < LENGTH; t++) step_forward(problem->places + t, problem->places + t + 1, params);
    for (size_t n = 0; n < BATCH; n++) {
        const real *state = problem->places[LENGTH].gates_in + n * FROM + INPUTS;
        errors[n] = params[OUTPUT + HIDDEN] - (real)sequences[n].sum;
        for (size_t j = 0; j < HIDDEN; j++) errors[n] += params[OUTPUT + j] * state[j];
        sum += (double)errors[n] * (double)errors[n];
    }
    return sum / BATCH;
}

static double penalty(const real *params, real *grads) {
    static const size_t weights[][2] = {{GATES, FROM * 2 * HIDDEN}, {CANDIDATE, FROM * HIDDEN}, {OUTPUT, HIDDEN}};
    double sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += weight_penalty(params + weights[i][0], grads ? grads + weights[i][0] : NULL, weights[i][1], L2);
    return sum;
}

static double gradient(void *opened, const void *parameters, void *gradients) {
    struct problem *problem = opened;
    const real *params = parameters;
    real *grads = gradients, outputs[BATCH], errors[BATCH * HIDDEN];
    for (size_t n = 0; n < BATCH; n++) problem->batch[n] = sequence_new(&problem->random);
    double loss = forward(problem, params, problem->batch, outputs);
    memset(grads, 0, DIM * sizeof *grads);
    for (size_t n = 0; n < BATCH; n++) {
        const real *state = problem->places[LENGTH].gates_in + n * FROM + INPUTS;
        const real error = outputs[n] * (real)(2.0 / BATCH);
        for (size_t j = 0; j < HIDDEN; j++) {
            grads[OUTPUT + j] += error * state[j];
            errors[n * HIDDEN + j] = error * params[OUTPUT + j];
        }
        grads[OUTPUT + HIDDEN] += error;
    }
    for (size_t t = LENGTH; t-- > 0;) step_backward(problem->places + t, params, errors, grads);
    return loss + penalty(params, grads);
}

static double objective(void *opened, const void *params) {
    struct problem *problem = opened;
    real errors[BATCH];
    double sum = 0;
    for (size_t n = 0; n < MEASURED; n += BATCH) sum += forward(problem, params, problem->measured + n, errors);
    return sum / (MEASURED / BATCH) + penalty(params, NULL);
}

const struct task_functions NAME(adding) = {open, close, start, gradient, objective, NULL};

#ifdef REAL_F64

extern const struct task_functions adding_f32;

static const size_t lens[] = {FROM * 2 * HIDDEN, 2 * HIDDEN, FROM * HIDDEN, HIDDEN, HIDDEN, 1};

const struct task task_adding = {
    .name = "adding",
    .title = "GRU, adding problem",
    .description = "A GRU of 32 units reads 24 numbers from 0 to 1, two of them marked, and gives the sum of those "
                   "two; 32 new sequences a gradient, mean squared error, L2 of 10^-7 on the weights. Reported: the "
                   "objective on 256 other sequences.",
    .dim = DIM,
    .tensors = 6,
    .lens = lens,
    .batch = BATCH,
    .steps = 800,
    .f32 = &adding_f32,
    .f64 = &adding_f64,
};

#endif
