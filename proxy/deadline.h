/* Deadlines of a worker: a timing wheel in which setting, moving and cancelling cost a few instructions.
 *
 * Each connection has one entry for whatever it is waiting for; thousands are moved for each that expires, so a heap of
 * ev_timers would be work for nothing. Precise to one tick (100 ms), never early. For what must be exact to the
 * millisecond (pacing), use an ev_timer. Pure: the time is a parameter. One worker. */
#ifndef WEIR_PROXY_DEADLINE_H
#define WEIR_PROXY_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEADLINE_SLOTS = 512 };
#define DEADLINE_TICK_NS INT64_C(100000000)
#define DEADLINE_NEVER INT64_MAX

struct deadline;
typedef void deadline_expired(struct deadline *deadline);

struct deadline {
    struct deadline *next, *previous; /* in a slot's ring; both NULL when not set */
    int64_t at_ns;                    /* monotonic */
    deadline_expired *expired;        /* may set, cancel or free any deadline, this one too */
};

struct deadline_wheel {
    struct deadline slots[DEADLINE_SLOTS]; /* heads of rings */
    int64_t tick;                          /* the next tick to be looked at */
    int64_t due_tick;                      /* nothing is due before its time; DEADLINE_NEVER: nothing is set */
    size_t count;                          /* entries set */
};

void deadline_wheel_init(struct deadline_wheel *wheel, int64_t now_ns);
/* Sets or moves. at_ns in the past expires at the next run. */
void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, int64_t at_ns);
void deadline_unset(struct deadline_wheel *wheel, struct deadline *deadline); /* which must be set */
static inline bool deadline_is_set(const struct deadline *deadline) {
    return deadline->next != NULL;
}
static inline void deadline_cancel(struct deadline_wheel *wheel,
                                   struct deadline *deadline) { /* harmless when not set */
    if (deadline_is_set(deadline)) {
        deadline_unset(wheel, deadline);
    }
}
/* For a deadline whose owner looks again when it has expired: sets it, unless it is set to that time or an earlier one.
 */
static inline void deadline_set_by(struct deadline_wheel *wheel, struct deadline *deadline, int64_t at_ns) {
    if (!deadline_is_set(deadline) || at_ns < deadline->at_ns) {
        deadline_set(wheel, deadline, at_ns);
    }
}
/* Calls `expired` for all whose time has come; they are no longer set when called. To be called at the time of
 * due_tick, which setting makes earlier and this makes later: in between there is nothing to do. */
void deadline_wheel_run(struct deadline_wheel *wheel, int64_t now_ns);

#endif
