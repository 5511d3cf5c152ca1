/* Runs the administrator's commands as children: so many at a time, the rest in a queue with a bound, each with a time
 * limit. Mails are commands that read the mail from their standard input.
 *
 * Housekeeping thread, default loop only: libev reaps children there, and reaps all of them, so that waiting for one in
 * another way would race with it. No call waits for a child.
 *
 * A child is /bin/sh -c COMMAND in a process group of its own, in "/", with only PATH, LANG and the order's variables
 * in its environment, no signal blocked or ignored, standard output and error to /dev/null, and no descriptor of ours.
 */
#ifndef WEIR_PROXY_COMMAND_RUNNER_H
#define WEIR_PROXY_COMMAND_RUNNER_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

struct command_runner;

enum { COMMAND_VARIABLES_MAX = 4 };

struct command_order {
    const char *what;                       /* the directive, for the log; lives as long as the runner */
    char *subject;                          /* for the log: whom it is about */
    char *command;                          /* for the shell */
    char *input;                            /* standard input; NULL: /dev/null */
    char *variables[COMMAND_VARIABLES_MAX]; /* "NAME=value"; NULL ends them */
    uint64_t *succeeded; /* incremented when it has ended with status 0; lives as long as the runner */
};

struct command_runner_limits {
    unsigned running_max;
    unsigned queue_max;
    double seconds;      /* then TERM for the process group */
    double kill_seconds; /* after that KILL */
};

struct command_runner_counts {
    uint64_t failures; /* not started, ended by a signal or with another status than 0, or took too long */
    uint64_t dropped;  /* the queue was full */
    unsigned running, queued;
};

struct command_runner *command_runner_new(struct ev_loop *default_loop, const struct command_runner_limits *limits);
/* Forgets what runs, which goes on by itself, and drops what is queued. Nulls the pointer; NULL is harmless. */
void command_runner_free(struct command_runner **runner);

/* Takes the order's malloc'ed texts over in any case. */
void command_runner_add(struct command_runner *runner, const struct command_order *order);

struct command_runner_counts command_runner_counts(const struct command_runner *runner);

/* "ended with status 1", with what the shell's own statuses mean; `size` at least 96. Pure. */
void command_runner_describe(int wait_status, char *text, size_t size);

#endif
