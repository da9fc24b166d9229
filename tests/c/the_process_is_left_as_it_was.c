/* Calls read no environment variable, and do not change signal handlers, the signal mask, the alternate signal stack,
 * the locale, the working folder, the file mode mask and open files.
 *
 * Not run under AddressSanitizer and ThreadSanitizer: they call this getenv themselves. */
#define _GNU_SOURCE
#include "around.h"
#include "model.h"

#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIM = 70000, STEPS = 3 };

extern char **environ;

static int asked; /* number of reads of environment variables */

static char *look_up(const char *name)
{
    const size_t len = strlen(name);
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=') return *entry + len + 1;
    }
    return NULL;
}

/* Replaces the C library's function, for the library too. */
char *getenv(const char *name)
{
    asked++;
    return look_up(name);
}

char *secure_getenv(const char *name)
{
    asked++;
    return look_up(name);
}

typedef struct {
    void (*handlers[65])(int);
    sigset_t mask;
    stack_t stack;
    mode_t creation;
    int files;
    char folder[4096], locale[256];
} surroundings;

static surroundings look_around(void)
{
    surroundings now;
    DIR *directory;
    memset(&now, 0, sizeof now);
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0) now.handlers[number] = action.sa_handler;
    }
    CHECK(sigprocmask(SIG_SETMASK, NULL, &now.mask) == 0);
    CHECK(sigaltstack(NULL, &now.stack) == 0);
    now.creation = umask(0);
    umask(now.creation);
    directory = opendir("/proc/self/fd");
    CHECK(directory);
    while (readdir(directory)) now.files++;
    closedir(directory);
    CHECK(getcwd(now.folder, sizeof now.folder));
    snprintf(now.locale, sizeof now.locale, "%s", setlocale(LC_ALL, NULL));
    return now;
}

static void compare(const surroundings *before, const surroundings *after)
{
    for (int number = 1; number < 65; number++) {
        CHECK(before->handlers[number] == after->handlers[number]);
        CHECK(sigismember(&before->mask, number) == sigismember(&after->mask, number));
    }
    CHECK(before->stack.ss_sp == after->stack.ss_sp && before->stack.ss_flags == after->stack.ss_flags);
    CHECK(before->creation == after->creation && before->files == after->files);
    CHECK(strcmp(before->folder, after->folder) == 0 && strcmp(before->locale, after->locale) == 0);
}

static void calls(int number)
{
    lmada_config_t config = variant(number);
    real *grads = new_gradient(DIM, 3), *out = zeros(DIM);
    model m, loaded;
    size_t bytes;
    unsigned char *state;
    config.threads = 2;
    m = new_model(&config, DIM);
    loaded = new_model(&config, DIM);
    step_model(&m, 0, STEPS);
    call_around(&m, grads, out);
    grads[DIM - 1] = (real)NAN;
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    state = saved_state(m.opt, &bytes);
    CHECK_OK(lmada_state_load(loaded.opt, state, bytes));
    (void)stats_of(m.opt);
    CHECK_OK(lmada_reset(m.opt));
    free(state);
    free(grads);
    free(out);
    free_model(&m);
    free_model(&loaded);
}

int main(int argc, char **argv)
{
    surroundings before, after;
    (void)argv;
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    before = look_around();
    asked = 0;
    CHECK(getenv("PATH") == look_up("PATH") && asked == 1); /* a read is counted */
    EACH_VARIANT(number, argc > 1)
    {
        AT("variant %d", number);
        asked = 0;
        calls(number);
        CHECK(asked == 0);
        after = look_around();
        compare(&before, &after);
    }
    return 0;
}
