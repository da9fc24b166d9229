/* Takes a step, and calls each library that it is linked with: WITH_LTO, WITH_PLAIN, WITH_SEALED. Inside mmap, which
 * lmada calls, it unwinds its own stack, as a panic in lmada would. */
#define _GNU_SOURCE
#include <lmada.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

int lto_answer(int), plain_answer(int), sealed_answer(int);
int main(void);

static volatile int inside, from_lmada, to_main;

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *found) {
    void *function = _Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(context) - 1));
    if (function == (void *)main) *(int *)found = 1;
    return _URC_NO_REASON;
}

/* Replaces libc's function, in dynamic and in static programs. */
void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    if (inside) {
        int found = 0;
        inside = 0;
        _Unwind_Backtrace(visit, &found);
        from_lmada++;
        to_main += found;
        inside = 1;
    }
    return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

int main(void) {
    enum { dim = 100000 };
    static float w[dim], g[dim];
    lmada_config_t config;
    lmada_t *opt;
    g[0] = 1;
    if (lmada_config_init(&config, sizeof config)) return 1;
    config.threads = 1; /* no worker: it has another stack */
    inside = 1;
    if (lmada_create(&config, dim, &opt)) return 1;
    inside = 0;
    if (lmada_step(opt, w, g, dim) || lmada_step(opt, w, g, dim + 1) != LMADA_ERROR_DIMENSION_MISMATCH) return 1;
    lmada_free(opt);

    printf("%s", w[0] < 0 && w[1] == 0 ? "fell" : "did not fall");
    printf("%s", from_lmada > 0 && to_main == from_lmada ? ", main in sight" : ", lost on the stack");
#ifdef WITH_LTO
    printf(", lto %d", lto_answer(1));
#endif
#ifdef WITH_PLAIN
    printf(", plain %d", plain_answer(1));
#endif
#ifdef WITH_SEALED
    printf(", sealed %d", sealed_answer(1));
#endif
    puts("");
    return 0;
}
