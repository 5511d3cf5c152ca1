/* The sliding window: a ring of slots, each the moment of its first event and, where slots are shared, how many events
 * it holds. Called by burst_request.c and burst_connect.c, under the lock of a shard.
 *
 * Always true: slots are in order of time and, when shared, begin an eighth of the interval apart or more. So when all
 * are in use and another begins, the one that is overwritten has left the window. Moments are kept in 32 bits, which is
 * enough because a slot that has left the window is dropped at the next event, and all of them after a longer pause. */
#include "shaper/sliding_window.h"

#include <string.h>

#define WINDOW_EMPTY INT64_MIN

enum { TICK_BITS = 31, SHIFT_MAX = 127 };

static const int64_t second_ns = 1000000000;

size_t sliding_window_bytes(uint32_t limit, bool beyond_limit) {
    bool is_exact = limit <= WINDOW_EXACT_MAX && !beyond_limit;
    size_t values = is_exact ? limit : 2 * (size_t)WINDOW_SHARED_SLOTS;
    return offsetof(struct sliding_window, values) + values * sizeof(uint32_t);
}

void sliding_window_init(struct sliding_window *window, uint32_t limit, bool beyond_limit, uint32_t interval_s) {
    memset(window, 0, sliding_window_bytes(limit, beyond_limit));
    window->last_ns = WINDOW_EMPTY;
    window->interval_s = interval_s;
    window->has_counts = limit > WINDOW_EXACT_MAX || beyond_limit;
    window->slots = window->has_counts ? WINDOW_SHARED_SLOTS : (uint8_t)limit;
    unsigned shift = 0;
    while ((int64_t)interval_s * second_ns >> shift >= INT64_C(1) << TICK_BITS) {
        shift++;
    }
    window->tick_shift = shift & SHIFT_MAX;
}

static int64_t interval_ns(const struct sliding_window *window) {
    return (int64_t)window->interval_s * second_ns;
}

static uint32_t tick_of(const struct sliding_window *window, int64_t now_ns) {
    return (uint32_t)((uint64_t)now_ns >> window->tick_shift);
}

/* Whether a slot has left the window, as far as is known: a tick may lie anywhere within its 2^tick_shift ns, and
 * counts as the earliest of them. So whole ticks are compared. */
static bool has_left(const struct sliding_window *window, size_t slot, uint32_t now_tick) {
    return now_tick - window->values[slot] >= (uint32_t)((uint64_t)interval_ns(window) >> window->tick_shift);
}

static bool has_passed(const struct sliding_window *window, int64_t now_ns) {
    return window->last_ns == WINDOW_EMPTY || now_ns - window->last_ns >= interval_ns(window);
}

static int64_t not_before_last(const struct sliding_window *window, int64_t now_ns) {
    return now_ns > window->last_ns ? now_ns : window->last_ns;
}

static size_t oldest(const struct sliding_window *window) {
    size_t before = (size_t)window->newest + window->slots - window->used + 1;
    return before < window->slots ? before : before - window->slots;
}

static uint32_t events_of(const struct sliding_window *window, size_t slot) {
    return window->has_counts ? window->values[window->slots + slot] : 1;
}

uint64_t sliding_window_count(const struct sliding_window *window, int64_t now_ns) {
    if (has_passed(window, now_ns)) {
        return 0;
    }
    uint32_t now_tick = tick_of(window, not_before_last(window, now_ns));
    uint32_t events = window->events;
    size_t slot = oldest(window);
    for (size_t left = window->used; left > 0 && has_left(window, slot, now_tick); left--) {
        events -= events_of(window, slot);
        slot = slot + 1 < window->slots ? slot + 1 : 0;
    }
    return events;
}

/* A moment as it counts in a window, and the window's interval, in its ticks. */
struct moment {
    int64_t now_ns;
    uint32_t now_tick, interval_ticks;
};

/* Forgets what has left the window. */
static inline struct moment advance(struct sliding_window *window, int64_t now_ns) {
    int64_t length_ns = interval_ns(window);
    unsigned shift = window->tick_shift;
    struct moment moment = {.now_ns = now_ns, .interval_ticks = (uint32_t)((uint64_t)length_ns >> shift)};
    if (window->last_ns == WINDOW_EMPTY || now_ns - window->last_ns >= length_ns) {
        window->used = 0;
        window->events = 0;
        moment.now_tick = (uint32_t)((uint64_t)now_ns >> shift);
        return moment;
    }
    moment.now_ns = not_before_last(window, now_ns);
    moment.now_tick = (uint32_t)((uint64_t)moment.now_ns >> shift);
    while (window->used > 0 && moment.now_tick - window->values[oldest(window)] >= moment.interval_ticks) {
        window->events -= events_of(window, oldest(window));
        window->used--;
    }
    return moment;
}

static void begin_slot(struct sliding_window *window, uint32_t now_tick) {
    if (window->used == window->slots) { /* the oldest gives way, be it that rounding kept it in the window */
        window->events -= events_of(window, oldest(window));
        window->used--;
    }
    window->newest = (uint8_t)(window->newest + 1 < window->slots ? window->newest + 1 : 0);
    window->used++;
    uint32_t one = window->events < UINT32_MAX ? 1 : 0;
    window->events += one;
    window->values[window->newest] = now_tick;
    if (window->has_counts) {
        window->values[window->slots + window->newest] = one;
    }
}

/* The newest slot closes, or the oldest leaves, at a tick; the last event came somewhere within its own. */
static inline uint32_t calm_ns(const struct sliding_window *window, struct moment moment) {
    uint32_t closes = window->values[window->newest] + moment.interval_ticks / WINDOW_SHARED_SLOTS;
    uint32_t leaves = window->values[oldest(window)] + moment.interval_ticks;
    uint32_t open = closes - moment.now_tick, stays = leaves - moment.now_tick;
    uint64_t calm = (uint64_t)((open < stays ? open : stays) - 1) << window->tick_shift;
    return calm < UINT32_MAX ? (uint32_t)calm : UINT32_MAX;
}

static inline void add(struct sliding_window *window, struct moment moment) {
    size_t newest = window->newest;
    window->last_ns = moment.now_ns;
    if (window->has_counts && window->used > 0 &&
        moment.now_tick - window->values[newest] < moment.interval_ticks / WINDOW_SHARED_SLOTS) {
        uint32_t one = window->events < UINT32_MAX ? 1 : 0;
        window->values[window->slots + newest] += one;
        window->events += one;
    } else {
        begin_slot(window, moment.now_tick);
    }
    window->calm_ns = window->has_counts ? calm_ns(window, moment) : 0;
}

uint64_t sliding_window_add(struct sliding_window *window, int64_t now_ns) {
    struct moment moment = advance(window, now_ns);
    uint64_t before = window->events;
    add(window, moment);
    return before + 1;
}

bool sliding_window_try(struct sliding_window *window, uint32_t limit, int64_t now_ns) {
    struct moment moment = advance(window, now_ns);
    if (window->events >= limit) {
        return false;
    }
    add(window, moment);
    return true;
}
