/*
 * Contiguous runs: who has which rows of a minibatch, and which parameters.
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
 * Part `part` of `count` things in `parts` parts that differ by one at most; where there are more parts than things,
 * the last ones are empty. With another history format than the full one, parameters would have to be cut at multiples
 * of 4,096.
 */
static inline struct range range_of(size_t count, size_t part, size_t parts) {
    size_t each = count / parts, longer = count % parts;
    return (struct range){part * each + (part < longer ? part : longer), each + (part < longer)};
}

/* What two have in common: empty where they do not meet. */
static inline struct range range_common(struct range a, struct range b) {
    size_t first = a.first > b.first ? a.first : b.first;
    size_t a_end = a.first + a.len, b_end = b.first + b.len, end = a_end < b_end ? a_end : b_end;
    return (struct range){first, end > first ? end - first : 0};
}

#endif
