/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model.h"

#include <stdlib.h>

double model_accuracy(const struct model *model, const float *const *params, const struct dataset *data) {
    size_t right = 0;
    for (size_t row = 0; row < data->rows; row++)
        right += model->predict(params, data->inputs + row * data->features) == data->labels[row];
    return (double)right / (double)data->rows;
}

void model_allocate(const struct model *model, float *tensors[MAX_TENSORS]) {
    for (size_t i = 0; i < model->tensors; i++) tensors[i] = allocate(model->lens[i], sizeof *tensors[i]);
}

void model_release(const struct model *model, float *tensors[MAX_TENSORS]) {
    for (size_t i = 0; i < model->tensors; i++) {
        free(tensors[i]);
        tensors[i] = NULL;
    }
}
