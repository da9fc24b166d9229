// Programs that end while optimizers and worker threads exist, in every order that C++ has for this.
// `exits` runs itself once for each of the ways below and checks the exit status.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "check.hpp"

namespace {

using optimizer = lmada::optimizer<float>;

constexpr std::size_t dim = 400000;  // large enough for workers

lmada::config on_threads() {
    lmada::config options;
    options.threads = 4;
    options.history_size = 3;
    return options;
}

void steps(optimizer& opt, int count) {
    std::vector<float> params(dim, 1.0f);
    const std::vector<float> grads(dim, 0.5f);
    for (int i = 0; i < count; ++i) opt.step(params, grads);
    CHECK(params[0] < 1 && params[0] == params[dim - 1]);
}

// Made before main and destroyed after main. It takes its last step after main.
struct steps_at_its_end {
    ~steps_at_its_end() {
        if (opt) steps(*opt, 1);
    }
    std::unique_ptr<optimizer> opt;
};
steps_at_its_end at_namespace_scope;

optimizer& function_static() {
    static optimizer opt(dim, on_threads());
    return opt;
}

void static_objects() {
    at_namespace_scope.opt = std::make_unique<optimizer>(dim, on_threads());
    steps(*at_namespace_scope.opt, 3);
    steps(function_static(), 3);
}

// The library's own thread-local storage may be gone when these are destroyed.
void thread_local_objects() {
    const auto work = [] {
        thread_local optimizer opt(dim, on_threads());
        steps(opt, 2);
    };
    std::thread(work).join();
    work();
}

void exit_from_another_thread() {
    steps(function_static(), 3);
    static std::atomic<int> taken{0};
    optimizer* const leaked = new optimizer(dim, on_threads());  // inside a step when the program ends
    std::thread([] {
        while (taken < 3) std::this_thread::yield();
        std::exit(0);
    }).detach();
    for (;; ++taken) steps(*leaked, 1);
}

void quick_exit() {
    static_objects();
    std::at_quick_exit([] { at_namespace_scope.opt.reset(); });  // the only destructor that runs
    std::quick_exit(0);
}

// quick_exit runs no destructors. The workers must not fail.
void quick_exit_beside_a_step() {
    static_objects();
    static std::atomic<int> taken{0};
    std::thread([] {
        for (;; ++taken) steps(function_static(), 1);
    }).detach();
    while (taken < 3) std::this_thread::yield();
    std::quick_exit(0);
}

const struct {
    const char* name;
    void (*run)();
} ways[] = {
    {"static objects", static_objects},
    {"thread_local objects", thread_local_objects},
    {"exit from another thread", exit_from_another_thread},
    {"quick_exit", quick_exit},
    {"quick_exit beside a step", quick_exit_beside_a_step},
};

}  // namespace

int main(int argc, char** argv) {
    for (const auto& way : ways) {
        if (argc == 2) {
            if (std::strcmp(argv[1], way.name) == 0) way.run();
            continue;
        }
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(120);  // ends a program that hangs
            execl("/proc/self/exe", argv[0], way.name, static_cast<char*>(nullptr));
            _exit(127);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        if (status != 0) std::fprintf(stderr, "%s: wait status %d\n", way.name, status);
        CHECK(status == 0);
    }
}
