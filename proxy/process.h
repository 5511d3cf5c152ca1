/* The process as a whole: started, reloaded, replaced, drained, ended. The main thread runs it, and is the housekeeping
 * thread from then on: it waits for signals, mail and children, and does what may block.
 *
 * Workers see of it only what stands under "any thread". */
#ifndef WEIR_PROXY_PROCESS_H
#define WEIR_PROXY_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "proxy/counters.h"
#include "proxy/log_writer.h"
#include "proxy/status.h"

struct generation;
struct process;
struct task;

/* Numbers for a line in the error log, of one moment. */
struct process_report {
    const char *occasion; /* "stopped", "replaced", "reloaded" */
    struct counters_snapshot counters;
    struct log_writer_counts log;
    int64_t uptime_ns;
};
typedef void process_reporter(const struct process_report *report);

/* All of it must live until process_run() returns. */
struct process_options {
    struct config_options config; /* with `detach`, the path is absolute: the process moves to / */
    bool detach;                  /* -d */
    const char *program;          /* absolute path of the binary, for USR2; links are not resolved */
    const char *const *arguments; /* of that binary, ends with NULL; without -d */
    process_reporter *report;     /* housekeeping thread; NULL: none */
    process_answerer *answer;     /* status.h */
    const char *libraries;        /* "libev 4.33, …": for who asks */
};

/* Runs until it is told to end; the program's exit code: 0, or 1 when it could not start, with the reason on standard
 * error. Everything it made is freed by then. With -d, it returns in the new process only. */
int process_run(const struct process_options *options);

/* --- any thread --- */
/* One more client connection, unless `limit` of them are open. Every true has one process_give_connection(). */
bool process_take_connection(struct process *process, size_t limit);
void process_give_connection(struct process *process);
/* Whether a dry run's decision should be logged: at most once a minute for each host and reason, over all workers. */
bool process_may_note_dry_run(struct process *process, size_t host, unsigned reason, int64_t now_ns);
/* One more request has been served and counted: after so many of them (CBandScoreFlushPeriod), usage is written. */
void process_count_for_flush(struct process *process, unsigned requests);
/* A worker's thread is about to end. */
void process_worker_ended(struct process *process);
/* For the housekeeping thread; see task.h. Returns at once. */
void process_post(struct process *process, struct task *task);
struct log_writer *process_log_writer(const struct process *process);

#endif
