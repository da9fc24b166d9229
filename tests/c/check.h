/* The checks of these tests. A failed check prints its place and its reason to stderr, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <lmada.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails unless `condition` holds. */
#define CHECK(condition) check_that((condition) != 0, #condition, __FILE__, __LINE__, __func__)

/* Fails unless `call` returns `status`. */
#define CHECK_STATUS(call, status) check_status((call), (status), #call, __FILE__, __LINE__, __func__)

/* Fails unless `call` succeeds. */
#define CHECK_OK(call) CHECK_STATUS(call, LMADA_OK)

/* Fails unless `call` returns `status` with a message that has `words` in it. */
#define CHECK_REFUSED(call, status, words) \
    (CHECK_STATUS(call, status), check_message((words), #call, __FILE__, __LINE__, __func__))

/* Describes the row of a table under test, for the report of a failure; arguments as for printf. */
#define AT(...) ((void)snprintf(check_row, sizeof check_row, __VA_ARGS__))

static char check_row[200];

/* The stream for reports of failures; NULL means stderr. */
static FILE *check_output;

static inline void check_report(const char *what, const char *file, int line, const char *function)
{
    fprintf(check_output ? check_output : stderr, "%s:%d: in %s%s%s: %s\n", file, line, function,
            check_row[0] ? ", at " : "", check_row, what);
    exit(1);
}

static inline void check_that(int good, const char *condition, const char *file, int line, const char *function)
{
    if (!good) check_report(condition, file, line, function);
}

static inline void check_status(lmada_status_t found, lmada_status_t status, const char *call, const char *file,
                                int line, const char *function)
{
    char text[1000];
    if (found == status) return;
    snprintf(text, sizeof text, "%s is %s, not %s; last error: %s", call, lmada_status_string(found),
             lmada_status_string(status), lmada_last_error());
    check_report(text, file, line, function);
}

static inline void check_message(const char *words, const char *call, const char *file, int line, const char *function)
{
    char text[1000];
    if (strstr(lmada_last_error(), words)) return;
    snprintf(text, sizeof text, "%s says \"%s\", without \"%s\"", call, lmada_last_error(), words);
    check_report(text, file, line, function);
}

/* Returns an address that is not aligned. */
static inline void *one_byte_into(void *address) { return (unsigned char *)address + 1; }

/* Arrays are allocated with their exact size, so that valgrind sees an access beyond them. */
static inline void *check_alloc(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    CHECK(memory);
    return memory;
}

#endif
