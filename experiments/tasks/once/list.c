/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "task.h"

extern const struct task task_cancer, task_cancer_minibatch, task_regression, task_low_rank, task_perceptron,
    task_autoencoder, task_autoencoder_minibatch, task_physics, task_wave, task_peaks, task_adding, task_characters;

const struct task *const tasks[] = {
    &task_cancer,      &task_cancer_minibatch,      &task_regression, &task_low_rank, &task_perceptron,
    &task_autoencoder, &task_autoencoder_minibatch, &task_physics,    &task_wave,     &task_peaks,
    &task_adding,      &task_characters,
};
const size_t task_count = sizeof tasks / sizeof *tasks;
