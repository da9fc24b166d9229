/* Twins: two models with the same past, one of which then gets a refused call. Refusals must leave no trace. */
#ifndef TWINS_H
#define TWINS_H

#include "model.h"

/* Makes one refused call, and checks its status and message. */
typedef struct {
    const char *name;
    void (*refuse)(model *);
} refusal;

enum { TWIN_DIM = 12, TWIN_PAST = 6, TWIN_FUTURE = 11 };

static inline model new_twin(int number, bool blocks)
{
    const lmada_config_t config = variant(number);
    model m = blocks ? new_blocks_model(&config, TWIN_DIM) : new_model(&config, TWIN_DIM);
    for (size_t i = 0; i < m.dim; i++) m.params[i] = (real)i / 4;
    return m;
}

/* Makes a refused call after `past` steps, and checks that the model then equals and continues like its twin. */
static inline void leaves_no_trace(const refusal *refusal, int number, bool blocks, uint64_t past)
{
    model refused = new_twin(number, blocks), twin = new_twin(number, blocks);
    AT("%s, variant %d%s, after %d steps", refusal->name, number, blocks ? " in blocks" : "", (int)past);
    step_model(&refused, 0, past);
    step_model(&twin, 0, past);
    refusal->refuse(&refused);
    CHECK(same_model(&refused, &twin));
    step_model(&refused, past, TWIN_FUTURE);
    step_model(&twin, past, TWIN_FUTURE);
    CHECK(same_model(&refused, &twin));
    free_model(&refused);
    free_model(&twin);
}

static inline void all_leave_no_trace(const refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int number = 0; number < VARIANTS; number++) {
            leaves_no_trace(&refusals[i], number, false, TWIN_PAST);
            leaves_no_trace(&refusals[i], number, true, TWIN_PAST);
        }
        leaves_no_trace(&refusals[i], 0, false, 0);
        leaves_no_trace(&refusals[i], 1, true, 0);
        leaves_no_trace(&refusals[i], 2, false, 1);
    }
}

#endif
