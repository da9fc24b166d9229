/*
 * docs/evidence.md: what the runs say, in sentences and in tables.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_DOCUMENT_H
#define EXPERIMENTS_DOCUMENT_H

#include "results.h"

struct document {
    const char *name;    /* of its file and its pictures' files, without their endings */
    const char *title;
    const char *machine; /* a file that says on which machine and when, put in as it is; NULL: none */
};

/* Fails where it cannot be written. */
void document_write(const char *path, const struct document *document, const struct results *results);

/* The chapters, each a part of the document. */
void write_sentences(FILE *file, const struct results *results);
void write_family_tables(FILE *file, const struct results *results);
void write_verdict_tables(FILE *file, const struct results *results, const char *name);
void write_setting_tables(FILE *file, const struct results *results);

#endif
