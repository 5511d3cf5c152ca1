/* The one thread that writes log files, so that a slow disk or a full pipe never holds a worker.
 *
 * Every other thread appends whole lines to a queue in memory, bounded in bytes; a line that finds no room is dropped
 * and counted. Files are opened O_APPEND, 0640, by the process before it gives up its privileges, and opened again on
 * USR1. Lock: each queue has one mutex, held for a copy of one line or a swap of two pointers, never over a write. */
#ifndef WEIR_PROXY_LOG_WRITER_H
#define WEIR_PROXY_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct log_writer;
struct log_file; /* one path, shared by all that name it; counted references; lives in the writer */

/* Makes the writer; the error log's target is taken from `server`. The thread is started by log_writer_start(). NULL
 * with a logged reason when the error log cannot be opened. Housekeeping thread. */
struct log_writer *log_writer_new(const struct server_settings *server);
void log_writer_start(struct log_writer *writer);
/* Writes out what is queued (for at most 2 s), stops the thread, closes the files; later lines go to stderr. */
void log_writer_free(struct log_writer **writer);

/* Applies a new configuration's error log target and level. False, with nothing changed, when it cannot be opened. */
bool log_writer_set_error_log(struct log_writer *writer, const struct server_settings *server);

/* Opens (or finds) a file. NULL with errno text in *error (static or thread-local) when it cannot be opened.
 * "/dev/stdout" and "/dev/stderr" work, also when they are pipes. Housekeeping thread. */
struct log_file *log_file_open(struct log_writer *writer, const char *path, const char **error);
void log_file_unref(struct log_writer *writer, struct log_file **file); /* any thread */

/* Queues whole lines, newline included. Any thread; never blocks on I/O. False when there was no room: counted. */
bool log_file_append(struct log_writer *writer, struct log_file *file, const char *lines, size_t bytes);
/* The error log's own: used by log.c. */
bool log_writer_append_error(struct log_writer *writer, enum log_level level, const char *line, size_t bytes);

/* One line of text to syslog, facility daemon, ident weir, whatever the error log's target is. Any thread; never
 * blocks. */
bool log_writer_append_syslog(struct log_writer *writer, enum log_level level, const char *text);

/* Asks the thread to open all files again (USR1). Returns at once. */
void log_writer_reopen(struct log_writer *writer);

struct log_writer_counts {
    uint64_t lines, lines_lost, bytes, write_errors;
};
struct log_writer_counts log_writer_counts(const struct log_writer *writer); /* any thread */

#endif
