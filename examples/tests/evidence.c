/*
 * The search on the GPT: the text, runs that a seed decides, the file that keeps them, and a range of learning rates
 * that grows.
 *
 *     evidence TEXT FOLDER
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <string.h>

#include "check.h"
#include "gpt.h"
#include "gpt_summary.h"

enum { LAST = CURVE_POINTS - 1 };

static char path[512];

static const char *in_folder(const char *folder, const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *to, const char *mode, const char *words) {
    FILE *file = fopen(to, mode);
    if (!file || fputs(words, file) < 0 || fclose(file) != 0) fail("%s: cannot be written", to);
}

/* Characters are numbered in the order of ASCII: here newline, blank, a, b, c, n. */
static void check_text(const char *folder) {
    const unsigned char codes[] = {3, 2, 5, 2, 5, 2, 1, 4, 2, 5, 0};
    write_file(in_folder(folder, "text"), "w", "banana can\n");
    struct text text = text_read(path, 6);
    CHECK(text.characters == 6, "%zu different characters", text.characters);
    CHECK(text.train.len == 10 && text.held_out.len == 1, "parts of %zu and %zu", text.train.len, text.held_out.len);
    CHECK(memcmp(text.train.codes, codes, 10) == 0 && text.held_out.codes[0] == 0, "other codes than expected");

    const unsigned char *windows[3];
    text_spread(&text.train, 4, windows, 3);
    CHECK(windows[0] == text.train.codes && windows[1] == windows[0] + 3 && windows[2] == windows[0] + 6,
          "windows that do not cover the part");
    write_file(path, "w", "banana cap\n");
    struct text other = text_read(path, 64);
    CHECK(other.fingerprint != text.fingerprint, "two texts of one fingerprint");
    text_free(&text);
    text_free(&other);
}

static void check_schedules(void) {
    CHECK(scheduled_lr(SCHEDULE_CONSTANT, 0.3, 7, 100) == 0.3, "the constant schedule is not constant");
    CHECK(scheduled_lr(SCHEDULE_COSINE, 0.3, 0, 100) == 0.3, "the cosine does not begin at the learning rate");
    CHECK_CLOSE(scheduled_lr(SCHEDULE_COSINE, 0.3, 50, 100), 0.15, 1e-15, "the middle of the cosine");
    CHECK_CLOSE(scheduled_lr(SCHEDULE_COSINE, 0.3, 100, 100), 0, 1e-15, "the end of the cosine");
    CHECK_CLOSE(lattice_lr(-6), 1e-3, 1e-18, "a learning rate");
    CHECK_CLOSE(lattice_lr(-5), 3e-3, 1e-18, "a learning rate");
    CHECK_CLOSE(lattice_lr(1), 3, 1e-15, "a learning rate");
}

static bool same_run(const struct gpt_outcome *a, const struct gpt_outcome *b) {
    return memcmp(a->train, b->train, sizeof a->train) == 0 &&
           memcmp(a->held_out, b->held_out, sizeof a->held_out) == 0;
}

static void check_runs(const struct gpt_task *task) {
    struct gpt_outcome first, again, bare, other_seed, other_schedule, diverged;
    gpt_train(task, &method_adam, 1e-2, SCHEDULE_COSINE, 1, true, &first);
    gpt_train(task, &method_adam, 1e-2, SCHEDULE_COSINE, 1, true, &again);
    gpt_train(task, &method_adam, 1e-2, SCHEDULE_COSINE, 1, false, &bare);
    gpt_train(task, &method_adam, 1e-2, SCHEDULE_COSINE, 2, true, &other_seed);
    gpt_train(task, &method_adam, 1e-2, SCHEDULE_CONSTANT, 1, true, &other_schedule);
    CHECK(same_run(&first, &again), "the same run ended otherwise");
    CHECK(first.train[LAST] == bare.train[LAST] && first.held_out[LAST] == bare.held_out[LAST],
          "a run without curves ended otherwise");
    CHECK(!same_run(&first, &other_seed) && !same_run(&first, &other_schedule), "two runs ended alike");
    CHECK(first.train[0] == other_schedule.train[0], "one seed, two starts");
    CHECK(first.train[LAST] < first.train[0] - 0.3, "from %g to %g: nothing learned", first.train[0],
          first.train[LAST]);
    CHECK(first.step_seconds > 0 && first.gradient_seconds > 0, "no time passed");

    gpt_train(task, &method_momentum, 1e30, SCHEDULE_CONSTANT, 1, true, &diverged);
    CHECK(isfinite(diverged.train[0]) && isinf(diverged.train[LAST]) && isinf(diverged.held_out[LAST]),
          "a run that diverges ends at %g", diverged.train[LAST]);
}

/* What is kept is found again, bit for bit; what another version left, or what was cut short, is not. */
static void check_file(const char *folder) {
    struct gpt_outcome outcome = {.step_seconds = 1e-4, .train = {4.1, 1.0 / 3, INFINITY}, .held_out = {0.1}};
    const char *file = in_folder(folder, "runs");
    char key[RUN_KEY_SIZE], other_key[RUN_KEY_SIZE];
    gpt_run_key(key, "setting", SCHEDULE_COSINE, 3e-3, 7);
    gpt_run_key(other_key, "setting", SCHEDULE_COSINE, 3e-3, 8);
    remove(file);
    struct gpt_runs runs = gpt_runs_open(file, "one");
    CHECK(!gpt_runs_find(&runs, key), "a run before any was done");
    gpt_runs_add(&runs, key, &outcome);
    gpt_runs_close(&runs);
    write_file(file, "a", "one\tsetting; cut short\t1 2 3");

    runs = gpt_runs_open(file, "one");
    const struct gpt_outcome *found = gpt_runs_find(&runs, key);
    CHECK(found && memcmp(found, &outcome, sizeof outcome) == 0, "a run is not what was kept");
    CHECK(runs.count == 1, "%zu runs from a file of one", runs.count);
    gpt_runs_add(&runs, other_key, &outcome);
    gpt_runs_close(&runs);
    runs = gpt_runs_open(file, "one");
    CHECK(gpt_runs_find(&runs, key) && gpt_runs_find(&runs, other_key), "a run was lost behind one cut short");
    gpt_runs_close(&runs);
    runs = gpt_runs_open(file, "two");
    CHECK(runs.count == 0, "%zu runs of another version", runs.count);
    gpt_runs_close(&runs);
}

/* SGD needs larger learning rates than those that the search begins with; then it has its best inside the range. */
static void check_search(const char *folder, const struct gpt_task *task) {
    const char *file = in_folder(folder, "runs");
    struct gpt_settings *settings = allocate(1, sizeof *settings);
    settings->count = 1;
    settings->list[0] = (struct gpt_setting){FAMILY_SGD, "SGD", method_momentum};
    settings->list[0].method.baseline.beta1 = 0;
    const struct protocol protocol = {*task, 1, 2};
    remove(file);
    struct gpt_runs runs = gpt_runs_open(file, "search");
    struct gpt_search search = gpt_search_run(settings, protocol, &runs, 2);
    CHECK(search.count == SCHEDULE_COUNT, "%zu candidates", search.count);
    for (size_t c = 0; c < search.count; c++) {
        const struct candidate *candidate = search.candidates + c;
        CHECK(candidate->low == LR_FIRST && candidate->high > LR_LAST, "a range from %d to %d", candidate->low,
              candidate->high);
        CHECK(candidate->best == candidate->high - 1 && !candidate_at_limit(candidate), "the best, %d, is at the end",
              candidate->best);
        struct gpt_summary summary = gpt_summary_of(&search, candidate);
        double a = gpt_search_outcome(&search, candidate, 0)->train[LAST];
        double b = gpt_search_outcome(&search, candidate, 1)->train[LAST];
        CHECK(summary.train[LAST].least == fmin(a, b) && summary.train[LAST].most == fmax(a, b), "another spread");
        CHECK_CLOSE(summary.train[LAST].median, (a + b) / 2, 1e-12, "the median");
        struct spread none = gpt_difference(&search, candidate, candidate);
        CHECK(none.least == 0 && none.most == 0, "a candidate differs from itself by %g", none.most);
        CHECK(gpt_best_of_family(&search, FAMILY_SGD, candidate->schedule) == candidate, "another is best");
        CHECK(!gpt_best_of_family(&search, FAMILY_ADAM, candidate->schedule), "a family without members has a best");
    }
    const struct candidate *cosine = search.candidates, *constant = search.candidates + 1;
    double apart[2];
    for (size_t seed = 0; seed < 2; seed++)
        apart[seed] = gpt_search_outcome(&search, cosine, seed)->held_out[LAST] -
                      gpt_search_outcome(&search, constant, seed)->held_out[LAST];
    struct spread difference = gpt_difference(&search, cosine, constant);
    CHECK(difference.least == fmin(apart[0], apart[1]) && difference.most == fmax(apart[0], apart[1]),
          "the difference of two candidates is %g to %g", difference.least, difference.most);
    gpt_search_free(&search);
    gpt_runs_close(&runs);
    free(settings);
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: evidence TEXT FOLDER");
    check_text(argv[2]);
    check_schedules();
    struct text text = text_read(argv[1], GPT_CHARACTERS);
    CHECK(text.characters == 62 && text.train.len > 200000, "%zu characters, %zu to train on", text.characters,
          text.train.len);
    const struct gpt_task task = {.text = &text, .batch = 1, .steps = 25, .measured = 2};
    check_runs(&task);
    check_file(argv[2]);
    check_search(argv[2], &task);
    text_free(&text);
    return check_result("evidence");
}
