/* Counters of a worker: declared once in counters.def, one block a worker, one writer, any reader.
 *
 * The worker adds with plain relaxed stores (it is the only writer), readers sum up all blocks with relaxed loads. A
 * gauge is a counter that also goes down. */
#ifndef WEIR_PROXY_COUNTERS_H
#define WEIR_PROXY_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum counter {
#define COUNTER(constant, name, type, unit, help) COUNTER_##constant,
#include "proxy/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

enum counter_type { COUNTER_TYPE_COUNTER, COUNTER_TYPE_GAUGE };

struct counter_row {
    const char *name; /* snake_case, without prefix: "client_connections" */
    enum counter_type type;
    const char *unit; /* "", "bytes", "seconds" */
    const char *help;
};
extern const struct counter_row counter_rows[COUNTER_COUNT];

struct counters {
    _Alignas(64) atomic_uint_fast64_t value[COUNTER_COUNT];
};

static inline void counters_add(struct counters *counters, enum counter counter, uint64_t amount) {
    uint64_t value = atomic_load_explicit(&counters->value[counter], memory_order_relaxed);
    atomic_store_explicit(&counters->value[counter], value + amount, memory_order_relaxed);
}

static inline void counters_subtract(struct counters *counters, enum counter counter, uint64_t amount) {
    counters_add(counters, counter, (uint64_t)0 - amount);
}

/* A copy of sums, for renderers: all numbers of one document come from one of these. */
struct counters_snapshot {
    uint64_t value[COUNTER_COUNT];
};
void counters_sum(struct counters_snapshot *sum, const struct counters *block); /* adds the block to the sum */

#endif
