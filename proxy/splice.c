/* Pipes between sockets. Called by exchange_relay.c, on the worker's thread.
 * Always true: a spare pipe is empty. */
#include "proxy/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/worker.h"

enum {
    PIPE_BYTES = 256 * 1024,
    LARGE_PIPE_BYTES = 1024 * 1024,  /* the most that the kernel gives to everybody: pipe-max-size */
    LARGE_PIPES_MAX = 32,            /* a user who may have no more than 64 MiB of pipes has others to serve, too */
    SMALLEST_PIPE_BYTES = 64 * 1024, /* with less it is cheaper to copy */
    SPARE_PIPES_MAX = 32
};
#define PIPES_AGAIN_NS INT64_C(1000000000)

/* A user who has all the pages that pipe-user-pages-soft allows gets pipes of two. */
static bool open_pipe(int ends[2]) {
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    }
    if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < 0 && fcntl(ends[1], F_GETPIPE_SZ) < SMALLEST_PIPE_BYTES) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    return true;
}

struct splice_pipe *splice_pipe_lend(struct worker *worker) {
    struct splice_pipe *pipe = worker->spare_pipes;
    if (pipe != NULL) {
        worker->spare_pipes = pipe->next;
        worker->spare_pipe_count--;
        return pipe;
    }
    int ends[2];
    if (worker->now_ns < worker->pipes_again_ns) {
        return NULL;
    }
    if (!open_pipe(ends)) {
        worker->pipes_again_ns = worker->now_ns + PIPES_AGAIN_NS; /* else each read would ask again */
        return NULL;
    }
    pipe = must_calloc(1, sizeof *pipe);
    pipe->read_fd = ends[0];
    pipe->write_fd = ends[1];
    pipe->capacity = PIPE_BYTES;
    return pipe;
}

void splice_pipe_enlarge(struct worker *worker, struct splice_pipe *pipe) {
    if (pipe->capacity < LARGE_PIPE_BYTES && worker->large_pipe_count < LARGE_PIPES_MAX &&
        fcntl(pipe->write_fd, F_SETPIPE_SZ, LARGE_PIPE_BYTES) >= LARGE_PIPE_BYTES) {
        pipe->capacity = LARGE_PIPE_BYTES;
        worker->large_pipe_count++;
    }
}

static void close_pipe(struct worker *worker, struct splice_pipe *pipe) {
    worker->large_pipe_count -= pipe->capacity == LARGE_PIPE_BYTES ? 1 : 0;
    close(pipe->read_fd);
    close(pipe->write_fd);
    free(pipe);
}

void splice_pipe_take_back(struct worker *worker, struct splice_pipe *pipe) {
    if (pipe->bytes > 0 || worker->spare_pipe_count >= SPARE_PIPES_MAX) {
        close_pipe(worker, pipe);
        return;
    }
    pipe->next = worker->spare_pipes;
    worker->spare_pipes = pipe;
    worker->spare_pipe_count++;
}

void splice_free_spares(struct worker *worker) {
    while (worker->spare_pipes != NULL) {
        struct splice_pipe *pipe = worker->spare_pipes;
        worker->spare_pipes = pipe->next;
        close_pipe(worker, pipe);
    }
    worker->spare_pipe_count = 0;
}

enum stream_result splice_fill(struct splice_pipe *pipe, struct stream *from, uint64_t bound, size_t *moved) {
    *moved = 0;
    if (from->broken || from->eof) {
        return from->broken ? STREAM_BROKEN : STREAM_EOF;
    }
    size_t length = bound < pipe->capacity ? (size_t)bound : pipe->capacity;
    ssize_t count = splice(from->fd, NULL, pipe->write_fd, NULL, length, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (count > 0) {
        *moved = (size_t)count;
        pipe->bytes += *moved;
        from->bytes_in += *moved;
        return STREAM_OK; /* a short count says nothing about the socket: the pipe may have been full of small pages */
    }
    if (count == 0) {
        from->eof = true;
        return STREAM_EOF;
    }
    if (errno == EAGAIN || errno == EINTR) {
        from->read_short = true;
        return STREAM_BLOCKED;
    }
    from->broken = true;
    return STREAM_BROKEN;
}

size_t splice_drain(struct splice_pipe *pipe, struct stream *to, size_t bound) {
    size_t total = 0;
    bound = bound < pipe->bytes ? bound : pipe->bytes;
    while (total < bound && !to->write_blocked && !to->unwritable) {
        ssize_t count = splice(pipe->read_fd, NULL, to->fd, NULL, bound - total, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (count < 0) {
            to->write_blocked = errno == EAGAIN || errno == EINTR;
            to->unwritable = !to->write_blocked;
            break;
        }
        pipe->bytes -= (size_t)count;
        to->bytes_out += (uint64_t)count;
        total += (size_t)count;
    }
    return total;
}
