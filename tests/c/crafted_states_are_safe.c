/* A state that was changed and given a checksum that fits, as an attacker or a defect elsewhere might: it is refused
 * with nothing changed, or it is taken; whatever follows is then a status, and memory stays safe. */
#include "twins.h"

#include <math.h>

/* The saved form of version 1: magic, then the CRC-32 of all that follows it, then the version, then the body. */
enum { MAGIC = 8, CHECKSUM_END = MAGIC + 4, VERSION_END = CHECKSUM_END + 4 };

static uint32_t crc32(const unsigned char *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return ~crc;
}

static void seal(unsigned char *state, size_t bytes)
{
    const uint32_t crc = crc32(state + CHECKSUM_END, bytes - CHECKSUM_END);
    for (int i = 0; i < 4; i++) state[MAGIC + i] = (unsigned char)(crc >> 8 * i);
}

static void the_form_is_that_of_this_test(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes), *sealed = check_alloc(bytes);
    memcpy(sealed, state, bytes);
    seal(sealed, bytes);
    CHECK(memcmp(state, sealed, bytes) == 0);
    free(state);
    free(sealed);
}

static void version_is_unknown(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes);
    for (int byte = CHECKSUM_END; byte < VERSION_END; byte++) {
        state[byte] ^= 2;
        seal(state, bytes);
        CHECK_REFUSED(lmada_state_load(m->opt, state, bytes), LMADA_ERROR_BAD_STATE, "version");
        state[byte] ^= 2;
    }
    free(state);
}

/* Every length but the right one, from that of a checksum on. */
static void length_is_another(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes);
    for (size_t length = CHECKSUM_END; length < bytes + 17; length++) {
        unsigned char *other_state = check_alloc(length);
        memset(other_state, 0, length);
        memcpy(other_state, state, length < bytes ? length : bytes);
        seal(other_state, length);
        if (length != bytes) CHECK_STATUS(lmada_state_load(m->opt, other_state, length), LMADA_ERROR_BAD_STATE);
        free(other_state);
    }
    free(state);
}

/* Steps, in one call and in phases, and looks: each a status, whatever the state says. */
static void go_on(model *m)
{
    real *grads = new_gradient(m->dim, 50);
    size_t bytes;
    for (int step = 0; step < 3; step++) {
        const lmada_status_t status = real_step(m->opt, m->params, grads, m->dim);
        if (status != LMADA_ERROR_NON_FINITE) CHECK_OK(status);
    }
    stats_of(m->opt);
    free(saved_state(m->opt, &bytes));
    free(grads);
}

/* Each `stride`-th byte of the state in turn becomes others. */
static void every_byte_is_another(int number, bool blocks, size_t stride)
{
    const unsigned char masks[] = {0x01, 0x80, 0xFF};
    model twin = new_twin(number, blocks), m = new_twin(number, blocks);
    size_t bytes, taken = 0, refused = 0;
    unsigned char *state, *changed;
    step_model(&twin, 0, TWIN_PAST);
    the_form_is_that_of_this_test(&twin);
    state = saved_state(twin.opt, &bytes);
    changed = check_alloc(bytes);
    for (size_t byte = CHECKSUM_END; byte < bytes; byte += stride) {
        for (size_t mask = 0; mask < sizeof masks; mask++) {
            lmada_status_t status;
            AT("byte %zu, mask %x, variant %d", byte, masks[mask], number);
            CHECK_OK(lmada_state_load(m.opt, state, bytes));
            memcpy(changed, state, bytes);
            changed[byte] ^= masks[mask];
            seal(changed, bytes);
            status = lmada_state_load(m.opt, changed, bytes);
            if (status == LMADA_OK) {
                taken++;
                go_on(&m);
            } else {
                refused++;
                CHECK(status == LMADA_ERROR_BAD_STATE || status == LMADA_ERROR_DIMENSION_MISMATCH ||
                      status == LMADA_ERROR_INVALID_ARGUMENT);
                CHECK(same_state(m.opt, twin.opt));
            }
        }
    }
    CHECK(taken > 0 && refused > 0);
    free(state);
    free(changed);
    free_model(&m);
    free_model(&twin);
}

#define REFUSAL(name) {#name, name}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    const refusal refusals[] = {REFUSAL(version_is_unknown), REFUSAL(length_is_another)};
    (void)argv;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        EACH_VARIANT (number, reduced) leaves_no_trace(&refusals[i], number, number % 2, TWIN_PAST);
    }
    EACH_VARIANT (number, reduced) every_byte_is_another(number, number % 2, reduced ? 5 : 1);
    return 0;
}
