/* The log writer's thread, and what other threads call of it.
 *
 * A file with lines waiting is on exactly one of two lists: `listed`, a stack that any thread pushes to and the
 * writer's thread takes as a whole, or `held`, the thread's own: files that took no more when they were last tried. A
 * thread that pushes wakes the writer's when that said it is asleep; while it is busy, nobody makes a system call for a
 * line.
 *
 * Locks, in the order in which they may be taken: error_lock, lock, a file's. None is held over a write. */
#include "proxy/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/log_file.h"

enum {
    REPEATS_MS = 1000,     /* between two looks at lines that were held back */
    GATHER_MS = 10,        /* between two rounds of writing: lines that come meanwhile go out together */
    LAST_WRITES_MS = 2000, /* log_writer_free: how long queued lines may take */
    JOIN_MS = 3000,        /* and how long the thread, which a dead disk may hold for ever */
    TELL_LOST_MS = 10000,  /* between two reports of lost lines of one file */
};

struct log_writer {
    pthread_t thread;
    bool started; /* housekeeping thread */
    int wake_fd;  /* eventfd */
    atomic_bool asleep, stopping, reopening;
    _Atomic(int64_t) stop_by_ns; /* once stopping */
    _Atomic(struct log_file *) listed;
    struct log_totals totals;

    pthread_mutex_t lock; /* guards the list of files and their reference counts */
    struct log_file *files;

    pthread_mutex_t error_lock; /* guards error_file */
    struct log_file *error_file;

    struct log_file *syslog_file; /* for log_writer_append_syslog(); constant */

    struct log_file *held; /* the writer's thread alone */
    struct pollfd *polled;
    size_t polled_room;
};

static void wake(const struct log_writer *writer) {
    eventfd_write(writer->wake_fd, 1); /* fails only when it is awake a thousand times over */
}

/* The file's `listed` was set by the caller, under the file's lock. */
static void list_file(struct log_writer *writer, struct log_file *file) {
    struct log_file *first = atomic_load(&writer->listed);
    do {
        file->next_listed = first;
    } while (!atomic_compare_exchange_weak(&writer->listed, &first, file));
    if (atomic_exchange(&writer->asleep, false)) {
        wake(writer);
    }
}

/* ---- called by other threads ---- */

static bool append(struct log_writer *writer, struct log_file *file, enum log_level level, const char *line,
                   size_t bytes) {
    bool list = false;
    bool taken = log_file_queue(file, &writer->totals, level, line, bytes, &list);
    if (list) {
        list_file(writer, file);
    }
    return taken;
}

bool log_file_append(struct log_writer *writer, struct log_file *file, const char *lines, size_t bytes) {
    return append(writer, file, LOG_LEVEL_INFO, lines, bytes);
}

bool log_writer_append_syslog(struct log_writer *writer, enum log_level level, const char *text) {
    char line[LOG_LINE_MAX]; /* as those of the error log: syslog has a time of its own, and leaves ours out */
    int bytes = snprintf(line, sizeof line, "%*s%s\n", LOG_TIME_BYTES, "", text);
    return bytes > 0 && (size_t)bytes < sizeof line && append(writer, writer->syslog_file, level, line, (size_t)bytes);
}

bool log_writer_append_error(struct log_writer *writer, enum log_level level, const char *line, size_t bytes) {
    pthread_mutex_lock(&writer->error_lock);
    bool taken = append(writer, writer->error_file, level, line, bytes);
    pthread_mutex_unlock(&writer->error_lock);
    return taken;
}

void log_writer_reopen(struct log_writer *writer) {
    atomic_store(&writer->reopening, true);
    atomic_store(&writer->asleep, false);
    wake(writer);
}

struct log_writer_counts log_writer_counts(const struct log_writer *writer) {
    const struct log_totals *totals = &writer->totals;
    return (struct log_writer_counts){
        .lines = atomic_load_explicit(&totals->lines, memory_order_relaxed),
        .lines_lost = atomic_load_explicit(&totals->lines_lost, memory_order_relaxed),
        .bytes = atomic_load_explicit(&totals->bytes, memory_order_relaxed),
        .write_errors = atomic_load_explicit(&totals->write_errors, memory_order_relaxed),
    };
}

static struct log_file *open_file(struct log_writer *writer, enum log_file_kind kind, const char *path,
                                  const char **error) {
    pthread_mutex_lock(&writer->lock);
    struct log_file *file = writer->files;
    while (file != NULL && (file->kind != kind || strcmp(file->path, path) != 0)) {
        file = file->next;
    }
    if (file != NULL) {
        file->references++;
        pthread_mutex_unlock(&writer->lock);
        return file;
    }
    pthread_mutex_unlock(&writer->lock); /* opening may block; only this thread adds files */
    file = log_file_new(kind, path);
    if (!log_file_connect(file, error)) {
        log_file_destroy(file, &writer->totals);
        return NULL;
    }
    pthread_mutex_lock(&writer->lock);
    file->references = 1;
    file->next = writer->files;
    writer->files = file;
    pthread_mutex_unlock(&writer->lock);
    return file;
}

struct log_file *log_file_open(struct log_writer *writer, const char *path, const char **error) {
    bool is_stream = strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0;
    return open_file(writer, is_stream ? LOG_FILE_STREAM : LOG_FILE_PATH, path, error);
}

void log_file_unref(struct log_writer *writer, struct log_file **file_pointer) {
    struct log_file *file = *file_pointer;
    *file_pointer = NULL;
    if (file == NULL) {
        return;
    }
    bool list = false;
    pthread_mutex_lock(&writer->lock);
    if (--file->references == 0) { /* the writer's thread sees to the rest, when what is queued has been written */
        pthread_mutex_lock(&file->lock);
        list = !file->listed;
        file->listed = true;
        pthread_mutex_unlock(&file->lock);
    }
    if (list) {
        list_file(writer, file);
    }
    pthread_mutex_unlock(&writer->lock);
}

/* ---- the writer's thread ---- */

static void tell_lost(struct log_file *file, int64_t now_ns) {
    uint64_t lost = 0;
    if (now_ns - file->told_lost_ns >= TELL_LOST_MS * NS_PER_MS) {
        pthread_mutex_lock(&file->lock);
        lost = file->lost_lines;
        file->lost_lines = 0;
        pthread_mutex_unlock(&file->lock);
    }
    if (lost > 0) {
        file->told_lost_ns = now_ns;
        log_warn("log %s: %llu lines were lost, because it takes them more slowly than they come (%d MiB wait at most)",
                 file->path, (unsigned long long)lost, LOG_QUEUE_MAX_BYTES / 1024 / 1024);
    }
}

/* Frees a file that nobody names any more and that has been written. True when it is gone. */
static bool drop_if_unused(struct log_writer *writer, struct log_file *file) {
    pthread_mutex_lock(&writer->lock);
    pthread_mutex_lock(&file->lock);
    bool unused = file->references == 0 && !file->listed;
    pthread_mutex_unlock(&file->lock);
    if (unused) {
        struct log_file **place = &writer->files;
        while (*place != file) {
            place = &(*place)->next;
        }
        *place = file->next;
    }
    pthread_mutex_unlock(&writer->lock);
    if (unused) {
        log_file_destroy(file, &writer->totals);
    }
    return unused;
}

/* True when nothing is left waiting for this file now. */
static bool write_file(struct log_writer *writer, struct log_file *file, int64_t now_ns) {
    enum log_file_result result = log_file_write(file, &writer->totals, now_ns);
    int reason = errno;
    if (result == LOG_FILE_FAILED && !file->failing) {
        file->failing = true;
        char text[128];
        log_error("log %s: cannot be written: %s; it is tried again every second, %d MiB of lines are kept meanwhile",
                  file->path, strerror_r(reason, text, sizeof text), LOG_QUEUE_MAX_BYTES / 1024 / 1024);
    } else if (result == LOG_FILE_WRITTEN && file->failing) {
        file->failing = false;
        log_notice("log %s: can be written again", file->path);
    }
    tell_lost(file, now_ns);
    return result == LOG_FILE_WRITTEN;
}

/* Writes what it can of a file and puts it where it belongs then. */
static void serve_file(struct log_writer *writer, struct log_file *file, int64_t now_ns) {
    bool wait = file->failing && now_ns < file->retry_ns;
    if (wait || !write_file(writer, file, now_ns)) {
        if (!file->held) {
            file->held = true;
            file->next_held = writer->held;
            writer->held = file;
        }
    } else if (!file->held) {
        drop_if_unused(writer, file);
    }
}

static void serve_held(struct log_writer *writer, int64_t now_ns) {
    struct log_file *file = writer->held;
    writer->held = NULL;
    while (file != NULL) {
        struct log_file *next = file->next_held;
        file->held = false;
        serve_file(writer, file, now_ns);
        file = next;
    }
}

static void serve_listed(struct log_writer *writer, int64_t now_ns) {
    struct log_file *file = atomic_exchange(&writer->listed, NULL);
    while (file != NULL) {
        struct log_file *next = file->next_listed;
        pthread_mutex_lock(&file->lock);
        file->listed = false;
        pthread_mutex_unlock(&file->lock);
        serve_file(writer, file, now_ns);
        file = next;
    }
}

static void reopen_files(struct log_writer *writer) {
    pthread_mutex_lock(&writer->lock);
    struct log_file *file = writer->files;
    pthread_mutex_unlock(&writer->lock); /* others only add before the first; only this thread removes */
    for (; file != NULL; file = file->next) {
        if (file->kind != LOG_FILE_PATH) {
            continue;
        }
        const char *error = NULL;
        if (log_file_connect(file, &error)) {
            file->reopen_failed = false;
            file->retry_ns = 0;
        } else if (!file->reopen_failed) {
            file->reopen_failed = true;
            log_error("log %s: cannot be opened again: %s; lines still go to the file that was open", file->path,
                      error);
        }
    }
}

/* How long to sleep at most, -1 for until woken. Fills writer->polled after its first entry; returns their number. */
static int plan_sleep(struct log_writer *writer, nfds_t *count) {
    int timeout_ms = log_tell_repeats(false) ? REPEATS_MS : -1;
    *count = 1;
    for (const struct log_file *file = writer->held; file != NULL; file = file->next_held) {
        if (file->failing) {
            timeout_ms = LOG_RETRY_MS;
            continue;
        }
        if (*count == writer->polled_room) {
            writer->polled_room *= 2;
            writer->polled = must_realloc(writer->polled, writer->polled_room * sizeof *writer->polled);
        }
        writer->polled[*count] = (struct pollfd){.fd = file->fd, .events = POLLOUT};
        (*count)++;
    }
    return timeout_ms;
}

static void drain_wake(const struct log_writer *writer) {
    eventfd_t count;
    eventfd_read(writer->wake_fd, &count);
}

static void sleep_until_work(struct log_writer *writer) {
    /* A round costs system calls, so lines are gathered before the next; a stop or a reopen cuts this short. */
    poll(writer->polled, 1, GATHER_MS);
    nfds_t count;
    int timeout_ms = plan_sleep(writer, &count);
    atomic_store(&writer->asleep, true);
    bool work =
        atomic_load(&writer->listed) != NULL || atomic_load(&writer->stopping) || atomic_load(&writer->reopening);
    if (!work) {
        poll(writer->polled, count, timeout_ms);
    }
    atomic_store(&writer->asleep, false);
    drain_wake(writer);
}

/* The last rounds: until all is written or the time is over. */
static void write_last(struct log_writer *writer) {
    log_tell_repeats(true);
    int64_t now_ns;
    while ((now_ns = clock_monotonic_ns()) < atomic_load(&writer->stop_by_ns)) {
        serve_listed(writer, now_ns);
        serve_held(writer, now_ns);
        if (atomic_load(&writer->listed) == NULL && writer->held == NULL) {
            return;
        }
        nfds_t count;
        plan_sleep(writer, &count);
        poll(writer->polled + 1, count - 1, GATHER_MS);
    }
}

static void *run(void *context) {
    struct log_writer *writer = context;
    log_name_thread("log writer");
    while (!atomic_load(&writer->stopping)) {
        int64_t now_ns = clock_monotonic_ns();
        serve_listed(writer, now_ns);
        serve_held(writer, now_ns);
        if (atomic_exchange(&writer->reopening, false)) {
            reopen_files(writer);
        }
        sleep_until_work(writer);
    }
    write_last(writer);
    return NULL;
}

/* ---- start and end: housekeeping thread ---- */

static struct log_file *open_error_log(struct log_writer *writer, const struct server_settings *server) {
    const char *error = NULL;
    const char *name = "/dev/stderr";
    enum log_file_kind kind = LOG_FILE_STREAM;
    if (server->log_target == LOG_TO_SYSLOG) {
        kind = LOG_FILE_SYSLOG;
        name = server->log_facility != NULL ? server->log_facility : "daemon";
    } else if (server->log_target == LOG_TO_FILE) {
        name = server->log_path;
        bool is_stream = strcmp(name, "/dev/stdout") == 0 || strcmp(name, "/dev/stderr") == 0;
        kind = is_stream ? LOG_FILE_STREAM : LOG_FILE_PATH;
    }
    struct log_file *file = open_file(writer, kind, name, &error);
    if (file == NULL) {
        log_error("ErrorLog %s%s: cannot be opened: %s", kind == LOG_FILE_SYSLOG ? "syslog:" : "", name, error);
    }
    return file;
}

struct log_writer *log_writer_new(const struct server_settings *server) {
    struct log_writer *writer = must_calloc(1, sizeof *writer);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_mutex_init(&writer->error_lock, NULL);
    writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    writer->polled_room = 8;
    writer->polled = must_calloc(writer->polled_room, sizeof *writer->polled);
    writer->polled[0] = (struct pollfd){.fd = writer->wake_fd, .events = POLLIN};
    if (writer->wake_fd < 0) {
        log_error("the log writer cannot get a descriptor: %s", strerror(errno));
        log_writer_free(&writer);
        return NULL;
    }
    writer->error_file = open_error_log(writer, server);
    const char *no_error;
    writer->syslog_file = open_file(writer, LOG_FILE_SYSLOG, "daemon", &no_error); /* a facility that there is */
    if (writer->error_file == NULL) {
        log_writer_free(&writer);
        return NULL;
    }
    log_set_level(server->log_level);
    log_set_writer(writer);
    return writer;
}

void log_writer_start(struct log_writer *writer) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals, SIGPIPE among them, are not for this thread */
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    writer->started = failed == 0;
    if (failed != 0) {
        log_set_writer(NULL); /* the error log must not stay silent about this */
        log_error("the log writer's thread cannot be started: %s; no log is written", strerror(failed));
    }
}

bool log_writer_set_error_log(struct log_writer *writer, const struct server_settings *server) {
    struct log_file *file = open_error_log(writer, server);
    if (file == NULL) {
        return false;
    }
    pthread_mutex_lock(&writer->error_lock);
    struct log_file *before = writer->error_file;
    writer->error_file = file;
    pthread_mutex_unlock(&writer->error_lock);
    log_file_unref(writer, &before);
    log_set_level(server->log_level);
    return true;
}

/* False when the thread hangs in a system call: it may still use the writer, which must then be left to it. */
static bool end_thread(struct log_writer *writer) {
    atomic_store(&writer->stop_by_ns, clock_monotonic_ns() + LAST_WRITES_MS * NS_PER_MS);
    atomic_store(&writer->stopping, true);
    if (!writer->started) {
        write_last(writer);
        return true;
    }
    wake(writer);
    int64_t join_by_us = clock_wall_us() + JOIN_MS * 1000;
    struct timespec join_by = {.tv_sec = (time_t)(join_by_us / US_PER_SECOND),
                               .tv_nsec = (long)(join_by_us % US_PER_SECOND * 1000)};
    if (pthread_timedjoin_np(writer->thread, NULL, &join_by) != 0) {
        pthread_detach(writer->thread);
        return false;
    }
    return true;
}

void log_writer_free(struct log_writer **writer_pointer) {
    struct log_writer *writer = *writer_pointer;
    *writer_pointer = NULL;
    if (writer == NULL) {
        return;
    }
    log_set_writer(NULL);
    if (!end_thread(writer)) {
        log_error("the log writer hangs in a write and is left behind; queued lines are lost");
        return;
    }
    uint64_t lost_before = log_writer_counts(writer).lines_lost;
    while (writer->files != NULL) {
        struct log_file *next = writer->files->next;
        log_file_destroy(writer->files, &writer->totals);
        writer->files = next;
    }
    uint64_t lost = log_writer_counts(writer).lines_lost - lost_before;
    if (lost > 0) {
        log_warn("%llu log lines could not be written before the end", (unsigned long long)lost);
    }
    if (writer->wake_fd >= 0) {
        close(writer->wake_fd);
    }
    pthread_mutex_destroy(&writer->lock);
    pthread_mutex_destroy(&writer->error_lock);
    free(writer->polled);
    free(writer);
}
