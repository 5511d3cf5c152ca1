/* Counts of requests being served: what is not done for each request (in_flight.h). Any thread.
 * Always true: `now` is never above a limit that every entrant was given. */
#include "shaper/in_flight.h"

void in_flight_note_most(struct in_flight *count, unsigned now) {
    unsigned most = atomic_load_explicit(&count->most, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak_explicit(&count->most, &most, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
}

unsigned in_flight_now(const struct in_flight *count) {
    return atomic_load_explicit(&count->now, memory_order_relaxed);
}

unsigned in_flight_most(const struct in_flight *count) {
    return atomic_load_explicit(&count->most, memory_order_relaxed);
}
