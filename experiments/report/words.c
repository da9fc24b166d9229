/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "words.h"

#include <math.h>
#include <stdio.h>

struct words loss_text(double loss) {
    struct words text = {"diverged"};
    if (isfinite(loss)) snprintf(text.chars, sizeof text.chars, "%.3g", loss);
    return text;
}

struct words spread_text(const double *values, size_t count) {
    struct spread spread = spread_of(values, count);
    struct words text, median = loss_text(spread.median);
    snprintf(text.chars, sizeof text.chars, "%.20s (%.20s to %.20s)", median.chars, loss_text(spread.least).chars,
             loss_text(spread.most).chars);
    return text;
}

/* Above 1e5, which stands for runs that diverged too, without its size. */
static struct words factor_text(double log10) {
    struct words text;
    if (log10 > 5)
        snprintf(text.chars, sizeof text.chars, "> 1e5");
    else
        snprintf(text.chars, sizeof text.chars, "%.3g", pow(10, log10));
    return text;
}

struct words ratio_text(const struct comparison *comparison) {
    struct words text, mean = factor_text(comparison->mean), low = factor_text(comparison->low);
    snprintf(text.chars, sizeof text.chars, "%.20s (%.20s to %.20s), %s", mean.chars, low.chars,
             factor_text(comparison->high).chars, comparison_word(comparison));
    return text;
}

/* Two digits, with a comma after thousands and millions: "7.2", "13", "1,900". */
static struct words rounded_text(double factor) {
    struct words text;
    double power = pow(10, floor(log10(factor)) - 1), rounded = round(factor / power) * power;
    if (rounded < 1e3)
        snprintf(text.chars, sizeof text.chars, "%.3g", rounded);
    else if (rounded < 1e6)
        snprintf(text.chars, sizeof text.chars, "%.0f,%03.0f", floor(rounded / 1e3), fmod(rounded, 1e3));
    else
        snprintf(text.chars, sizeof text.chars, "%.2g million", rounded / 1e6);
    return text;
}

struct words difference_text(const struct comparison *comparison) {
    struct words text;
    double ratio = pow(10, comparison->mean);
    const char *word = comparison_word(comparison);
    if (is_tie(comparison))
        snprintf(text.chars, sizeof text.chars, "tie (%.3g)", ratio);
    else if (comparison->mean > 5)
        snprintf(text.chars, sizeof text.chars, "> 100,000 times %s", word);
    else if (ratio > 0.5 && ratio < 2)
        snprintf(text.chars, sizeof text.chars, "%.2g %% %s", 100 * fabs(ratio - 1), word);
    else
        snprintf(text.chars, sizeof text.chars, "%.20s times %s", rounded_text(fmax(ratio, 1 / ratio)).chars, word);
    return text;
}

struct comparison compare_jobs(const struct study *study, struct job job, struct job other, enum measure measure) {
    double losses[MOST_SEEDS], others[MOST_SEEDS];
    job_losses(study, job, measure, losses);
    job_losses(study, other, measure, others);
    return compare(losses, others, study->seeds);
}

bool has_held_out(const struct study *study, struct job job) {
    return study->tasks[job.task]->f32->held_out != NULL;
}

void table_head(FILE *file, const char *first, const char *const *titles, size_t count) {
    fprintf(file, "| %s |", first);
    for (size_t i = 0; i < count; i++)
        if (titles[i]) fprintf(file, " %s |", titles[i]);
    fprintf(file, "\n| --- |");
    for (size_t i = 0; i < count; i++)
        if (titles[i]) fputs(" --- |", file);
    fputc('\n', file);
}

const char *setting_name(const struct results *results, struct job job) {
    return results->study->settings.list[job.setting].name;
}

const char *task_title(const struct results *results, size_t task) {
    return results->study->tasks[task]->title;
}

bool family_has_jobs(const struct results *results, enum family family) {
    for (size_t t = 0; t < results->study->task_count; t++)
        if (results->tasks[t].best[family].steps > 0) return true;
    return false;
}
