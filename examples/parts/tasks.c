/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tasks.h"

#include "gpt.h"

enum { BATCH = 64 };

void tasks_read(struct tasks *tasks, const char *digits_path, const char *cancer_path, bool quick) {
    size_t share = quick ? 4 : 1;
    *tasks = (struct tasks){0};
    /* Pixels are counts from 0 to 16; the features of the other data set are left as they are. */
    tasks->digits = dataset_read(digits_path, 0, mlp.features, mlp.classes, 1.0F / 16);
    tasks->cancer = dataset_read(cancer_path, 1, logistic.features, logistic.classes, 1);
    tasks->list[DIGITS_MINIBATCH] = (struct task){
        .name = "digits, minibatch", .model = &mlp, .data = &tasks->digits, .batch = BATCH, .steps = 500 / share};
    tasks->list[DIGITS_FULL] = (struct task){
        .name = "digits, full batch", .model = &mlp, .data = &tasks->digits, .batch = 0, .steps = 100 / share};
    tasks->list[CANCER_MINIBATCH] = (struct task){
        .name = "cancer, minibatch", .model = &logistic, .data = &tasks->cancer, .batch = BATCH, .steps = 1000 / share};
    tasks->list[CANCER_FULL] = (struct task){
        .name = "cancer, full batch", .model = &logistic, .data = &tasks->cancer, .batch = 0, .steps = 1000 / share};
}

void tasks_read_text(struct tasks *tasks, const char *path, bool quick) {
    tasks->text = text_read(path, GPT_CHARACTERS);
    tasks->gpt = (struct gpt_task){&tasks->text, 8, 300, 128};
    if (quick) tasks->gpt = (struct gpt_task){&tasks->text, 2, 25, 4};
    tasks->list[GPT] = (struct task){
        .name = "GPT", .batch = tasks->gpt.batch, .steps = tasks->gpt.steps, .gpt = &tasks->gpt};
}

void tasks_free(struct tasks *tasks) {
    dataset_free(&tasks->digits);
    dataset_free(&tasks->cancer);
    if (tasks->text.codes) text_free(&tasks->text);
}
