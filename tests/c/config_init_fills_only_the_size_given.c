/* lmada_config_init and lmada_config_recommended write the bytes they are given, all of them, and none beyond. */
#include "check.h"

#include <stddef.h>

enum { POISON = 0xA5, BEYOND = 64 };

typedef lmada_status_t (*init_function)(lmada_config_t *, size_t);

static lmada_config_t whole(init_function init)
{
    lmada_config_t config;
    memset(&config, POISON, sizeof config);
    CHECK_OK(init(&config, sizeof config));
    CHECK(config.struct_size == sizeof config);
    return config;
}

static void every_size_is_filled_and_no_more(init_function init)
{
    const lmada_config_t expected = whole(init);
    for (size_t size = sizeof(size_t); size <= sizeof expected; size++) {
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

int main(void)
{
    const init_function inits[] = {lmada_config_init, lmada_config_recommended};
    for (int i = 0; i < 2; i++) {
        every_size_is_filled_and_no_more(inits[i]);
        other_sizes_are_refused_with_nothing_written(inits[i]);
        null_and_unaligned_are_refused(inits[i]);
        both_make_a_config_that_create_takes(inits[i]);
    }
    return 0;
}
