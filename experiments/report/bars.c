/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bars.h"

#include <math.h>

#include "svg.h"
#include "words.h"

/* Geometry, in pixels. */
enum {
    WIDTH = 800,
    LABELS = 196, /* where the first panel begins */
    PANEL = 276,
    GAP = 34,
    HEAD = 92,
    LINE = 12, /* of one family on one task */
    SPACE = 10,
    FOOT = 44
};

/* The axis, in decades. Larger and smaller values are drawn at its ends, as arrows. */
static const double LOWEST = -4, HIGHEST = 2;

/* Colours of Okabe and Ito (2008), told apart by the colour-blind. Adam is the line at 1. */
static const char *const colours[FAMILY_COUNT] = {
    [FAMILY_SGD] = "#999999",      [FAMILY_ADAGRAD] = "#009e73", [FAMILY_ADAMW] = "#56b4e9",
    [FAMILY_LBFGS] = "#000000",    [FAMILY_LBFGS_F32] = "#cc79a7", [FAMILY_PLAIN] = "#e69f00",
    [FAMILY_LMADA] = "#d55e00",
};

static double x_of(double left, double log10) {
    double at = fmin(fmax(log10, LOWEST), HIGHEST);
    return left + PANEL * (at - LOWEST) / (HIGHEST - LOWEST);
}

static bool is_shown(const struct results *results, enum family family) {
    return colours[family] && family_has_jobs(results, family);
}

static void draw_arrow(FILE *file, double x, double y, const char *colour, int to) {
    fprintf(file, "<path d=\"M%.1f %.1fl%d -4v8z\" fill=\"%s\"/>\n", x, y, -7 * to, colour);
}

static void draw_comparison(FILE *file, double left, double y, const struct comparison *comparison,
                            enum family family) {
    const char *colour = colours[family];
    double x = x_of(left, comparison->mean);
    svg_line(file, x_of(left, comparison->low), y, x_of(left, comparison->high), y, colour, 2);
    if (comparison->mean < LOWEST || comparison->mean > HIGHEST)
        draw_arrow(file, x, y, colour, comparison->mean < LOWEST ? -1 : 1);
    else
        fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y,
                family == FAMILY_LMADA ? 5.0 : 3.5, colour);
}

static size_t families_on(const struct results *results, size_t task) {
    size_t count = 0;
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        count += is_shown(results, f) && results->tasks[task].best[f].steps > 0;
    return count;
}

static void draw_task(FILE *file, const struct results *results, size_t task, double left, double top,
                      bool equal_time) {
    const struct task_results *of_task = results->tasks + task;
    double y = top + LINE / 2.0;
    for (enum family f = 0; f < FAMILY_COUNT; f++) {
        struct job job = equal_time ? of_task->equal_time[f] : of_task->best[f];
        if (!is_shown(results, f) || of_task->best[f].steps == 0) continue;
        if (job.steps > 0) {
            struct comparison comparison = compare_jobs(results->study, job, of_task->best[FAMILY_ADAM], OBJECTIVE);
            draw_comparison(file, left, y, &comparison, f);
        }
        y += LINE;
    }
}

static void draw_panel(FILE *file, const struct results *results, double left, double bottom, bool equal_time) {
    svg_text(file, left + PANEL / 2.0, HEAD - 26, "middle", 14, equal_time ? "at equal time" : "at equal gradients");
    for (int decade = (int)LOWEST; decade <= (int)HIGHEST; decade++) {
        char label[32];
        double x = x_of(left, decade);
        snprintf(label, sizeof label, "%g", pow(10, decade));
        svg_line(file, x, HEAD - 8, x, bottom, decade == 0 ? "#0072b2" : "#ddd", decade == 0 ? 2 : 1);
        svg_text(file, x, bottom + 16, "middle", 11, label);
    }
    double top = HEAD;
    for (size_t t = 0; t < results->study->task_count; t++) {
        draw_task(file, results, t, left, top, equal_time);
        top += (double)(LINE * families_on(results, t) + SPACE);
    }
}

static void draw_legend(FILE *file, const struct results *results) {
    double x = 16;
    for (enum family f = FAMILY_COUNT; f-- > 0;) {
        if (!is_shown(results, f)) continue;
        fprintf(file, "<circle cx=\"%.1f\" cy=\"40\" r=\"5\" fill=\"%s\"/>\n", x, colours[f]);
        svg_text(file, x + 9, 44, "start", 12, family_names[f]);
        size_t len = 0;
        while (family_names[f][len]) len++;
        x += 30 + 6.6 * (double)len;
    }
}

void bars_write(const char *path, const struct results *results) {
    double bottom = HEAD;
    for (size_t t = 0; t < results->study->task_count; t++)
        bottom += (double)(LINE * families_on(results, t) + SPACE);
    FILE *file = svg_open(path, WIDTH, bottom + FOOT, "The loss that each family reaches, against tuned Adam");
    svg_text(file, WIDTH / 2.0, 20, "middle", 15,
             "Best setting of each family: mean and 95 % interval over the seeds");
    draw_legend(file, results);
    double top = HEAD;
    for (size_t t = 0; t < results->study->task_count; t++) {
        double height = (double)(LINE * families_on(results, t));
        svg_text(file, LABELS - 10, top + height / 2 + 4, "end", 13, task_title(results, t));
        svg_line(file, 8, top + height + SPACE / 2.0, WIDTH - 8, top + height + SPACE / 2.0, "#eee", 1);
        top += height + SPACE;
    }
    draw_panel(file, results, LABELS, bottom, false);
    draw_panel(file, results, LABELS + PANEL + GAP, bottom, true);
    svg_text(file, LABELS + PANEL + GAP / 2.0, bottom + 36, "middle", 12,
             "loss as a multiple of tuned Adam's (blue line: 1 on every seed, so it has no interval); lower is better");
    svg_close(file, path);
}
