/*
 * Training that survives the end of its process: it saves its state regularly, and resumes when it is started again.
 *
 *     resume DIGITS.csv CHECKPOINT [--steps N] [--every N] [--seed N] [--history K]
 *
 * The program may end at any moment. If the same command runs again, it ends with the bits of a run that was never
 * interrupted. A checkpoint therefore holds everything that later steps depend on: the parameters, lmada's state and
 * the position of the run. The order of the minibatches follows from the seed and the step. lmada_state_load restores
 * the learning rate, but no other option: the program has to set the options as before.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "model.h"

/* The streams of random numbers of a seed. Stream 0 splits the data. */
enum { STREAM_INIT = 1, STREAM_EPOCHS = 2 };
/* The learning rate falls from PEAK to 0 over CYCLE steps. A longer run starts again at the peak. */
#define PEAK 0.01
enum { CYCLE = 500 };
enum { BATCH = 64, SECTIONS = 2 + MAX_TENSORS };

struct options {
    const char *digits, *checkpoint;
    uint64_t steps, every, seed;
    uint32_t history; /* 0: the recommended history size */
};

/* The position of a run. */
struct position {
    uint64_t seed, step;
};

struct training {
    const struct model *model;
    struct dataset data;
    struct split split;
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
    size_t *order; /* the order of the rows in the epoch `shuffled` */
    uint64_t shuffled;
    lmada_t *opt;
    void *state; /* buffer for a saved state of `opt`, allocated once */
    size_t state_len;
    struct position position;
    struct section sections[SECTIONS]; /* the contents of a checkpoint */
};

/* Ends the program if lmada has returned an error. */
static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

static struct options parse(int argc, char **argv) {
    struct options options = {.steps = 500, .every = 50};
    if (argc < 3 || argc % 2 == 0)
        fail("usage: resume DIGITS.csv CHECKPOINT [--steps N] [--every N] [--seed N] [--history K]");
    options.digits = argv[1];
    options.checkpoint = argv[2];
    for (int i = 3; i < argc; i += 2) {
        uint64_t number = parse_count(argv[i + 1]);
        if (strcmp(argv[i], "--steps") == 0)
            options.steps = number;
        else if (strcmp(argv[i], "--every") == 0 && number > 0)
            options.every = number;
        else if (strcmp(argv[i], "--seed") == 0)
            options.seed = number;
        else if (strcmp(argv[i], "--history") == 0 && number <= 4096)
            options.history = (uint32_t)number;
        else
            fail("%s cannot be %s", argv[i], argv[i + 1]);
    }
    return options;
}

/* Makes a run at step 0. */
static void training_new(struct training *t, const struct options *options) {
    *t = (struct training){.model = &mlp, .position = {options->seed, 0}, .shuffled = UINT64_MAX};
    t->data = dataset_read(options->digits, 0, mlp.features, mlp.classes, 1.0F / 16);
    t->split = dataset_split(&t->data, options->seed);
    t->order = allocate(t->split.train.rows, sizeof *t->order);
    model_allocate(t->model, t->params);
    model_allocate(t->model, t->grads);
    struct random random = random_stream(options->seed, STREAM_INIT);
    t->model->init(t->params, &random);

    lmada_config_t config;
    check(lmada_config_recommended(&config, sizeof config));
    if (options->history > 0) config.history_size = options->history;
    size_t dim = 0;
    for (size_t i = 0; i < t->model->tensors; i++) dim += t->model->lens[i];
    check(lmada_create(&config, dim, &t->opt));
    check(lmada_state_size(t->opt, &t->state_len));
    t->state = allocate(t->state_len, 1);

    t->sections[0] = (struct section){"positions", &t->position, sizeof t->position};
    t->sections[1] = (struct section){"states of lmada", t->state, t->state_len};
    for (size_t i = 0; i < t->model->tensors; i++)
        t->sections[2 + i] = (struct section){"parameters", t->params[i], t->model->lens[i] * sizeof(float)};
}

static void training_free(struct training *t) {
    lmada_free(t->opt);
    free(t->state);
    free(t->order);
    model_release(t->model, t->params);
    model_release(t->model, t->grads);
    dataset_free(&t->split.train);
    dataset_free(&t->split.test);
    dataset_free(&t->data);
}

static size_t section_count(const struct training *t) {
    return 2 + t->model->tensors;
}

/* Restores the run from its checkpoint, if there is one. Ends the program if the checkpoint cannot be read: the program
 * never starts a new run in this case. */
static void restore(struct training *t, const struct options *options) {
    struct complaint why;
    switch (checkpoint_load(options->checkpoint, t->sections, section_count(t), &why)) {
    case CHECKPOINT_NONE:
        printf("new run: there is no %s\n", options->checkpoint);
        break;
    case CHECKPOINT_REFUSED: fail("%s", why.text);
    case CHECKPOINT_LOADED:
        if (t->position.seed != options->seed)
            fail("%s is of a run with --seed %llu", options->checkpoint, (unsigned long long)t->position.seed);
        check(lmada_state_load(t->opt, t->state, t->state_len));
        printf("resumed at step %llu\n", (unsigned long long)t->position.step);
    }
    fflush(stdout);
}

/* Saves a checkpoint. Returns false on failure: the old checkpoint stays, and training may continue. */
static bool save(struct training *t, const struct options *options) {
    struct complaint why;
    check(lmada_state_save(t->opt, t->state, t->state_len));
    bool saved = checkpoint_save(options->checkpoint, t->sections, section_count(t), &why);
    if (!saved) fprintf(stderr, "step %llu is not saved: %s\n", (unsigned long long)t->position.step, why.text);
    return saved;
}

/* The rows of the next minibatch. The number of the epoch determines the order of the rows. */
static const size_t *next_rows(struct training *t) {
    uint64_t batches = t->split.train.rows / BATCH, epoch = t->position.step / batches;
    if (t->shuffled != epoch) {
        struct random random = random_stream(t->position.seed, STREAM_EPOCHS + epoch);
        random_shuffle(&random, t->order, t->split.train.rows);
        t->shuffled = epoch;
    }
    return t->order + t->position.step % batches * BATCH;
}

static void step(struct training *t) {
    const float *const *params = (const float *const *)t->params, *const *grads = (const float *const *)t->grads;
    t->model->loss(params, &t->split.train, next_rows(t), BATCH, t->grads);
    check(lmada_set_lr(t->opt, lmada_schedule(LMADA_SCHEDULE_COSINE, PEAK, t->position.step % CYCLE + 1, 0, CYCLE)));
    check(lmada_step_tensors(t->opt, t->params, grads, t->model->lens, t->model->tensors));
    t->position.step++;
}

int main(int argc, char **argv) {
    struct options options = parse(argc, argv);
    struct training t;
    training_new(&t, &options);
    restore(&t, &options);

    bool saved = true;
    while (t.position.step < options.steps) {
        step(&t);
        if (t.position.step % options.every == 0 || t.position.step == options.steps) saved = save(&t, &options);
    }

    const float *const *params = (const float *const *)t.params;
    printf("step %llu: train loss %.3g, test accuracy %.1f %%\n", (unsigned long long)t.position.step,
           t.model->loss(params, &t.split.train, NULL, t.split.train.rows, NULL),
           100 * model_accuracy(t.model, params, &t.split.test));
    training_free(&t);
    return saved ? EXIT_SUCCESS : EXIT_FAILURE;
}
