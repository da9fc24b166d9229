/* lmada_config_init and lmada_config_recommended write all bytes of the size given, and none beyond. */
#include "check.h"

#include <stddef.h>

enum { POISON = 0xA5, BEYOND = 64 };

typedef lmada_status_t (*init_function)(lmada_config_t *, size_t);

/* Up to this size a struct gets the setting without diagonal preconditioning: it cannot hold the other one. */
static const size_t WITHOUT_DIAGONAL = offsetof(lmada_config_t, diagonal_beta) + sizeof(double) - 1;

static lmada_config_t filled(init_function init, size_t size)
{
    lmada_config_t config;
    memset(&config, POISON, sizeof config);
    CHECK_OK(init(&config, size));
    CHECK(config.struct_size == size);
    return config;
}

static lmada_config_t whole(init_function init)
{
    return filled(init, sizeof(lmada_config_t));
}

static void every_size_is_filled_and_no_more(init_function init)
{
    const lmada_config_t today = whole(init), older = filled(init, WITHOUT_DIAGONAL);
    for (size_t size = sizeof(size_t); size <= sizeof today; size++) {
        const lmada_config_t expected = size <= WITHOUT_DIAGONAL ? older : today;
        union {
            lmada_config_t config;
            unsigned char bytes[sizeof(lmada_config_t) + BEYOND];
        } poisoned;
        AT("size %zu", size);
        memset(&poisoned, POISON, sizeof poisoned);
        CHECK_OK(init(&poisoned.config, size));
        CHECK(poisoned.config.struct_size == size);
        CHECK(memcmp(poisoned.bytes + sizeof size, (const unsigned char *)&expected + sizeof size,
                     size - sizeof size) == 0);
        for (size_t i = size; i < sizeof poisoned; i++) CHECK(poisoned.bytes[i] == POISON);
    }
}

static void other_sizes_are_refused_with_nothing_written(init_function init)
{
    const size_t sizes[] = {0, 1, 7, sizeof(lmada_config_t) + 1, sizeof(lmada_config_t) + 8, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lmada_config_t config, before;
        char value[40];
        AT("size %zu", sizes[i]);
        memset(&config, POISON, sizeof config);
        before = config;
        snprintf(value, sizeof value, "config_size is %zu", sizes[i]);
        CHECK_REFUSED(init(&config, sizes[i]), LMADA_ERROR_INVALID_ARGUMENT, value);
        CHECK(memcmp(&config, &before, sizeof config) == 0);
    }
}

static void null_and_unaligned_are_refused(init_function init)
{
    lmada_config_t room[2];
    unsigned char before[sizeof room];
    memset(room, POISON, sizeof room);
    memcpy(before, room, sizeof room);
    CHECK_REFUSED(init(NULL, sizeof(lmada_config_t)), LMADA_ERROR_NULL_POINTER, "config");
    CHECK_REFUSED(init(NULL, 0), LMADA_ERROR_NULL_POINTER, "config");
    for (size_t shift = 1; shift < sizeof(size_t); shift++) {
        lmada_config_t *unaligned = (lmada_config_t *)(void *)((unsigned char *)room + shift);
        CHECK_REFUSED(init(unaligned, sizeof(lmada_config_t)), LMADA_ERROR_INVALID_ARGUMENT, "config");
    }
    CHECK(memcmp(room, before, sizeof room) == 0);
}

static void both_make_a_config_that_create_takes(init_function init)
{
    lmada_config_t config = whole(init);
    lmada_t *opt;
    CHECK_OK(lmada_create(&config, 3, &opt));
    lmada_free(opt);
}

/* A program with the older struct trains as before. */
static void what_an_older_struct_cannot_hold_is_not_presupposed(void)
{
    const lmada_config_t older = filled(lmada_config_recommended, WITHOUT_DIAGONAL);
    CHECK(older.history_size == 30 && older.lr == 0.1 && older.eps == 1e-6 && older.eps_relative == 0);
    CHECK(older.momentum_kind == LMADA_MOMENTUM_UPDATE && older.momentum == 0.9);
    CHECK(older.clip_kind == LMADA_GRAFT_EMA_NORM);

    const lmada_config_t today = whole(lmada_config_recommended);
    CHECK(today.history_size == 30 && today.lr == 0.01);
    CHECK(today.momentum_kind == LMADA_MOMENTUM_UPDATE && today.momentum == 0.8);
    CHECK(today.diagonal_beta == 0.99 && today.clip_kind == LMADA_CLIP_NONE);
    CHECK(today.eps == 0 && today.eps_relative == 1e-9 && today.diagonal_eps == 1e-30);
}

int main(void)
{
    const init_function inits[] = {lmada_config_init, lmada_config_recommended};
    for (int i = 0; i < 2; i++) {
        every_size_is_filled_and_no_more(inits[i]);
        other_sizes_are_refused_with_nothing_written(inits[i]);
        null_and_unaligned_are_refused(inits[i]);
        both_make_a_config_that_create_takes(inits[i]);
    }
    what_an_older_struct_cannot_hold_is_not_presupposed();
    return 0;
}
