/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "gpt.h"
#include "gpt_summary.h"

enum { LAST = CURVE_POINTS - 1 };

static const char *name_of(const struct gpt_search *search, const struct candidate *candidate) {
    return search->settings->list[candidate->setting].name;
}

static int by_held_out_loss(const void *left, const void *right) {
    const struct gpt_summary *a = left, *b = right;
    double a_loss = a->held_out[LAST].median, b_loss = b->held_out[LAST].median;
    int order = (a_loss > b_loss) - (a_loss < b_loss);
    return order ? order : (a->candidate > b->candidate) - (a->candidate < b->candidate);
}

static void write_cells(FILE *file, const struct gpt_summary *summary) {
    const struct spread *train = summary->train + LAST, *held_out = summary->held_out + LAST;
    fprintf(file, " %g%s | %.3f (%.3f to %.3f) | %.3f (%.3f to %.3f) | %.2f |", lattice_lr(summary->candidate->best),
            candidate_at_limit(summary->candidate) ? "\\*" : "", train->median, train->least, train->most,
            held_out->median, held_out->least, held_out->most, 1e3 * summary->step_seconds);
}

/* Steps after which the train loss is no more than `loss`, at the points of the curve; 0: never. */
static size_t steps_until(const struct gpt_search *search, const struct gpt_summary *summary, double loss) {
    for (size_t point = 1; point < CURVE_POINTS; point++)
        if (summary->train[point].median <= loss) return search->protocol.task.steps / LAST * point;
    return 0;
}

/* The best of each family, and when it is where the best of Adam's family ends. */
static void write_families(FILE *file, const struct gpt_search *search, enum schedule schedule) {
    double gradient = gpt_gradient_seconds(search);
    const struct candidate *adam = gpt_best_of_family(search, FAMILY_ADAM, schedule);
    double goal = gpt_summary_of(search, adam).train[LAST].median;
    fprintf(file,
            "### The best of each family, %s schedule\n\n"
            "| setting | lr | train loss | held-out loss | ms a step | less Adam's, seed by seed | as far as Adam at its "
            "end after |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n",
            schedule_names[schedule]);
    for (enum family family = 0; family < FAMILY_COUNT; family++) {
        const struct candidate *candidate = gpt_best_of_family(search, family, schedule);
        if (!candidate) continue;
        struct gpt_summary summary = gpt_summary_of(search, candidate);
        size_t steps = steps_until(search, &summary, goal);
        fprintf(file, "| %s |", name_of(search, candidate));
        write_cells(file, &summary);
        struct spread apart = gpt_difference(search, candidate, adam);
        fprintf(file, " %.3f (%.3f to %.3f) |", apart.median, apart.least, apart.most);
        if (steps > 0)
            fprintf(file, " %zu steps, %.2f s |\n", steps, (double)steps * (gradient + summary.step_seconds));
        else
            fputs(" – |\n", file);
    }
    fputc('\n', file);
}

static void write_ranking(FILE *file, const struct gpt_search *search, enum schedule schedule) {
    size_t count = search->settings->count;
    struct gpt_summary *summaries = allocate(count, sizeof *summaries);
    for (size_t i = 0; i < count; i++)
        summaries[i] = gpt_summary_of(search, search->candidates + (size_t)schedule * count + i);
    qsort(summaries, count, sizeof *summaries, by_held_out_loss);
    fprintf(file,
            "### All settings, %s schedule\n\n"
            "| | setting | lr | train loss | held-out loss | ms a step |\n"
            "| --- | --- | --- | --- | --- | --- |\n",
            schedule_names[schedule]);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "| %zu | %s |", i + 1, name_of(search, summaries[i].candidate));
        write_cells(file, summaries + i);
        fputc('\n', file);
    }
    fputc('\n', file);
    free(summaries);
}

void gpt_report_write(const char *path, const struct gpt_search *search) {
    const struct protocol *protocol = &search->protocol;
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));
    fprintf(file,
            "%d parameters, %zu windows of %d characters a step, %zu steps; %zu settings, %zu seeds choose the\n"
            "learning rate, %zu others are reported. Loss and gradient take %.2f ms a step, the optimizers what the\n"
            "tables say.\n\n",
            GPT_PARAMETERS, protocol->task.batch, GPT_CONTEXT, protocol->task.steps, search->settings->count,
            protocol->tuning_seeds, protocol->seeds, 1e3 * gpt_gradient_seconds(search));
    for (enum schedule schedule = 0; schedule < SCHEDULE_COUNT; schedule++) write_families(file, search, schedule);
    for (enum schedule schedule = 0; schedule < SCHEDULE_COUNT; schedule++) write_ranking(file, search, schedule);
    bool limit = false;
    for (size_t c = 0; c < search->count; c++) limit = limit || candidate_at_limit(search->candidates + c);
    if (limit) fputs("\\* at a limit of the learning rates tried: a better one may lie beyond.\n", file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) fail("%s: cannot be written", path);
}

static void fill_curve(struct curve *curve, const char *label, const struct spread *spreads, double length) {
    *curve = (struct curve){.length = length, .has_band = true};
    snprintf(curve->label, sizeof curve->label, "%s", label);
    for (size_t point = 0; point < CURVE_POINTS; point++) {
        curve->losses[point] = spreads[point].median;
        curve->least[point] = spreads[point].least;
        curve->most[point] = spreads[point].most;
    }
}

/* The lower half of the way from the start to the least loss: the upper one is steep, and much the same for all. */
static double top_of(const struct panel *panel) {
    double start = 0, least = INFINITY;
    for (size_t c = 0; c < panel->curve_count; c++) {
        start = fmax(start, panel->curves[c].most[0]);
        for (size_t point = 0; point < CURVE_POINTS; point++) least = fmin(least, panel->curves[c].least[point]);
    }
    return (start + least) / 2;
}

static struct panel panel_new(const struct gpt_search *search, bool train, bool against_time) {
    const double steps = (double)search->protocol.task.steps, gradient = gpt_gradient_seconds(search);
    struct panel panel = {
        .title = train ? "On the training text" : "On the text held out",
        .x_label = against_time ? "seconds: gradients and optimizer" : "step",
        .y_label = train ? "train loss" : "held-out loss",
    };
    /* In reverse, since the first curve of a panel is the boldest. */
    for (size_t family = FAMILY_COUNT; family-- > 0;) {
        const struct candidate *candidate = gpt_best_of_family(search, (enum family)family, SCHEDULE_COSINE);
        if (!candidate) continue;
        struct gpt_summary summary = gpt_summary_of(search, candidate);
        double length = against_time ? steps * (gradient + summary.step_seconds) : steps;
        fill_curve(panel.curves + panel.curve_count++, name_of(search, candidate),
                   train ? summary.train : summary.held_out, length);
        panel.length = fmax(panel.length, length);
    }
    panel.top = top_of(&panel);
    return panel;
}

void gpt_chart_write(const char *path, const struct gpt_search *search) {
    enum { COLUMNS = 2, PANELS = 2 * COLUMNS };
    struct panel *panels = allocate(PANELS, sizeof *panels);
    for (size_t p = 0; p < PANELS; p++) panels[p] = panel_new(search, p % COLUMNS == 0, p >= COLUMNS);
    chart_write(path, "Character-level GPT, cosine schedule: the best setting of each family", panels, PANELS, COLUMNS);
    free(panels);
}
