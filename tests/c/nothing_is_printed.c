/* Calls that succeed or fail print nothing to stdout and stderr. */
#define _POSIX_C_SOURCE 200809L
#include "around.h"
#include "model.h"
#include "stream.h"

#include <math.h>
#include <unistd.h>

enum { DIM = 40000 };

static void succeed(int number)
{
    lmada_config_t config = variant(number);
    model m;
    size_t bytes;
    real *grads = new_gradient(DIM, 8), *out = zeros(DIM);
    config.threads = 2;
    m = new_model(&config, DIM);
    step_model(&m, 0, 6);
    free(saved_state(m.opt, &bytes));
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(lmada_cancel(m.opt));
    call_around(&m, grads, out);
    CHECK_OK(lmada_reset(m.opt));
    free(grads);
    free(out);
    free_model(&m);
}

static void fail(int number)
{
    lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 1);
    lmada_t *out;
    stream none = {NULL, 0, 0, 0, 1};
    CHECK_STATUS(real_step(m.opt, m.params, m.params, DIM), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(real_step(m.opt, m.params, grads, 1), LMADA_ERROR_DIMENSION_MISMATCH);
    CHECK_STATUS(real_step(NULL, NULL, NULL, 0), LMADA_ERROR_NULL_POINTER);
    CHECK_STATUS(lmada_end(m.opt), LMADA_ERROR_WRONG_PHASE);
    CHECK_STATUS(real_precondition(m.opt, m.params, grads, DIM), LMADA_ERROR_WRONG_PHASE);
    CHECK_STATUS(lmada_set_groups(m.opt, NULL, 0, 1), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(lmada_state_load(m.opt, grads, DIM), LMADA_ERROR_BAD_STATE);
    CHECK_STATUS(lmada_create(&config, SIZE_MAX, &out), LMADA_ERROR_OUT_OF_MEMORY);
    CHECK_STATUS(lmada_create_from_state(stream_read, &none, &out), LMADA_ERROR_CALLBACK);
    none.calls = 0;
    CHECK_STATUS(lmada_state_write(m.opt, stream_write, &none), LMADA_ERROR_CALLBACK);
    config.lr = -1;
    CHECK_STATUS(lmada_create(&config, DIM, &out), LMADA_ERROR_INVALID_ARGUMENT);
    grads[DIM / 2] = (real)NAN;
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    free(grads);
    free_model(&m);
}

int main(void)
{
    FILE *file = tmpfile();
    const int out = dup(1), err = dup(2);
    CHECK(file && out >= 0 && err >= 0);
    check_output = fdopen(err, "w");
    CHECK(check_output);
    CHECK(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
    for (int number = 0; number < VARIANTS; number++) {
        succeed(number);
        fail(number);
    }
    CHECK(write(2, "x", 1) == 1); /* printed text would be found */
    CHECK(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    CHECK(lseek(fileno(file), 0, SEEK_END) == 1);
    fclose(file);
    close(out);
    fclose(check_output);
    return 0;
}
