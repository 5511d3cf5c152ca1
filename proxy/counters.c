/* The rows of counters.def as a table, and the sum over the workers' blocks. The sum is taken by whoever renders, on
 * any thread, while the workers go on counting: each number is right by itself, not all of one instant. */
#include "proxy/counters.h"

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(constant, name, type, unit, help) {#name, COUNTER_TYPE_##type, unit, help},
#include "proxy/counters.def"
#undef COUNTER
};

void counters_sum(struct counters_snapshot *sum, const struct counters *block) {
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        sum->value[i] += atomic_load_explicit(&block->value[i], memory_order_relaxed);
    }
}
