/* A callback may use other handles and read messages. A call on the handle that is being written returns
 * LMADA_ERROR_BUSY. The outer call works as without these calls. */
#include "model.h"
#include "stream.h"

enum { DIM = 40, STEPS = 3 };

typedef struct {
    stream s;
    model *other;
    /* NULL for a reader: its handle does not exist yet. */
    lmada_t *own;
    uint64_t number;
} party;

static void call_the_library(party *p)
{
    size_t bytes;
    if (p->own) {
        CHECK_STATUS(lmada_state_size(p->own, &bytes), LMADA_ERROR_BUSY);
        CHECK_STATUS(lmada_reset(p->own), LMADA_ERROR_BUSY);
        CHECK_STATUS(lmada_state_write(p->own, stream_write, &p->s), LMADA_ERROR_BUSY);
        lmada_free(p->own); /* does nothing: the handle is busy */
        CHECK(strstr(lmada_last_error(), "inside a call"));
    }
    step_model(p->other, p->number++, 1);
    free(saved_state(p->other->opt, &bytes));
    CHECK_STATUS(lmada_step(NULL, NULL, NULL, 0), LMADA_ERROR_NULL_POINTER);
}

static int write_and_call(void *context, const void *bytes, size_t len)
{
    party *p = context;
    call_the_library(p);
    return stream_write(&p->s, bytes, len);
}

static int read_and_call(void *context, void *bytes, size_t len)
{
    party *p = context;
    call_the_library(p);
    return stream_read(&p->s, bytes, len);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        const lmada_config_t config = variant(number);
        model m = new_model(&config, DIM), other = new_model(&config, DIM), twin = new_model(&config, DIM);
        party p = {{NULL, 0, 0, 0, 0}, &other, m.opt, 0};
        lmada_t *anew;
        size_t bytes;
        unsigned char *again;
        AT("variant %d", number);
        step_model(&m, 0, STEPS);
        CHECK_OK(lmada_state_size(m.opt, &p.s.size));
        p.s.bytes = check_alloc(p.s.size);
        CHECK_OK(lmada_state_write(m.opt, write_and_call, &p));
        again = saved_state(m.opt, &bytes);
        CHECK(p.s.at == bytes && memcmp(again, p.s.bytes, bytes) == 0);
        free(again);

        p.s.at = 0;
        p.own = NULL;
        CHECK_OK(lmada_create_from_state(read_and_call, &p, &anew));
        CHECK(same_state(m.opt, anew));
        CHECK(p.number > 2);
        step_model(&twin, 0, p.number);
        CHECK(same_model(&other, &twin));

        /* The last message is that of the outer call. */
        p.s.at = 0;
        p.s.failing_call = p.s.calls + 1;
        p.own = m.opt;
        CHECK_REFUSED(lmada_state_write(m.opt, write_and_call, &p), LMADA_ERROR_CALLBACK, "write returned 7");
        CHECK(same_state(m.opt, anew));
        lmada_free(anew);
        free(p.s.bytes);
        free_model(&m);
        free_model(&other);
        free_model(&twin);
    }
    return 0;
}
