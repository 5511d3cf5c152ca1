/* Pacer: one compare-and-swap a reservation. Called on every worker for each piece that is paced.
 * Always true: promised_until only moves by whole reservations, forth when taken and back when given back. */
#include "shaper/pacer.h"

#include <assert.h>

enum { PARTS_PER_NS = 16 };
#define PARTS_PER_S (INT64_C(1000000000) * PARTS_PER_NS)

/* Rounded up: a rate is never exceeded by rounding. Bits times sixteenths of a nanosecond overflow 64 bits from
 * 70 MB on; then it is 128. */
static int64_t cost_parts(struct pace pace, uint64_t units) {
    if (units <= INT64_MAX / PARTS_PER_S && pace.units_per_s <= INT64_MAX) {
        return (int64_t)((units * (uint64_t)PARTS_PER_S + pace.units_per_s - 1) / pace.units_per_s);
    }
    __extension__ unsigned __int128 parts = (unsigned __int128)units * (uint64_t)PARTS_PER_S + pace.units_per_s - 1;
    parts /= pace.units_per_s;
    return parts < INT64_MAX ? (int64_t)parts : INT64_MAX;
}

int64_t pacer_reserve_within(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns,
                             int64_t patience_ns) {
    assert(pace.units_per_s > 0 && units <= UINT64_C(1) << 32);
    int64_t cost = cost_parts(pace, units);
    int64_t oldest = (now_ns - pace.burst_ns) * PARTS_PER_NS;
    int64_t before = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed);
    for (;;) {
        int64_t start = before > oldest ? before : oldest;
        int64_t start_ns = start / PARTS_PER_NS + (start % PARTS_PER_NS > 0 ? 1 : 0);
        if (patience_ns < INT64_MAX && start_ns - now_ns > patience_ns) {
            return INT64_MAX;
        }
        int64_t after = start < INT64_MAX - cost ? start + cost : INT64_MAX;
        if (atomic_compare_exchange_weak_explicit(&pacer->promised_until, &before, after, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return start_ns;
        }
    }
}

int64_t pacer_reserve(struct pacer *pacer, struct pace pace, uint64_t units, int64_t now_ns) {
    return pacer_reserve_within(pacer, pace, units, now_ns, INT64_MAX);
}

int64_t pacer_burst_ns_for(uint64_t units_per_s, uint64_t units) {
    int64_t parts = cost_parts((struct pace){units_per_s, 0}, 1) * (int64_t)(units - 1);
    return (parts + PARTS_PER_NS - 1) / PARTS_PER_NS;
}

void pacer_give_back(struct pacer *pacer, struct pace pace, uint64_t units) {
    atomic_fetch_sub_explicit(&pacer->promised_until, cost_parts(pace, units), memory_order_relaxed);
}

void pacer_change_rate(struct pacer *pacer, uint64_t old_units_per_s, uint64_t new_units_per_s, int64_t now_ns) {
    int64_t now = now_ns * PARTS_PER_NS;
    int64_t before = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed), after;
    do {
        if (before <= now) {
            return;
        }
        __extension__ unsigned __int128 debt = (unsigned __int128)(uint64_t)(before - now) * old_units_per_s;
        debt /= new_units_per_s;
        after = debt < (uint64_t)(INT64_MAX - now) ? now + (int64_t)debt : INT64_MAX;
    } while (!atomic_compare_exchange_weak_explicit(&pacer->promised_until, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

int64_t pacer_debt_ns(const struct pacer *pacer, int64_t now_ns) {
    int64_t until_ns = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed) / PARTS_PER_NS;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}
