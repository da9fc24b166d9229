/*
 * The training tasks: two models, each with minibatches and with the full batch.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_TASKS_H
#define EXAMPLES_TASKS_H

#include "runner.h"

enum { DIGITS_MINIBATCH, DIGITS_FULL, CANCER_MINIBATCH, CANCER_FULL, TASK_COUNT };

/* The data sets, and the tasks that point at them. */
struct tasks {
    struct dataset digits, cancer;
    struct task list[TASK_COUNT];
};

/* Reads the data from two files into `tasks`. Quick: a quarter of the steps, to try the programs out. */
void tasks_read(struct tasks *tasks, const char *digits_path, const char *cancer_path, bool quick);
void tasks_free(struct tasks *tasks);

#endif
