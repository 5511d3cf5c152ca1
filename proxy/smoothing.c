/* Smoothing: the socket's options and the pieces. Called by http1.c when a turn is granted and when a response begins,
 * by stream.c and tls_bio.c for what is written meanwhile; worker's thread.
 * Always true: the rate told to the kernel is above that of the turns, so that what was written in one has gone before
 * the next, and a socket whose stream has no pieces sends as fast as it can. */
#include "proxy/smoothing.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "proxy/tls_link.h"
#include "shaper/shaper.h"

enum {
    SEGMENT_BYTES = 1448,
    PIECES_PER_S = 100,
    PIECE_MIN_SEGMENTS = 4,
    PIECES_A_CALL = 16,
    PARTS_MAX = 3,
};

/* Above the rate of the turns by this much, 9/8: the kernel makes up for what it was late. */
enum { ABOVE_NUMERATOR = 9, ABOVE_DENOMINATOR = 8 };
/* From here on turns of SHAPER_TURN_MAX_BYTES come every 20 ms and faster. */
enum { SMOOTH_MAX_BYTES_PER_S = SHAPER_TURN_MAX_BYTES * 50 };

static void change(struct stream *stream, uint32_t pace_bytes_per_s, uint32_t piece_bytes, int waiting_bytes) {
    uint32_t pace = pace_bytes_per_s != 0 ? pace_bytes_per_s : UINT32_MAX; /* no bound */
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof pace);
    stream_let_wait(stream, waiting_bytes);
    stream->pace_bytes_per_s = pace_bytes_per_s;
    stream->piece_bytes = piece_bytes;
    if (stream->tls != NULL) {
        tls_link_cut(stream->tls, piece_bytes);
    }
}

void smoothing_stop(struct stream *stream) {
    change(stream, 0, 0, SMOOTHING_WAITING_BYTES);
}

/* What was written before there was a cap must not be slowed: it is not of the turns, which would then pile up. */
static bool has_old_bytes(const struct stream *stream) {
    int unsent = 0;
    return stream->pace_bytes_per_s == 0 && ioctl(stream->fd, SIOCOUTQNSD, &unsent) == 0 &&
           unsent > SMOOTHING_WAITING_BYTES;
}

bool smoothing_is_needless(uint64_t bytes_per_s) {
    return bytes_per_s > SMOOTH_MAX_BYTES_PER_S;
}

/* A hundredth of a second's bytes, in whole segments. */
static uint32_t piece_of(uint64_t bytes_per_s) {
    uint64_t segments = (bytes_per_s / PIECES_PER_S + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    return (uint32_t)(segments > PIECE_MIN_SEGMENTS ? segments : PIECE_MIN_SEGMENTS) * SEGMENT_BYTES;
}

void smoothing_set(struct stream *stream, uint64_t bytes_per_s) {
    if (smoothing_is_needless(bytes_per_s) || bytes_per_s / SHAPER_TURNS_PER_S <= piece_of(bytes_per_s)) {
        smoothing_end(stream);
        return;
    }
    uint32_t pace = (uint32_t)(bytes_per_s * ABOVE_NUMERATOR / ABOVE_DENOMINATOR), before = stream->pace_bytes_per_s;
    uint32_t difference = pace > before ? pace - before : before - pace;
    if (difference > before / 16 && !has_old_bytes(stream)) {
        uint64_t turn_bytes = bytes_per_s / SHAPER_TURNS_PER_S;
        turn_bytes = turn_bytes < SHAPER_TURN_MAX_BYTES ? turn_bytes : SHAPER_TURN_MAX_BYTES;
        int waiting = (int)turn_bytes * 2; /* one that is being sent, and the next when that is late */
        change(stream, pace, piece_of(bytes_per_s),
               waiting > SMOOTHING_WAITING_BYTES ? waiting : SMOOTHING_WAITING_BYTES);
    }
}

struct cursor { /* where in the parts the next message begins */
    const struct iovec *parts;
    size_t count, offset;
};

/* The next `bytes` of the parts; returns how many pieces of memory that are. */
static size_t cut(struct cursor *from, size_t bytes, struct iovec *into, size_t *taken) {
    size_t count = 0;
    *taken = 0;
    while (from->count > 0 && *taken < bytes) {
        size_t left = from->parts->iov_len - from->offset;
        size_t length = left < bytes - *taken ? left : bytes - *taken;
        into[count++] = (struct iovec){(char *)from->parts->iov_base + from->offset, length};
        *taken += length;
        from->offset += length;
        if (from->offset == from->parts->iov_len) {
            from->parts++;
            from->count--;
            from->offset = 0;
        }
    }
    return count;
}

/* The next PIECES_A_CALL messages. Returns as sendmsg(); *offered says how many bytes they had. */
static ssize_t send_some(int fd, struct cursor *from, size_t piece_bytes, size_t *offered) {
    struct iovec memory[PIECES_A_CALL][PARTS_MAX];
    struct mmsghdr messages[PIECES_A_CALL];
    unsigned count = 0;
    memset(messages, 0, sizeof messages);
    *offered = 0;
    while (from->count > 0 && count < PIECES_A_CALL) {
        size_t taken = 0;
        messages[count].msg_hdr.msg_iov = memory[count];
        messages[count].msg_hdr.msg_iovlen = cut(from, piece_bytes, memory[count], &taken);
        *offered += taken;
        count++;
    }
    int sent = sendmmsg(fd, messages, count, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_EOR);
    if (sent < 0) {
        return -1;
    }
    ssize_t bytes = 0;
    for (int i = 0; i < sent; i++) {
        bytes += messages[i].msg_len;
    }
    return bytes;
}

ssize_t smoothing_send(int fd, const struct iovec *parts, size_t count, size_t piece_bytes) {
    struct cursor from = {parts, count, 0};
    ssize_t total = 0;
    while (from.count > 0) {
        size_t offered = 0;
        ssize_t bytes = send_some(fd, &from, piece_bytes, &offered);
        if (bytes < 0) {
            return total > 0 ? total : -1;
        }
        total += bytes;
        if ((size_t)bytes < offered) {
            break;
        }
    }
    return total;
}
