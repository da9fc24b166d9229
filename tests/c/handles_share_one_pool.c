/* The process has one pool of workers for any number of handles. There are never more threads than processors. The pool
 * is created for the first handle that wants workers, and ends with the last. Workers run on the processors of the
 * stepping thread, not on those of the thread that started them. The bits are those of a handle alone. */
#define _GNU_SOURCE
#include "model.h"
#include "process.h"

#include <pthread.h>
#include <unistd.h>

enum { DIM = 20000, HANDLES = 200, REDUCED_HANDLES = 12, STEPS = 3, SIDES = 4, PATIENCE = 300 };

static lmada_config_t config;

/* The state of a handle that stepped alone. */
static model alone;
static unsigned char *alone_state;
static size_t alone_bytes;

static void step_as_alone(model *m)
{
    size_t bytes;
    unsigned char *state;
    step_model(m, 0, STEPS);
    state = saved_state(m->opt, &bytes);
    forget_threads(state, bytes);
    CHECK(same_reals(m->params, alone.params, DIM));
    CHECK(bytes == alone_bytes && memcmp(state, alone_state, bytes) == 0);
    free(state);
}

/* Returns the number of threads of a step for a handle that wants `threads`. */
static int usable(int wanted)
{
    return wanted < processors() ? wanted : processors();
}

static void many_handles(int handles)
{
    model *models = check_alloc((size_t)handles * sizeof *models);
    CHECK(tasks() == 1);
    for (int i = 0; i < handles; i++) {
        models[i] = new_model(&config, DIM);
        CHECK(tasks() == usable(8));
    }
    for (int i = 0; i < handles; i++) step_as_alone(&models[i]);
    CHECK(tasks() == usable(8));
    for (int i = 0; i + 1 < handles; i++) {
        free_model(&models[i]);
        CHECK(tasks() == usable(8));
    }
    free_model(&models[handles - 1]);
    free(models);
    wait_for_tasks(1);
}

/* There are as many workers as the most demanding handle wants. Handles that want none do not count. */
static void few_and_many_threads(void)
{
    model one, two, all;
    config.threads = 1;
    one = new_model(&config, DIM);
    CHECK(tasks() == 1);
    config.threads = 2;
    two = new_model(&config, DIM);
    CHECK(tasks() == usable(2));
    config.threads = UINT32_MAX;
    all = new_model(&config, DIM);
    CHECK(tasks() <= processors() && (tasks() > 2 || tasks() == processors() || usable(3) == 2));
    free_model(&two);
    step_as_alone(&all);
    free_model(&all);
    wait_for_tasks(1);
    step_as_alone(&one);
    free_model(&one);
}

/* ---- from several threads at once ---- */

static int most_tasks;

static void *make_step_and_free(void *rounds)
{
    for (int round = 0; round < *(const int *)rounds; round++) {
        model m = new_model(&config, DIM);
        const int now = tasks();
        step_as_alone(&m);
        if (now > __atomic_load_n(&most_tasks, __ATOMIC_RELAXED)) {
            __atomic_store_n(&most_tasks, now, __ATOMIC_RELAXED); /* (nearly) the largest number seen */
        }
        free_model(&m);
    }
    return NULL;
}

static void handles_come_and_go(int rounds)
{
    pthread_t threads[SIDES];
    config.threads = 8;
    for (int i = 0; i < SIDES; i++) CHECK(pthread_create(&threads[i], NULL, make_step_and_free, &rounds) == 0);
    for (int i = 0; i < SIDES; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    /* A joined worker may still be listed for a moment, beside later workers. */
    CHECK(most_tasks <= 1 + SIDES + 2 * (usable(8) - 1));
    wait_for_tasks(1);
}

/* ---- the processors of workers ---- */

static cpu_set_t affinity_of(pid_t thread)
{
    cpu_set_t set;
    CPU_ZERO(&set); /* if the thread is gone */
    (void)sched_getaffinity(thread, sizeof set, &set);
    return set;
}

static cpu_set_t first_of(const cpu_set_t *all)
{
    cpu_set_t one;
    int processor = 0;
    while (!CPU_ISSET(processor, all)) processor++;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return one;
}

static void *make_where_only_one_is(void *m)
{
    const cpu_set_t all = affinity_of(0), one = first_of(&all);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    *(model *)m = new_model(&config, DIM);
    return NULL;
}

static int workers_in(const cpu_set_t *set)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;
    CHECK(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const pid_t thread = (pid_t)atol(entry->d_name);
        if (thread > 0 && thread != getpid()) {
            const cpu_set_t own = affinity_of(thread);
            count += CPU_EQUAL(&own, set);
        }
    }
    closedir(directory);
    return count;
}

/* Steps until a worker with this affinity took part; on a busy machine this may take several steps. */
static void step_until_a_worker_is_in(model *m, const cpu_set_t *set)
{
    const time_t start = time(NULL);
    uint64_t step = 0;
    while (workers_in(set) == 0) {
        CHECK(time(NULL) - start < PATIENCE);
        step_model(m, step++, 1);
    }
}

static void workers_follow_who_steps(uint32_t threads)
{
    const cpu_set_t all = affinity_of(0), one = first_of(&all);
    cpu_set_t fewer = all;
    pthread_t thread;
    model m;
    AT("%u threads, affinity", (unsigned)threads);
    config.threads = threads;
    CHECK(pthread_create(&thread, NULL, make_where_only_one_is, &m) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    wait_for_tasks(usable((int)threads ? (int)threads : processors()));
    CHECK(workers_in(&one) == tasks() - 1); /* otherwise the rest proves nothing */
    step_until_a_worker_is_in(&m, &all);
    CPU_XOR(&fewer, &all, &one);
    if (CPU_COUNT(&fewer) > 1) {
        CHECK(sched_setaffinity(0, sizeof fewer, &fewer) == 0);
        step_until_a_worker_is_in(&m, &fewer);
        CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    }
    free_model(&m);
    wait_for_tasks(1);
}

int main(int argc, char **argv)
{
    (void)argv;
    config = variant(1);
    config.history_size = 8;
    alone = new_model(&config, DIM);
    step_model(&alone, 0, STEPS);
    alone_state = saved_state(alone.opt, &alone_bytes);
    forget_threads(alone_state, alone_bytes);
    config.threads = 8;
    many_handles(argc > 1 ? REDUCED_HANDLES : HANDLES);
    few_and_many_threads();
    handles_come_and_go(argc > 1 ? 4 : 100);
    if (processors() == 1) {
        printf("NOT CHECKED: where workers run, on a machine of one processor\n");
    } else {
        workers_follow_who_steps(2);
        workers_follow_who_steps(0);
    }
    free(alone_state);
    free_model(&alone);
    return 0;
}
