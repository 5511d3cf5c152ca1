/* One speed that several connections share, and how much of it one of them may take at a time.
 *
 * A pacer for bits a second, the rate that it runs at, and the number of connections that hold a reservation, among
 * whom the rate is divided. All threads share a lane; a zeroed struct is a new one. Pure: the time is a parameter,
 * monotonic nanoseconds. */
#ifndef WEIR_SHAPER_LANE_H
#define WEIR_SHAPER_LANE_H

#include <stdatomic.h>
#include <stdint.h>

#include "shaper/pacer.h"

/* The quantum, what one connection may reserve at a time: so much of its share as it makes in one of so many turns a
 * second, but at least two TCP segments, and no more than a large write. */
enum {
    LANE_QUANTUM_MIN_BYTES = 2896,
    LANE_QUANTUM_MAX_BYTES = 128 * 1024,
    LANE_OWED_AT_ONCE_BYTES = 1 << 24,
};

#define LANE_BURST_NS INT64_C(50000000) /* unused time that may be saved up: for an origin that hesitates */

struct lane {
    struct pacer pacer;
    atomic_uint_fast64_t bits_per_s; /* as last asked; what is owed is rescaled when it changes; 0: never asked */
    atomic_int_fast64_t rate_since_ns;
    atomic_uint holders; /* connections with a reservation */
};

/* The part of the rate that is one connection's: of those that hold a reservation, or besides them. */
static inline uint64_t lane_share_bytes_per_s(const struct lane *lane, uint64_t bits_per_s, bool is_holder) {
    uint64_t holders = atomic_load_explicit(&lane->holders, memory_order_relaxed);
    uint64_t sharing = is_holder && holders > 0 ? holders : holders + 1;
    return bits_per_s / 8 / sharing;
}

/* A long response comes to have few turns a second, each the more bytes: a turn costs the worker a wake-up, and the
 * kernel can spread its bytes over the time until the next (proxy/smoothing.h). It begins with as many as what is read
 * always has, so that many who begin at once do not each take what would be right for one alone. */
enum { LANE_FEW_TURNS_PER_S = 10, LANE_MANY_TURNS_PER_S = 100 };
uint64_t lane_quantum_bytes(uint64_t share_bytes_per_s, unsigned turns_per_s);

/* How long a reservation made now would wait, beyond the turns of those who hold one: a debt of bytes that went out at
 * once. Changes nothing but the rate. */
int64_t lane_excess_debt_ns(struct lane *lane, uint64_t bits_per_s, int64_t now_ns);

/* Whether, at that rate, nothing would have to wait. */
static inline bool lane_is_free(const struct lane *lane, uint64_t bits_per_s, int64_t now_ns) {
    return atomic_load_explicit(&lane->bits_per_s, memory_order_relaxed) == bits_per_s &&
           pacer_is_free(&lane->pacer, now_ns);
}

/* Takes bytes for one connection, which is a holder from now on. Returns when they may go; now_ns or earlier: at once.
 * bits_per_s at least 1; at most LANE_QUANTUM_MAX_BYTES. */
int64_t lane_reserve(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns);

/* The rate is another than was last asked: what is owed is rescaled. Seldom, and kept out of what is always. */
__attribute__((noinline, cold)) void lane_change_rate(struct lane *lane, uint64_t bits_per_s, int64_t now_ns);

/* 1 to LANE_OWED_AT_ONCE_BYTES that go out without waiting are owed. */
static inline void lane_owe_piece(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns) {
    if (atomic_load_explicit(&lane->bits_per_s, memory_order_relaxed) != bits_per_s) {
        lane_change_rate(lane, bits_per_s, now_ns);
    }
    uint64_t parts = bytes * 8 * (uint64_t)PACER_PARTS_PER_S; /* below 2^62 */
    pacer_owe(&lane->pacer, (int64_t)((parts - 1) / bits_per_s) + 1, LANE_BURST_NS, now_ns);
}

/* The same for one connection that is a holder from now on: what it does not send is given back when it settles. */
static inline void lane_hold_piece(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns) {
    lane_owe_piece(lane, bits_per_s, bytes, now_ns);
    atomic_fetch_add_explicit(&lane->holders, 1, memory_order_relaxed);
}

/* When a reservation that was made at `old_bits_per_s` for at_ns may go, now that another rate holds: it keeps its
 * place in the line. */
int64_t lane_move(struct lane *lane, uint64_t old_bits_per_s, uint64_t bits_per_s, int64_t at_ns, int64_t now_ns);

/* Bytes of a reservation that will not be sent. */
void lane_give_back(struct lane *lane, uint64_t bytes);

/* The holder has sent all but `unsent_bytes` of its reservation, which are given back. */
static inline void lane_settle(struct lane *lane, uint64_t unsent_bytes) {
    atomic_fetch_sub_explicit(&lane->holders, 1, memory_order_relaxed);
    if (unsent_bytes > 0) {
        lane_give_back(lane, unsent_bytes);
    }
}

/* Bytes that went out without a reservation are owed, however many. */
void lane_owe(struct lane *lane, uint64_t bits_per_s, uint64_t bytes, int64_t now_ns);

#endif
