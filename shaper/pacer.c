/* Pacer: what is not done for each reservation, which is one compare-and-swap (pacer.h). Called on every worker.
 * Always true: promised_until only moves by whole reservations, forth when taken and back when given back. */
#include "shaper/pacer.h"

int64_t pacer_large_cost_parts(struct pace pace, uint64_t units) {
    __extension__ unsigned __int128 parts =
        (unsigned __int128)units * (uint64_t)PACER_PARTS_PER_S + pace.units_per_s - 1;
    parts /= pace.units_per_s;
    return parts < INT64_MAX ? (int64_t)parts : INT64_MAX;
}

void pacer_give_back(struct pacer *pacer, struct pace pace, uint64_t units) {
    atomic_fetch_sub_explicit(&pacer->promised_until, pacer_cost_parts(pace, units), memory_order_relaxed);
}

void pacer_change_rate(struct pacer *pacer, uint64_t old_units_per_s, uint64_t new_units_per_s, int64_t now_ns) {
    int64_t now = now_ns * PACER_PARTS_PER_NS;
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
    int64_t until_ns = atomic_load_explicit(&pacer->promised_until, memory_order_relaxed) / PACER_PARTS_PER_NS;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}
