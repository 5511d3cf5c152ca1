/* What happened at each origin, for people. Workers add, the housekeeping thread shows it. */
#include "proxy/origin_runtime.h"

#define MS INT64_C(1000000)

const int64_t origin_latency_bounds_ns[ORIGIN_LATENCIES] = {
    1 * MS,   MS * 5 / 2, 5 * MS,    10 * MS,   25 * MS,    50 * MS,    100 * MS,   250 * MS,
    500 * MS, 1000 * MS,  2500 * MS, 5000 * MS, 10000 * MS, 30000 * MS, 60000 * MS, INT64_MAX};

static void add(atomic_uint_fast64_t *value, uint64_t amount) {
    atomic_fetch_add_explicit(value, amount, memory_order_relaxed);
}

void origin_add(struct origin_runtime *origin, enum origin_count count) {
    add(&origin->counts[count], 1);
}

void origin_answered(struct origin_runtime *origin, int64_t after_ns) {
    size_t at = 0;
    while (after_ns > origin_latency_bounds_ns[at]) {
        at++;
    }
    add(&origin->first_byte[at], 1);
    add(&origin->first_byte_ns, (uint64_t)after_ns);
}

void origin_runtime_view(struct origin_runtime *origin, int64_t now_ns, struct origin_view *view) {
    view->is_usable = origin_usable(origin, now_ns);
    view->in_flight = atomic_load_explicit(&origin->in_flight, memory_order_relaxed);
    for (size_t i = 0; i < ORIGIN_COUNTS; i++) {
        view->counts[i] = atomic_load_explicit(&origin->counts[i], memory_order_relaxed);
    }
    for (size_t i = 0; i < ORIGIN_LATENCIES; i++) {
        view->first_byte[i] = atomic_load_explicit(&origin->first_byte[i], memory_order_relaxed);
    }
    view->first_byte_ns = atomic_load_explicit(&origin->first_byte_ns, memory_order_relaxed);
}
