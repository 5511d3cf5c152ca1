/* A rate as one number: the time at which all that has been promised so far will have been sent (GCRA's theoretical
 * arrival time). The one way in which weir limits bytes and requests per second.
 *
 * Whoever has something to send reserves it and is told from when on it may go. A reservation that comes to nothing is
 * given back. There is no lock, no queue and no refill: reserving moves the time on by what the reservation costs, and
 * a pacer that nobody used has saved up at most its burst. Several threads may reserve at once. Pure: the time is a
 * parameter, monotonic nanoseconds; rates are units (bits, requests) a second.
 *
 * Times are kept in sixteenths of a nanosecond, so that rounding costs less than 1e-5 of any rate up to 10 Gbit/s. */
#ifndef WEIR_SHAPER_PACER_H
#define WEIR_SHAPER_PACER_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pacer {
    atomic_int_fast64_t promised_until; /* sixteenths of a nanosecond; 0: nothing was ever promised */
};

struct pace {             /* what is asked of a pacer; of a configuration, constant */
    uint64_t units_per_s; /* at least 1 */
    int64_t burst_ns;     /* how much unused time may be saved up */
};

/* ---- inline, because each request does it for each of its limits ---- */

enum { PACER_PARTS_PER_NS = 16 };
#define PACER_PARTS_PER_S (INT64_C(1000000000) * PACER_PARTS_PER_NS)

/* What has been promised never goes beyond the end of time. */
static inline int64_t pacer_later(int64_t start, int64_t cost_parts) {
    int64_t after;
    return __builtin_add_overflow(start, cost_parts, &after) ? INT64_MAX : after;
}

/* For units whose cost does not fit 64 bits. */
int64_t pacer_large_cost_parts(struct pace pace, uint64_t units);

/* Rounded up: a rate is never exceeded by rounding. Bits times sixteenths of a nanosecond overflow 64 bits from
 * 70 MB on. */
static inline int64_t pacer_cost_parts(struct pace pace, uint64_t units) {
    if (units <= INT64_MAX / PACER_PARTS_PER_S && pace.units_per_s <= INT64_MAX) {
        return (int64_t)((units * (uint64_t)PACER_PARTS_PER_S + pace.units_per_s - 1) / pace.units_per_s);
    }
    return pacer_large_cost_parts(pace, units);
}

/* Takes `units` (at most 2^32) out of the pacer, unless they would have to wait for longer than `patience_ns`: then
 * nothing is taken and INT64_MAX returned. Returns when they may be sent: now_ns or earlier means at once. */
static inline int64_t pacer_reserve_within(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns,
                                           int64_t patience_ns) {
    assert(pace.units_per_s > 0 && units <= UINT64_C(1) << 32);
    int64_t cost = pacer_cost_parts(pace, units);
    int64_t oldest = (now_ns - pace.burst_ns) * PACER_PARTS_PER_NS;
    int64_t before = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed);
    for (;;) {
        int64_t start = before > oldest ? before : oldest;
        int64_t start_ns = (start >> 4) + ((start & (PACER_PARTS_PER_NS - 1)) != 0); /* rounded up */
        if (patience_ns < INT64_MAX && start_ns - now_ns > patience_ns) {
            return INT64_MAX;
        }
        if (atomic_compare_exchange_weak_explicit(&pacer->promised_until, &before, pacer_later(start, cost),
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return start_ns;
        }
    }
}

/* The same, however long they have to wait. */
static inline int64_t pacer_reserve(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns) {
    return pacer_reserve_within(pacer, pace, units, now_ns, INT64_MAX);
}

/* Takes what costs so much, whenever it may go. */
static inline void pacer_owe(struct pacer *pacer, int64_t cost_parts, int64_t burst_ns, int64_t now_ns) {
    int64_t oldest = (now_ns - burst_ns) * PACER_PARTS_PER_NS;
    int64_t before = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed), after;
    do {
        after = pacer_later(before > oldest ? before : oldest, cost_parts);
    } while (!atomic_compare_exchange_weak_explicit(&pacer->promised_until, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

/* The burst with which so many single units, and no more, go at once; at least 1. cost_parts: of one of them. In whole
 * nanoseconds, but counted in parts. */
static inline int64_t pacer_burst_parts(int64_t cost_parts, uint64_t units) {
    return (cost_parts * (int64_t)(units - 1) + PACER_PARTS_PER_NS - 1) & -(int64_t)PACER_PARTS_PER_NS;
}

/* Takes what costs so much if it may go at once. False: it would have to wait, or another thread came in between;
 * nothing is taken, and pacer_reserve_within() knows which. */
static inline bool pacer_take_at_once(struct pacer *pacer, int64_t cost_parts, int64_t burst_parts, int64_t now_ns) {
    int64_t now = now_ns * PACER_PARTS_PER_NS, oldest = now - burst_parts;
    int64_t before = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed);
    if (before > now) {
        return false;
    }
    int64_t after = (before > oldest ? before : oldest) + cost_parts;
    return atomic_compare_exchange_strong_explicit(&pacer->promised_until, &before, after, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* Nothing would have to wait. */
static inline bool pacer_is_free(const struct pacer *pacer, int64_t now_ns) {
    return atomic_load_explicit(&pacer->promised_until, memory_order_relaxed) <= now_ns * PACER_PARTS_PER_NS;
}

/* ---- the rest ---- */

/* What was reserved and not sent. Only what was reserved may be given back. */
void pacer_give_back(struct pacer *pacer, struct pace pace, uint64_t units);

/* The rate changes: what is owed beyond now takes as much longer or shorter as the new rate is slower or faster, so
 * that a changed limit holds at once. Both at least 1. */
void pacer_change_rate(struct pacer *pacer, uint64_t old_units_per_s, uint64_t new_units_per_s, int64_t now_ns);

/* How far what has been promised reaches beyond now: 0 when nothing would have to wait. Changes nothing. */
int64_t pacer_debt_ns(const struct pacer *pacer, int64_t now_ns);

#endif
