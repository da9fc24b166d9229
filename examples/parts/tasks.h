/*
 * The training tasks: two models, each with minibatches and with the full batch; and the small GPT.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_TASKS_H
#define EXAMPLES_TASKS_H

#include "gpt_run.h"

enum { DIGITS_MINIBATCH, DIGITS_FULL, CANCER_MINIBATCH, CANCER_FULL, CLASSIFYING, GPT = CLASSIFYING, TASK_COUNT };

/* The data sets, and the tasks that point at them. */
struct tasks {
    struct dataset digits, cancer;
    struct text text;
    struct gpt_task gpt;
    struct task list[TASK_COUNT];
};

/* Reads the data from two files into `tasks`. Quick: a quarter of the steps, to try the programs out. */
void tasks_read(struct tasks *tasks, const char *digits_path, const char *cancer_path, bool quick);

/* The last of them, which the others do without. */
void tasks_read_text(struct tasks *tasks, const char *path, bool quick);
void tasks_free(struct tasks *tasks);

#endif
