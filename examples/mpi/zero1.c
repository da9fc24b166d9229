/*
 * Data-parallel training with sharded optimizer state, "ZeRO-1" (Rajbhandari et al. 2020, arXiv:1910.02054).
 *
 *     mpirun -n P zero1 DIGITS.csv [--checkpoint PATH] [--steps N] [--every N] [--seed N] [--history K]
 *
 * Every process has the complete model, and its share of the rows of each minibatch. lmada's state is `history_size`
 * times as long as the model. Each process has only the state of its shard of the parameters. A step:
 *
 *   - The backward pass computes gradients tensor by tensor, the last first. As soon as a tensor is complete, the
 *     processes sum its pieces, each on the process of its shard (`send_tensor`), while the backward pass continues.
 *     lmada gets the pieces that have arrived (`feed_arrived`).
 *   - `lmada_mpi_solve` adds up a few sums over the processes. lmada sends nothing else.
 *   - Each process moves its shard of the parameters. Then all processes gather the complete model.
 *
 * The model is one block of lmada: the preconditioner is full-matrix over all parameters, on all processes. The result
 * is that of one process, except for the order in which rows are summed.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <inttypes.h>
#include <lmada_mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "pieces.h"
#include "range.h"

/* The streams of random numbers of a seed. Stream 0 splits the data. */
enum { STREAM_INIT = 1, STREAM_EPOCHS = 2 };
enum { BATCH = 64 };

/* The learning rate falls from PEAK to 0 over CYCLE steps. A longer run starts again at the peak. */
#define PEAK 0.01
enum { CYCLE = 500 };

struct options {
    const char *digits, *checkpoint; /* checkpoint NULL: the program does not save */
    uint64_t steps, every, seed;
    uint32_t history; /* 0: the recommended history size */
};

struct training {
    MPI_Comm comm;
    size_t rank, processes;
    struct dataset data;
    struct split split;
    size_t *order; /* the order of the rows in the epoch `shuffled` */
    uint64_t shuffled;
    struct position position;

    /* The model: all parameters, the gradient of this process's rows, and the tensors in both arrays. */
    size_t dim;
    float *all_params, *all_grads;
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];

    /* The shards: all shards in MPI's form, and this process's shard with the gradient of all rows. */
    int *shard_firsts, *shard_lens;
    struct range shard;
    float *shard_grads;
    lmada_config_t config;
    lmada_t *opt;

    /* The gradients in transit: the length of each tensor's piece in each shard, and its position in this shard. */
    int *piece_lens[MAX_TENSORS];
    size_t piece_firsts[MAX_TENSORS];
    MPI_Request requests[MAX_TENSORS];
    size_t unsent, unfed;  /* the tensors before these numbers are not sent, or not fed, yet */
    lmada_status_t status; /* the first failure of this process in the step */
};

/* ---- a step ---- */

/* Feeds lmada the pieces that have arrived, or waits for all of them and feeds the rest. Feeds pieces in the order in
 * which they were sent, so that the bits do not depend on the network. */
static void feed_arrived(struct training *t, bool wait) {
    for (; t->unfed > t->unsent; t->unfed--) {
        const size_t tensor = t->unfed - 1, first = t->piece_firsts[tensor];
        int arrived = 1;
        if (wait)
            MPI_Wait(&t->requests[tensor], MPI_STATUS_IGNORE);
        else
            MPI_Test(&t->requests[tensor], &arrived, MPI_STATUS_IGNORE);
        if (!arrived) return;
        if (t->status == LMADA_OK)
            t->status = lmada_feed(t->opt, first, t->shard_grads + first, (size_t)t->piece_lens[tensor][t->rank]);
    }
}

/* Called when the backward pass has completed a tensor. Each process gets the piece in its shard, summed over all. */
static void send_tensor(void *context, size_t tensor) {
    struct training *t = context;
    MPI_Ireduce_scatter(t->grads[tensor], t->shard_grads + t->piece_firsts[tensor], t->piece_lens[tensor], MPI_FLOAT,
                        MPI_SUM, t->comm, &t->requests[tensor]);
    t->unsent = tensor;
    feed_arrived(t, false);
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

/* Called when each process has moved, or loaded, its shard of the parameters. All processes get the complete model. */
static void gather_params(struct training *t) {
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, t->all_params, t->shard_lens, t->shard_firsts, MPI_FLOAT,
                   t->comm);
}

static void step(struct training *t) {
    const float *const *params = (const float *const *)t->params;
    const struct range rows = range_of(BATCH, t->rank, t->processes);

    t->unsent = t->unfed = mlp.tensors;
    check(lmada_set_lr(t->opt, lmada_schedule(LMADA_SCHEDULE_COSINE, PEAK, t->position.step % CYCLE + 1, 0, CYCLE)));
    t->status = lmada_begin(t->opt);
    mlp_gradient(params, &t->split.train, next_rows(t) + rows.first, rows.len, BATCH, t->grads, send_tensor, t);
    feed_arrived(t, true);
    if (lmada_mpi_solve(t->opt, t->status, t->comm) != LMADA_OK) fail("%s", lmada_mpi_last_error()); /* so do all */
    check(lmada_apply(t->opt, 0, t->all_params + t->shard.first, t->shard_grads, t->shard.len));
    check(lmada_end(t->opt));
    gather_params(t);
    t->position.step++;
}

/* The smallest number of bytes that a step sends, counted over all processes: every number of the gradient from P - 1
 * processes to the process of its shard, every parameter from there to P - 1 processes, and lmada's sums to one process
 * and back. */
static size_t bytes_sent(const struct training *t) {
    enum { SUMS = 1024 };
    return (t->processes - 1) * 2 * (t->dim * sizeof(float) + SUMS);
}

/* ---- a row of the table ---- */

static struct dataset rows_of(const struct dataset *data, const struct training *t) {
    const struct range rows = range_of(data->rows, t->rank, t->processes);
    return (struct dataset){rows.len, data->features, data->inputs + rows.first * data->features,
                            data->labels + rows.first};
}

/* Each process evaluates its share of the rows. */
static void report(const struct training *t) {
    const float *const *params = (const float *const *)t->params;
    const struct dataset train = rows_of(&t->split.train, t), test = rows_of(&t->split.test, t);
    double mine[2] = {0, 0}, sums[2];
    if (train.rows > 0) mine[0] = mlp.loss(params, &train, NULL, train.rows, NULL) * (double)train.rows;
    if (test.rows > 0) mine[1] = model_accuracy(&mlp, params, &test) * (double)test.rows;
    MPI_Reduce(mine, sums, 2, MPI_DOUBLE, MPI_SUM, 0, t->comm);
    if (t->rank != 0) return;
    printf("%6" PRIu64 "  %13.9g  %11.1f %%\n", t->position.step, sums[0] / (double)t->split.train.rows,
           100 * sums[1] / (double)t->split.test.rows);
    fflush(stdout);
}

/* ---- a run ---- */

/* Computes the shards of the parameters, and the piece of each tensor in each shard. */
static void cut(struct training *t) {
    t->shard_firsts = allocate(t->processes, sizeof *t->shard_firsts);
    t->shard_lens = allocate(t->processes, sizeof *t->shard_lens);
    t->shard = range_of(t->dim, t->rank, t->processes);
    t->shard_grads = allocate(t->shard.len, sizeof *t->shard_grads);
    for (size_t i = 0; i < mlp.tensors; i++) t->piece_lens[i] = allocate(t->processes, sizeof *t->piece_lens[i]);
    for (size_t p = 0; p < t->processes; p++) {
        const struct range shard = range_of(t->dim, p, t->processes);
        t->shard_firsts[p] = (int)shard.first;
        t->shard_lens[p] = (int)shard.len;
        for (size_t i = 0; i < mlp.tensors; i++) {
            const struct range tensor = {(size_t)(t->params[i] - t->all_params), mlp.lens[i]};
            const struct range piece = range_common(shard, tensor);
            t->piece_lens[i][p] = (int)piece.len;
            if (p == t->rank && piece.len > 0) t->piece_firsts[i] = piece.first - shard.first;
        }
    }
}

static void training_new(struct training *t, const struct options *options) {
    *t = (struct training){.comm = MPI_COMM_WORLD, .position = {.seed = options->seed}, .shuffled = UINT64_MAX};
    int rank, processes;
    MPI_Comm_rank(t->comm, &rank);
    MPI_Comm_size(t->comm, &processes);
    t->rank = (size_t)rank;
    t->processes = (size_t)processes;
    t->data = dataset_read(options->digits, 0, mlp.features, mlp.classes, 1.0F / 16);
    t->split = dataset_split(&t->data, options->seed);
    t->order = allocate(t->split.train.rows, sizeof *t->order);

    for (size_t i = 0; i < mlp.tensors; i++) t->dim += mlp.lens[i];
    t->all_params = allocate(t->dim, sizeof *t->all_params);
    t->all_grads = allocate(t->dim, sizeof *t->all_grads);
    for (size_t i = 0, first = 0; i < mlp.tensors; first += mlp.lens[i++]) {
        t->params[i] = t->all_params + first;
        t->grads[i] = t->all_grads + first;
    }
    struct random random = random_stream(options->seed, STREAM_INIT);
    mlp.init(t->params, &random); /* the same on all processes */

    cut(t);
    check(lmada_config_recommended(&t->config, sizeof t->config));
    if (options->history > 0) t->config.history_size = options->history;
    check(lmada_create_blocks(&t->config, &t->shard.len, 1, &t->opt));
}

static void training_free(struct training *t) {
    lmada_free(t->opt);
    for (size_t i = 0; i < mlp.tensors; i++) free(t->piece_lens[i]);
    free(t->shard_grads);
    free(t->shard_lens);
    free(t->shard_firsts);
    free(t->all_grads);
    free(t->all_params);
    free(t->order);
    dataset_free(&t->split.train);
    dataset_free(&t->split.test);
    dataset_free(&t->data);
}

static struct options parse(int argc, char **argv) {
    struct options options = {.steps = 500, .every = 50};
    if (argc < 2 || argc % 2 != 0)
        fail("usage: zero1 DIGITS.csv [--checkpoint PATH] [--steps N] [--every N] [--seed N] [--history K]");
    options.digits = argv[1];
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--checkpoint") == 0) {
            options.checkpoint = argv[i + 1];
            continue;
        }
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

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv); /* MPI ends the program on errors, so no call needs a check */
    const struct options options = parse(argc, argv);
    struct training t;
    training_new(&t, &options);
    struct pieces pieces = {options.checkpoint, t.comm, &t.config, t.opt, t.all_params, t.dim, {0, 0, 0}};
    if (options.checkpoint && pieces_load(&pieces)) {
        if (pieces.saved.seed != options.seed)
            fail("%s is of a run with --seed %" PRIu64, options.checkpoint, pieces.saved.seed);
        t.position = pieces.saved;
        gather_params(&t);
    }

    if (t.rank == 0) printf("  step     train loss  test accuracy\n");
    report(&t);
    bool saved = true;
    double seconds = 0;
    const uint64_t start = t.position.step;
    while (t.position.step < options.steps) {
        const double before = MPI_Wtime();
        step(&t);
        seconds += MPI_Wtime() - before;
        if (t.position.step % options.every != 0 && t.position.step != options.steps) continue;
        report(&t);
        if (options.checkpoint) saved = pieces_save(&pieces, t.position);
    }
    if (t.rank == 0 && t.position.step > start)
        printf("%zu process%s: %.3g ms a step, %zu bytes sent a step\n", t.processes, t.processes == 1 ? "" : "es",
               1e3 * seconds / (double)(t.position.step - start), bytes_sent(&t));
    training_free(&t);
    MPI_Finalize();
    return saved ? EXIT_SUCCESS : EXIT_FAILURE;
}
