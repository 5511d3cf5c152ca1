/* Stream: reads, writes, and the watcher. Called by client.c, http1.c, origin_connection.c and the relay, on the
 * worker's thread. Always true: an open stream's watcher is active exactly when something is wanted, and the timer
 * a TLS link's timer exactly when reading is wanted and TLS has something that the socket does not tell of. */
#include "proxy/stream.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proxy/smoothing.h"
#include "proxy/tls_link.h"
#include "proxy/worker.h"

/* --- TLS: the same contract, with a link between the buffers and the socket --- */

static void note_link(struct stream *stream) {
    stream->sealed = tls_link_is_blocked(stream->tls);
    if (!tls_link_is_sealed_by_kernel(stream->tls)) {
        stream->write_blocked = stream->sealed;
    }
    stream->unwritable |= tls_link_is_broken(stream->tls);
}

__attribute__((noinline)) static enum stream_result fill_tls(struct stream *stream, size_t room) {
    size_t count = 0;
    enum tls_result result = tls_link_read(stream->tls, stream->in.bytes + stream->in.end, room, &count);
    stream->in.end += (uint32_t)count;
    stream->bytes_in += count;
    stream->read_short = tls_link_is_drained(stream->tls);
    note_link(stream);
    switch (result) {
    case TLS_OK:
        return STREAM_OK;
    case TLS_BLOCKED:
        return STREAM_BLOCKED;
    case TLS_ENDED:
        stream->eof = true;
        return STREAM_EOF;
    default:
        stream->broken = true; /* cut off: nobody knows whether what came is all there was */
        return STREAM_BROKEN;
    }
}

static size_t account_sent(struct stream *stream, size_t sent);

__attribute__((noinline)) static size_t send_tls(struct stream *stream, struct span bytes) {
    const struct span parts[3] = {stream->lead, buffer_content(&stream->out), bytes};
    if (stream->sealed && !tls_link_flush(stream->tls)) {
        note_link(stream);
        return 0;
    }
    size_t sealed = tls_link_write(stream->tls, parts, 3, stream->paced, stream->worker->now_ns);
    stream->bytes_out += sealed;
    note_link(stream);
    return account_sent(stream, sealed);
}

static void free_tls(struct stream *stream) {
    if (stream->tls != NULL) {
        ev_timer_stop(stream->worker->loop, tls_link_timer(stream->tls));
        tls_link_free(&stream->tls);
    }
}

static void on_more(struct ev_loop *loop, ev_timer *timer, int events);

void stream_start_tls(struct stream *stream, struct tls_link *link) {
    stream->tls = link;
    ev_timer *more = tls_link_timer(link);
    ev_timer_init(more, on_more, 0., 0.); /* once: an initialised watcher may be pending */
    more->data = stream;
    tls_link_give(link, buffer_content(&stream->in));
    stream->bytes_in = 0;
    buffer_release(&stream->in, &stream->worker->buffers);
}

void stream_drop_tls(struct stream *stream) {
    struct span plain = tls_link_plain(stream->tls);
    buffer_make_room(&stream->in, &stream->worker->buffers);
    buffer_append(&stream->in, plain);
    free_tls(stream);
}

void stream_say_end(struct stream *stream) {
    if (stream->tls != NULL && stream_out_empty(stream) && !stream->unwritable && !stream->broken) {
        tls_link_end(stream->tls);
    }
    if (stream->ends && stream->fd >= 0) { /* close() alone would forget what waits, should the peer have sent more */
        shutdown(stream->fd, SHUT_WR);
    }
}

/* --- the watcher --- */

static void on_event(struct ev_loop *loop, ev_io *watcher, int events) {
    (void)loop;
    struct stream *stream = watcher->data;
    if (events & EV_WRITE) {
        stream->write_blocked = false;
        if (stream->sealed) {
            (void)tls_link_flush(stream->tls);
            note_link(stream);
        }
    }
    if (events & EV_READ) {
        stream->read_short = false;
    }
    stream->ready(stream, events);
}

static void on_more(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    struct stream *stream = timer->data;
    on_event(loop, &stream->watcher, EV_READ);
}

void stream_open(struct stream *stream, struct worker *worker, int fd, stream_ready *ready) {
    *stream = (struct stream){.worker = worker, .fd = fd, .ready = ready};
    ev_io_init(&stream->watcher, on_event, fd, 0);
    stream->watcher.data = stream;
}

void stream_close(struct stream *stream) {
    if (stream->fd < 0) {
        return;
    }
    ev_io_stop(stream->worker->loop, &stream->watcher);
    free_tls(stream);
    close(stream->fd);
    stream->fd = -1;
    buffer_release(&stream->in, &stream->worker->buffers);
    buffer_release(&stream->out, &stream->worker->buffers);
    stream->lead = SPAN_NONE;
}

/* In the loop's next turn, not in this one: libev runs what is fed to it before it looks at anything else, and a peer
 * that always has more would keep the worker to itself. */
static void want_more(struct stream *stream, bool wanted) {
    ev_timer *more = tls_link_timer(stream->tls);
    if (wanted == ev_is_active(more)) {
        return;
    }
    if (wanted) {
        ev_timer_set(more, 0., 0.);
        ev_timer_start(stream->worker->loop, more);
    } else {
        ev_timer_stop(stream->worker->loop, more);
    }
}

void stream_change_want(struct stream *stream, int events) {
    if (stream->tls != NULL) {
        want_more(stream, (events & EV_READ) != 0 && tls_link_has_more(stream->tls));
    }
    int watched = ev_is_active(&stream->watcher) ? stream->watcher.events & (EV_READ | EV_WRITE) : 0;
    if (watched == events || stream->fd < 0) {
        return;
    }
    ev_io_stop(stream->worker->loop, &stream->watcher);
    if (events != 0) {
        ev_io_set(&stream->watcher, stream->fd, events);
        ev_io_start(stream->worker->loop, &stream->watcher);
    }
}

enum stream_result stream_fill(struct stream *stream) {
    if (stream->broken) {
        return STREAM_BROKEN;
    }
    if (stream->eof) {
        return STREAM_EOF;
    }
    buffer_make_room(&stream->in, &stream->worker->buffers);
    size_t room = buffer_room(&stream->in);
    if (room == 0) {
        return STREAM_BLOCKED;
    }
    if (stream->tls != NULL) {
        return fill_tls(stream, room);
    }
    ssize_t count = recv(stream->fd, stream->in.bytes + stream->in.end, room, 0);
    if (count > 0) {
        stream->in.end += (uint32_t)count;
        stream->bytes_in += (uint64_t)count;
        stream->read_short = (size_t)count < room;
        return STREAM_OK;
    }
    if (count == 0 && !stream->reset) {
        stream->eof = true;
        return STREAM_EOF;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        stream->read_short = true;
        return STREAM_BLOCKED;
    }
    stream->broken = true;
    return STREAM_BROKEN;
}

static struct iovec part(struct span bytes) {
    union {
        const char *read_only;
        char *base;
    } memory = {.read_only = bytes.ptr}; /* sendmsg does not write to it */
    return (struct iovec){memory.base, bytes.len};
}

bool stream_lead(struct stream *stream, struct span head) {
    if (stream_out_empty(stream)) {
        stream->lead = head;
        return true;
    }
    buffer_make_room(&stream->out, &stream->worker->buffers);
    if (buffer_room(&stream->out) < head.len && !buffer_grow(&stream->out, &stream->worker->buffers)) {
        buffer_move_to_front(&stream->out);
    }
    if (buffer_room(&stream->out) < head.len) {
        stream->unwritable = true; /* more than 64 KiB that the peer does not take */
        return false;
    }
    buffer_append(&stream->out, head);
    return true;
}

/* So many bytes have gone: first the lead's, then the buffer's. Returns how many were neither's. */
static size_t account_sent(struct stream *stream, size_t sent) {
    if (stream->out.start == stream->out.end && sent >= stream->lead.len) {
        sent -= stream->lead.len;
        stream->lead = SPAN_NONE;
        return sent;
    }
    size_t from_lead = sent < stream->lead.len ? sent : stream->lead.len;
    stream->lead = span_skip(stream->lead, from_lead);
    sent -= from_lead;
    size_t queued = buffer_length(&stream->out);
    size_t from_out = sent < queued ? sent : queued;
    buffer_consume(&stream->out, from_out);
    return sent - from_out;
}

/* What is written last waits for the end, and goes in one segment with it. */
static int send_flags(const struct stream *stream) {
    return stream->ends ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
}

__attribute__((noinline)) static ssize_t send_parts(struct stream *stream, struct span bytes) {
    struct iovec parts[3];
    size_t count = 0;
    if (stream->lead.len > 0) {
        parts[count++] = part(stream->lead);
    }
    if (stream->out.start != stream->out.end) {
        parts[count++] = part(buffer_content(&stream->out));
    }
    if (bytes.len > 0) {
        parts[count++] = part(bytes);
    }
    if (stream->piece_bytes != 0) {
        return smoothing_send(stream->fd, parts, count, stream->piece_bytes);
    }
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return sendmsg(stream->fd, &message, send_flags(stream));
}

size_t stream_send(struct stream *stream, struct span bytes) {
    size_t offered = stream->lead.len + buffer_length(&stream->out) + bytes.len;
    if (stream->unwritable || stream->write_blocked || (offered == 0 && !stream->sealed)) {
        return 0;
    }
    if (stream->tls != NULL && !tls_link_is_sealed_by_kernel(stream->tls)) {
        return send_tls(stream, bytes);
    }
    int flags = send_flags(stream);
    ssize_t result = stream->piece_bytes != 0      ? send_parts(stream, bytes)
                     : offered == stream->lead.len ? send(stream->fd, stream->lead.ptr, offered, flags)
                     : offered == bytes.len        ? send(stream->fd, bytes.ptr, offered, flags)
                                                   : send_parts(stream, bytes);
    if (result < 0) {
        stream->write_blocked = errno == EAGAIN || errno == EINTR;
        stream->unwritable = !stream->write_blocked;
        stream->reset |= errno == ECONNRESET; /* EPIPE, where the peer had sent its end before */
        return 0;
    }
    stream->bytes_out += (uint64_t)result;
    stream->write_blocked = (size_t)result < offered;
    return account_sent(stream, (size_t)result);
}

size_t stream_put(struct stream *stream, struct span bytes) {
    buffer_make_room(&stream->out, &stream->worker->buffers);
    return buffer_append(&stream->out, bytes);
}

uint64_t stream_taken(const struct stream *stream) {
    int queued = 0;
    if (ioctl(stream->fd, SIOCOUTQ, &queued) != 0 || queued < 0) {
        return stream->bytes_out;
    }
    uint64_t waiting = (uint64_t)queued + (stream->tls != NULL ? tls_link_waiting(stream->tls) : 0);
    return stream->bytes_out > waiting ? stream->bytes_out - waiting : 0;
}

void stream_shutdown(struct stream *stream) {
    stream_say_end(stream);
    if (stream->fd >= 0 && !stream->ends) {
        shutdown(stream->fd, SHUT_WR);
    }
}

void stream_cut(struct stream *stream) {
    if (stream->fd >= 0) {
        shutdown(stream->fd, SHUT_WR);
    }
}

void stream_let_wait(struct stream *stream, int bytes) {
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

bool stream_is_reset(struct stream *stream) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0) {
        stream->broken = stream->unwritable = true; /* asking has cleared the error: nobody else will see it */
    }
    return stream->broken;
}

void stream_reset_on_close(struct stream *stream) {
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}
