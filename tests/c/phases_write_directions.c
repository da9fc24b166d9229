/* lmada_apply_direction writes in phases what lmada_direction writes in one call, for any pieces, without learning rate
 * and weight decay. Bad pieces are refused. */
#include "model.h"

#include <math.h>

enum { DIM = 9000, STEPS = 8, PIECES = 4 };

static const size_t cuts[PIECES + 1] = {0, 1, 4096, 8192, DIM};

/* Fed in one piece, a step has the bits of the whole step. It may be applied in any pieces. */
static void pieces_are_the_whole(int number)
{
    const lmada_config_t config = variant(number);
    model whole = new_model(&config, DIM), pieced = new_model(&config, DIM);
    AT("variant %d", number);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(DIM, step), *expected = zeros(DIM), *direction = zeros(DIM);
        for (size_t i = 0; i < DIM; i++) direction[i] = (real)NAN; /* not read */
        CHECK_OK(real_direction(whole.opt, expected, grads, DIM));
        CHECK_OK(lmada_begin(pieced.opt));
        CHECK_OK(real_feed(pieced.opt, 0, grads, DIM));
        CHECK_OK(lmada_solve(pieced.opt));
        for (int i = 0; i < PIECES; i++) {
            const int piece = (i * 3 + 1) % PIECES;
            const size_t at = cuts[piece], len = cuts[piece + 1] - at;
            CHECK_OK(real_apply_direction(pieced.opt, at, direction + at, grads + at, len));
        }
        CHECK_OK(lmada_end(pieced.opt));
        CHECK(same_reals(expected, direction, DIM) && same_state(whole.opt, pieced.opt));
        free(grads);
        free(expected);
        free(direction);
    }
    free_model(&whole);
    free_model(&pieced);
}

static void bad_pieces_are_refused(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 3), *direction = zeros(DIM), *expected = zeros(DIM);
    const other no_grads[1] = {0};
    other none[1] = {0};
    AT("variant %d", number);
    CHECK_REFUSED(real_apply_direction(m.opt, 0, direction, grads, 1), LMADA_ERROR_WRONG_PHASE,
                  "lmada_apply_direction");
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, DIM));
    CHECK_REFUSED(real_apply_direction(m.opt, 0, direction, grads, 1), LMADA_ERROR_WRONG_PHASE, "not solved");
    CHECK_OK(lmada_solve(m.opt));
    CHECK_REFUSED(real_apply_direction(NULL, 0, direction, grads, 1), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_apply_direction(m.opt, 0, NULL, grads, 1), LMADA_ERROR_NULL_POINTER, "direction");
    CHECK_REFUSED(real_apply_direction(m.opt, 0, direction, NULL, 1), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_apply_direction(m.opt, 0, grads + 1, grads, 2), LMADA_ERROR_INVALID_ARGUMENT, "direction");
    CHECK_REFUSED(real_apply_direction(m.opt, 0, one_byte_into(direction), grads, 1), LMADA_ERROR_INVALID_ARGUMENT,
                  "direction");
    CHECK_REFUSED(other_apply_direction(m.opt, 0, none, no_grads, 1), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK_REFUSED(real_apply_direction(m.opt, DIM, direction, grads, 1), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    CHECK_OK(real_apply_direction(m.opt, 4, direction + 4, grads + 4, DIM - 4));
    CHECK_REFUSED(real_apply_direction(m.opt, 3, direction + 3, grads + 3, 2), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    CHECK_REFUSED(lmada_end(m.opt), LMADA_ERROR_WRONG_PHASE, "");
    CHECK_OK(real_apply_direction(m.opt, 0, direction, grads, 4));
    CHECK_OK(lmada_end(m.opt));
    CHECK_OK(real_direction(twin.opt, expected, grads, DIM));
    CHECK(same_reals(expected, direction, DIM) && same_state(m.opt, twin.opt));
    free(grads);
    free(direction);
    free(expected);
    free_model(&m);
    free_model(&twin);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        pieces_are_the_whole(number);
        bad_pieces_are_refused(number);
    }
    return 0;
}
