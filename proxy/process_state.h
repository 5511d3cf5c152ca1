/* The inside of struct process: shared by the files that make up the process, and by nobody else. What stands here
 * belongs to the housekeeping thread, except the count of connections. */
#ifndef WEIR_PROXY_PROCESS_STATE_H
#define WEIR_PROXY_PROCESS_STATE_H

#include <ev.h>
#include <stdatomic.h>
#include <stdio.h>

#include "proxy/generation.h"
#include "proxy/listener.h"
#include "proxy/process.h"
#include "proxy/process_keep_blocks.h"
#include "proxy/process_survey.h"
#include "proxy/worker.h"
#include "shaper/state_file.h"

struct block_notifier;
struct keeper;
struct mailbox;
struct tls_runtime;
struct upgrade;

enum process_phase {
    PROCESS_STARTING, /* not serving yet */
    PROCESS_RUNNING,
    PROCESS_DRAINING, /* nothing new is accepted; what is being served may end */
    PROCESS_STOPPING, /* workers have been told to close everything */
};

enum { DRY_RUN_NOTES = 64 };

enum { PROCESS_SIGNALS = 6 };

struct process {
    const struct process_options *options;
    enum process_phase phase;
    struct ev_loop *loop;
    struct mailbox *mailbox;
    struct log_writer *log_writer;
    struct shaper *shaper;                 /* thread-safe; lives from start to end, whatever is reloaded */
    struct block_notifier *block_notifier; /* mails, commands, dos- files, firewall */
    struct kept_blocks kept_blocks;        /* process_keep_blocks.c */
    struct burst_guard *burst;             /* thread-safe; as long as the shaper */
    struct ledger *ledger;                 /* process_second.c; NULL before it serves */
    struct keeper *keeper;                 /* of the state databases */
    struct origin_table *origin_table;
    struct tls_runtime *tls; /* NULL: nothing has spoken TLS yet */
    struct listener_set *listeners;
    struct generation *generation; /* the current one; one reference */
    uint64_t generation_number;    /* of the newest load, good or bad */
    struct worker **workers;
    unsigned worker_count;                   /* as started; a change needs USR2 */
    unsigned workers_running;                /* not joined yet */
    struct counters_snapshot ended_counters; /* of workers that have been joined */
    size_t file_limit;
    size_t connection_limit;
    int64_t started_ns; /* monotonic */

    char *pid_file;   /* what was written; NULL: none */
    char *notify;     /* $NOTIFY_SOCKET; NULL: none */
    int detached_fd;  /* daemonise_report(); -1 */
    int successor_fd; /* upgrade_report(): the process that started us by USR2 waits; -1 */
    bool replaced;    /* another process has our sockets, pid file and name */

    struct upgrade *upgrade; /* a USR2 under way; NULL */
    ev_signal signals[PROCESS_SIGNALS];
    ev_timer drain_timer;
    ev_async flush_wanted; /* by a worker: CBandScoreFlushPeriod */
    ev_timer second_timer;
    int64_t next_second_ns, lag_ns;           /* monotonic */
    struct process_reload_result last_reload; /* its text is ours */
    uint64_t reloads, reloads_failed;

    _Alignas(64) atomic_size_t connections; /* of clients, all workers; any thread */
    atomic_uint status_jobs;                /* status_job.c; any thread */
    atomic_uint_fast64_t
        dry_run_notes[DRY_RUN_NOTES];            /* host and reason, and the second of the last line; any thread */
    _Alignas(64) atomic_uint unflushed_requests; /* counted only with CBandScoreFlushPeriod; any thread */
    atomic_uint block_mails;                     /* process_blocks.c; any thread */
};

/* process.c */
void process_summarise(struct process *process, const char *occasion);
void process_mail_sockets(struct process *process, struct generation *generation); /* one reference a worker is taken */
unsigned process_worker_count(const struct config *config);
/* "serving on 2 listeners, generation 3": text for STATUS= and the log; `size` at least 96. */
void process_status(const struct process *process, char *text, size_t size);

/* process_signals.c */
void process_watch_signals(struct process *process);
void process_unwatch_signals(struct process *process);

/* process_stop.c */
void process_drain(struct process *process, const char *why);
void process_stop(struct process *process, const char *why);
/* A worker has ended: joins it, and ends the loop when it was the last. */
void process_join_ended(struct process *process);

/* process_keep.c */
/* Before the workers start: usage is restored. False, with *problem: another weir holds a state file. */
bool process_keep_start(struct process *process, struct state_text *problem);
/* A new generation, before it is mailed. */
void process_keep_apply(struct process *process, const struct generation *generation);
/* Once a second, behind the ledger's tick. */
void process_keep_second(struct process *process);
/* At any moment between: all that has been counted is written. */
void process_keep_now(struct process *process);
/* No worker counts any more: all is written. */
void process_keep_end(struct process *process);
/* The process that is to replace us asks for the state; or it failed. */
void process_keep_hand_over(struct process *process);
void process_keep_take_back(struct process *process);

/* reload.c */
/* asker: begins the log's lines about it, "HUP". warnings: takes what is said about a configuration that is in force
 * all the same, as lines; NULL: the log alone has it. process->last_reload says how it went. */
void process_reload(struct process *process, const char *asker, FILE *warnings);

/* generation.c */
/* Opens the logs of `config`, whose reference it takes over in any case. NULL with *error (malloc'ed). */
struct generation *generation_new(struct process *process, struct config *config, uint64_t number, char **error);
/* Binds it to origins: the step that starts threads, and so comes after dropping privileges. */
void generation_bind(struct generation *generation, struct origin_table *table, int64_t wait_ns);
/* Housekeeping thread, when nobody holds a reference. */
void generation_free(struct generation *generation);

#endif
