/* agent/io/process.h - runs a program: without a shell, without a terminal, in a process group of its own that is
 * killed as a whole at its time limit or on cancel. Standard input is empty. On the loop's own thread. */
#ifndef AGENT_IO_PROCESS_H
#define AGENT_IO_PROCESS_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct process;

enum process_outcome {
    PROCESS_EXITED,    /* status is its exit code */
    PROCESS_KILLED,    /* by a signal that was not ours: status is its number */
    PROCESS_TIMED_OUT, /* killed at the limit */
    PROCESS_NOT_RUN,   /* there is no such program, or it cannot be started: error says why */
};

struct process_result {
    enum process_outcome outcome;
    int status;
    struct slice out, err; /* what it wrote, each cut at LIMIT_PROGRAM_OUTPUT_BYTES; valid for the call */
    struct slice error;
};

/* All borrowed for the call. */
struct process_options {
    const char *const *argv; /* NULL ends it; argv[0] is looked for in PATH */
    const char *const *env;  /* NULL ends it: the whole environment; "NAME=value" */
    const char *folder;      /* to run in; NULL: this one's */
    uint64_t timeout_ms;
    void (*done)(void *arg, const struct process_result *result); /* once, unless cancelled; not inline */
    void *arg;
};

struct process *process_start(struct loop *loop, const struct process_options *options);
/* Kills it; done does not run. What it held goes when the kernel says that it is gone: gone(arg), may be NULL. */
void process_cancel(struct process *p, void (*gone)(void *arg), void *arg);
#endif
