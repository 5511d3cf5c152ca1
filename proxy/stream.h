/* One end of a connection: a descriptor with its two buffers and its watcher. Client and origin ends are the same code.
 *
 * Reading fills `in`, writing empties `out`; a piece of somebody else's memory may follow `out` in the same system
 * call. A stream never calls its owner except through `ready`, from the loop. What it waits for is decided by its owner
 * in one place and told with stream_want(); the watcher is touched only when that changes. One worker. */
#ifndef WEIR_PROXY_STREAM_H
#define WEIR_PROXY_STREAM_H

#include <ev.h>

#include "proxy/buffer.h"

struct tls_context;
struct tls_link;
struct worker;
struct stream;
typedef void stream_ready(struct stream *stream, int events); /* EV_READ | EV_WRITE */

enum stream_result {
    STREAM_OK,      /* something was moved */
    STREAM_BLOCKED, /* nothing now: wait for the event */
    STREAM_EOF,     /* reading: the peer will send no more */
    STREAM_BROKEN,  /* the connection failed: close it */
};

struct stream {
    ev_io watcher;
    struct worker *worker;
    stream_ready *ready;
    int fd; /* -1: closed */
    struct buffer in, out;
    struct span lead;             /* goes out before `out`: a head in an arena, that must live until it has gone */
    uint64_t bytes_in, bytes_out; /* since the stream was opened */
    struct tls_link *tls;         /* NULL: plain. Then all that is counted and buffered here is what TLS carries */
    uint32_t pace_bytes_per_s;    /* told to the kernel (smoothing.h); 0: nothing */
    uint32_t piece_bytes;         /* of one message to the socket; 0: as large as what is written */
    bool sealed;                  /* TLS: records that were counted as sent wait for the socket */
    bool paced;                   /* written by the shaper's leave: TLS records are small */
    bool eof;                     /* the peer has sent its end */
    bool broken;                  /* a read failed: nothing more will come */
    bool unwritable;    /* a write failed: nothing more can be sent; what the peer has sent can still be read */
    bool reset;         /* that write was told of a reset, which the kernel tells once: behind it no end is one */
    bool write_blocked; /* the last write took less than was offered: only an EV_WRITE ends this */
    bool read_short;    /* the last read left room: nothing more is waiting */
    bool ends;          /* plain: the end is sent as soon as all is written, so what is written may wait for it */
};

/* Takes over the descriptor; nothing is watched yet. */
void stream_open(struct stream *stream, struct worker *worker, int fd, stream_ready *ready);
/* Stops watching, closes, gives the buffers back. Harmless when closed. */
void stream_close(struct stream *stream);

/* EV_READ, EV_WRITE, both or 0. */
void stream_change_want(struct stream *stream, int events);
static inline void stream_want(struct stream *stream, int events) {
    bool is_watched = ev_is_active(&stream->watcher) && (stream->watcher.events & (EV_READ | EV_WRITE)) == events;
    if (!is_watched || stream->tls != NULL) { /* mostly it waits for the same as before */
        stream_change_want(stream, events);
    }
}

/* One read into `in`, which gets room if it has none. STREAM_BLOCKED also when there is no room. */
enum stream_result stream_fill(struct stream *stream);

/* A head, written without copying it where nothing waits before it. It must live until the stream is empty. False, with
 * the stream unwritable, when it cannot be queued. */
bool stream_lead(struct stream *stream, struct span head);

/* Writes what is queued, then `bytes`, in one call. Returns how many of `bytes` were taken by the kernel; what is left
 * stays the caller's. On failure `unwritable` is set and 0 returned. bytes may be empty: then only what is queued is
 * flushed. */
size_t stream_send(struct stream *stream, struct span bytes);

/* Copies as much as fits into `out`; to be flushed later. */
size_t stream_put(struct stream *stream, struct span bytes);

/* How many of bytes_out the peer has acknowledged. A system call: not for every write. */
uint64_t stream_taken(const struct stream *stream);

/* From so many bytes on that wait in the socket unsent it is not writable; -1: as the kernel sees fit. */
void stream_let_wait(struct stream *stream, int bytes);

/* Asks the kernel whether the connection has failed, whatever is still to be read; then nothing more can be read or
 * sent.
 */
bool stream_is_reset(struct stream *stream);
/* Closing will end the connection at once, by a reset: it leaves nothing to wait for behind. */
void stream_reset_on_close(struct stream *stream);

/* Tells the peer that no more will come. */
void stream_shutdown(struct stream *stream);
/* The same, where what was sent is incomplete: with TLS the end is one that nobody has said (no close_notify). */
void stream_cut(struct stream *stream);

static inline bool stream_out_empty(const struct stream *stream) {
    return stream->lead.len == 0 && stream->out.start == stream->out.end && !stream->sealed;
}

/* Writes what is queued as far as it goes. True when nothing is left. */
static inline bool stream_flush(struct stream *stream) {
    if (stream_out_empty(stream)) {
        return true;
    }
    stream_send(stream, SPAN_NONE);
    return stream_out_empty(stream);
}

/* The stream speaks TLS from now on; the link becomes the stream's. What was read before goes to the link. */
void stream_start_tls(struct stream *stream, struct tls_link *link);
/* Back to a plain stream, after TLS_PLAIN_HTTP: what came is in `in`. */
void stream_drop_tls(struct stream *stream);
/* Where TLS is spoken, says that no more will be sent (close_notify), as far as that costs no waiting. For an end that
 * is meant: a stream that is closed without it looks cut off. */
void stream_say_end(struct stream *stream);

#endif
