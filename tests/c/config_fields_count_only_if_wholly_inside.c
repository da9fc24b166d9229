/* A field counts only if it lies wholly inside struct_size, and nothing is read beyond that size: a caller compiled
 * against an older header has a smaller struct. */
#include "config_fields.h"

/* Returns a copy of the first `size` bytes in memory of exactly that size: valgrind reports a read beyond. */
static lmada_config_t *cut(const lmada_config_t *config, size_t size)
{
    lmada_config_t *copy = check_alloc(size);
    memcpy(copy, config, size);
    memcpy(copy, &size, sizeof size); /* struct_size, which may be the whole struct */
    return copy;
}

static void a_bad_value_is_refused_from_the_size_that_holds_it(const config_field *field)
{
    if (!field->bad->text) return;
    for (size_t size = sizeof(size_t); size <= sizeof(lmada_config_t); size++) {
        const int inside = field->offset + field_size(field) <= size;
        lmada_config_t config, *copy;
        lmada_t *opt = NULL;
        AT("%s at size %zu", field->name, size);
        CHECK_OK(lmada_config_init(&config, sizeof config));
        set_field(&config, field, field->bad->value);
        copy = cut(&config, size);
        CHECK_STATUS(lmada_create(copy, 3, &opt), inside ? LMADA_ERROR_INVALID_ARGUMENT : LMADA_OK);
        CHECK((opt == NULL) == inside);
        lmada_free(opt);
        free(copy);
    }
}

static void sizes_out_of_range_are_refused(void)
{
    const size_t sizes[] = {0, 1, 7, sizeof(lmada_config_t) + 1, sizeof(lmada_config_t) + 8, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lmada_config_t config;
        lmada_t *opt = (lmada_t *)&config;
        char words[60];
        AT("size %zu", sizes[i]);
        CHECK_OK(lmada_config_init(&config, sizeof config));
        config.struct_size = sizes[i];
        snprintf(words, sizeof words, "config.struct_size is %zu:", sizes[i]);
        CHECK_REFUSED(lmada_create(&config, 3, &opt), LMADA_ERROR_INVALID_ARGUMENT, words);
        CHECK(opt == NULL);
    }
}

static void an_unaligned_config_is_refused(void)
{
    lmada_config_t room[2], config;
    CHECK_OK(lmada_config_init(&config, sizeof config));
    for (size_t shift = 1; shift < sizeof(size_t); shift++) {
        lmada_config_t *unaligned = (lmada_config_t *)(void *)((unsigned char *)room + shift);
        lmada_t *opt = (lmada_t *)room;
        AT("shift %zu", shift);
        memcpy((unsigned char *)unaligned, &config, sizeof config);
        CHECK_REFUSED(lmada_create(unaligned, 3, &opt), LMADA_ERROR_INVALID_ARGUMENT, "config is ");
        CHECK(opt == NULL);
    }
}

/* Fields that are left out have their defaults: a smaller k would change the size of the saved state. */
static void fields_left_out_take_their_defaults(void)
{
    lmada_config_t config, *copy;
    lmada_t *small, *other;
    size_t small_bytes, other_bytes;
    AT("history_size left out");
    CHECK_OK(lmada_config_init(&config, sizeof config));
    config.history_size = 20;
    copy = cut(&config, offsetof(lmada_config_t, history_size) + 3);
    CHECK_OK(lmada_create(copy, 3, &small));
    CHECK_OK(lmada_create(NULL, 3, &other));
    CHECK_OK(lmada_state_size(small, &small_bytes));
    CHECK_OK(lmada_state_size(other, &other_bytes));
    CHECK(small_bytes == other_bytes);
    lmada_free(small);
    free(copy);
    copy = cut(&config, offsetof(lmada_config_t, history_size) + 4);
    CHECK_OK(lmada_create(copy, 3, &small));
    CHECK_OK(lmada_state_size(small, &small_bytes));
    CHECK(small_bytes > other_bytes);
    lmada_free(small);
    lmada_free(other);
    free(copy);
}

int main(void)
{
    for (int i = 0; i < CONFIG_FIELDS; i++) a_bad_value_is_refused_from_the_size_that_holds_it(&config_fields[i]);
    sizes_out_of_range_are_refused();
    an_unaligned_config_is_refused();
    fields_left_out_take_their_defaults();
    return 0;
}
