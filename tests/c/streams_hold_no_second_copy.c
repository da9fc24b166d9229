/* While a large state is written to a file and read from it, the peak memory of the process is that of one handle and
 * little more. */
#include "model.h"

enum { HISTORY = 10, STEPS = HISTORY + 1, DIM = 200000000 / HISTORY / (int)sizeof(real) };

static int write_to_file(void *context, const void *bytes, size_t len)
{
    return fwrite(bytes, 1, len, context) == len ? 0 : 1;
}

static int read_from_file(void *context, void *bytes, size_t len)
{
    return fread(bytes, 1, len, context) == len ? 0 : 1;
}

/* Returns the peak memory of the process in kB. */
static long peak(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    long found = -1;
    CHECK(status);
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld", &found) == 1) break;
    }
    fclose(status);
    CHECK(found > 0);
    return found;
}

/* Resets the peak to the present memory. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    CHECK(file && fputs("5", file) >= 0 && fclose(file) == 0);
}

int main(void)
{
    lmada_config_t config = base_config();
    FILE *file = tmpfile();
    long before, state;
    size_t bytes, again_bytes;
    lmada_stats_t stats, again;
    lmada_t *opt;
    CHECK(file);
    config.history_size = HISTORY;
    {
        model m = new_model(&config, DIM);
        step_model(&m, 0, STEPS);
        CHECK_OK(lmada_state_size(m.opt, &bytes));
        state = (long)(bytes / 1024);
        CHECK(state > 190000);
        forget_peak();
        before = peak();
        CHECK(before > state); /* the window is in memory */
        CHECK_OK(lmada_state_write(m.opt, write_to_file, file));
        AT("writing, from %ld to %ld kB", before, peak());
        CHECK(peak() - before < state / 20);
        stats = stats_of(m.opt);
        free_model(&m);
    }
    CHECK(fflush(file) == 0 && ftell(file) == (long)bytes);
    rewind(file);
    forget_peak();
    before = peak();
    AT("after free, %ld kB", before);
    CHECK(before < state / 2);
    CHECK_OK(lmada_create_from_state(read_from_file, file, &opt));
    AT("reading, from %ld to %ld kB, of a state of %ld", before, peak(), state);
    CHECK(peak() - before > state); /* the new window is in memory */
    CHECK(peak() - before < state + state / 20);
    CHECK(fgetc(file) == EOF);
    again = stats_of(opt);
    CHECK(again.steps == stats.steps && again.update_norm == stats.update_norm && again.eig_max == stats.eig_max);
    CHECK_OK(lmada_state_size(opt, &again_bytes));
    CHECK(again_bytes == bytes);
    lmada_free(opt);
    fclose(file);
    return 0;
}
