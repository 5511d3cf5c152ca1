/* Counts of requests being served. Called by admit.c at a request's begin and end, on every worker.
 * Always true: `now` is never above a limit that every entrant was given. */
#include "shaper/in_flight.h"

#include <assert.h>

static void note_most(struct in_flight *count, unsigned now) {
    unsigned most = atomic_load_explicit(&count->most, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak_explicit(&count->most, &most, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
}

bool in_flight_enter(struct in_flight *count, uint32_t limit) {
    if (limit == 0) {
        note_most(count, atomic_fetch_add_explicit(&count->now, 1, memory_order_relaxed) + 1);
        return true;
    }
    unsigned before = atomic_load_explicit(&count->now, memory_order_relaxed);
    do {
        if (before >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&count->now, &before, before + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    note_most(count, before + 1);
    return true;
}

void in_flight_leave(struct in_flight *count) {
    unsigned before = atomic_fetch_sub_explicit(&count->now, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

unsigned in_flight_now(const struct in_flight *count) {
    return atomic_load_explicit(&count->now, memory_order_relaxed);
}

unsigned in_flight_most(const struct in_flight *count) {
    return atomic_load_explicit(&count->most, memory_order_relaxed);
}
