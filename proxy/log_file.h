/* One target of log lines: its bounded queue, and the writing of it. Internal to the log writer (log_writer.c).
 *
 * Producers on any thread call log_file_queue() alone; opening happens before the writer's thread knows the file, or on
 * it; everything else on the writer's thread. Lock: `lock` guards the queue, held for a copy of one line or a swap of
 * two pointers. */
#ifndef WEIR_PROXY_LOG_FILE_H
#define WEIR_PROXY_LOG_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum {
    LOG_QUEUE_MAX_BYTES = 4 * 1024 * 1024, /* a file, what is being written included */
    LOG_RETRY_MS = 1000,                   /* after a write failed, e.g. because the disk is full */
};

enum log_file_kind {
    LOG_FILE_PATH,   /* a file or a FIFO; opened again on USR1 */
    LOG_FILE_STREAM, /* "/dev/stdout" or "/dev/stderr": what the process was started with */
    LOG_FILE_SYSLOG, /* `path` is the facility */
};

struct log_chunk; /* a piece of a queue */

struct log_file {
    enum log_file_kind kind;
    char *path;
    int facility; /* syslog */

    struct log_file *next;        /* in the writer's list: set under its lock */
    size_t references;            /* under the writer's lock */
    struct log_file *next_listed; /* in the writer's list of files with work */

    pthread_mutex_t lock; /* guards the block below */
    struct log_chunk *queue, *queue_last;
    size_t queued_bytes; /* in `queue` and in `writing` */
    uint64_t lost_lines; /* since they were last told of */
    bool listed;         /* in the writer's list of files with work */

    int fd;                     /* -1: not open; this and what follows: the writer's thread */
    bool polled, is_socket;     /* shared with other processes: ask poll() before each small write; use send() */
    struct log_chunk *writing;  /* taken off the queue, oldest first */
    struct log_file *next_held; /* in the writer's list of files that take no more now */
    bool held;
    bool failing;       /* the last write failed, and was told of */
    bool reopen_failed; /* likewise */
    int64_t retry_ns;   /* while failing: not before */
    int64_t told_lost_ns;
};

struct log_totals { /* of all files of a writer */
    atomic_uint_fast64_t lines, lines_lost, bytes, write_errors;
};

struct log_file *log_file_new(enum log_file_kind kind, const char *path);
void log_file_destroy(struct log_file *file, struct log_totals *totals); /* counts as lost what is still queued */

/* False with a text that lives until the thread's next call when it cannot be opened. An open descriptor is replaced
 * only by an open one. */
bool log_file_connect(struct log_file *file, const char **error);

/* True: taken. *list: the file has work now and must be put on the writer's list. `level`: for syslog. */
bool log_file_queue(struct log_file *file, struct log_totals *totals, enum log_level level, const char *lines,
                    size_t bytes, bool *list);

enum log_file_result {
    LOG_FILE_WRITTEN, /* all that was queued */
    LOG_FILE_BLOCKED, /* poll `fd` for POLLOUT */
    LOG_FILE_FAILED,  /* errno says why; the lines are kept; try again at `retry_ns` */
};
enum log_file_result log_file_write(struct log_file *file, struct log_totals *totals, int64_t now_ns);

/* NULL for a facility that syslog does not have. */
const int *log_syslog_facility(const char *name);
void log_syslog_line(int facility, const char *line,
                     size_t bytes); /* as queued: a digit for the level, then the line */

#endif
