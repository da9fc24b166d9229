/*
 * The judgement behind docs/recommended.md on made-up losses, and the library against that document.
 *
 *     verdict DOCUMENT.md
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "setting.h"
#include "verdict.h"

enum { CANDIDATES = 3, LRS = 2, SEEDS = 3 };

static const struct method methods[CANDIDATES] = {{.name = "steady"}, {.name = "uneven"}, {.name = "diverges"}};
static const struct task tasks[TASK_COUNT] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}, {.name = "e"}};
static const struct grid grid = {LRS, {0.1, 0.3}};

/* Starts at 1. Steady is second everywhere; uneven is best on four tasks and bad on the fourth of five. */
static double made_up_loss(size_t task, size_t candidate, size_t lr) {
    if (candidate == 0) return lr == 0 ? 0.02 : 0.04;
    if (candidate == 2) return INFINITY;
    double best = task == 3 ? 0.1 : 0.01;
    return lr == (task != 0) ? best : 1;
}

static void evidence_new(struct evidence *evidence) {
    for (size_t t = 0; t < TASK_COUNT; t++) {
        struct outcome *outcomes = allocate(CANDIDATES * LRS * SEEDS, sizeof *outcomes);
        for (size_t i = 0; i < CANDIDATES * LRS * SEEDS; i++) {
            /* The seeds scatter around the loss, with an outlier that a median does not see. */
            double scatter[SEEDS] = {1, 0.9, 5};
            outcomes[i].train_loss = scatter[i % SEEDS] * made_up_loss(t, i / SEEDS / LRS, i / SEEDS % LRS);
            outcomes[i].curve[0] = 1;
        }
        evidence->searches[t] = (struct search){tasks + t, methods, CANDIDATES, &grid, SEEDS, outcomes, 0, 0};
    }
    evidence_complete(evidence, 0, SEEDS);
}

static void check_judgement(void) {
    struct evidence evidence;
    evidence_new(&evidence);
    CHECK_CLOSE(evidence.starts[0], 1, 0, "start");
    CHECK_CLOSE(evidence.bests[0], 0.01, 1e-15, "best of task a");
    CHECK_CLOSE(evidence.bests[3], 0.02, 1e-15, "best of task d");
    CHECK_CLOSE(regret(&evidence, 0, 0.01), 0, 1e-12, "regret of the best");
    CHECK_CLOSE(regret(&evidence, 0, 0.1), 0.5, 1e-12, "regret of half the way");
    CHECK_CLOSE(regret(&evidence, 0, 1), 1, 1e-12, "regret of the start");
    CHECK_CLOSE(regret(&evidence, 0, INFINITY), 1, 1e-12, "regret of a diverged run");

    struct verdict verdicts[CANDIDATES];
    judge(&evidence, verdicts);
    CHECK(verdicts[0].candidate == 0 && verdicts[1].candidate == 1 && verdicts[2].candidate == 2, "order %zu %zu %zu",
          verdicts[0].candidate, verdicts[1].candidate, verdicts[2].candidate);
    CHECK_CLOSE(verdicts[0].worst, log10(2) / 2, 1e-12, "worst regret of steady");
    CHECK_CLOSE(verdicts[1].worst, log(0.1 / 0.02) / log(1 / 0.02), 1e-12, "worst regret of uneven");
    CHECK_CLOSE(verdicts[2].worst, 1, 1e-12, "worst regret of diverges");

    struct lr_verdict lrs[LRS];
    CHECK(judge_lrs(&evidence, 0, lrs) == 0, "learning rate of steady");
    CHECK(lrs[0].votes == 15 && lrs[1].votes == 0, "votes %zu, %zu", lrs[0].votes, lrs[1].votes);
    CHECK(judge_lrs(&evidence, 1, lrs) == 1, "learning rate of uneven");
    CHECK(lrs[0].votes == 3 && lrs[1].votes == 12, "votes %zu, %zu", lrs[0].votes, lrs[1].votes);

    /* By the last seed alone, the outlier of all runs is all there is. */
    struct evidence last = evidence;
    evidence_complete(&last, SEEDS - 1, SEEDS);
    CHECK_CLOSE(last.bests[0], 0.05, 1e-12, "best of task a, last seed");
    CHECK(judge_lrs(&last, 0, lrs) == 0 && lrs[0].votes == 5, "%zu votes, last seed", lrs[0].votes);

    /* Below the floor nobody is better than another. */
    evidence.bests[0] = 1e-9;
    CHECK_CLOSE(regret(&evidence, 0, 5e-5), 0, 1e-12, "regret below the floor");
    for (size_t t = 0; t < TASK_COUNT; t++) free(evidence.searches[t].outcomes);
}

/* The document has a line with the setting chosen: it has to be, option by option, what the library gives. */
static void check_document(const char *path) {
    lmada_config_t config;
    CHECK(lmada_config_recommended(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    char expected[SETTING_LINE_SIZE], line[2 * SETTING_LINE_SIZE];
    setting_line(&config, expected);

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
    if (argc != 2) fail("usage: verdict DOCUMENT.md");
    check_judgement();
    check_document(argv[1]);
    return check_result("verdict");
}
