/*
 * What the search on the GPT found: tables in Markdown, and a chart.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_REPORT_H
#define EXAMPLES_GPT_REPORT_H

#include "gpt_search.h"

/* Fails where the file cannot be written. */
void gpt_report_write(const char *path, const struct gpt_search *search);

/* Of each family the setting with the least train loss on the seeds that chose the learning rates; cosine schedule. */
void gpt_chart_write(const char *path, const struct gpt_search *search);

#endif
