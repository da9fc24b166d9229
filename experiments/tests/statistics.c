/*
 * Spreads and bootstrap intervals on known data, and the choice of learning rates.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "statistics.h"

#include "check.h"
#include "run.h"
#include "tuning.h"

static void check_spread(void) {
    const double values[] = {3, 1, 2, INFINITY, 5};
    struct spread spread = spread_of(values, 5);
    CHECK(spread.median == 3 && spread.least == 1 && spread.most == INFINITY, "%g (%g to %g)", spread.median,
          spread.least, spread.most);
    CHECK(values[0] == 3, "the values were sorted in place");
}

/*
 * Of values that are 0 or 1 with equal frequency, the mean of a resample of n is binomial: for n = 16, 95 % lie between
 * 4/16 and 12/16.
 */
static void check_binomial(void) {
    double losses[16], others[16];
    for (size_t i = 0; i < 16; i++) {
        losses[i] = i % 2 ? 10 : 1;
        others[i] = 1;
    }
    struct comparison comparison = compare(losses, others, 16);
    CHECK_CLOSE(comparison.mean, 0.5, 1e-12, "mean");
    CHECK_CLOSE(comparison.low, 4 / 16.0, 1e-12, "low end");
    CHECK_CLOSE(comparison.high, 12 / 16.0, 1e-12, "high end");
    CHECK(!is_tie(&comparison), "10 times in half of the seeds is a tie");
}

static void check_words(void) {
    const double same[] = {1, 2, 3, 4, 5}, twice[] = {2, 4, 6, 8, 10}, around[] = {0.9, 2.2, 2.7, 4.4, 5};
    const double diverged[] = {1, 2, INFINITY, 4, 5};
    struct comparison comparison = compare(same, same, 5);
    CHECK(comparison.mean == 0 && is_tie(&comparison), "equal losses are no tie");
    comparison = compare(twice, same, 5);
    CHECK_CLOSE(comparison.low, log10(2), 1e-12, "low end of a constant ratio");
    CHECK_CLOSE(comparison.high, log10(2), 1e-12, "high end of a constant ratio");
    CHECK(comparison_word(&comparison)[0] == 'h', "twice the loss is %s", comparison_word(&comparison));
    comparison = compare(same, twice, 5);
    CHECK(comparison_word(&comparison)[0] == 'l', "half the loss is %s", comparison_word(&comparison));
    comparison = compare(around, same, 5);
    CHECK(is_tie(&comparison), "10 %% more and less is %s", comparison_word(&comparison));
    comparison = compare(diverged, same, 5);
    CHECK_CLOSE(comparison.mean, DIVERGED_LOG10 / 5.0, 1e-12, "a seed of five that diverged");
    comparison = compare(diverged, diverged, 5);
    CHECK(comparison.mean == 0, "both diverged on the same seed");
}

/* Widens a cell until it holds, with made-up losses; returns how often. */
static int widen_all(struct cell *cell, double (*loss)(int lr)) {
    int rounds = 0;
    double losses[LR_MOST - LR_LEAST + 1];
    do {
        for (int lr = cell->low; lr <= cell->high; lr++) losses[lr - cell->low] = loss(lr);
        rounds++;
    } while (widen(cell, losses) && rounds < 100);
    return rounds;
}

static double valley(int lr) {
    return lr > -2 ? INFINITY : pow(2, abs(lr + 7)); /* best at -7, diverges above -3 */
}
static double always_diverges(int lr) {
    (void)lr;
    return INFINITY;
}
static double falls_forever(int lr) {
    return pow(10, -lr);
}

static void check_widening(void) {
    struct cell cell = {.low = -3, .high = -1};
    CHECK(widen_all(&cell, valley) < 100 && cell.best == -7 && cell.low == -8 && cell.high == -1, "%d in %d to %d",
          cell.best, cell.low, cell.high);
    CHECK(cell.loss == 1, "loss %g", cell.loss);
    cell = (struct cell){.low = -12, .high = -10};
    CHECK(widen_all(&cell, valley) < 100 && cell.best == -7 && cell.high == -6, "%d in %d to %d", cell.best, cell.low,
          cell.high);
    cell = (struct cell){.low = -8, .high = -6, .sweep = true};
    CHECK(widen_all(&cell, valley) < 100 && cell.best == -7 && cell.low == -9 && cell.high == -5,
          "a sweep over %d to %d", cell.low, cell.high);
    cell = (struct cell){.low = 0, .high = 2};
    CHECK(widen_all(&cell, always_diverges) < 100 && cell.low == LR_LEAST && cell.high == 2, "diverged in %d to %d",
          cell.low, cell.high);
    cell = (struct cell){.low = 0, .high = 2};
    CHECK(widen_all(&cell, falls_forever) < 100 && cell.best == LR_MOST, "best at %d", cell.best);
}

static void check_rates(void) {
    for (int index = LR_LEAST; index <= LR_MOST; index++) {
        CHECK_CLOSE(lattice_lr(index) / pow(10, index / 2.0), 1, 1e-14, "learning rate");
        CHECK(lattice_index(lattice_lr(index)) == index, "index %d", index);
    }
    CHECK_CLOSE(scheduled_lr(SCHEDULE_LINEAR, 0.5, 0, 0, 100), 0.5, 1e-15, "first step");
    CHECK_CLOSE(scheduled_lr(SCHEDULE_LINEAR, 0.5, 0, 99, 100), 0.005, 1e-15, "last step");
    CHECK_CLOSE(scheduled_lr(SCHEDULE_LINEAR, 0.5, 0.1, 4, 100), 0.25, 1e-15, "half of the warm-up");
    CHECK_CLOSE(scheduled_lr(SCHEDULE_CONSTANT, 0.5, 0, 99, 100), 0.5, 1e-15, "last step, constant");
}

int main(void) {
    check_spread();
    check_binomial();
    check_words();
    check_widening();
    check_rates();
    return check_result("statistics");
}
