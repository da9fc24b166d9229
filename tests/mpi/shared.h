/* A model split over the processes of MPI_COMM_WORLD, and a copy of the whole model on each process for comparison.
 * Included by one file of a program. */
#ifndef SHARED_H
#define SHARED_H

#include <lmada_mpi.h>

#include "model.h"

#ifdef TEST_F64
#define mpi_step lmada_mpi_step_f64
#define mpi_direction lmada_mpi_direction_f64
#define REAL_MPI MPI_DOUBLE
#else
#define mpi_step lmada_mpi_step
#define mpi_direction lmada_mpi_direction
#define REAL_MPI MPI_FLOAT
#endif

enum { BLOCKS = 3 };

static int rank, size;

/* The share of this process: for each block the part of `lens` parameters from `starts` on, and its place in the
 * model. */
typedef struct {
    model own;
    size_t starts[BLOCKS], lens[BLOCKS], places[BLOCKS];
    size_t count; /* of blocks */
} share;

static inline void start(int *argc, char ***argv)
{
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
}

/* The split of a block of `len` parameters: even, all on one process, or uneven with empty shares. */
enum { EVENLY, TOGETHER, UNEVENLY, SPLITS };

/* Returns the start of the share of process `i`: a multiple of 4,096, so that no format's groups are cut. */
static inline size_t share_start(size_t len, int split, int i, size_t unit)
{
    const size_t part = (size_t)i, parts = (size_t)size;
    size_t at = len * part / parts;
    if (i == size) return len;
    if (split == TOGETHER) return i > (size - 1) / 2 ? len : 0;
    if (split == UNEVENLY) at = (i % 2 ? len * part * part / (parts * parts) : len * (part / 2 * 2) / parts / 3);
    if (split == UNEVENLY && i % 2 == 0 && i > 0) at = share_start(len, split, i - 1, unit);
    return at / unit * unit;
}

static inline share new_share(const lmada_config_t *config, const size_t *dims, size_t count, int split)
{
    const size_t unit = config->history_format == LMADA_HISTORY_FULL ? 1 : 4096;
    share s;
    size_t before = 0;
    memset(&s, 0, sizeof s);
    s.count = count;
    for (size_t b = 0; b < count; b++) {
        s.starts[b] = share_start(dims[b], split, rank, unit);
        s.lens[b] = share_start(dims[b], split, rank + 1, unit) - s.starts[b];
        s.places[b] = before + s.starts[b];
        s.own.dim += s.lens[b];
        before += dims[b];
    }
    s.own.params = zeros(s.own.dim);
    CHECK_OK(lmada_create_blocks(config, s.lens, count, &s.own.opt));
    return s;
}

/* Copies this process's part of an array over the whole model. */
static inline real *part_of(const share *s, const real *whole)
{
    real *part = check_alloc(s->own.dim * sizeof *part);
    size_t at = 0;
    for (size_t b = 0; b < s->count; at += s->lens[b++])
        if (s->lens[b]) memcpy(part + at, whole + s->places[b], s->lens[b] * sizeof *part);
    return part;
}

/* Computes a norm over all processes. */
static inline double sum_of(double value)
{
    double total = 0;
    MPI_Allreduce(&value, &total, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return total;
}

/* Whether all processes have the same bytes. */
static inline bool same_on_all(const void *bytes, size_t len)
{
    void *first = check_alloc(len);
    int same, all;
    memcpy(first, bytes, len);
    MPI_Bcast(first, (int)len, MPI_BYTE, 0, MPI_COMM_WORLD);
    same = memcmp(first, bytes, len) == 0;
    MPI_Allreduce(&same, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    free(first);
    return all;
}

/* Returns the sum of squares of the difference of two arrays. */
static inline double squared_distance(const real *a, const real *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        const double apart = (double)a[i] - (double)b[i];
        sum += apart * apart;
    }
    return sum;
}

#endif
