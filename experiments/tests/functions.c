/*
 * exp, tanh and the logistic function (functions.h) against those of libm. Compiled twice, as the tasks are.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "functions.h"

#include <float.h>
#include <math.h>

#ifdef REAL_F64
#define EPSILON DBL_EPSILON
#else
#define EPSILON ((double)FLT_EPSILON)
#endif

static double worse(double worst, real actual, double expected) {
    double error = fabs((double)actual - expected) / expected / EPSILON;
    return error >= worst || error != error ? error : worst; /* NaN is the worst */
}

/* The largest relative error of any of the three, in units of the precision, over more than all that matters. */
double NAME(functions_error)(void) {
    double worst = 0;
    for (int i = -80000; i <= 80000; i++) {
        /* Both dense around 0 and far out. */
        real near = (real)(i * 1e-6), far = (real)(i * 1e-3);
        worst = worse(worst, real_exp(near), exp((double)near));
        worst = worse(worst, real_exp(far), exp((double)far));
        worst = worse(worst, real_sigmoid(far), 1 / (1 + exp(-(double)far)));
        if (i != 0) worst = worse(worst, real_tanh(near), tanh((double)near));
        if (i != 0) worst = worse(worst, real_tanh(far), tanh((double)far));
    }
    return worst;
}

/* What is larger than any real counts as the largest; NaN stays NaN. */
int NAME(functions_hold_at_ends)(void) {
    return real_tanh((real)HUGE_VAL) == 1 && real_tanh((real)-HUGE_VAL) == -1 && real_sigmoid((real)HUGE_VAL) == 1 &&
           real_sigmoid((real)-HUGE_VAL) < (real)1e-30 && real_exp((real)-HUGE_VAL) < (real)1e-30 &&
           isfinite(real_exp((real)HUGE_VAL)) && isnan(real_exp((real)NAN)) && isnan(real_tanh((real)NAN)) &&
           isnan(real_sigmoid((real)NAN));
}
