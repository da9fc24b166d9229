/* A file mapped into memory works as the buffer of a save and, mapped read-only, of a load. The bytes are the same,
 * nothing beyond them is touched, and a load writes nothing. */
#define _GNU_SOURCE
#include "model.h"

#include <sys/mman.h>
#include <unistd.h>

enum { DIM = 700, STEPS = 5, FUTURE = 4 };

static void *mapped(int file, size_t bytes, int protection)
{
    void *memory = mmap(NULL, bytes, protection, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* Saves into a mapping, `skipped` bytes from its start, and loads from another mapping of the file. */
static void a_run_goes_on_from_a_mapped_file(int number, size_t skipped)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), loaded = new_model(&config, DIM);
    FILE *stream = tmpfile();
    size_t bytes, whole;
    unsigned char *state, *expected, *buffer;
    const void *states[1];
    const size_t first = 0;
    int file;
    AT("variant %d, %zu bytes before", number, skipped);
    CHECK(stream);
    file = fileno(stream);
    step_model(&m, 0, STEPS);
    expected = saved_state(m.opt, &bytes);
    whole = skipped + bytes + 64;
    CHECK(ftruncate(file, (off_t)whole) == 0);
    buffer = mapped(file, whole, PROT_READ | PROT_WRITE);
    memset(buffer, 0xA5, whole);
    CHECK_OK(lmada_state_save(m.opt, buffer + skipped, bytes));
    CHECK(munmap(buffer, whole) == 0);

    state = mapped(file, whole, PROT_READ);
    CHECK(memcmp(state + skipped, expected, bytes) == 0);
    for (size_t i = 0; i < skipped; i++) CHECK(state[i] == 0xA5);
    for (size_t i = skipped + bytes; i < whole; i++) CHECK(state[i] == 0xA5);
    CHECK_OK(lmada_state_load(loaded.opt, state + skipped, bytes));
    CHECK(same_state(m.opt, loaded.opt));
    step_model(&loaded, 50, 2);
    states[0] = state + skipped;
    CHECK_OK(lmada_state_load_shares(loaded.opt, &first, states, &bytes, 1));
    CHECK(munmap(state, whole) == 0); /* the handle does not need the mapping any more */
    fclose(stream);

    memcpy(loaded.params, m.params, DIM * sizeof(real));
    step_model(&m, STEPS, FUTURE);
    step_model(&loaded, STEPS, FUTURE);
    CHECK(same_model(&m, &loaded));
    free(expected);
    free_model(&m);
    free_model(&loaded);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        a_run_goes_on_from_a_mapped_file(number, 0);
        a_run_goes_on_from_a_mapped_file(number, 13); /* states need no alignment */
    }
    return 0;
}
