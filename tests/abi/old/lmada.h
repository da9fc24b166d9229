/* lmada.h as it would be if lmada_config_t ended at `momentum` and lmada_stats_t at `eig_max`: what a program was
 * compiled against that is older than the fields behind them. Frozen: never brought up to date. */
#ifndef LMADA_H
#define LMADA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LMADA_ABI_VERSION 1

typedef struct lmada_t lmada_t;
typedef int32_t lmada_status_t;
typedef int32_t lmada_dtype_t;
typedef int32_t lmada_history_format_t;
typedef int32_t lmada_momentum_t;
typedef int32_t lmada_clip_t;

typedef struct lmada_config_t {
    size_t struct_size;
    lmada_dtype_t dtype;
    uint32_t history_size;
    lmada_history_format_t history_format;
    double density;
    double lr;
    double eps;
    double eps_relative;
    double power;
    bool eps_on_root;
    double rank_tol;
    bool centered;
    double history_decay;
    double orthogonal_scale;
    lmada_momentum_t momentum_kind;
    double momentum;
} lmada_config_t;

typedef struct lmada_stats_t {
    size_t struct_size;
    uint64_t steps;
    uint32_t history_len;
    uint32_t rank;
    double grad_norm;
    double update_norm;
    double scale;
    double eig_max;
} lmada_stats_t;

#define LMADA_OK 0
#define LMADA_ERROR_NULL_POINTER 1
#define LMADA_ERROR_INVALID_ARGUMENT 2
#define LMADA_ERROR_DIMENSION_MISMATCH 3
#define LMADA_ERROR_NON_FINITE 4
#define LMADA_ERROR_OUT_OF_MEMORY 5
#define LMADA_ERROR_BUSY 6
#define LMADA_ERROR_WRONG_PHASE 7
#define LMADA_ERROR_BAD_STATE 8
#define LMADA_ERROR_INTERNAL 9
#define LMADA_ERROR_CALLBACK 10
#define LMADA_F32 0
#define LMADA_F64 1
#define LMADA_HISTORY_FULL 0
#define LMADA_HISTORY_BF16 1
#define LMADA_HISTORY_F16 2
#define LMADA_HISTORY_INT8 3
#define LMADA_HISTORY_SPARSE 4
#define LMADA_MOMENTUM_NONE 0
#define LMADA_MOMENTUM_GRADIENT 1
#define LMADA_MOMENTUM_UPDATE 2
#define LMADA_MOMENTUM_WINDOW 3
#define LMADA_CLIP_NONE 0
#define LMADA_CLIP_NORM 1
#define LMADA_CLIP_EMA_NORM 2
#define LMADA_GRAFT_EMA_NORM 3
#define LMADA_CLIP_EMA_VECTOR 4
#define LMADA_GRAFT_EMA_VECTOR 5

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

lmada_status_t lmada_config_init(lmada_config_t *config, size_t config_size);
lmada_status_t lmada_config_recommended(lmada_config_t *config, size_t config_size);
lmada_status_t lmada_create(const lmada_config_t *config, size_t dim, lmada_t **out);
lmada_status_t lmada_create_blocks(const lmada_config_t *config, const size_t *dims, size_t count, lmada_t **out);
lmada_status_t lmada_reset(lmada_t *opt);
void lmada_free(lmada_t *opt);
lmada_status_t lmada_step(lmada_t *opt, float *params, const float *grads, size_t dim);
lmada_status_t lmada_step_f64(lmada_t *opt, double *params, const double *grads, size_t dim);
lmada_status_t lmada_step_tensors(lmada_t *opt, float *const *params, const float *const *grads,
    const size_t *lens, size_t count);
lmada_status_t lmada_step_tensors_f64(lmada_t *opt, double *const *params, const double *const *grads,
    const size_t *lens, size_t count);
lmada_status_t lmada_direction(lmada_t *opt, float *direction, const float *grads, size_t dim);
lmada_status_t lmada_direction_f64(lmada_t *opt, double *direction, const double *grads, size_t dim);
lmada_status_t lmada_begin(lmada_t *opt);
lmada_status_t lmada_feed(lmada_t *opt, size_t offset, const float *grads, size_t len);
lmada_status_t lmada_feed_f64(lmada_t *opt, size_t offset, const double *grads, size_t len);
lmada_status_t lmada_partials(lmada_t *opt, double **values, size_t *count);
lmada_status_t lmada_solve(lmada_t *opt);
lmada_status_t lmada_apply(lmada_t *opt, size_t offset, float *params, const float *grads, size_t len);
lmada_status_t lmada_apply_f64(lmada_t *opt, size_t offset, double *params, const double *grads, size_t len);
lmada_status_t lmada_end(lmada_t *opt);
lmada_status_t lmada_cancel(lmada_t *opt);
lmada_status_t lmada_set_lr(lmada_t *opt, double lr);
lmada_status_t lmada_stats(const lmada_t *opt, lmada_stats_t *stats, size_t stats_size);
lmada_status_t lmada_state_size(const lmada_t *opt, size_t *bytes);
lmada_status_t lmada_state_save(const lmada_t *opt, void *buffer, size_t bytes);
lmada_status_t lmada_state_load(lmada_t *opt, const void *buffer, size_t bytes);
uint32_t lmada_abi_version(void);
const char *lmada_version(void);
const char *lmada_status_string(lmada_status_t status);
const char *lmada_last_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif
