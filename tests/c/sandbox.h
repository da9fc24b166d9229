/* A seccomp filter that a program installs for itself: system calls that end the program, or that fail. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

/* Applies `action` to the system calls of `numbers`, in this thread and the threads that it starts. Numbers below 0 are
 * ignored. */
static inline void forbid(const int *numbers, size_t count, unsigned action)
{
    struct sock_filter code[64];
    struct sock_fprog program = {0, code};
    const struct sock_filter number =
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr));
    const struct sock_filter end = BPF_STMT(BPF_RET | BPF_K, action);
    const struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    CHECK(2 * count + 2 <= sizeof code / sizeof *code);
    code[program.len++] = number;
    for (size_t i = 0; i < count; i++) {
        const struct sock_filter unless = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
        if (numbers[i] < 0) continue;
        code[program.len++] = unless;
        code[program.len++] = end;
    }
    code[program.len++] = pass;
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#endif
