/* Takes twenty steps of a few models on this machine; steps.js takes the same steps in WebAssembly. Prints the options
 * and the final parameters of each model. */
#include <lmada.h>

#include <stdio.h>
#include <stdlib.h>

enum { DIM = 1000, STEPS = 20 };

/* Returns element `index` of the gradient of step `step`: a multiple of 1/32 in [-1, 1], computed with integers. */
static double element(unsigned step, unsigned index)
{
    return (double)(int)((index * 37 + step * 101 + index * step * 7) % 65) / 32 - 1;
}

int main(void)
{
    const unsigned formats[] = {LMADA_HISTORY_FULL, LMADA_HISTORY_BF16, LMADA_HISTORY_F16, LMADA_HISTORY_INT8,
                                LMADA_HISTORY_SPARSE, LMADA_HISTORY_FULL};
    for (unsigned kind = 0; kind < sizeof formats / sizeof *formats; kind++) {
        const int is_double = kind == 5;
        lmada_config_t config;
        lmada_t *opt;
        static float params[DIM], grads[DIM];
        static double params_f64[DIM], grads_f64[DIM];
        lmada_config_init(&config, sizeof config);
        config.dtype = is_double ? LMADA_F64 : LMADA_F32;
        config.history_format = formats[kind];
        config.density = 0.1;
        config.lr = 0.1;
        if (lmada_create(&config, DIM, &opt) != LMADA_OK) return fprintf(stderr, "%s\n", lmada_last_error());
        for (unsigned i = 0; i < DIM; i++) params[i] = 0, params_f64[i] = 0;
        for (unsigned step = 0; step < STEPS; step++) {
            lmada_status_t status;
            for (unsigned i = 0; i < DIM; i++) grads_f64[i] = element(step, i), grads[i] = (float)grads_f64[i];
            status = is_double ? lmada_step_f64(opt, params_f64, grads_f64, DIM) : lmada_step(opt, params, grads, DIM);
            if (status != LMADA_OK) return fprintf(stderr, "%s\n", lmada_last_error());
        }
        printf("%u %u", is_double, formats[kind]);
        for (unsigned i = 0; i < DIM; i++) printf(" %.17g", is_double ? params_f64[i] : (double)params[i]);
        printf("\n");
        lmada_free(opt);
    }
    return 0;
}
