/*
 * Contiguous ranges: the rows of a minibatch and the parameters that a process has.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_RANGE_H
#define EXAMPLES_RANGE_H

#include <stddef.h>

struct range {
    size_t first, len;
};

/*
 * Splits `count` elements into `parts` parts whose lengths differ by at most one, and returns part `part`. If there are
 * more parts than elements, the last parts are empty. With a history format other than full, parameters would have to
 * be split at multiples of 4,096.
 */
static inline struct range range_of(size_t count, size_t part, size_t parts) {
    size_t each = count / parts, longer = count % parts;
    return (struct range){part * each + (part < longer ? part : longer), each + (part < longer)};
}

/* The intersection of two ranges, which may be empty. */
static inline struct range range_common(struct range a, struct range b) {
    size_t first = a.first > b.first ? a.first : b.first;
    size_t a_end = a.first + a.len, b_end = b.first + b.len, end = a_end < b_end ? a_end : b_end;
    return (struct range){first, end > first ? end - first : 0};
}

#endif
