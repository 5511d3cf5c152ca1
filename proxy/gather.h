/* Bytes that gather in an origin's socket while a long body comes fast: then one wake-up and one pair of splices move
 * a large piece, where otherwise each of a few packets would have its own.
 *
 * The kernel does the waiting: SO_RCVLOWAT (socket(7)) makes a socket readable only from so many bytes on, or at its
 * end, or when its receive buffer is full. It changes nothing for a read, so whoever reads anyway gets what is there.
 * A socket gathers only while what is still to come is known to be more than it waits for, and only after so much came
 * so fast that waiting for as much again takes a millisecond or so. An origin that slows down is found by a timer of
 * the worker's, which is active only while something gathers: a socket that was waited for and gave nothing for
 * GATHER_TICK_NS to twice as long is readable from one byte on again. No byte waits longer than that. One worker. */
#ifndef WEIR_PROXY_GATHER_H
#define WEIR_PROXY_GATHER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct stream;

enum {
    GATHER_BYTES = 256 * 1024,            /* what is waited for, */
    GATHER_FAST_NS = 1000 * 1000,         /* where as much came within this time before, */
    GATHER_AFTER_BYTES = 4 * GATHER_BYTES /* and the body is so long already */
};
#define GATHER_TICK_NS INT64_C(3000000)

/* Of one socket, beside its stream. Zeroed: does not gather, nothing known yet. */
struct gathering {
    struct gathering *next, *previous; /* in the worker's ring; NULL: does not gather */
    struct stream *stream;             /* while it gathers */
    uint64_t ticked_bytes;             /* stream->bytes_in at the last tick */
    uint64_t mark_bytes;               /* stream->bytes_in, */
    int64_t mark_ns;                   /* and the time, from which its speed is measured */
};

/* All of a worker's that gather. */
struct gather_ring {
    struct gathering head;
    ev_timer timer; /* active while the ring is not empty */
};

void gather_ring_init(struct gather_ring *ring);

/* The socket, of a body of known length that moves through a pipe, has been read empty: begins to gather if it is worth
 * it. True when it has begun. */
bool gather_emptied(struct gathering *gathering, struct stream *stream);

/* Readable from one byte on again; harmless when it does not gather. Before the body's last GATHER_BYTES, and before
 * anything else is read than such a body. */
void gather_end(struct gathering *gathering);

/* The same for a socket that is about to be closed. */
void gather_forget(struct gathering *gathering);

static inline bool gather_is_on(const struct gathering *gathering) {
    return gathering->next != NULL;
}

#endif
