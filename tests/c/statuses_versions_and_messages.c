/* Functions without a handle: names of statuses, versions, the last error; and lmada_free of NULL. */
#include "check.h"

#include <limits.h>

/* Runs first: no call has failed yet. */
static void before_the_first_failure_the_message_is_empty(void)
{
    lmada_config_t config;
    CHECK(lmada_last_error() != NULL);
    CHECK(lmada_last_error()[0] == 0);
    CHECK_OK(lmada_config_init(&config, sizeof config));
    lmada_free(NULL);
    CHECK(lmada_last_error()[0] == 0);
}

/* Numbers and names of statuses never change. */
static void each_status_has_its_number_and_name(void)
{
    const char *const names[] = {
        "LMADA_OK",
        "LMADA_ERROR_NULL_POINTER",
        "LMADA_ERROR_INVALID_ARGUMENT",
        "LMADA_ERROR_DIMENSION_MISMATCH",
        "LMADA_ERROR_NON_FINITE",
        "LMADA_ERROR_OUT_OF_MEMORY",
        "LMADA_ERROR_BUSY",
        "LMADA_ERROR_WRONG_PHASE",
        "LMADA_ERROR_BAD_STATE",
        "LMADA_ERROR_INTERNAL",
        "LMADA_ERROR_CALLBACK",
    };
    const lmada_status_t numbers[] = {
        LMADA_OK,
        LMADA_ERROR_NULL_POINTER,
        LMADA_ERROR_INVALID_ARGUMENT,
        LMADA_ERROR_DIMENSION_MISMATCH,
        LMADA_ERROR_NON_FINITE,
        LMADA_ERROR_OUT_OF_MEMORY,
        LMADA_ERROR_BUSY,
        LMADA_ERROR_WRONG_PHASE,
        LMADA_ERROR_BAD_STATE,
        LMADA_ERROR_INTERNAL,
        LMADA_ERROR_CALLBACK,
    };
    for (int32_t i = 0; i < (int32_t)(sizeof names / sizeof *names); i++) {
        CHECK(numbers[i] == i);
        CHECK(strcmp(lmada_status_string(i), names[i]) == 0);
    }
}

static void other_numbers_are_unknown(void)
{
    const int32_t none[] = {-1, 11, 99, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK(strcmp(lmada_status_string(none[i]), "unknown status") == 0);
    }
}

static void enums_have_their_numbers(void)
{
    CHECK(LMADA_F32 == 0 && LMADA_F64 == 1);
    CHECK(LMADA_HISTORY_FULL == 0 && LMADA_HISTORY_BF16 == 1 && LMADA_HISTORY_F16 == 2);
    CHECK(LMADA_HISTORY_INT8 == 3 && LMADA_HISTORY_SPARSE == 4);
    CHECK(LMADA_MOMENTUM_NONE == 0 && LMADA_MOMENTUM_GRADIENT == 1);
    CHECK(LMADA_MOMENTUM_UPDATE == 2 && LMADA_MOMENTUM_WINDOW == 3);
    CHECK(LMADA_CLIP_NONE == 0 && LMADA_CLIP_NORM == 1 && LMADA_CLIP_EMA_NORM == 2);
    CHECK(LMADA_GRAFT_EMA_NORM == 3 && LMADA_CLIP_EMA_VECTOR == 4 && LMADA_GRAFT_EMA_VECTOR == 5);
    CHECK(sizeof(lmada_status_t) == 4 && sizeof(lmada_dtype_t) == 4 && sizeof(lmada_history_format_t) == 4);
    CHECK(sizeof(lmada_momentum_t) == 4 && sizeof(lmada_clip_t) == 4);
}

static void versions_are_those_of_the_header(void)
{
    CHECK(lmada_abi_version() == LMADA_ABI_VERSION);
    CHECK(strcmp(lmada_version(), CRATE_VERSION) == 0);
}

/* A success keeps the message of the last failure. The next failure replaces it, at the same address. */
static void the_message_is_that_of_the_last_failure(void)
{
    const char *message;
    char copy[600];
    lmada_t *opt;
    CHECK_REFUSED(lmada_create(NULL, 0, &opt), LMADA_ERROR_INVALID_ARGUMENT, "dim is 0");
    message = lmada_last_error();
    CHECK(strlen(message) < sizeof copy);
    strcpy(copy, message);
    CHECK_OK(lmada_create(NULL, 3, &opt));
    CHECK(lmada_status_string(LMADA_OK) != NULL && lmada_version() != NULL);
    CHECK(strcmp(lmada_last_error(), copy) == 0);
    CHECK_REFUSED(lmada_set_lr(opt, -2), LMADA_ERROR_INVALID_ARGUMENT, "lr is -2.0");
    CHECK(strcmp(lmada_last_error(), copy) != 0);
    lmada_free(opt);
    lmada_free(NULL);
    CHECK(strstr(lmada_last_error(), "lr is -2.0") != NULL);
}

int main(void)
{
    before_the_first_failure_the_message_is_empty();
    each_status_has_its_number_and_name();
    other_numbers_are_unknown();
    enums_have_their_numbers();
    versions_are_those_of_the_header();
    the_message_is_that_of_the_last_failure();
    return 0;
}
