/* Taking from a count that other threads may set to zero at the same moment. Pure. */
#ifndef WEIR_SHAPER_ATOMIC_FLOOR_H
#define WEIR_SHAPER_ATOMIC_FLOOR_H

#include <stdatomic.h>
#include <stdint.h>

/* Not below zero: what is no longer there needs not be taken. Any thread. */
static inline void atomic_subtract_to_floor(atomic_uint_fast64_t *count, uint64_t amount) {
    uint64_t was = atomic_load_explicit(count, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(count, &was, was > amount ? was - amount : 0, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

#endif
