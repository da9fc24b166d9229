/* Ten thousand loads of good and of bad states take no memory: the bytes allocated by malloc and the mappings of the
 * process do not grow.
 *
 * Not run under valgrind, AddressSanitizer and ThreadSanitizer: their malloc does not count. */
#define _GNU_SOURCE /* mallinfo2 */
#include "model.h"

#include <malloc.h>

enum { DIM = 500, STEPS = 6, LOADS = 10000, REDUCED_LOADS = 200, FIRST = 100 };

typedef struct {
    size_t given_out, mappings;
} holdings;

static holdings held(void)
{
    const struct mallinfo2 info = mallinfo2();
    holdings now = {info.uordblks + info.hblkhd, 0};
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    for (int c; (c = getc(file)) != EOF;) now.mappings += c == '\n';
    fclose(file);
    CHECK(now.mappings > 0);
    return now;
}

static void load(model *m, const unsigned char *state, size_t bytes, const unsigned char *bad, int turn)
{
    const size_t first = 0;
    const void *states[1];
    states[0] = state;
    switch (turn % 4) {
    case 0: CHECK_STATUS(lmada_state_load(m->opt, bad, bytes), LMADA_ERROR_BAD_STATE); break;
    case 1: CHECK_STATUS(lmada_state_load(m->opt, state, bytes - 1), LMADA_ERROR_BAD_STATE); break;
    case 2: CHECK_OK(lmada_state_load_shares(m->opt, &first, states, &bytes, 1)); break;
    default: CHECK_OK(lmada_state_load(m->opt, state, bytes)); break;
    }
    if (turn % 50 == 0) step_model(m, (uint64_t)turn, 1);
}

static void loads_take_nothing(int number, int loads)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    size_t bytes;
    unsigned char *state, *bad;
    holdings before, after;
    AT("variant %d", number);
    step_model(&m, 0, STEPS);
    state = saved_state(m.opt, &bytes);
    bad = saved_state(m.opt, &bytes);
    bad[bytes / 2] ^= 1;
    for (int turn = 0; turn < FIRST; turn++) load(&m, state, bytes, bad, turn);
    held(); /* memory freed by stdio may count as allocated while malloc caches it */
    before = held();
    for (int turn = 0; turn < loads; turn++) load(&m, state, bytes, bad, turn);
    held();
    after = held();
    CHECK(after.given_out == before.given_out);
    CHECK(after.mappings <= before.mappings + 1); /* an allocation of stdio may split the top of the heap */
    free(state);
    free(bad);
    free_model(&m);
}

int main(int argc, char **argv)
{
    (void)argv;
    /* A planted leak of a hundred bytes is found. */
    const size_t before = held().given_out;
    void *lost = check_alloc(100);
    CHECK(held().given_out >= before + 100);
    free(lost);
    EACH_VARIANT(number, argc > 1) loads_take_nothing(number, argc > 1 ? REDUCED_LOADS : LOADS);
    return 0;
}
