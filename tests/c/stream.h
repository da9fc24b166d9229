/* Callbacks of lmada_state_write and lmada_create_from_state that write to memory and read from it. */
#ifndef STREAM_H
#define STREAM_H

#include "check.h"

/* The return value of a failing callback. */
enum { STREAM_FAILS = 7 };

/* Bytes in memory, and the position of a callback in them. */
typedef struct {
    unsigned char *bytes;
    size_t size, at;
    size_t calls;
    /* The call that fails, counted from 1; 0 for none. */
    size_t failing_call;
} stream;

static inline int stream_write(void *context, const void *bytes, size_t len)
{
    stream *s = context;
    CHECK(len > 0);
    if (++s->calls == s->failing_call) return STREAM_FAILS;
    CHECK(len <= s->size - s->at);
    memcpy(s->bytes + s->at, bytes, len);
    s->at += len;
    return 0;
}

/* Fails at the end of the memory. */
static inline int stream_read(void *context, void *bytes, size_t len)
{
    stream *s = context;
    CHECK(len > 0);
    if (++s->calls == s->failing_call || len > s->size - s->at) return STREAM_FAILS;
    memcpy(bytes, s->bytes + s->at, len);
    s->at += len;
    return 0;
}

/* Creates a handle from a state in memory. The whole state has to be read. */
static inline lmada_t *handle_of(unsigned char *state, size_t size)
{
    stream s = {state, size, 0, 0, 0};
    lmada_t *opt;
    CHECK_OK(lmada_create_from_state(stream_read, &s, &opt));
    CHECK(opt && s.at == size);
    return opt;
}

#endif
