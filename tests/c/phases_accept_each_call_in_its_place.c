/* Calls every function at every point of a step in phases, and checks its status. Refused calls, and calls that only
 * read, do not change the step under way. */
#include "model.h"
#include "stream.h"

#include <math.h>

enum { DIM = 12, CUT = 5, PAST = 6, FUTURE = 6 };

typedef enum { IDLE, OPEN, FED_PARTLY, FED, SUMMED, SOLVED, REFUSED, APPLIED_PARTLY, APPLIED, STATES } state;

static const char *const state_names[] = {"idle",   "open",    "fed partly",     "fed",    "summed",
                                          "solved", "refused", "applied partly", "applied"};

/* Returns the gradient of the step under way. */
static real grads[DIM];
static real room[DIM];
static unsigned char *old_state;
static size_t old_state_bytes;

static lmada_status_t begin(model *m) { return lmada_begin(m->opt); }
static lmada_status_t feed_the_first(model *m) { return real_feed(m->opt, 0, grads, CUT); }
static lmada_status_t feed_the_rest(model *m) { return real_feed(m->opt, CUT, grads + CUT, DIM - CUT); }
static lmada_status_t feed_nothing(model *m) { return real_feed(m->opt, CUT, NULL, 0); }
static lmada_status_t solve(model *m) { return lmada_solve(m->opt); }
static lmada_status_t apply_the_first(model *m) { return real_apply(m->opt, 0, m->params, grads, CUT); }
static lmada_status_t direct_nothing(model *m) { return real_apply_direction(m->opt, DIM, NULL, NULL, 0); }
static lmada_status_t apply_nothing(model *m) { return real_apply(m->opt, DIM, NULL, NULL, 0); }
static lmada_status_t end(model *m) { return lmada_end(m->opt); }
static lmada_status_t cancel(model *m) { return lmada_cancel(m->opt); }
static lmada_status_t reset(model *m) { return lmada_reset(m->opt); }
static lmada_status_t set_lr(model *m) { return lmada_set_lr(m->opt, 0.5); }
static lmada_status_t step(model *m) { return real_step(m->opt, m->params, grads, DIM); }
static lmada_status_t load(model *m) { return lmada_state_load(m->opt, old_state, old_state_bytes); }

static lmada_status_t apply_the_rest(model *m)
{
    return real_apply(m->opt, CUT, m->params + CUT, grads + CUT, DIM - CUT);
}

static lmada_status_t partials(model *m)
{
    double *values = NULL;
    size_t count = 0;
    lmada_status_t status = lmada_partials(m->opt, &values, &count);
    CHECK((status == LMADA_OK) == (values != NULL && count > 0));
    return status;
}

static lmada_status_t step_tensors(model *m)
{
    real *params[2];
    const real *gradients[2];
    const size_t lens[2] = {CUT, DIM - CUT};
    params[0] = m->params;
    params[1] = m->params + CUT;
    gradients[0] = grads;
    gradients[1] = grads + CUT;
    return real_step_tensors(m->opt, params, gradients, lens, 2);
}

static lmada_status_t direction(model *m)
{
    lmada_status_t status;
    for (int i = 0; i < DIM; i++) room[i] = 7;
    status = real_direction(m->opt, room, grads, DIM);
    if (status != LMADA_OK) {
        for (int i = 0; i < DIM; i++) CHECK(room[i] == 7);
    }
    return status;
}

static lmada_status_t observe(model *m) { return real_observe(m->opt, grads, DIM); }
static lmada_status_t precondition(model *m) { return real_precondition(m->opt, room, grads, DIM); }
static lmada_status_t averaged_params(model *m) { return real_averaged_params(m->opt, room, DIM); }
static lmada_status_t set_grad_scale(model *m) { return lmada_set_grad_scale(m->opt, 1); }
static lmada_status_t set_groups(model *m) { return lmada_set_groups(m->opt, NULL, sizeof(lmada_group_t), 0); }
static lmada_status_t feed_nothing_bf16(model *m) { return lmada_feed_bf16(m->opt, CUT, NULL, 0); }
static lmada_status_t apply_nothing_bf16(model *m) { return lmada_apply_bf16(m->opt, DIM, NULL, NULL, NULL, 0); }

static lmada_status_t step_bf16(model *m)
{
    const uint16_t halves[DIM] = {0x3F80, 0x4000};
    return lmada_step_bf16(m->opt, (float *)(void *)m->params, NULL, halves, DIM);
}

static lmada_config_t present;

static lmada_status_t get_config(model *m) { return lmada_get_config(m->opt, &present, sizeof present); }

static lmada_status_t set_config(model *m)
{
    CHECK_OK(get_config(m));
    return lmada_set_config(m->opt, &present);
}

static lmada_status_t save(model *m)
{
    unsigned char *buffer = check_alloc(old_state_bytes);
    lmada_status_t status;
    memset(buffer, 0xA5, old_state_bytes);
    status = lmada_state_save(m->opt, buffer, old_state_bytes);
    if (status != LMADA_OK) {
        for (size_t i = 0; i < old_state_bytes; i++) CHECK(buffer[i] == 0xA5);
    }
    free(buffer);
    return status;
}

static lmada_status_t write_state(model *m)
{
    stream s = {check_alloc(old_state_bytes), old_state_bytes, 0, 0, 0};
    lmada_status_t status = lmada_state_write(m->opt, stream_write, &s);
    CHECK(s.at == (status == LMADA_OK ? old_state_bytes : 0));
    free(s.bytes);
    return status;
}

static lmada_status_t stats(model *m)
{
    lmada_stats_t found;
    return lmada_stats(m->opt, &found, sizeof found);
}

static lmada_status_t state_size(model *m)
{
    size_t bytes = 0;
    lmada_status_t status = lmada_state_size(m->opt, &bytes);
    CHECK(bytes == old_state_bytes);
    return status;
}

/* A double handle has no step in bfloat16. */
#ifdef TEST_F64
#define FLOAT_ONLY(answers) "IIIIIIIII"
#else
#define FLOAT_ONLY(answers) answers
#endif

/* The result of each call in each state, in the order of `state`: W wrong phase, I invalid argument, N not finite, O
 * accepted, o accepted without a change. */
static const struct {
    const char *name;
    lmada_status_t (*call)(model *);
    const char *answers;
} calls[] = {
    {"begin", begin, "OWWWWWWWW"},
    {"feed the first piece", feed_the_first, "WOIIWWWWW"},
    {"feed the rest", feed_the_rest, "WOOIWWWWW"},
    {"feed nothing", feed_nothing, "WoooWWWWW"},
    {"partials", partials, "WWWooWoWW"},
    {"solve", solve, "WWWOOWNWW"},
    {"apply the first piece", apply_the_first, "WWWWWOWII"},
    {"apply the rest", apply_the_rest, "WWWWWOWOI"},
    {"apply nothing", apply_nothing, "WWWWWoWoo"},
    {"direct nothing", direct_nothing, "WWWWWoWoo"},
    {"end", end, "WWWWWWWWO"},
    {"cancel", cancel, "WOOOOOOWW"},
    {"reset", reset, "OOOOOOOOO"},
    {"set_lr", set_lr, "OWWWWWWWW"},
    {"step", step, "OWWWWWWWW"},
    {"step_tensors", step_tensors, "OWWWWWWWW"},
    {"direction", direction, "OWWWWWWWW"},
    {"state_save", save, "oWWWWWWWW"},
    {"state_write", write_state, "oWWWWWWWW"},
    {"state_load", load, "OWWWWWWWW"},
    {"observe", observe, "OWWWWWWWW"},
    {"precondition", precondition, "oWWWWWWWW"},
    {"averaged_params", averaged_params, "WWWWWWWWW"},
    {"get_config", get_config, "ooooooooo"},
    {"set_config", set_config, "oWWWWWWWW"},
    {"set_grad_scale", set_grad_scale, "oWWWWWWWW"},
    {"set_groups", set_groups, "oWWWWWWWW"},
    {"step_bf16", step_bf16, FLOAT_ONLY("OWWWWWWWW")},
    {"feed nothing in bfloat16", feed_nothing_bf16, FLOAT_ONLY("WoooWWWWW")},
    {"apply nothing in bfloat16", apply_nothing_bf16, FLOAT_ONLY("WWWWWoWoo")},
    {"stats", stats, "ooooooooo"},
    {"state_size", state_size, "ooooooooo"},
};

/* Begins a step and takes it to the state `target`. A state with a missing piece lacks the second piece. */
static void reach(model *m, state target)
{
    if (target == IDLE) return;
    CHECK_OK(begin(m));
    if (target == OPEN) return;
    if (target == REFUSED) {
        real bad[DIM];
        memcpy(bad, grads, sizeof bad);
        bad[DIM / 2] = (real)NAN;
        CHECK_OK(real_feed(m->opt, 0, bad, DIM));
        CHECK_STATUS(solve(m), LMADA_ERROR_NON_FINITE);
        return;
    }
    CHECK_OK(feed_the_first(m));
    if (target == FED_PARTLY) return;
    CHECK_OK(feed_the_rest(m));
    if (target == FED) return;
    if (target == SUMMED) {
        CHECK_OK(partials(m));
        return;
    }
    CHECK_OK(solve(m));
    if (target == SOLVED) return;
    CHECK_OK(apply_the_first(m));
    if (target == APPLIED_PARTLY) return;
    CHECK_OK(apply_the_rest(m));
}

/* Continues from the state `from` to the end of the step. A refused step is taken again with the good gradient. */
static void finish(model *m, state from)
{
    if (from == REFUSED) CHECK_OK(cancel(m));
    if (from == IDLE || from == REFUSED) CHECK_OK(begin(m));
    if (from <= OPEN || from == REFUSED) CHECK_OK(feed_the_first(m));
    if (from <= FED_PARTLY || from == REFUSED) CHECK_OK(feed_the_rest(m));
    if (from <= SUMMED || from == REFUSED) CHECK_OK(solve(m));
    if (from <= REFUSED) CHECK_OK(apply_the_first(m));
    if (from <= APPLIED_PARTLY) CHECK_OK(apply_the_rest(m));
    CHECK_OK(end(m));
}

static model new_past(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    step_model(&m, 0, PAST);
    return m;
}

static lmada_status_t status_of(char answer)
{
    switch (answer) {
    case 'W': return LMADA_ERROR_WRONG_PHASE;
    case 'I': return LMADA_ERROR_INVALID_ARGUMENT;
    case 'N': return LMADA_ERROR_NON_FINITE;
    default: return LMADA_OK;
    }
}

static void check_call(int number, size_t call, state at)
{
    const char answer = calls[call].answers[at];
    model called = new_past(number), twin;
    AT("%s while %s, variant %d", calls[call].name, state_names[at], number);
    reach(&called, at);
    CHECK_STATUS(calls[call].call(&called), status_of(answer));
    if (answer != 'O') {
        twin = new_past(number);
        reach(&twin, at);
        finish(&twin, at);
        finish(&called, at);
        CHECK(same_model(&called, &twin));
        step_model(&called, PAST + 1, FUTURE);
        step_model(&twin, PAST + 1, FUTURE);
        CHECK(same_model(&called, &twin));
        free_model(&twin);
    }
    free_model(&called); /* in any state */
}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    (void)argv;
    fill_gradient(grads, DIM, PAST);
    EACH_VARIANT (number, reduced) {
        model m = new_past(number);
        old_state = saved_state(m.opt, &old_state_bytes);
        free_model(&m);
        for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
            CHECK(strlen(calls[call].answers) == STATES);
            for (int at = 0; at < STATES; at++) check_call(number, call, (state)at);
        }
        free(old_state);
    }
    return 0;
}
