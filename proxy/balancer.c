/* Choice of a balancer's member. Called by workers through origins_choose().
 *
 * Invariant: `earliest` never goes back and is never later than the time of a member that could have been chosen; a
 * member whose own time lies before it was away, and begins again at `earliest`. */
#include "proxy/balancer.h"

#include <stdlib.h>

#include "proxy/origin_runtime.h"

/* A request to a member of load factor 1 (100 hundredths); small enough to count requests for thousands of years. */
#define REQUEST_COST (UINT64_C(1) << 30)

struct balancer_schedule {
    atomic_uint_least64_t earliest;
    atomic_uint_least64_t member[]; /* virtual time at which its next request is due */
};

struct balancer_schedule *balancer_schedule_new(size_t member_count) {
    struct balancer_schedule *schedule = must_malloc(sizeof *schedule + member_count * sizeof(atomic_uint_least64_t));
    atomic_init(&schedule->earliest, 0);
    for (size_t i = 0; i < member_count; i++) {
        atomic_init(&schedule->member[i], 0);
    }
    return schedule;
}

void balancer_schedule_free(struct balancer_schedule *schedule) {
    free(schedule);
}

static unsigned weight_of(const struct balancer_member *member) {
    return member->load_factor_x100 > 0 ? member->load_factor_x100 : 100;
}

static uint64_t cost_of(const struct balancer_member *member) {
    return REQUEST_COST * 100 / weight_of(member);
}

static void move_earliest(struct balancer_schedule *schedule, uint64_t to) {
    uint64_t earliest = atomic_load_explicit(&schedule->earliest, memory_order_relaxed);
    while (earliest < to && !atomic_compare_exchange_weak_explicit(&schedule->earliest, &earliest, to,
                                                                   memory_order_relaxed, memory_order_relaxed)) {
    }
}

static bool is_eligible(const struct balancer_member *member, struct origin_runtime *const *runtimes, uint64_t tried,
                        int64_t now_ns) {
    bool was_tried = member->index < 64 && (tried >> member->index & 1) != 0;
    return !member->disabled && !was_tried && origin_usable(runtimes[member->origin->index], now_ns);
}

struct candidate {
    const struct balancer_member *member; /* NULL: none yet */
    uint64_t seen;                        /* the member's time as it was read */
    uint64_t due;                         /* the same, or `earliest` when it was away */
    uint64_t in_flight;
};

static bool is_better(const struct candidate *a, const struct candidate *b, enum balancer_method method) {
    if (b->member == NULL) {
        return true;
    }
    if (method == BALANCE_BY_BUSYNESS) {
        uint64_t a_load = a->in_flight * weight_of(b->member);
        uint64_t b_load = b->in_flight * weight_of(a->member);
        if (a_load != b_load) {
            return a_load < b_load;
        }
    }
    return a->due < b->due;
}

/* Chooses among the members that are (or are not) hot standbys. */
static const struct balancer_member *choose_by_method(struct balancer_schedule *schedule,
                                                      const struct balancer *balancer,
                                                      struct origin_runtime *const *runtimes, uint64_t tried,
                                                      int64_t now_ns, bool standby) {
    for (;;) {
        struct candidate best = {0};
        uint64_t first_due = UINT64_MAX;
        uint64_t earliest = atomic_load_explicit(&schedule->earliest, memory_order_relaxed);
        for (size_t i = 0; i < balancer->member_count; i++) {
            const struct balancer_member *member = &balancer->members[i];
            if (member->hot_standby != standby || !is_eligible(member, runtimes, tried, now_ns)) {
                continue;
            }
            struct candidate candidate = {.member = member};
            candidate.seen = atomic_load_explicit(&schedule->member[i], memory_order_relaxed);
            candidate.due = candidate.seen > earliest ? candidate.seen : earliest;
            candidate.in_flight =
                atomic_load_explicit(&runtimes[member->origin->index]->in_flight, memory_order_relaxed);
            first_due = candidate.due < first_due ? candidate.due : first_due;
            if (is_better(&candidate, &best, balancer->method)) {
                best = candidate;
            }
        }
        if (best.member == NULL) {
            return NULL;
        }
        /* Another worker that chose the same member at the same instant makes this fail: look again. */
        size_t index = (size_t)(best.member - balancer->members);
        if (atomic_compare_exchange_strong_explicit(&schedule->member[index], &best.seen,
                                                    best.due + cost_of(best.member), memory_order_relaxed,
                                                    memory_order_relaxed)) {
            move_earliest(schedule, first_due);
            return best.member;
        }
    }
}

/* The member that the cookie names, when it can be used. It is charged for the request like any other. */
static const struct balancer_member *choose_by_cookie(struct balancer_schedule *schedule,
                                                      const struct balancer *balancer,
                                                      struct origin_runtime *const *runtimes, struct span cookie,
                                                      uint64_t tried, int64_t now_ns) {
    const char *dot = cookie.len > 0 ? memrchr(cookie.ptr, '.', cookie.len) : NULL;
    struct span route = dot != NULL ? span_skip(cookie, (size_t)(dot - cookie.ptr) + 1) : cookie;
    for (size_t i = 0; i < balancer->member_count && route.len > 0; i++) {
        const struct balancer_member *member = &balancer->members[i];
        if (member->route == NULL || !span_equal(route, span_of(member->route)) ||
            !is_eligible(member, runtimes, tried, now_ns)) {
            continue;
        }
        atomic_fetch_add_explicit(&schedule->member[i], cost_of(member), memory_order_relaxed);
        return member;
    }
    return NULL;
}

const struct balancer_member *balancer_choose(struct balancer_schedule *schedule, const struct balancer *balancer,
                                              struct origin_runtime *const *runtimes, struct span cookie_route,
                                              uint64_t tried, int64_t now_ns) {
    const struct balancer_member *member = choose_by_cookie(schedule, balancer, runtimes, cookie_route, tried, now_ns);
    if (member == NULL) {
        member = choose_by_method(schedule, balancer, runtimes, tried, now_ns, false);
    }
    if (member == NULL) {
        member = choose_by_method(schedule, balancer, runtimes, tried, now_ns, true);
    }
    return member;
}
