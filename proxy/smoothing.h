/* The bytes of one long turn, spread over the time until the next by the kernel.
 *
 * A paced response is written in few turns a second, because each costs a wake-up; left alone, each turn would go out
 * as one burst. So the socket is told a rate a little above that of the turns (SO_MAX_PACING_RATE), and a turn is
 * written in pieces that the kernel sends one by one at that rate (MSG_EOR: it does not join them), all in one system
 * call. It is a hint: the shaper alone decides how much is written. One worker. */
#ifndef WEIR_PROXY_SMOOTHING_H
#define WEIR_PROXY_SMOOTHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proxy/stream.h"

/* Of a paced response no more waits unsent, but for turns that are spread. */
enum { SMOOTHING_WAITING_BYTES = 16 * 1024 };

/* What is written from now on comes in turns at this rate. Slow ones, whose turns are a piece each, and fast ones,
 * whose turns follow each other closely, go out as they come. Tells the kernel only what has changed by much. */
void smoothing_set(struct stream *stream, uint64_t bytes_per_s);
/* Turns at this rate follow each other so closely that each may go out as it is. */
bool smoothing_is_needless(uint64_t bytes_per_s);
/* What is written from now on goes at once. */
void smoothing_stop(struct stream *stream);
static inline void smoothing_end(struct stream *stream) {
    if (stream->pace_bytes_per_s != 0) {
        smoothing_stop(stream);
    }
}

/* As sendmsg(), in messages of piece_bytes. Returns how many bytes were taken, or -1 with errno. */
ssize_t smoothing_send(int fd, const struct iovec *parts, size_t count, size_t piece_bytes);

#endif
