/* The element type under test. Programs with this header are built twice, the second time with TEST_F64. */
#ifndef REAL_H
#define REAL_H

#include <lmada.h>

#ifdef TEST_F64
typedef double real;
typedef float other;
#define REAL_DTYPE LMADA_F64
#define REAL_EPSILON 2.3e-16
#define real_step lmada_step_f64
#define real_step_tensors lmada_step_tensors_f64
#define real_direction lmada_direction_f64
#define real_feed lmada_feed_f64
#define real_apply lmada_apply_f64
#define real_apply_direction lmada_apply_direction_f64
#define real_observe lmada_observe_f64
#define real_precondition lmada_precondition_f64
#define real_averaged_params lmada_averaged_params_f64
#define other_step lmada_step
#define other_step_tensors lmada_step_tensors
#define other_direction lmada_direction
#define other_feed lmada_feed
#define other_apply lmada_apply
#define other_apply_direction lmada_apply_direction
#define other_observe lmada_observe
#define other_precondition lmada_precondition
#define other_averaged_params lmada_averaged_params
#else
typedef float real;
typedef double other;
#define REAL_DTYPE LMADA_F32
#define REAL_EPSILON 1.2e-7
#define real_step lmada_step
#define real_step_tensors lmada_step_tensors
#define real_direction lmada_direction
#define real_feed lmada_feed
#define real_apply lmada_apply
#define real_apply_direction lmada_apply_direction
#define real_observe lmada_observe
#define real_precondition lmada_precondition
#define real_averaged_params lmada_averaged_params
#define other_step lmada_step_f64
#define other_step_tensors lmada_step_tensors_f64
#define other_direction lmada_direction_f64
#define other_feed lmada_feed_f64
#define other_apply lmada_apply_f64
#define other_apply_direction lmada_apply_direction_f64
#define other_observe lmada_observe_f64
#define other_precondition lmada_precondition_f64
#define other_averaged_params lmada_averaged_params_f64
#endif

#endif
