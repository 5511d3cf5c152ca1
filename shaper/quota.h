/* What a host or a user has used of its quota in the present period: in total, and by each class of clients.
 *
 * Counting is a relaxed atomic addition. What is allowed at the moment is kept ready until the slice or period ends;
 * only then, and when limits change, is a lock taken, the quota's own. Periods are compared by their begin, never by
 * differences of seconds, so that of several threads that see a new period one forgets the old counts, and a clock that
 * steps neither loses nor doubles what was counted (spec: Quota exceeded, Period). All functions: any thread, but for
 * init and destroy. Pure: the time is a parameter, wall-clock seconds.
 *
 * Exceeded means: used more than the limit, or more than the slices so far allow. A limit of 0 is none. */
#ifndef WEIR_SHAPER_QUOTA_H
#define WEIR_SHAPER_QUOTA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/period.h"

/* The part of one class. The quota makes and owns them; they live as long as the quota does. */
struct quota_class {
    struct quota_class *_Atomic next;
    size_t class_id; /* whatever the caller names classes by, the same over reloads */
    uint64_t limit_bytes;
    atomic_uint_fast64_t used_bytes, allowed_bytes;
};

struct quota {
    pthread_mutex_t lock; /* guards this first part, and limit_bytes of the classes */
    struct period_rule rule, next_rule;
    struct period_span span; /* the period that the counts belong to */
    int64_t start_s;         /* the grid's anchor: the first request counted; QUOTA_NOT_BEGUN */
    uint64_t limit_bytes, client_limit_bytes;
    size_t class_node_bytes;

    struct quota_class *_Atomic classes; /* grows only */
    atomic_uint_fast64_t used_bytes, allowed_bytes, client_allowed_bytes;
    atomic_uint_fast64_t epoch; /* counts periods begun and resets: whoever counts beside the quota compares it */
    atomic_int_fast64_t fresh_from_s, fresh_until_s; /* while what is allowed holds; _until_s is written last */
};

#define QUOTA_NOT_BEGUN INT64_MIN

struct quota_class_limit {
    size_t class_id;
    uint64_t limit_bytes;
};

struct quota_limits {
    struct period_rule period;
    uint64_t limit_bytes;
    uint64_t client_limit_bytes; /* of each client: counted by the caller, judged here */
    const struct quota_class_limit *classes;
    size_t class_count;
};

enum quota_exceeded { QUOTA_TOTAL_EXCEEDED = 1 << 0, QUOTA_CLASS_EXCEEDED = 1 << 1 };

/* class_node_bytes: how much to allocate for each class, at least sizeof(struct quota_class); the caller may keep what
 * is its own behind it, zeroed at first. */
void quota_init(struct quota *quota, size_t class_node_bytes);
void quota_destroy(struct quota *quota);

/* Replaces all limits. What was used is kept; a changed period takes over the count of the one under way. */
void quota_set_limits(struct quota *quota, const struct quota_limits *limits);

/* Never NULL; the cost is a step for each class seen here. */
struct quota_class *quota_class_of(struct quota *quota, size_t class_id);

/* ---- inline, because each request asks and counts for each of its quotas ---- */

/* For what is allowed to be that of this moment: begins the period when nothing has, and later ones. */
void quota_refresh(struct quota *quota, int64_t now_s);

static inline bool quota_is_fresh(const struct quota *quota, int64_t now_s) {
    return now_s < atomic_load_explicit(&quota->fresh_until_s, memory_order_acquire) &&
           now_s >= atomic_load_explicit(&quota->fresh_from_s, memory_order_relaxed);
}

static inline void quota_ensure_fresh(struct quota *quota, int64_t now_s) {
    if (!quota_is_fresh(quota, now_s)) {
        quota_refresh(quota, now_s);
    }
}

/* enum quota_exceeded, or 0. `class` may be NULL. The first call begins the period. */
static inline unsigned quota_exceeded(struct quota *quota, const struct quota_class *class, int64_t now_s) {
    quota_ensure_fresh(quota, now_s);
    unsigned exceeded = 0;
    if (atomic_load_explicit(&quota->used_bytes, memory_order_relaxed) >
        atomic_load_explicit(&quota->allowed_bytes, memory_order_relaxed)) {
        exceeded |= QUOTA_TOTAL_EXCEEDED;
    }
    if (class != NULL && atomic_load_explicit(&class->used_bytes, memory_order_relaxed) >
                             atomic_load_explicit(&class->allowed_bytes, memory_order_relaxed)) {
        exceeded |= QUOTA_CLASS_EXCEEDED;
    }
    return exceeded;
}

/* Whether nobody has exceeded anything, by what is known of this moment: false also says that nothing is. */
static inline bool quota_is_surely_within(const struct quota *quota, const struct quota_class *class, int64_t now_s) {
    return quota_is_fresh(quota, now_s) &&
           atomic_load_explicit(&quota->used_bytes, memory_order_relaxed) <=
               atomic_load_explicit(&quota->allowed_bytes, memory_order_relaxed) &&
           (class == NULL || atomic_load_explicit(&class->used_bytes, memory_order_relaxed) <=
                                 atomic_load_explicit(&class->allowed_bytes, memory_order_relaxed));
}

/* Whether clients have a quota of their own here, by what is known. */
static inline bool quota_limits_clients(const struct quota *quota) {
    return atomic_load_explicit(&quota->client_allowed_bytes, memory_order_relaxed) < UINT64_MAX;
}

/* Which period the counts belong to, as a number of the quota's own: it grows with each period begun and each reset. */
static inline uint64_t quota_epoch(struct quota *quota, int64_t now_s) {
    quota_ensure_fresh(quota, now_s);
    return atomic_load_explicit(&quota->epoch, memory_order_relaxed);
}

/* Whether a client has exceeded its part, of which it has used so much in this epoch. */
static inline bool quota_client_exceeded(struct quota *quota, uint64_t used_bytes, int64_t now_s) {
    quota_ensure_fresh(quota, now_s);
    return used_bytes > atomic_load_explicit(&quota->client_allowed_bytes, memory_order_relaxed);
}

/* Counts bytes sent; `class` may be NULL. Begins the period when nothing has. Returns the epoch that they count in. */
static inline uint64_t quota_count(struct quota *quota, struct quota_class *class, uint64_t bytes, int64_t now_s) {
    quota_ensure_fresh(quota, now_s);
    atomic_fetch_add_explicit(&quota->used_bytes, bytes, memory_order_relaxed);
    if (class != NULL) {
        atomic_fetch_add_explicit(&class->used_bytes, bytes, memory_order_relaxed);
    }
    return atomic_load_explicit(&quota->epoch, memory_order_relaxed);
}

/* Bytes counted a moment ago have not been sent after all; the epoch is what quota_count() returned for them. Nothing
 * when another period has begun since. */
void quota_take_back(struct quota *quota, struct quota_class *class, uint64_t bytes, uint64_t epoch);

/* ---- the rest ---- */

/* Seconds until more is allowed, at least 1; 0: never. */
int64_t quota_next_allowance_s(struct quota *quota, int64_t now_s);

/* Forgets what was used. A period in seconds begins now. */
void quota_reset(struct quota *quota, int64_t now_s);

/* ---- for people ---- */

struct quota_view {
    int64_t begin_s, end_s; /* of the present period; 0: it has not begun, or never ends */
    uint64_t limit_bytes;   /* 0: none */
    uint64_t allowed_bytes; /* by the slices so far; 0 without a limit */
    uint64_t used_bytes;
    bool is_exceeded;
};

/* In total, or of one class (class_id; QUOTA_IN_TOTAL). A period that has ended is over, one that has not begun does
 * not begin by being looked at. */
#define QUOTA_IN_TOTAL SIZE_MAX
void quota_look(struct quota *quota, size_t class_id, int64_t now_s, struct quota_view *view);

/* ---- for a store: everything that a restart must not lose ---- */

struct quota_state {
    int64_t start_s, begin_s; /* start_s QUOTA_NOT_BEGUN: never used */
    uint64_t used_bytes;
};

struct quota_class_state {
    size_t class_id;
    uint64_t used_bytes;
};

/* Writes the first `room` classes; returns how many there are. A period that has ended is shown as it was. */
size_t quota_snapshot(struct quota *quota, struct quota_state *state, struct quota_class_state *classes, size_t room);

/* The store's cheap look: a quota whose mark is the same has not changed since. */
struct quota_mark {
    uint64_t used_bytes, epoch;
};
struct quota_mark quota_mark(const struct quota *quota);

/* Takes up what was kept, in a database or a file of mod_cband. A quota that has not begun goes on from it; if its
 * period has ended in the meantime, the next call sees that. One that has counted already adds what was kept, unless
 * that period has ended, and goes on its grid. */
void quota_resume(struct quota *quota, const struct quota_state *state, const struct quota_class_state *classes,
                  size_t class_count, int64_t now_s);

/* What another process has counted beside this one since both knew the same: added, if it is of the present period;
 * of a later one, it replaces; of an earlier one, it is forgotten. `class_id` names one class, whose bytes are not
 * added to the total; QUOTA_IN_TOTAL: the total. */
void quota_merge(struct quota *quota, const struct quota_state *state, size_t class_id);

/* Begins that lie so far apart or less are of one period: 0 on a grid of the calendar, INT64_MAX without a period. Two
 * processes that begin a period on their own begin it at different seconds. */
int64_t quota_same_period_s(struct quota *quota);

#endif
