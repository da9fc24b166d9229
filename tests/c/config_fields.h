/* Every option of lmada_config_t: its offset, values that are refused with their text in the message, and accepted
 * values at the edges of the range. */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "check.h"

#include <math.h>
#include <stddef.h>

typedef enum { KIND_U32, KIND_I32, KIND_F64, KIND_BOOL } field_kind;

/* A refused value, and its text in the message. */
typedef struct {
    double value;
    const char *text;
} bad_value;

typedef struct {
    const char *name;
    size_t offset;
    field_kind kind;
    const bad_value *bad; /* ends with a NULL text */
    const double *good;   /* ends with a NaN */
} config_field;

#define NOT_FINITE {(double)NAN, "NaN"}, {(double)INFINITY, "inf"}, {-(double)INFINITY, "-inf"}

static const bad_value negative[] = {NOT_FINITE, {-1, "-1.0"}, {-5e-324, "-5e-324"}, {0, NULL}};
static const double not_negative[] = {0, 5e-324, 1, 1e300, (double)NAN};

static const bad_value not_positive[] = {NOT_FINITE, {0, "0.0"}, {-1, "-1.0"}, {0, NULL}};
static const double positive[] = {5e-324, 1e-16, 1, 1e300, (double)NAN};

static const bad_value outside_0_to_1[] = {
    NOT_FINITE, {0, "0.0"}, {-0.5, "-0.5"}, {1.5, "1.5"}, {1.0000000000000002, "1.0000000000000002"}, {0, NULL}};
static const double above_0_to_1[] = {1, 0.25, 5e-324, (double)NAN};

static const bad_value outside_0_below_1[] = {NOT_FINITE, {1, "1.0"}, {-0.5, "-0.5"}, {2, "2.0"}, {0, NULL}};
static const double from_0_below_1[] = {0, 5e-324, 0.25, 0.9999999999999999, (double)NAN};

static const bad_value no_history_size[] = {{0, "0"}, {4097, "4097"}, {4294967295., "4294967295"}, {0, NULL}};
static const double history_size[] = {1, 2, 4096, (double)NAN};

static const bad_value no_bool[] = {{2, "2"}, {128, "128"}, {255, "255"}, {0, NULL}};
static const double bools[] = {0, 1, (double)NAN};

#define NO_ENUM {-1, "-1"}, {99, "99"}, {-2147483648., "-2147483648"}, {2147483647, "2147483647"}
static const bad_value no_dtype[] = {NO_ENUM, {2, "2"}, {0, NULL}};
static const double dtypes[] = {LMADA_F32, LMADA_F64, (double)NAN};
static const bad_value no_history_format[] = {NO_ENUM, {5, "5"}, {0, NULL}};
static const double history_formats[] = {LMADA_HISTORY_FULL, LMADA_HISTORY_BF16,   LMADA_HISTORY_F16,
                                         LMADA_HISTORY_INT8, LMADA_HISTORY_SPARSE, (double)NAN};
static const bad_value no_momentum_kind[] = {NO_ENUM, {4, "4"}, {0, NULL}};
static const double momentum_kinds[] = {LMADA_MOMENTUM_NONE, LMADA_MOMENTUM_GRADIENT, LMADA_MOMENTUM_UPDATE,
                                        LMADA_MOMENTUM_WINDOW, (double)NAN};
static const bad_value no_clip_kind[] = {NO_ENUM, {7, "7"}, {0, NULL}};
static const double clip_kinds[] = {LMADA_CLIP_NONE,      LMADA_CLIP_NORM,        LMADA_CLIP_EMA_NORM,
                                    LMADA_GRAFT_EMA_NORM, LMADA_CLIP_EMA_VECTOR,  LMADA_GRAFT_EMA_VECTOR,
                                    LMADA_GRAFT_INPUT,    (double)NAN};

static const bad_value no_threads[] = {{0, NULL}};
static const double thread_counts[] = {0, 1, 2, 1000, 4294967295., (double)NAN};

#define FIELD(name) #name, offsetof(lmada_config_t, name)
static const config_field config_fields[] = {
    {FIELD(dtype), KIND_I32, no_dtype, dtypes},
    {FIELD(history_size), KIND_U32, no_history_size, history_size},
    {FIELD(history_format), KIND_I32, no_history_format, history_formats},
    {FIELD(density), KIND_F64, outside_0_to_1, above_0_to_1},
    {FIELD(lr), KIND_F64, negative, not_negative},
    {FIELD(eps), KIND_F64, negative, not_negative},
    {FIELD(eps_relative), KIND_F64, negative, not_negative},
    {FIELD(power), KIND_F64, outside_0_to_1, above_0_to_1},
    {FIELD(eps_on_root), KIND_BOOL, no_bool, bools},
    {FIELD(rank_tol), KIND_F64, outside_0_below_1, from_0_below_1},
    {FIELD(centered), KIND_BOOL, no_bool, bools},
    {FIELD(history_decay), KIND_F64, outside_0_to_1, above_0_to_1},
    {FIELD(orthogonal_scale), KIND_F64, negative, not_negative},
    {FIELD(momentum_kind), KIND_I32, no_momentum_kind, momentum_kinds},
    {FIELD(momentum), KIND_F64, outside_0_below_1, from_0_below_1},
    {FIELD(bias_correction), KIND_BOOL, no_bool, bools},
    {FIELD(clip_kind), KIND_I32, no_clip_kind, clip_kinds},
    {FIELD(clip_norm), KIND_F64, negative, not_negative},
    {FIELD(clip_factor), KIND_F64, negative, not_negative},
    {FIELD(clip_beta), KIND_F64, outside_0_below_1, from_0_below_1},
    {FIELD(weight_decay), KIND_F64, negative, not_negative},
    {FIELD(threads), KIND_U32, no_threads, thread_counts},
    {FIELD(diagonal_beta), KIND_F64, outside_0_below_1, from_0_below_1},
    {FIELD(diagonal_eps), KIND_F64, not_positive, positive},
    {FIELD(grad_scale), KIND_F64, negative, not_negative},
    {FIELD(grad_clip_norm), KIND_F64, negative, not_negative},
    {FIELD(average_beta), KIND_F64, outside_0_below_1, from_0_below_1},
};
#undef FIELD

enum { CONFIG_FIELDS = sizeof config_fields / sizeof *config_fields };

static inline size_t field_size(const config_field *field)
{
    switch (field->kind) {
    case KIND_F64: return sizeof(double);
    case KIND_BOOL: return sizeof(bool);
    default: return sizeof(uint32_t);
    }
}

/* Writes the bytes of a field. A bool may get a byte that is neither 0 nor 1. */
static inline void set_field(lmada_config_t *config, const config_field *field, double value)
{
    unsigned char *place = (unsigned char *)config + field->offset;
    const uint32_t count = field->kind == KIND_U32 ? (uint32_t)value : 0;
    const int32_t number = field->kind == KIND_I32 ? (int32_t)value : 0;
    switch (field->kind) {
    case KIND_U32: memcpy(place, &count, sizeof count); break;
    case KIND_I32: memcpy(place, &number, sizeof number); break;
    case KIND_F64: memcpy(place, &value, sizeof value); break;
    case KIND_BOOL: *place = (unsigned char)value; break;
    }
}

#endif
