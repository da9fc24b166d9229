/*
 * exp, tanh and the logistic function to about the precision of `real`, as code that a compiler turns into vector
 * instructions when a loop calls it. The results are the same on every machine, unlike those of the system's libm.
 *
 * e^x = 2^n e^r with n = round(x / ln 2), so |r| <= 0.35; e^r - 1 is its Taylor polynomial.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_FUNCTIONS_H
#define EXPERIMENTS_FUNCTIONS_H

#include <stdint.h>
#include <string.h>

#include "real.h"

#ifdef REAL_F64
typedef uint64_t real_bits;
enum { MANTISSA_BITS = 52, TAYLOR_TERMS = 13 };
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define LARGEST_EXPONENT 708.0
#define TANH_IS_ONE 20.0
#else
typedef uint32_t real_bits;
enum { MANTISSA_BITS = 23, TAYLOR_TERMS = 8 };
#define LN2_HIGH 0.693359375F
#define LN2_LOW (-2.12194440e-4F)
#define LARGEST_EXPONENT 87.0F
#define TANH_IS_ONE 9.5F
#endif

/* Returns 2^n, and e^r - 1 in `fraction`. NaN stays NaN; |x| above LARGEST_EXPONENT counts as LARGEST_EXPONENT. */
static inline real exp_parts(real x, real *fraction) {
    static const double factorials[] = {1,     1,      2,       6,        24,        120,        720,
                                        5040,  40320,  362880,  3628800,  39916800,  479001600,  6227020800.0};
    /* Adding 1.5 * 2^MANTISSA_BITS rounds to a whole number and leaves it in the lowest bits. */
    const real rounder = (real)1.5 * (real)(UINT64_C(1) << MANTISSA_BITS), one = 1;
    x = x < -LARGEST_EXPONENT ? -LARGEST_EXPONENT : x;
    x = x > LARGEST_EXPONENT ? LARGEST_EXPONENT : x;
    real shifted = x * (real)1.44269504088896340736 + rounder;
    real whole = shifted - rounder;
    real r = (x - whole * LN2_HIGH) - whole * LN2_LOW, sum = 0;
    for (int i = TAYLOR_TERMS; i > 0; i--) sum = sum * r + (real)(1 / factorials[i]);
    *fraction = sum * r;

    real_bits bits, one_bits;
    real power;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&one_bits, &one, sizeof one_bits);
    bits = (bits << MANTISSA_BITS) + one_bits;
    memcpy(&power, &bits, sizeof power);
    return power;
}

static inline real real_exp(real x) {
    real fraction, power = exp_parts(x, &fraction);
    return power + power * fraction;
}

static inline real real_sigmoid(real x) {
    return 1 / (1 + real_exp(-x));
}

/* From e^(2x) - 1, which is exact to the last bits for small x too. */
static inline real real_tanh(real x) {
    x = x < -TANH_IS_ONE ? -TANH_IS_ONE : x;
    x = x > TANH_IS_ONE ? TANH_IS_ONE : x;
    real fraction, power = exp_parts(2 * x, &fraction);
    real less_one = power * fraction + (power - 1);
    return less_one / (less_one + 2);
}

#endif
