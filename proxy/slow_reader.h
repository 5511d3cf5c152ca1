/* ResponseMinRate: does a client take what waits for it fast enough? (mod_reqtimeout's MinRate, for the other
 * direction.)
 *
 * What counts as the client's own time, and nothing else, is the time in which its connection was blocked: weir had
 * bytes for it, and its socket took no more because the client had not acknowledged what was sent before. While a
 * pacer, a quota or a slow origin is waited for, or the connection is idle, no bytes wait at the socket, it is not
 * blocked, and no time passes here. So nobody is dropped for being paced, however low the cap.
 *
 * What counts as taken is what the client has acknowledged (stream_taken()), in blocked time or not: a socket with a
 * send queue of megabytes takes nothing new for minutes while a client reads steadily.
 * (A client's kernel acknowledges in steps, of up to a sixteenth of its receive buffer when that was full: nobody on
 * this side can see more.)
 *
 * A window holds 20 s of blocked time, over as many requests of the connection as that takes. At its end the client
 * must have taken 20 s times the rate since it began; then the next one begins. A client that stops is found at the end
 * of the next window that it took nothing in: after 20 to 40 s. A connection that was free for 20 s begins anew.
 *
 * Pure: the time and the bytes taken are parameters; whoever holds the connection asks for a deadline only while it is
 * blocked, and for the bytes only when a window begins or ends. One worker. */
#ifndef WEIR_PROXY_SLOW_READER_H
#define WEIR_PROXY_SLOW_READER_H

#include <stdbool.h>
#include <stdint.h>

#define SLOW_READER_WINDOW_NS INT64_C(20000000000)

struct slow_reader {          /* zeroed: nothing known yet */
    int64_t blocked_since_ns; /* 0: not blocked */
    int64_t blocked_ns;       /* of this window, before blocked_since_ns */
    int64_t freed_ns;         /* when it was last blocked; 0: never */
    uint64_t taken_bytes;     /* when the window began */
};

/* Whether the connection is blocked now. True when a window has begun: then slow_reader_begin() must follow. */
bool slow_reader_note(struct slow_reader *reader, bool blocked, int64_t now_ns);
void slow_reader_begin(struct slow_reader *reader, uint64_t taken_bytes);

/* When the window ends if the connection stays blocked; 0: it is not blocked. */
static inline int64_t slow_reader_deadline_ns(const struct slow_reader *reader) {
    return reader->blocked_since_ns == 0 ? 0 : reader->blocked_since_ns + SLOW_READER_WINDOW_NS - reader->blocked_ns;
}

/* At that time: true when the client took less than the rate. Otherwise the next window has begun. */
bool slow_reader_judge(struct slow_reader *reader, unsigned rate_bytes_per_s, uint64_t taken_bytes, int64_t now_ns);

#endif
