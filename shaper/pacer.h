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

#include <stdatomic.h>
#include <stdint.h>

struct pacer {
    atomic_int_fast64_t promised_until; /* sixteenths of a nanosecond; 0: nothing was ever promised */
};

struct pace {             /* what is asked of a pacer; of a configuration, constant */
    uint64_t units_per_s; /* at least 1 */
    int64_t burst_ns;     /* how much unused time may be saved up */
};

/* Takes `units` (at most 2^32) out of the pacer. Returns when they may be sent: now_ns or earlier means at once. */
int64_t pacer_reserve(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns);

/* The same, unless they would have to wait for longer than `patience_ns`: then nothing is taken and INT64_MAX returned.
 */
int64_t pacer_reserve_within(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns,
                             int64_t patience_ns);

/* The burst with which so many single units, and no more, go at once; at least 1. */
int64_t pacer_burst_ns_for(uint64_t units_per_s, uint64_t units);

/* What was reserved and not sent. Only what was reserved may be given back. */
void pacer_give_back(struct pacer *pacer, struct pace pace, uint64_t units);

/* The rate changes: what is owed beyond now takes as much longer or shorter as the new rate is slower or faster, so
 * that a changed limit holds at once. Both at least 1. */
void pacer_change_rate(struct pacer *pacer, uint64_t old_units_per_s, uint64_t new_units_per_s, int64_t now_ns);

/* How far what has been promised reaches beyond now: 0 when nothing would have to wait. Changes nothing. */
int64_t pacer_debt_ns(const struct pacer *pacer, int64_t now_ns);

#endif
