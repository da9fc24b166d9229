/*
 * Each file of this folder is compiled twice: for float, and with REAL_F64 for double. NAME() keeps the two apart.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_REAL_H
#define EXPERIMENTS_REAL_H

#ifdef REAL_F64
typedef double real;
#define NAME(x) x##_f64
#else
typedef float real;
#define NAME(x) x##_f32
#endif

#endif
