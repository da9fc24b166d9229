/* lmada_memory returns the bytes that a handle will hold, exactly, without creating it. */
#include "model.h"

static uint64_t told(const lmada_config_t *config, size_t dim)
{
    uint64_t bytes;
    CHECK_OK(lmada_memory(config, dim, &bytes));
    return bytes;
}

static void it_is_what_a_handle_holds(bool reduced)
{
    const size_t dims[] = {1, 33, 256, 300, 4096, 4097, 20001, 2000000};
    const uint32_t threads[] = {1, 2, 3, 0, UINT32_MAX};
    for (int number = 0; number < VARIANTS; number++) {
        for (size_t d = 0; d < sizeof dims / sizeof *dims - (reduced ? 1 : 0); d++) {
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                lmada_config_t config = variant(number);
                model m;
                config.threads = threads[t];
                AT("variant %d, %zu parameters, %u threads", number, dims[d], (unsigned)threads[t]);
                m = new_model(&config, dims[d]);
                CHECK(told(&config, dims[d]) == stats_of(m.opt).state_bytes);
                free_model(&m);
            }
        }
    }
}

static void the_defaults_are_for_null(void)
{
    model m = new_model(NULL, 100), k = {NULL, NULL, 100};
    lmada_config_t config;
    CHECK(told(NULL, 100) == stats_of(m.opt).state_bytes);
    CHECK_OK(lmada_config_init(&config, sizeof config));
    for (config.history_size = 1; config.history_size < 600; config.history_size += 50) {
        AT("k = %u", (unsigned)config.history_size);
        k = new_model(&config, 100);
        CHECK(told(&config, 100) == stats_of(k.opt).state_bytes);
        free_model(&k);
    }
    free_model(&m);
}

/* It also works for more memory than any machine has: here 4 bytes for each of k numbers a parameter. */
static void more_than_there_is_is_told(void)
{
    const size_t dim = (size_t)1 << 50;
    lmada_config_t config = base_config();
    const uint64_t bytes = told(&config, dim), window = (uint64_t)dim * sizeof(real) * config.history_size;
    CHECK(bytes >= window && bytes - window < window / 100);
}

static void what_cannot_be_is_refused(void)
{
    lmada_config_t config = base_config();
    uint64_t scratch[2] = {7, 7};
    CHECK_REFUSED(lmada_memory(&config, 10, NULL), LMADA_ERROR_NULL_POINTER, "bytes");
    CHECK_REFUSED(lmada_memory(&config, 10, one_byte_into(scratch)), LMADA_ERROR_INVALID_ARGUMENT, "bytes is ");
    CHECK_REFUSED(lmada_memory(one_byte_into(scratch), 10, scratch), LMADA_ERROR_INVALID_ARGUMENT, "config is ");
    CHECK_REFUSED(lmada_memory(&config, 0, scratch), LMADA_ERROR_INVALID_ARGUMENT, "dim is 0");
    CHECK_REFUSED(lmada_memory(&config, SIZE_MAX, scratch), LMADA_ERROR_OUT_OF_MEMORY, "overflow");
    CHECK_REFUSED(lmada_memory(&config, SIZE_MAX / 4, scratch), LMADA_ERROR_OUT_OF_MEMORY, "overflow");
    config.power = 2;
    CHECK_REFUSED(lmada_memory(&config, 10, scratch), LMADA_ERROR_INVALID_ARGUMENT, "config.power");
    CHECK(scratch[0] == 7 && scratch[1] == 7);
}

int main(int argc, char **argv)
{
    (void)argv;
    it_is_what_a_handle_holds(argc > 1);
    the_defaults_are_for_null();
    more_than_there_is_is_told();
    what_cannot_be_is_refused();
    return 0;
}
