/* The error log: one line a call, from any thread, never blocking a worker for longer than one bounded write to memory.
 *
 * Lines go to the log writer's queue (log_writer.h) once it runs, and straight to stderr before and after. A line has a
 * time, the level, the thread and what the thread was doing (log_context), as
 *     2026-11-21 10:11:12.345 [warn] worker 1: while reading the response head, client 192.0.2.7, host
 * shop.example.net: … Syslog targets get the text without time. Control characters and bytes that are not UTF-8 are
 * written as \xhh, whatever a message says: a peer cannot forge a line. A line is at most LOG_LINE_MAX bytes; what is
 * longer is cut ("..."). Of lines that say the same (one format, above debug) 20 are written in a second, the others
 * counted and told in one line a second: see log_repeats.h. */
#ifndef WEIR_PROXY_LOG_H
#define WEIR_PROXY_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

struct log_writer;

enum {
    LOG_LINE_MAX = 4096, /* bytes, newline included */
    LOG_TIME_BYTES = 24, /* every line begins with so many bytes of time and a space */
};

/* Lines above the level are not formatted at all. The level may be changed at any time from any thread. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* Set once when a thread starts: "worker 1", "housekeeping". The text must live as long as the thread. */
void log_name_thread(const char *name);

/* Text that is put before every line of this thread until it is replaced; NULL for none. Nothing is copied and nothing
 * is printed until a line is really written: the printer then writes the context of `subject`, at most 1 KiB, ending in
 * ": ". It must not log. */
typedef void log_context_printer(void *subject, FILE *out);
void log_set_context(log_context_printer *printer, void *subject);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
    do {                                                                                                               \
        if (log_level() >= LOG_LEVEL_DEBUG) {                                                                          \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                                   \
        }                                                                                                              \
    } while (0)

/* Each line of `text` as a line of its own: for what other code has printed, e.g. the messages of config_load(). All of
 * them, however many. */
void log_text(enum log_level level, const char *text);

/* Says how many lines were held back as repetitions, a second after the first of them; at_once: now. True: it must be
 * called again within a second. The log writer's thread does, while it runs. */
bool log_tell_repeats(bool at_once);

/* Where lines go from now on; NULL: stderr. No line is on its way to the old writer when this returns. Used by the log
 * writer, and by tests. */
void log_set_writer(struct log_writer *writer);

const char *log_level_name(enum log_level level);

#endif
