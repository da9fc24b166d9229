/* lmada_direction changes the state as lmada_step does, and writes the vector that lmada_step multiplies by the
 * learning rate. Learning rate, weight decay and parameters do not matter. */
#include "model.h"

#include <math.h>

enum { DIM = 40, STEPS = 12 };

static void the_state_is_that_of_a_step(int number)
{
    const lmada_config_t config = variant(number);
    model stepped = new_model(&config, DIM), directed = new_model(&config, DIM);
    AT("variant %d", number);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(DIM, step), *direction = zeros(DIM);
        CHECK_OK(real_step(stepped.opt, stepped.params, grads, DIM));
        CHECK_OK(real_direction(directed.opt, direction, grads, DIM));
        CHECK(same_state(stepped.opt, directed.opt));
        free(grads);
        free(direction);
    }
    free_model(&stepped);
    free_model(&directed);
}

/* The output holds NaN before the call, so a read of it would show. */
static void rate_and_decay_are_not_in_it(int number)
{
    lmada_config_t config = variant(number), scaled = variant(number);
    model plain = new_model(&config, DIM), fast = {NULL, NULL, DIM};
    AT("variant %d", number);
    scaled.lr = 123;
    scaled.weight_decay = 0.007;
    fast = new_model(&scaled, DIM);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(DIM, step), *direction = zeros(DIM);
        for (size_t i = 0; i < DIM; i++) direction[i] = (real)NAN;
        CHECK_OK(real_direction(plain.opt, direction, grads, DIM));
        CHECK_OK(real_direction(fast.opt, fast.params, grads, DIM));
        CHECK(same_reals(direction, fast.params, DIM));
        free(grads);
        free(direction);
    }
    free_model(&plain);
    free_model(&fast);
}

/* The step is w - lr*direction, up to the rounding of the product and of the difference. */
static void a_step_is_rate_times_direction(int number)
{
    const lmada_config_t config = variant(number);
    const double keep = 1 - config.lr * config.weight_decay;
    model stepped = new_model(&config, DIM), directed = new_model(&config, DIM);
    AT("variant %d", number);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(DIM, step), *direction = zeros(DIM), *before = zeros(DIM);
        double largest = 0;
        memcpy(before, stepped.params, DIM * sizeof(real));
        CHECK_OK(real_step(stepped.opt, stepped.params, grads, DIM));
        CHECK_OK(real_direction(directed.opt, direction, grads, DIM));
        for (size_t i = 0; i < DIM; i++) {
            const double expected = keep * (double)before[i] - config.lr * (double)direction[i];
            const double scale = fabs((double)before[i]) + config.lr * fabs((double)direction[i]);
            CHECK(fabs((double)stepped.params[i] - expected) <= 4 * REAL_EPSILON * scale);
            largest = fmax(largest, fabs((double)direction[i]));
        }
        CHECK(largest > 0);
        free(grads);
        free(direction);
        free(before);
    }
    free_model(&stepped);
    free_model(&directed);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        the_state_is_that_of_a_step(number);
        rate_and_decay_are_not_in_it(number);
        a_step_is_rate_times_direction(number);
    }
    return 0;
}
