/*
 * Finds the setting of lmada_config_recommended by measurement and writes docs/recommended.md.
 *
 *     recommended DIGITS.csv CANCER.csv TEXT OUT.md [--quick]
 *
 * --quick: a quarter of the steps or fewer, two seeds, fewer learning rates, to try it out.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "setting.h"
#include "verdict.h"

static void measure(struct evidence *evidence, const struct tasks *tasks, const struct method *candidates,
                    const struct grid *grid, size_t seeds) {
    struct progress progress = progress_start(TASK_COUNT * CANDIDATE_COUNT * grid->count * seeds);
    for (size_t t = 0; t < TASK_COUNT; t++) {
        evidence->searches[t] = (struct search){tasks->list + t, candidates, CANDIDATE_COUNT, grid, seeds, NULL, 0, 0};
        search_run(evidence->searches + t, processors(), &progress);
    }
    progress_finish(&progress);
    evidence_complete(evidence, 0, seeds);
}

static void write_method(FILE *file, const struct evidence *evidence) {
    const struct search *search = evidence->searches;
    const struct grid *grid = search->grid;
    fprintf(file,
            "# How the recommended setting was found\n\n"
            "Written by `make recommended` (`examples/recommended.c`); do not edit. `lmada_config_recommended` is the\n"
            "setting in bold. A test compares the two.\n\n"
            "**Candidates.** k = 10 and 30; no momentum, momentum of the gradient, of the update, of the window\n"
            "(bias-corrected). In plain coordinates with 0.9, without a clip or grafted to the EMA of norms (0.99); in\n"
            "diagonal ones (`diagonal_beta` 0.99, `diagonal_eps` 1e-30, `eps` 0, `eps_relative` 1e-9) with 0.8,\n"
            "without a clip or grafted to the input's length. All else is the default.\n\n"
            "**Tasks.** The 64-32-10 tanh perceptron on the digits data, and logistic regression on the breast-cancer\n"
            "data, features unscaled, each with minibatches and with the full batch, a fifth of the rows held out; and\n"
            "the small GPT of [evidence-gpt.md](evidence-gpt.md). The learning rate is constant.\n\n"
            "| task | rows a step | steps | train loss at the start | least train loss |\n"
            "| --- | --- | --- | --- | --- |\n");
    for (size_t t = 0; t < TASK_COUNT; t++) {
        const struct task *task = search[t].task;
        char batch[32] = "all";
        if (task->batch) snprintf(batch, sizeof batch, "%zu", task->batch);
        fprintf(file, "| %s | %s | %zu | %.3g | %.3g |\n", task->name, batch, task->steps, evidence->starts[t],
                evidence->bests[t]);
    }
    fprintf(
        file,
        "\n**Runs.** Every candidate at each of %zu learning rates from %g to %g, with %zu seeds; the seed sets the\n"
        "data split, the starting weights and the order of the minibatches, the same for all. A candidate's loss on a\n"
        "task is the train loss after the last step, over the whole training set, median over the seeds, at the\n"
        "learning rate where that is least.\n\n"
        "**Regret** of a candidate on a task: `log(loss/best) / log(start/best)`, where best is the least loss of any\n"
        "candidate. It is the share of the way down, in decades, that the candidate did not make: 0 is as good as the\n"
        "best, 1 no progress or divergence. Losses span decades, so differences would say nothing; tasks differ in "
        "how\n"
        "many decades there are to win, so bare ratios would let the task with the most of them decide alone.\n"
        "Losses below %g count as %g: the right class then has a probability of 99.99 %%, and less is no more use.\n\n"
        "The setting with the **least worst-case regret** over the tasks is chosen.\n\n",
        grid->count, grid->lrs[0], grid->lrs[grid->count - 1], search->seeds, LOSS_FLOOR, LOSS_FLOOR);
}

static void write_task_names(FILE *file, const struct evidence *evidence) {
    for (size_t t = 0; t < TASK_COUNT; t++) fprintf(file, " %s |", evidence->searches[t].task->name);
}

/* Each candidate's worst-case regret by the seeds `from` to `to - 1` alone. */
static void worst_of_some(const struct evidence *evidence, size_t from, size_t to, double worst[CANDIDATE_COUNT]) {
    struct evidence some = *evidence;
    struct verdict verdicts[CANDIDATE_COUNT];
    evidence_complete(&some, from, to);
    judge(&some, verdicts);
    for (size_t i = 0; i < CANDIDATE_COUNT; i++) worst[verdicts[i].candidate] = verdicts[i].worst;
}

static void write_verdicts(FILE *file, const struct evidence *evidence, const struct verdict *verdicts) {
    size_t seeds = evidence->searches[0].seeds;
    double first[CANDIDATE_COUNT], second[CANDIDATE_COUNT];
    worst_of_some(evidence, 0, seeds / 2, first);
    worst_of_some(evidence, seeds / 2, seeds, second);

    bool any_edge = false;
    fputs(
        "## All candidates\n\n"
        "Each cell: regret (train loss, learning rate). The last column is the worst regret by the first half of the\n"
        "seeds alone, and by the second: what differs by less is chance.\n\n"
        "| k | coordinates | momentum | clip |",
        file);
    write_task_names(file, evidence);
    fputs(" worst regret | in halves |\n| --- | --- | --- | --- |", file);
    for (size_t t = 0; t < TASK_COUNT; t++) fputs(" --- |", file);
    fputs(" --- | --- |\n", file);
    for (size_t i = 0; i < CANDIDATE_COUNT; i++) {
        const lmada_config_t *config = &evidence->searches[0].methods[verdicts[i].candidate].config;
        const char *bold = i == 0 ? "**" : "";
        fprintf(file, "| %s%u%s | %s%s%s | %s%s%s | %s%s%s |", bold, (unsigned)config->history_size, bold, bold,
                coordinates_name(config), bold, bold, momentum_name(config->momentum_kind), bold, bold,
                clip_name(config->clip_kind), bold);
        for (size_t t = 0; t < TASK_COUNT; t++) {
            const struct summary *best = verdicts[i].best + t;
            bool edge = search_at_edge(evidence->searches + t, *best);
            any_edge = any_edge || edge;
            fprintf(file, " %.3f (%.3g, %g%s) |", verdicts[i].regrets[t], best->train_loss, best->lr,
                    edge ? "\\*" : "");
        }
        fprintf(file, " %s%.3f%s | %.3f, %.3f |\n", bold, verdicts[i].worst, bold, first[verdicts[i].candidate],
                second[verdicts[i].candidate]);
    }
    fputs(any_edge ? "\n\\* at an end of the grid: a better learning rate may lie beyond.\n\n" : "\n", file);
}

static void write_lrs(FILE *file, const struct evidence *evidence, const struct lr_verdict *verdicts, size_t chosen) {
    const struct grid *grid = evidence->searches[0].grid;
    fprintf(
        file,
        "## Learning rate of the chosen setting\n\n"
        "Recommended is the median of the best ones of every task and seed. Train losses are medians over the seeds;\n"
        "the last column is the worst-case regret were the learning rate used for all tasks.\n\n"
        "| lr | times best |");
    write_task_names(file, evidence);
    fputs(" worst regret |\n| --- | --- |", file);
    for (size_t t = 0; t < TASK_COUNT; t++) fputs(" --- |", file);
    fputs(" --- |\n", file);
    for (size_t lr = 0; lr < grid->count; lr++) {
        const char *bold = lr == chosen ? "**" : "";
        fprintf(file, "| %s%g%s | %s%zu%s |", bold, grid->lrs[lr], bold, bold, verdicts[lr].votes, bold);
        for (size_t t = 0; t < TASK_COUNT; t++) {
            if (isinf(verdicts[lr].losses[t]))
                fputs(" diverged |", file);
            else
                fprintf(file, " %.3g |", verdicts[lr].losses[t]);
        }
        fprintf(file, " %.3f |\n", verdicts[lr].worst);
    }
    fputs("\nTasks differ in their best learning rate: tune it first, whatever the setting.\n\n", file);
}

static void write_document(const char *path, const struct evidence *evidence) {
    struct verdict verdicts[CANDIDATE_COUNT];
    struct lr_verdict lr_verdicts[sizeof evidence->searches[0].grid->lrs / sizeof(double)];
    judge(evidence, verdicts);
    size_t chosen_lr = judge_lrs(evidence, verdicts[0].candidate, lr_verdicts);
    lmada_config_t chosen = evidence->searches[0].methods[verdicts[0].candidate].config;
    chosen.lr = evidence->searches[0].grid->lrs[chosen_lr];
    char line[SETTING_LINE_SIZE];
    setting_line(&chosen, line);

    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));
    write_method(file, evidence);
    write_verdicts(file, evidence, verdicts);
    write_lrs(file, evidence, lr_verdicts, chosen_lr);
    fprintf(file, "%s\n", line);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) fail("%s: cannot be written", path);

    printf("Chosen: %s, lr %g; worst-case regret %.3f\nTables: %s\n",
           evidence->searches[0].methods[verdicts[0].candidate].name, chosen.lr, verdicts[0].worst, path);
}

int main(int argc, char **argv) {
    bool quick = argc == 6 && strcmp(argv[5], "--quick") == 0;
    if (argc != 5 && !quick) fail("usage: recommended DIGITS.csv CANCER.csv TEXT OUT.md [--quick]");

    struct tasks tasks;
    tasks_read(&tasks, argv[1], argv[2], quick);
    tasks_read_text(&tasks, argv[3], quick);
    struct method candidates[CANDIDATE_COUNT];
    candidates_new(candidates);
    const struct grid grid = quick ? grid_new(-2, 0) : grid_new(-4, 1);
    struct evidence evidence;
    measure(&evidence, &tasks, candidates, &grid, quick ? 2 : 10);
    write_document(argv[4], &evidence);

    for (size_t t = 0; t < TASK_COUNT; t++) search_free(evidence.searches + t);
    tasks_free(&tasks);
    return EXIT_SUCCESS;
}
