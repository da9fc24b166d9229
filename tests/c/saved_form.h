/* The saved form of version 3, as it is documented in src/checkpoint.rs and src/optimizer/state.rs: magic (8 bytes),
 * version (4), number of options (4), the options (8 each), steps, averaged steps, number of blocks, number of groups
 * (8 each); the lengths of the blocks (8 each), the weights of the columns (8 each), the groups (32 each); the
 * contents. After each of these three parts comes a CRC-32 (4) of all bytes so far but the checksums before it. */
#ifndef SAVED_FORM_H
#define SAVED_FORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FORM_VERSION = 8, FORM_COUNT = 12, FORM_OPTIONS = 16, FORM_CHECKSUM = 4, FORM_PARTS = 3 };

/* Indices of options, in the order of lmada_config_t. */
enum { OPTION_HISTORY_SIZE = 1, OPTION_LR = 4, OPTION_THREADS = 21 };

/* Returns the ends of the three parts of a state. A checksum follows each. */
typedef struct {
    size_t ends[FORM_PARTS];
} saved_form;

static inline saved_form form_of(const unsigned char *state, size_t bytes)
{
    uint32_t options;
    uint64_t blocks, groups, history_size;
    saved_form form;
    memcpy(&options, state + FORM_COUNT, sizeof options);
    form.ends[0] = FORM_OPTIONS + 8 * (size_t)options + 32;
    memcpy(&blocks, state + form.ends[0] - 16, sizeof blocks);
    memcpy(&groups, state + form.ends[0] - 8, sizeof groups);
    memcpy(&history_size, state + FORM_OPTIONS + 8 * OPTION_HISTORY_SIZE, sizeof history_size);
    form.ends[1] = form.ends[0] + FORM_CHECKSUM + 8 * (size_t)(blocks + history_size + 4 * groups);
    form.ends[2] = bytes - FORM_CHECKSUM;
    return form;
}

/* Returns the start of the contents. The Gram matrix of the first block is there. */
static inline size_t contents_of(const saved_form *form)
{
    return form->ends[1] + FORM_CHECKSUM;
}

static inline unsigned char *option_of(unsigned char *state, int number)
{
    return state + FORM_OPTIONS + 8 * number;
}

/* Writes valid checksums for the present parts. The last part ends at the end of the state. */
static inline void seal(unsigned char *state, size_t bytes, saved_form form)
{
    uint32_t crc = UINT32_MAX;
    size_t start = 0;
    form.ends[FORM_PARTS - 1] = bytes < FORM_CHECKSUM ? 0 : bytes - FORM_CHECKSUM;
    for (int part = 0; part < FORM_PARTS; part++) {
        const size_t end = form.ends[part];
        if (end < start || end + FORM_CHECKSUM > bytes) continue;
        for (size_t i = start; i < end; i++) {
            crc ^= state[i];
            for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
        }
        for (int i = 0; i < 4; i++) state[end + (size_t)i] = (unsigned char)(~crc >> 8 * i);
        start = end + FORM_CHECKSUM;
    }
}

/* Clears the bytes of a state that depend on the number of threads: the option and the checksums. */
static inline void forget_threads(unsigned char *state, size_t bytes)
{
    const saved_form form = form_of(state, bytes);
    for (int part = 0; part < FORM_PARTS; part++) memset(state + form.ends[part], 0, FORM_CHECKSUM);
    memset(option_of(state, OPTION_THREADS), 0, 8);
}

#endif
