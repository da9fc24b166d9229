/*
 * docs/evidence.md: what the runs say, in sentences and in tables.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_DOCUMENT_H
#define EXPERIMENTS_DOCUMENT_H

#include "results.h"

/* `machine`: a file with the machine and the day, put in as it is; NULL: none. Fails where it cannot be written. */
void document_write(const char *path, const char *title, const char *machine, const struct results *results);

/* The chapters, each a part of the document. */
void write_sentences(FILE *file, const struct results *results);
void write_family_tables(FILE *file, const struct results *results);
void write_verdict_tables(FILE *file, const struct results *results);
void write_setting_tables(FILE *file, const struct results *results);

#endif
