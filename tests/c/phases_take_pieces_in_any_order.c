/* Pieces of any length in any order, fed and applied differently, take the step of lmada_step. Sums are then added up
 * in another order, so the comparison allows for rounding. In one piece the bits are the same. */
#include "model.h"

#include <math.h>

enum { LARGE = 20011, SCATTERED = 1500, STEPS = 6 };

/* Boundaries of pieces, in increasing order, and the order of the pieces between them. */
typedef struct {
    const size_t *bounds;
    const size_t *order;
    size_t count;
} cutting;

static void feed_all(model *m, const real *grads, const cutting *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        const size_t start = cut->bounds[cut->order[i]], len = cut->bounds[cut->order[i] + 1] - start;
        CHECK_OK(real_feed(m->opt, start, len ? grads + start : NULL, len));
    }
}

static void apply_all(model *m, const real *grads, const cutting *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        const size_t start = cut->bounds[cut->order[i]], len = cut->bounds[cut->order[i] + 1] - start;
        CHECK_OK(real_apply(m->opt, start, len ? m->params + start : NULL, len ? grads + start : NULL, len));
    }
}

static void step_in_pieces(model *m, uint64_t number, const cutting *fed, const cutting *applied)
{
    real *grads = new_gradient(m->dim, number);
    CHECK_OK(lmada_begin(m->opt));
    feed_all(m, grads, fed);
    CHECK_OK(lmada_solve(m->opt));
    apply_all(m, grads, applied);
    CHECK_OK(lmada_end(m->opt));
    free(grads);
}

/* Returns the largest difference of parameters, relative to the largest parameter. */
static double difference(const model *a, const model *b)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < a->dim; i++) {
        most = fmax(most, fabs((double)a->params[i] - (double)b->params[i]));
        largest = fmax(largest, fabs((double)a->params[i]));
    }
    CHECK(largest > 0 && isfinite(largest) && isfinite(most));
    return most / largest;
}

static void compare(int number, size_t dim, const cutting *fed, const cutting *applied)
{
    const lmada_config_t config = variant(number);
    model whole = new_model(&config, dim), pieces = new_model(&config, dim);
    for (uint64_t step = 0; step < STEPS; step++) step_in_pieces(&pieces, step, fed, applied);
    step_model(&whole, 0, STEPS);
    CHECK(difference(&whole, &pieces) < (REAL_DTYPE == LMADA_F32 ? 1e-5 : 1e-11));
    CHECK(stats_of(pieces.opt).steps == STEPS);
    free_model(&whole);
    free_model(&pieces);
}

static void every_order_of_four_pieces(int number)
{
    const size_t bounds[] = {0, 3, 4, 9, 12};
    for (size_t code = 0; code < 256; code++) {
        const size_t order[] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3};
        const size_t back[] = {order[3], order[2], order[1], order[0]};
        const cutting fed = {bounds, order, 4}, applied = {bounds, back, 4};
        const unsigned seen = 1u << order[0] | 1u << order[1] | 1u << order[2] | 1u << order[3];
        if (seen != 15) continue;
        AT("order %zu %zu %zu %zu, variant %d", order[0], order[1], order[2], order[3], number);
        compare(number, 12, &fed, &applied);
    }
}

/* Longer than the library's tiles, cut at other places than tiles, with empty pieces in between. */
static void long_pieces_cut_anywhere(int number)
{
    const size_t bounds[] = {0, 1, 1, 777, 4096, 9000, 9000, 16384, 20010, LARGE};
    const size_t order[] = {4, 8, 1, 0, 6, 2, 7, 5, 3};
    const size_t other_bounds[] = {0, 1023, 1025, LARGE}, other_order[] = {1, 2, 0};
    const cutting fed = {bounds, order, 9}, applied = {other_bounds, other_order, 3};
    AT("variant %d", number);
    compare(number, LARGE, &fed, &applied);
    compare(number, LARGE, &applied, &fed);
}

/* Every second parameter first: more separate runs than the handle has reserved memory for. */
static void pieces_scattered_in_many_runs(int number)
{
    size_t bounds[SCATTERED + 1], order[SCATTERED];
    const cutting cut = {bounds, order, SCATTERED};
    AT("variant %d", number);
    for (size_t i = 0; i <= SCATTERED; i++) bounds[i] = i;
    for (size_t i = 0; i < SCATTERED / 2; i++) {
        order[i] = 2 * i;
        order[SCATTERED / 2 + i] = SCATTERED - 1 - 2 * i;
    }
    compare(number, SCATTERED, &cut, &cut);
}

static void one_piece_gives_the_same_bits(int number)
{
    const lmada_config_t config = variant(number);
    const size_t bounds[] = {0, LARGE}, order[] = {0};
    const cutting one = {bounds, order, 1};
    model whole = new_model(&config, LARGE), piece = new_model(&config, LARGE);
    AT("variant %d", number);
    leave_zero(&whole);
    leave_zero(&piece);
    for (uint64_t step = 0; step < STEPS; step++) {
        step_in_pieces(&piece, step, &one, &one);
        step_model(&whole, step, 1);
        CHECK(same_model(&whole, &piece));
    }
    free_model(&whole);
    free_model(&piece);
}

/* The cuts of applied pieces do not change the parameters. */
static void cuts_of_apply_do_not_change_bits(int number)
{
    const lmada_config_t config = variant(number);
    const size_t bounds[] = {0, LARGE}, order[] = {0};
    const size_t cuts[] = {0, 1, 3, 1021, 8195, 20000, LARGE}, scrambled[] = {3, 5, 0, 4, 2, 1};
    const cutting one = {bounds, order, 1}, many = {cuts, scrambled, 6};
    model whole = new_model(&config, LARGE), pieces = new_model(&config, LARGE);
    AT("variant %d", number);
    leave_zero(&whole);
    leave_zero(&pieces);
    for (uint64_t step = 0; step < STEPS; step++) {
        step_in_pieces(&whole, step, &one, &one);
        step_in_pieces(&pieces, step, &one, &many);
        CHECK(same_model(&whole, &pieces));
    }
    free_model(&whole);
    free_model(&pieces);
}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    (void)argv;
    EACH_VARIANT (number, reduced) {
        every_order_of_four_pieces(number);
        long_pieces_cut_anywhere(number);
        pieces_scattered_in_many_runs(number);
        one_piece_gives_the_same_bits(number);
        cuts_of_apply_do_not_change_bits(number);
    }
    return 0;
}
