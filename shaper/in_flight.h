/* How many requests of one host, user, class or client are being served, and how many it was at most (max_conn of the
 * CBand*Speed directives). All threads share a count; a zeroed struct is an empty one. Pure. */
#ifndef WEIR_SHAPER_IN_FLIGHT_H
#define WEIR_SHAPER_IN_FLIGHT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct in_flight {
    atomic_uint now;
    atomic_uint most; /* since the start */
};

/* There are more than there ever were. */
void in_flight_note_most(struct in_flight *count, unsigned now);

/* Counts one more, unless there are `limit` already; 0: no limit. False: nothing was counted. Inline, because each
 * request does it under each name that it is counted by. */
static inline bool in_flight_enter(struct in_flight *count, uint32_t limit) {
    unsigned now;
    if (limit == 0) {
        now = atomic_fetch_add_explicit(&count->now, 1, memory_order_relaxed) + 1;
    } else {
        unsigned before = atomic_load_explicit(&count->now, memory_order_relaxed);
        do {
            if (before >= limit) {
                return false;
            }
        } while (!atomic_compare_exchange_weak_explicit(&count->now, &before, before + 1, memory_order_relaxed,
                                                        memory_order_relaxed));
        now = before + 1;
    }
    if (now > atomic_load_explicit(&count->most, memory_order_relaxed)) {
        in_flight_note_most(count, now);
    }
    return true;
}

/* Once for each enter that was true. */
static inline void in_flight_leave(struct in_flight *count) {
    unsigned before = atomic_fetch_sub_explicit(&count->now, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

unsigned in_flight_now(const struct in_flight *count);
unsigned in_flight_most(const struct in_flight *count);

#endif
