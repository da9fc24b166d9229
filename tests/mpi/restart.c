/* A run whose processes save their shares, and which continues with another number of processes.
 *
 *     restart save FOLDER    trains, and saves
 *     restart load FOLDER    continues, and compares with one handle that was not interrupted
 */
#include "shared.h"

#include <math.h>

enum { LONG = 3 * 4096 + 300, MOST = 64, PAST = 7, FUTURE = 6 };

static const size_t dims[] = {LONG, 0, 9000};
enum { DIM = LONG + 9000 };

static void name_file(char *name, size_t room, const char *folder, int number, int process)
{
    snprintf(name, room, "%s/variant-%d-%d.state", folder, number, process);
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(name, "wb");
    CHECK(file && fwrite(bytes, 1, count, file) == count);
    CHECK(fclose(file) == 0);
}

/* Reads a file; NULL if it does not exist. */
static void *read_file(const char *name, size_t *count)
{
    FILE *file = fopen(name, "rb");
    unsigned char *bytes = NULL;
    size_t room = 0;
    *count = 0;
    if (!file) return NULL;
    do {
        room += 1 << 20;
        bytes = realloc(bytes, room);
        CHECK(bytes);
        *count += fread(bytes + *count, 1, room - *count, file);
    } while (*count == room);
    CHECK(fclose(file) == 0);
    return bytes;
}

static void step_share(share *s, uint64_t number)
{
    real *grads = new_gradient(DIM, number), *own = part_of(s, grads);
    CHECK_OK(mpi_step(s->own.opt, s->own.params, own, s->own.dim, MPI_COMM_WORLD));
    free(grads);
    free(own);
}

static void save(const char *folder, int number)
{
    const lmada_config_t config = variant(number);
    share s = new_share(&config, dims, BLOCKS, EVENLY);
    char name[4096];
    size_t bytes;
    unsigned char *state;
    for (uint64_t step = 0; step < PAST; step++) step_share(&s, step);
    state = saved_state(s.own.opt, &bytes);
    name_file(name, sizeof name, folder, number, rank);
    write_file(name, state, bytes);
    free(state);
    free_model(&s.own);
}

static void load(const char *folder, int number)
{
    const lmada_config_t config = variant(number);
    const double promise = REAL_DTYPE == LMADA_F32 ? 2e-6 : 1e-10;
    share s = new_share(&config, dims, BLOCKS, UNEVENLY);
    model whole = {NULL, zeros(DIM), DIM};
    const void *states[MOST];
    void *files[MOST];
    size_t bytes[MOST], count = 0;
    real *expected;
    double norm = 0;
    AT("process %d of %d, variant %d", rank, size, number);
    for (; count < MOST; count++) {
        char name[4096];
        name_file(name, sizeof name, folder, number, (int)count);
        files[count] = read_file(name, &bytes[count]);
        if (!files[count]) break;
        states[count] = files[count];
    }
    CHECK(count == 4);
    CHECK_OK(lmada_state_load_shares(s.own.opt, s.starts, states, bytes, count));
    CHECK_OK(lmada_create_blocks(&config, dims, BLOCKS, &whole.opt));
    step_model(&whole, 0, PAST);
    expected = part_of(&s, whole.params);
    memcpy(s.own.params, expected, s.own.dim * sizeof *expected);
    free(expected);
    for (uint64_t step = PAST; step < PAST + FUTURE; step++) {
        step_model(&whole, step, 1);
        step_share(&s, step);
    }
    expected = part_of(&s, whole.params);
    for (size_t i = 0; i < DIM; i++) norm += (double)whole.params[i] * (double)whole.params[i];
    CHECK(sqrt(sum_of(squared_distance(expected, s.own.params, s.own.dim))) <= promise * sqrt(norm));
    CHECK(stats_of(s.own.opt).steps == PAST + FUTURE);
    while (count > 0) free(files[--count]);
    free(expected);
    free_model(&s.own);
    free_model(&whole);
}

int main(int argc, char **argv)
{
    start(&argc, &argv);
    CHECK(argc == 3);
    for (int number = 0; number < VARIANTS; number++) {
        if (strcmp(argv[1], "save") == 0)
            save(argv[2], number);
        else
            load(argv[2], number);
    }
    MPI_Finalize();
    return 0;
}
