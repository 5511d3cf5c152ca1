/* A log's queue and its file: appended to on any thread, opened and written on the log writer's (see log_file.h).
 *
 * Invariants: queued_bytes is the sum of what `queue` and `writing` hold, and at most LOG_QUEUE_MAX_BYTES; lines leave
 * in the order in which they came; nothing is dropped once it has been taken, except when the file is destroyed. */
#include "proxy/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "proxy/clock.h"

enum { CHUNK_BYTES = 64 * 1024 - 64, PIECES_A_WRITE = 16, POLLED_WRITE_BYTES = 4096 /* PIPE_BUF */ };

struct log_chunk {
    struct log_chunk *next;
    size_t start, end, capacity;
    char bytes[];
};

struct log_file *log_file_new(enum log_file_kind kind, const char *path) {
    struct log_file *file = must_calloc(1, sizeof *file);
    size_t bytes = strlen(path) + 1;
    file->kind = kind;
    file->path = must_malloc(bytes);
    memcpy(file->path, path, bytes);
    file->fd = -1;
    pthread_mutex_init(&file->lock, NULL);
    return file;
}

static uint64_t count_lines(const char *lines, size_t bytes) {
    uint64_t count = 0;
    const char *end = lines + bytes;
    while (lines < end && (lines = memchr(lines, '\n', (size_t)(end - lines))) != NULL) {
        count++;
        lines++;
    }
    return count;
}

static uint64_t free_chunks(struct log_chunk *chunk) {
    uint64_t lines = 0;
    while (chunk != NULL) {
        struct log_chunk *next = chunk->next;
        lines += count_lines(chunk->bytes + chunk->start, chunk->end - chunk->start);
        free(chunk);
        chunk = next;
    }
    return lines;
}

void log_file_destroy(struct log_file *file, struct log_totals *totals) {
    uint64_t lost = free_chunks(file->writing);
    lost += free_chunks(file->queue);
    atomic_fetch_add_explicit(&totals->lines_lost, lost, memory_order_relaxed);
    if (file->fd >= 0) {
        close(file->fd);
    }
    pthread_mutex_destroy(&file->lock);
    free(file->path);
    free(file);
}

/* ---- opening ---- */

static int open_path(const char *path) {
    enum { FLAGS = O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };
    int fd = open(path, O_WRONLY | FLAGS, 0640);
    struct stat status;
    bool is_fifo = fd < 0 ? errno == ENXIO : fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
    if (is_fifo) {
        /* Also open for reading, so that a FIFO can be opened and written while nobody reads it. */
        int both = open(path, (O_RDWR | FLAGS) & ~O_CREAT);
        if (both >= 0) {
            if (fd >= 0) {
                close(fd);
            }
            return both;
        }
    }
    return fd;
}

/* The standard streams are shared with whoever started the process, so their flags must stay as they are. A pipe gets
 * an open file description of its own; anything else is duplicated, and a regular file thereby keeps one common offset.
 */
static int open_stream(struct log_file *file, int stream) {
    struct stat status;
    if (fstat(stream, &status) != 0) {
        return -1;
    }
    file->is_socket = S_ISSOCK(status.st_mode);
    file->polled = false;
    if (S_ISFIFO(status.st_mode)) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", stream);
        int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0) {
            return fd;
        }
    }
    file->polled = !S_ISREG(status.st_mode);
    return fcntl(stream, F_DUPFD_CLOEXEC, 0);
}

bool log_file_connect(struct log_file *file, const char **error) {
    if (file->kind == LOG_FILE_SYSLOG) {
        const int *facility = log_syslog_facility(file->path);
        if (facility == NULL) {
            *error = "syslog has no such facility; write daemon, user or local0 to local7";
            return false;
        }
        file->facility = *facility;
        openlog("weir", LOG_PID, LOG_DAEMON);
        return true;
    }
    int fd;
    if (file->kind == LOG_FILE_STREAM) {
        fd = open_stream(file, strcmp(file->path, "/dev/stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO);
    } else {
        fd = open_path(file->path);
    }
    if (fd < 0) {
        static _Thread_local char text[128];
        *error = strerror_r(errno, text, sizeof text);
        return false;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    file->fd = fd;
    return true;
}

/* ---- the queue ---- */

/* Room for `count` bytes in one piece, counted as queued. */
static char *reserve(struct log_file *file, size_t count) {
    struct log_chunk *chunk = file->queue_last;
    if (file->queue == NULL || chunk->capacity - chunk->end < count) {
        size_t capacity = count > CHUNK_BYTES ? count : CHUNK_BYTES;
        chunk = must_malloc(sizeof *chunk + capacity);
        *chunk = (struct log_chunk){.next = NULL, .start = 0, .end = 0, .capacity = capacity};
        if (file->queue == NULL) {
            file->queue = chunk;
        } else {
            file->queue_last->next = chunk;
        }
        file->queue_last = chunk;
    }
    char *room = chunk->bytes + chunk->end;
    chunk->end += count;
    file->queued_bytes += count;
    return room;
}

bool log_file_queue(struct log_file *file, struct log_totals *totals, enum log_level level, const char *lines,
                    size_t bytes, bool *list) {
    uint64_t count = count_lines(lines, bytes);
    size_t prefix = file->kind == LOG_FILE_SYSLOG ? 1 : 0;
    pthread_mutex_lock(&file->lock);
    bool room = bytes + prefix <= LOG_QUEUE_MAX_BYTES - file->queued_bytes;
    *list = room && !file->listed;
    if (room) {
        char *place = reserve(file, bytes + prefix);
        if (prefix > 0) {
            place[0] = (char)('0' + (int)level);
        }
        memcpy(place + prefix, lines, bytes);
        file->listed = true;
    } else {
        file->lost_lines += count;
    }
    pthread_mutex_unlock(&file->lock);
    atomic_fetch_add_explicit(room ? &totals->lines : &totals->lines_lost, count, memory_order_relaxed);
    return room;
}

static void take_queue(struct log_file *file) {
    struct log_chunk **end = &file->writing;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    pthread_mutex_lock(&file->lock);
    *end = file->queue;
    file->queue = file->queue_last = NULL;
    pthread_mutex_unlock(&file->lock);
}

static void consume(struct log_file *file, struct log_totals *totals, size_t bytes) {
    pthread_mutex_lock(&file->lock);
    file->queued_bytes -= bytes;
    pthread_mutex_unlock(&file->lock);
    atomic_fetch_add_explicit(&totals->bytes, bytes, memory_order_relaxed);
    while (file->writing != NULL) {
        struct log_chunk *chunk = file->writing;
        size_t part = chunk->end - chunk->start;
        if (bytes < part) {
            chunk->start += bytes;
            return;
        }
        bytes -= part;
        file->writing = chunk->next;
        free(chunk);
    }
}

/* ---- writing ---- */

static ssize_t write_polled(struct log_file *file) {
    const struct log_chunk *chunk = file->writing;
    size_t bytes = chunk->end - chunk->start;
    bytes = bytes < POLLED_WRITE_BYTES ? bytes : POLLED_WRITE_BYTES;
    if (file->is_socket) {
        return send(file->fd, chunk->bytes + chunk->start, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    struct pollfd ready = {.fd = file->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(file->fd, chunk->bytes + chunk->start, bytes);
}

static ssize_t write_syslog(struct log_file *file) {
    const struct log_chunk *chunk = file->writing;
    const char *line = chunk->bytes + chunk->start;
    const char *end = memchr(line, '\n', chunk->end - chunk->start);
    size_t bytes = end != NULL ? (size_t)(end - line) + 1 : chunk->end - chunk->start;
    log_syslog_line(file->facility, line, bytes);
    return (ssize_t)bytes;
}

static ssize_t write_some(struct log_file *file) {
    if (file->kind == LOG_FILE_SYSLOG) {
        return write_syslog(file);
    }
    if (file->polled) {
        return write_polled(file);
    }
    struct iovec pieces[PIECES_A_WRITE];
    int count = 0;
    for (struct log_chunk *chunk = file->writing; chunk != NULL && count < PIECES_A_WRITE; chunk = chunk->next) {
        pieces[count].iov_base = chunk->bytes + chunk->start;
        pieces[count].iov_len = chunk->end - chunk->start;
        count++;
    }
    return writev(file->fd, pieces, count);
}

enum log_file_result log_file_write(struct log_file *file, struct log_totals *totals, int64_t now_ns) {
    take_queue(file);
    while (file->writing != NULL) {
        ssize_t written = write_some(file);
        if (written > 0) {
            consume(file, totals, (size_t)written);
        } else if (written < 0 && errno == EAGAIN) {
            return LOG_FILE_BLOCKED;
        } else if (written == 0 || errno != EINTR) {
            int reason = written == 0 ? EIO : errno;
            atomic_fetch_add_explicit(&totals->write_errors, 1, memory_order_relaxed);
            file->retry_ns = now_ns + LOG_RETRY_MS * NS_PER_MS;
            errno = reason;
            return LOG_FILE_FAILED;
        }
    }
    return LOG_FILE_WRITTEN;
}
