/*
 * The verdict on made-up losses, and the library against what docs/evidence.md says was chosen.
 *
 *     verdict [DOCUMENT.md]
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "verdict.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "settings.h"
#include "support.h"

enum { TASKS = 3, CANDIDATES = 4, SEEDS = 5 };
enum { STEADY, UNEVEN, ALIKE, ABSENT };

/*
 * Steady is 10^0.1 times the best on task 0, the best elsewhere. Uneven is the best on task 0, and ten times steady on
 * task 1. Alike is steady but for a scatter of 10 % either way. Absent runs on task 2 less well than all others run
 * there, and that alone; no other task has all candidates, when it is among them.
 */
static void make_up(double *logs) {
    static const double means[TASKS][CANDIDATES] = {{-1.9, -2, -1.9, NAN}, {-3, -2, -3, NAN}, {0, 0, 0, 0.5}};
    static const double scatter[SEEDS] = {0.04, -0.04, 0.02, -0.02, 0}, seed_effect[SEEDS] = {0.3, -0.2, 0.1, 0.5, 0};
    for (size_t t = 0; t < TASKS; t++)
        for (size_t c = 0; c < CANDIDATES; c++)
            for (size_t s = 0; s < SEEDS; s++)
                logs[(t * CANDIDATES + c) * SEEDS + s] =
                    means[t][c] + seed_effect[s] + (c == ALIKE ? scatter[(s + t) % SEEDS] : 0);
}

static void check_judgement(void) {
    double logs[TASKS * CANDIDATES * SEEDS], fewer[TASKS * (CANDIDATES - 1) * SEEDS];
    double bytes[CANDIDATES] = {200, 50, 100, 1000};
    make_up(logs);
    for (size_t t = 0; t < TASKS; t++)
        memcpy(fewer + t * (CANDIDATES - 1) * SEEDS, logs + t * CANDIDATES * SEEDS,
               (CANDIDATES - 1) * SEEDS * sizeof *fewer);
    const struct losses losses = {TASKS, CANDIDATES - 1, SEEDS, fewer, bytes};
    struct verdict verdict;
    judge(&losses, &verdict);
    CHECK_CLOSE(verdict.regrets[0][STEADY], 0.1, 1e-9, "steady on task 0");
    CHECK_CLOSE(verdict.regrets[0][UNEVEN], 0, 1e-9, "uneven on task 0");
    CHECK_CLOSE(verdict.regrets[1][UNEVEN], 1, 0.02, "uneven on task 1");
    CHECK(verdict.regrets[1][ALIKE] == 0, "a tie has regret %g", verdict.regrets[1][ALIKE]);
    CHECK_CLOSE(verdict.worst[STEADY], 0.1, 1e-9, "worst of steady");
    CHECK_CLOSE(verdict.worst[UNEVEN], 1, 0.02, "worst of uneven");
    CHECK(verdict.within_spread[STEADY] && verdict.within_spread[ALIKE], "alike is not within the spread of steady");
    CHECK(!verdict.within_spread[UNEVEN], "uneven is within the spread of steady");
    CHECK(verdict.chosen == ALIKE, "chosen: %zu", verdict.chosen);
    bytes[ALIKE] = 300;
    judge(&losses, &verdict);
    CHECK(verdict.chosen == STEADY, "chosen: %zu, though it moves more", verdict.chosen);

    /* With absent among them, only task 2 counts, and absent gains nothing by being absent. */
    const struct losses all = {TASKS, CANDIDATES, SEEDS, logs, bytes};
    judge(&all, &verdict);
    CHECK(isnan(verdict.regrets[0][ABSENT]), "absent has a regret where it does not run");
    CHECK_CLOSE(verdict.worst[ABSENT], 0.5, 1e-9, "worst of absent");
    CHECK(verdict.worst[UNEVEN] == 0, "uneven counts a task that absent does not run on");
    bytes[ABSENT] = 1;
    judge(&all, &verdict);
    CHECK(verdict.chosen != ABSENT && verdict.best != ABSENT, "absent is chosen, though it does not run everywhere");
}

static void check_lr(void) {
    int odd[] = {3, -1, 2}, even[] = {4, 1, 2, 3};
    CHECK(lower_median(odd, 3) == 2 && lower_median(even, 4) == 2, "the lower median");
    const double sweep[] = {5, 1.9, 1.05, 1, 1.2, INFINITY};
    CHECK(width(sweep, 6, 1.1) == 2 && width(sweep, 6, 2) == 4, "widths %zu, %zu", width(sweep, 6, 1.1),
          width(sweep, 6, 2));
}

/* The document has a line with the setting chosen: it has to be what the library gives. */
static void check_document(const char *path) {
    lmada_config_t config;
    CHECK(lmada_config_recommended(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    char setting[400], expected[500], line[1000];
    setting_line(&config, setting, sizeof setting);
    snprintf(expected, sizeof expected, "<!-- chosen: lr %.3g, %s -->", config.lr, setting);

    FILE *file = fopen(path, "r");
    if (!file) fail("%s: %s", path, strerror(errno));
    size_t found = 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "<!-- chosen:", 12) != 0) continue;
        found++;
        CHECK(strcmp(line, expected) == 0, "the document and lmada_config_recommended differ:\n%s\n%s", line, expected);
    }
    CHECK(found == 1, "%s: %zu lines with a chosen setting", path, found);
    fclose(file);
}

int main(int argc, char **argv) {
    check_judgement();
    check_lr();
    if (argc == 2) check_document(argv[1]);
    return check_result("verdict");
}
