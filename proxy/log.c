/* Formats a line of the error log and hands it to the log writer, or to stderr while there is none. Called on every
 * thread. Invariant: a line holds exactly one newline, at its end, and no other control character.
 *
 * The log has the only mutable globals of weir: the level (atomic), the writer (under a mutex, held for the copy of one
 * line), the counts of repeated lines (with a mutex of their own), and per thread its name and context. */
#include "proxy/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/clock.h"
#include "proxy/log_repeats.h"
#include "proxy/log_writer.h"
#include "proxy/utf8.h"

enum { MESSAGE_MAX = 3072, CONTEXT_MAX = 1024 };

static atomic_int current_level = LOG_LEVEL_NOTICE;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_writer *current_writer; /* under writer_lock */

static struct log_repeats repeats = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local const char *thread_name;
static _Thread_local log_context_printer *context_printer;
static _Thread_local void *context_subject;

struct line {
    char text[LOG_LINE_MAX];
    size_t length;
    bool cut;
};

const char *log_level_name(enum log_level level) {
    static const char *const names[] = {"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"};
    return (size_t)level < sizeof names / sizeof names[0] ? names[level] : "unknown";
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void) {
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_name_thread(const char *name) {
    thread_name = name;
}

void log_set_context(log_context_printer *printer, void *subject) {
    context_printer = printer;
    context_subject = subject;
}

void log_set_writer(struct log_writer *writer) {
    pthread_mutex_lock(&writer_lock);
    current_writer = writer;
    pthread_mutex_unlock(&writer_lock);
}

/* All of the piece or nothing; "...\n" always finds room afterwards. */
static void put_piece(struct line *line, const char *piece, size_t bytes) {
    if (line->cut || bytes > sizeof line->text - strlen("...\n") - line->length) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->length, piece, bytes);
    line->length += bytes;
}

static void put_text(struct line *line, const char *text) {
    put_piece(line, text, strlen(text));
}

static void put_escaped(struct line *line, const char *text) {
    static const char digits[] = "0123456789abcdef";
    size_t left = strlen(text);
    while (left > 0 && !line->cut) {
        size_t bytes = utf8_printable(text, left);
        if (bytes > 0) {
            put_piece(line, text, bytes);
        } else {
            unsigned char byte = (unsigned char)*text;
            const char escape[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            put_piece(line, escape, sizeof escape);
            bytes = 1;
        }
        text += bytes;
        left -= bytes;
    }
}

static void put_context(struct line *line) {
    char context[CONTEXT_MAX] = "";
    FILE *out = context_printer != NULL ? fmemopen(context, sizeof context - 1, "w") : NULL;
    if (out != NULL) {
        context_printer(context_subject, out);
        fclose(out); /* fails when the context was longer: what fitted is there */
        put_escaped(line, context);
    }
}

static void write_to_stderr(const char *line, size_t bytes) {
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, line, bytes);
        if (written < 0 && errno != EINTR) {
            return; /* there is nobody left to tell */
        }
        if (written > 0) {
            line += written;
            bytes -= (size_t)written;
        }
    }
}

static void send_line(enum log_level level, const char *line, size_t bytes) {
    pthread_mutex_lock(&writer_lock);
    bool has_writer = current_writer != NULL;
    if (has_writer) {
        log_writer_append_error(current_writer, level, line, bytes);
    }
    pthread_mutex_unlock(&writer_lock);
    if (!has_writer) {
        write_to_stderr(line, bytes);
    }
}

static void write_line(enum log_level level, const char *message, bool cut) {
    struct line line = {.length = 0};
    char time[CLOCK_LOCAL_MAX];
    clock_local(clock_wall_us(), time);
    put_text(&line, time);
    put_text(&line, " [");
    put_text(&line, log_level_name(level));
    put_text(&line, "] ");
    if (thread_name != NULL) {
        put_text(&line, thread_name);
        put_text(&line, ": ");
    }
    put_context(&line);
    put_escaped(&line, message);
    cut |= line.cut;
    line.cut = false;
    memcpy(line.text + line.length, cut ? "...\n" : "\n", cut ? 4 : 1);
    line.length += cut ? 4 : 1;
    send_line(level, line.text, line.length);
}

/* repeated_as: what tells kinds of lines apart; NULL: it is written in any case. */
__attribute__((format(printf, 3, 0))) static void print_line(enum log_level level, const void *repeated_as,
                                                             const char *format, va_list arguments) {
    if (repeated_as != NULL && !log_repeats_pass(&repeats, repeated_as, level, clock_monotonic_ns())) {
        return;
    }
    char message[MESSAGE_MAX];
    int length = vsnprintf(message, sizeof message, format, arguments);
    if (length > 0 && (size_t)length < sizeof message && message[length - 1] == '\n') {
        message[length - 1] = '\0';
    }
    write_line(level, length < 0 ? format : message, length > 0 && (size_t)length >= sizeof message);
    if (repeated_as != NULL) {
        log_repeats_written(&repeats, repeated_as, message);
    }
}

/* Who asks for debug lines wants each of them. */
void log_write(enum log_level level, const char *format, ...) {
    if (level > log_level()) {
        return;
    }
    int saved_errno = errno;
    va_list arguments;
    va_start(arguments, format);
    print_line(level, level < LOG_LEVEL_DEBUG ? format : NULL, format, arguments);
    va_end(arguments);
    errno = saved_errno;
}

__attribute__((format(printf, 2, 3))) static void write_always(enum log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(level, NULL, format, arguments);
    va_end(arguments);
}

bool log_tell_repeats(bool at_once) {
    struct log_repeats_told told;
    while (log_repeats_tell(&repeats, clock_monotonic_ns(), at_once, &told)) {
        write_always(told.level, "… and %llu more like it: %s", (unsigned long long)told.held, told.sample);
    }
    return log_repeats_is_open(&repeats);
}

void log_text(enum log_level level, const char *text) {
    if (level > log_level()) {
        return;
    }
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        if (length > 0) {
            write_always(level, "%.*s", (int)(length < MESSAGE_MAX ? length : MESSAGE_MAX), text);
        }
        text += length;
        text += *text == '\n' ? 1 : 0;
    }
}
