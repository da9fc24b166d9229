/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "document.h"

#include <errno.h>
#include <string.h>

#include "support.h"
#include "words.h"

static void put_in(FILE *file, const char *path) {
    char line[400];
    FILE *other = fopen(path, "r");
    if (!other) fail("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, other)) fputs(line, file);
    fclose(other);
}

static void write_tasks(FILE *file, const struct results *results) {
    const struct study *study = results->study;
    fputs("## The tasks\n\n| task | parameters | rows a gradient | gradients | |\n| --- | --- | --- | --- | --- |\n",
          file);
    for (size_t t = 0; t < study->task_count; t++) {
        const struct task *task = study->tasks[t];
        fprintf(file, "| %s | %zu | ", task->title, task->dim);
        fprintf(file, task->batch ? "%zu" : "all", task->batch);
        fprintf(file, " | %zu | %s%s%s |\n", study_steps(study, t), task->description,
                task->excess ? " Reported: the distance to the least objective." : "",
                task->trains_in_f64 ? " All in f64." : "");
    }
    fputc('\n', file);
}

void document_write(const char *path, const struct document *document, const struct results *results) {
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));
    fprintf(file,
            "# %s\n\nThe program in experiments/ writes this file: do not edit it.\n"
            "[The method](evidence-method.md) describes the measurement. Tasks: %zu. Seeds that choose learning rates\n"
            "and settings: %zu. Other seeds, which are reported: %zu.\n\n",
            document->title, results->study->task_count, results->study->tuning_seeds, results->study->seeds);
    if (document->machine) {
        put_in(file, document->machine);
        fputc('\n', file);
    }
    write_sentences(file, results);
    fprintf(file,
            "![The loss that each family reaches, as a multiple of tuned Adam's, at equal gradients and at equal "
            "time](%s.svg)\n\n"
            "A dot is the mean ratio to tuned Adam's loss, its line the 95 %% interval. Adam's ratio to itself is 1\n"
            "on every seed, so the blue line has no interval. The table \"Equal gradients\" has the spread of Adam's\n"
            "losses.\n\n",
            document->name);
    write_tasks(file, results);
    write_family_tables(file, results);
    write_verdict_tables(file, results, document->name);
    write_setting_tables(file, results);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) fail("%s: cannot be written", path);
}
