/* Trains and prints every bit of the result. It is compiled twice: with old/lmada.h, as a program older than the
 * library, and with -DTODAY and the present header, for the expected result. The structs are between canaries that the
 * library must not change. With an argument they are in memory of exactly their size, so that valgrind sees an access
 * beyond them. */
#include <lmada.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 7, STEPS = 40, CANARY = 0xA5, AROUND = 64 };

static void check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "old program: %s; last error: %s\n", what, lmada_last_error());
    exit(1);
}
#define CHECK(condition) check(condition, #condition)

typedef union {
    unsigned char bytes[AROUND + sizeof(lmada_config_t) + AROUND];
    double aligned;
} room;

/* Returns memory for a struct of `size` bytes, with canaries around it or in exactly its size. */
static void *make_room(room *with_canaries, size_t size, bool bare)
{
    void *exact = bare ? malloc(size) : NULL;
    CHECK(!bare || exact);
    memset(with_canaries, CANARY, sizeof *with_canaries);
    return bare ? exact : with_canaries->bytes + AROUND;
}

static void check_canaries(const room *room, size_t size, bool bare)
{
    for (size_t i = 0; i < sizeof room->bytes; i++) {
        if (bare || i < AROUND || i >= AROUND + size) CHECK(room->bytes[i] == CANARY);
    }
}

/* Fields that the old program knows are as it sets them. The others take their defaults, with
 * lmada_config_recommended too. */
static void forget_new_fields(lmada_status_t (*init)(lmada_config_t *, size_t), lmada_config_t *config)
{
#ifdef TODAY
    const size_t known = offsetof(lmada_config_t, bias_correction);
    CHECK(lmada_config_init(config, sizeof *config) == LMADA_OK);
    CHECK(init(config, known) == LMADA_OK);
    config->struct_size = sizeof *config;
#else
    (void)init;
    (void)config;
#endif
}

static void print_bits(const char *what, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    printf("%s %016llx\n", what, (unsigned long long)bits);
}

/* Minimises the sum of i*(w[i] - 1)^2/2. Prints the parameters. */
static void train(const lmada_config_t *config, lmada_stats_t *stats)
{
    float params[DIM] = {0}, grads[DIM];
    lmada_t *opt;
    CHECK(lmada_create(config, DIM, &opt) == LMADA_OK);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < DIM; i++) grads[i] = (float)(i + 1) * (params[i] - 1);
        CHECK(lmada_step(opt, params, grads, DIM) == LMADA_OK);
    }
    CHECK(lmada_stats(opt, stats, sizeof *stats) == LMADA_OK);
    CHECK(stats->struct_size == sizeof *stats);
    lmada_free(opt);

    for (int i = 0; i < DIM; i++) print_bits("w", params[i]);
    printf("steps %llu, history_len %u, rank %u\n", (unsigned long long)stats->steps, (unsigned)stats->history_len,
           (unsigned)stats->rank);
    print_bits("grad_norm", stats->grad_norm);
    print_bits("update_norm", stats->update_norm);
    print_bits("scale", stats->scale);
    print_bits("eig_max", stats->eig_max);
}

int main(int count, char **arguments)
{
    lmada_status_t (*const inits[])(lmada_config_t *, size_t) = {lmada_config_init, lmada_config_recommended};
    const bool bare = count > 1;
    (void)arguments;
    for (int i = 0; i < 2; i++) {
        room config_room, stats_room;
        lmada_config_t *config = (lmada_config_t *)make_room(&config_room, sizeof *config, bare);
        lmada_stats_t *stats = (lmada_stats_t *)make_room(&stats_room, sizeof *stats, bare);
        CHECK(inits[i](config, sizeof *config) == LMADA_OK);
        CHECK(config->struct_size == sizeof *config);
        forget_new_fields(inits[i], config);
        config->history_size = 5;
        config->lr = 0.25;
        config->momentum = 0.5;
        train(config, stats);
        check_canaries(&config_room, sizeof *config, bare);
        check_canaries(&stats_room, sizeof *stats, bare);
        if (bare) free(config);
        if (bare) free(stats);
    }
    return 0;
}
