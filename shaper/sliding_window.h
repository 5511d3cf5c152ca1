/* How many events there were within the last so many seconds, in constant memory and time.
 *
 * Never says more than there were, so that whoever stays within a limit is never refused. What it may leave out:
 *  - with at most WINDOW_EXACT_MAX events of interest the time of each is kept, and nothing is left out;
 *  - beyond that, events that came within an eighth of the interval share a slot, which leaves the window when its
 * first event does: up to an eighth of the interval's events may be forgotten too early. While the first event is still
 * in the window nothing is left out, so that a burst out of silence is counted exactly, whatever the clock's phase.
 *
 * Not a bucket that leaks (GCRA): one that refuses nobody who keeps within n in each interval must let a burst of n
 * pass and then only n per interval, which it cannot do without letting 2n pass within the first interval.
 *
 * An event exactly one interval ago is out. Times are monotonic nanoseconds; one before the last counts as the last.
 * One thread at a time. Pure. */
#ifndef WEIR_SHAPER_SLIDING_WINDOW_H
#define WEIR_SHAPER_SLIDING_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_EXACT_MAX = 16, WINDOW_SHARED_SLOTS = 8 };

struct sliding_window {
    int64_t last_ns; /* of the last event that was not only counted; WINDOW_EMPTY before the first */
    uint32_t events; /* in all slots in use; what would be more than 32 bits hold is not counted */
    uint32_t interval_s;
    uint32_t calm_ns;       /* shared slots: for so long after last_ns no slot begins or leaves, at least */
    uint8_t tick_shift : 7; /* a tick is 2^tick_shift ns: an interval is less than 2^31 of them */
    bool has_counts : 1;    /* slots are shared: their counts stand behind all ticks */
    uint8_t slots;          /* WINDOW_SHARED_SLOTS when they are shared */
    uint8_t used;           /* slots in use, the newest at slots[newest], the others before it */
    uint8_t newest;         /* index */
    uint32_t values[];      /* the tick of each slot's first event, then the counts */
};

/* What to allocate for one that is asked only whether there were `limit` events or more; with beyond_limit it also
 * counts what goes beyond (and shares slots whatever the limit is). */
size_t sliding_window_bytes(uint32_t limit, bool beyond_limit);
/* interval_s: 1 to INT32_MAX. */
void sliding_window_init(struct sliding_window *window, uint32_t limit, bool beyond_limit, uint32_t interval_s);

uint64_t sliding_window_count(const struct sliding_window *window, int64_t now_ns);
/* Returns how many there are with this one. */
uint64_t sliding_window_add(struct sliding_window *window, int64_t now_ns);

/* The same as sliding_window_take() when nothing can be taken for granted. */
bool sliding_window_try(struct sliding_window *window, uint32_t limit, int64_t now_ns);

/* Adds an event unless there are `limit` already; false: it was not added. Inline for the events of a client that sends
 * many: between the moments at which slots begin and leave, they are only counted. */
static inline bool sliding_window_take(struct sliding_window *window, uint32_t limit, int64_t now_ns) {
    uint64_t since_ns = (uint64_t)now_ns - (uint64_t)window->last_ns; /* huge when now is earlier */
    if (since_ns >= window->calm_ns || window->events >= limit) {
        return sliding_window_try(window, limit, now_ns);
    }
    window->events++;
    window->values[WINDOW_SHARED_SLOTS + window->newest]++;
    return true;
}

#endif
