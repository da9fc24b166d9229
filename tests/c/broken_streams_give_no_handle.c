/* Failing callbacks, and states that are cut short, damaged or forged: each gives its status, `*out` is NULL, and
 * nothing leaks. A handle whose writer fails does not change. */
#include "stream.h"
#include "twins.h"

/* Tries to create a handle from bad bytes. `status` is the expected status. */
static void check_no_handle(unsigned char *bytes, size_t size, lmada_status_t status)
{
    stream s = {bytes, size, 0, 0, 0};
    lmada_t *opt = one_byte_into(NULL);
    CHECK_STATUS(lmada_create_from_state(stream_read, &s, &opt), status);
    CHECK(!opt && *lmada_last_error());
}

static void reader_fails_at_each_call(unsigned char *state, size_t bytes)
{
    stream s = {state, bytes, 0, 0, 0};
    lmada_t *opt;
    size_t calls;
    CHECK_OK(lmada_create_from_state(stream_read, &s, &opt));
    lmada_free(opt);
    calls = s.calls;
    CHECK(calls >= 4);
    for (size_t call = 1; call <= calls; call++) {
        s = (stream){state, bytes, 0, 0, call};
        opt = one_byte_into(NULL);
        CHECK_REFUSED(lmada_create_from_state(stream_read, &s, &opt), LMADA_ERROR_CALLBACK, "read returned 7");
        CHECK(!opt && s.calls == call);
    }
}

static void state_is_cut_short(const unsigned char *state, size_t bytes, size_t stride)
{
    for (size_t length = 0; length < bytes; length += stride) {
        unsigned char *cut = check_alloc(length);
        memcpy(cut, state, length);
        check_no_handle(cut, length, LMADA_ERROR_CALLBACK);
        free(cut);
    }
}

static void any_byte_is_damaged(unsigned char *state, size_t bytes, size_t stride)
{
    const unsigned char masks[] = {0x01, 0x80, 0xFF};
    for (size_t byte = 0; byte < bytes; byte += stride) {
        for (size_t mask = 0; mask < sizeof masks; mask++) {
            state[byte] ^= masks[mask];
            check_no_handle(state, bytes, LMADA_ERROR_BAD_STATE);
            state[byte] ^= masks[mask];
        }
    }
}

/* Changes each byte, with matching checksums. A handle that is created still returns statuses. Changed lengths may
 * exceed the bytes of the state, or the memory. Contents are accepted exactly if lmada_state_load accepts them. */
static void any_byte_is_made_up(lmada_t *loaded, const unsigned char *state, size_t bytes, size_t stride)
{
    const unsigned char masks[] = {0x01, 0x80, 0xFF};
    const saved_form form = form_of(state, bytes);
    unsigned char *changed = check_alloc(bytes);
    real params[TWIN_DIM + 1] = {0}, grads[TWIN_DIM + 1];
    size_t taken = 0, refused = 0;
    fill_gradient(grads, TWIN_DIM + 1, 3);
    for (size_t byte = 0; byte < bytes; byte += stride) {
        for (size_t mask = 0; mask < sizeof masks; mask++) {
            stream s = {changed, bytes, 0, 0, 0};
            lmada_t *opt = one_byte_into(NULL);
            lmada_status_t status;
            memcpy(changed, state, bytes);
            changed[byte] ^= masks[mask];
            seal(changed, bytes, form);
            status = lmada_create_from_state(stream_read, &s, &opt);
            if (byte >= contents_of(&form)) CHECK_STATUS(lmada_state_load(loaded, changed, bytes), status);
            if (status == LMADA_OK) {
                taken++;
                for (size_t dim = TWIN_DIM - 1; dim <= TWIN_DIM + 1; dim++) {
                    real_step(opt, params, grads, dim); /* the type, length or number may differ: refused then */
                }
                stats_of(opt);
                lmada_free(opt);
            } else {
                refused++;
                CHECK(!opt);
                CHECK(status == LMADA_ERROR_BAD_STATE || status == LMADA_ERROR_CALLBACK ||
                      status == LMADA_ERROR_OUT_OF_MEMORY);
            }
        }
    }
    CHECK(taken > 0 && refused > 0);
    free(changed);
}

/* Changes each byte in turn; in a reduced run, some bytes. */
static void each_variant(bool reduced)
{
    EACH_VARIANT (number, reduced) {
        model m = new_twin(number, number % 2);
        size_t bytes;
        unsigned char *state;
        AT("variant %d", number);
        step_model(&m, 0, TWIN_PAST);
        state = saved_state(m.opt, &bytes);
        reader_fails_at_each_call(state, bytes);
        state_is_cut_short(state, bytes, reduced ? 19 : 1);
        any_byte_is_damaged(state, bytes, reduced ? 29 : 1);
        any_byte_is_made_up(m.opt, state, bytes, reduced ? 31 : 1);
        free(state);
        free_model(&m);
    }
}

static void writer_fails_at_each_call(model *m)
{
    stream s = {NULL, 0, 0, 0, 0};
    size_t calls;
    CHECK_OK(lmada_state_size(m->opt, &s.size));
    s.bytes = check_alloc(s.size);
    CHECK_OK(lmada_state_write(m->opt, stream_write, &s));
    calls = s.calls;
    CHECK(calls >= 1);
    for (size_t call = 1; call <= calls; call++) {
        s.at = s.calls = 0;
        s.failing_call = call;
        CHECK_REFUSED(lmada_state_write(m->opt, stream_write, &s), LMADA_ERROR_CALLBACK, "write returned 7");
        CHECK(s.calls == call);
    }
    free(s.bytes);
}

static void arguments_are_wrong(model *m)
{
    stream s = {NULL, 0, 0, 0, 0};
    lmada_t *scratch[2] = {NULL, NULL}, *opt = one_byte_into(NULL);
    CHECK_REFUSED(lmada_state_write(NULL, stream_write, &s), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_state_write(m->opt, NULL, &s), LMADA_ERROR_NULL_POINTER, "write");
    CHECK_REFUSED(lmada_create_from_state(stream_read, &s, NULL), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(lmada_create_from_state(stream_read, &s, one_byte_into(scratch)), LMADA_ERROR_INVALID_ARGUMENT,
                  "out is ");
    CHECK_REFUSED(lmada_create_from_state(NULL, &s, &opt), LMADA_ERROR_NULL_POINTER, "read");
    CHECK(!opt && s.calls == 0);
    CHECK_OK(lmada_begin(m->opt));
    CHECK_REFUSED(lmada_state_write(m->opt, stream_write, &s), LMADA_ERROR_WRONG_PHASE, "lmada_state_write");
    CHECK_OK(lmada_cancel(m->opt));
    CHECK(s.calls == 0);
}

/* Bytes that do not begin like a state are refused without reading further. */
static void stream_is_something_else(void)
{
    unsigned char bytes[100];
    for (int filling = 0; filling < 256; filling++) {
        stream s = {bytes, sizeof bytes, 0, 0, 0};
        lmada_t *opt;
        AT("filled with %d", filling);
        memset(bytes, filling, sizeof bytes);
        CHECK_STATUS(lmada_create_from_state(stream_read, &s, &opt), LMADA_ERROR_BAD_STATE);
        CHECK(!opt && s.at <= FORM_COUNT);
    }
}

#define REFUSAL(name) {#name, name}

int main(int argc, char **argv)
{
    const refusal refusals[] = {REFUSAL(writer_fails_at_each_call), REFUSAL(arguments_are_wrong)};
    (void)argv;
    each_variant(argc > 1);
    stream_is_something_else();
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    return 0;
}
